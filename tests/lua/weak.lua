-- SPDX-License-Identifier: Apache-2.0
-- Weak tables: keys, values, both; what is cleared and what stays; ephemerons.
local function count(t) local n = 0 for _ in pairs(t) do n = n + 1 end return n end
local function weak(mode) return setmetatable({}, { __mode = mode }) end
local keep = {}

-- values: objects go, what is no object stays, and strings do not count as objects here
local v = weak("v")
for i = 1, 100 do v[i] = {} v["n" .. i] = i v["s" .. i] = "text" .. i v["f" .. i] = function() return i end end
for i = 1, 10 do keep[i] = {} v["kept" .. i] = keep[i] end
v.self = v v.co = coroutine.create(print) v.io = io.stdout v.print = print
collectgarbage()
local kinds = {} for _, x in pairs(v) do kinds[type(x)] = (kinds[type(x)] or 0) + 1 end
print(count(v), kinds.number, kinds.string, kinds.table, kinds["function"], kinds.thread, kinds.userdata)
print(v.n5, v.s7, v[1], v.kept3 == keep[3], v.self == v, v.co, v.print == print)

-- keys: numbers, strings and booleans stay
local k = weak("k")
for i = 1, 100 do k[{}] = i k["s" .. i] = {} k[i] = {} k[function() return i end] = true end
for i = 1, 10 do k[keep[i]] = "kept" .. i end
k[true] = 1 k[1.5] = 2
collectgarbage()
print(count(k), k[keep[4]], k[true], k[1.5], type(k.s9), type(k[9]))

-- both
local kv = weak("kv")
for i = 1, 50 do kv[{}] = i kv[i] = {} kv[keep[(i - 1) % 10 + 1]] = {} kv["s" .. i] = "v" .. i end
kv[keep[1]] = keep[2]
collectgarbage()
print(count(kv), kv[keep[1]] == keep[2], kv[keep[2]], kv.s1)

-- array part, and tables that grow while they are weak
local a = weak("v")
for i = 1, 1000 do a[i] = i % 10 == 0 and keep[i // 10 % 10 + 1] or {} end
collectgarbage()
local left = 0 for i = 1, 1000 do if a[i] then left = left + 1 end end
print(left, a[10] == keep[2], a[11])
for i = 1, 2000 do a[i] = a[i] or {} end collectgarbage()
left = 0 for i = 1, 2000 do if a[i] then left = left + 1 end end print(left)

-- a mode that comes and goes
local t = setmetatable({}, {})
t[1] = {} collectgarbage() print(type(t[1])) getmetatable(t).__mode = "v" collectgarbage() print(t[1])
t[1] = {}
getmetatable(t).__mode = nil
collectgarbage()
print(type(t[1]))
setmetatable(t, { __mode = "kv" })
collectgarbage()
print(t[1])
t[{}] = 1
setmetatable(t, nil)
collectgarbage()
print(count(t))
t = setmetatable(t, { __mode = 5 })
collectgarbage()
print(count(t))
t = setmetatable({}, { __mode = "only v and k count" }) t[1] = {} t[{}] = 1 collectgarbage() print(count(t))

-- ephemerons: a value that reaches its key keeps nothing
local e = weak("k")
for i = 1, 100 do local key = {} e[key] = { key } end
for i = 1, 100 do local a, b = {}, {} e[a] = b e[b] = a end
for i = 1, 100 do local key = {} e[key] = function() return key end end
collectgarbage() print(count(e))
-- chains: each value is the next key; one that is kept keeps what follows
local first = {} local node = first
for i = 1, 2000 do local following = { i } e[node] = following node = following end
collectgarbage() print(count(e))
node = first for i = 1, 1000 do node = e[node] end print(node[1])
first = node collectgarbage() print(count(e)) first, node = nil, nil collectgarbage() print(count(e))
-- through several tables, and with the tables as values
local tabs = {} for i = 1, 20 do tabs[i] = weak("k") end
local start = {} node = start
for i = 1, 400 do local n = { i } tabs[i % 20 + 1][node] = n node = n end
collectgarbage() local sum = 0 for i = 1, 20 do sum = sum + count(tabs[i]) end print(sum)
start, node = nil, nil collectgarbage() sum = 0 for i = 1, 20 do sum = sum + count(tabs[i]) end print(sum)
do
  local outer, key = weak("k"), {}
  outer[key] = weak("k") outer[key][key] = { "deep" } outer[outer] = outer
  collectgarbage() print(count(outer), outer[key][key][1])
end
-- keys that are keys of themselves in several ways
local cyc = weak("k")
for i = 1, 50 do local x = setmetatable({}, {}) getmetatable(x).__index = x x.me = x cyc[x] = x end
collectgarbage()
print(count(cyc))
-- coroutines and closures as keys
local c = weak("k") local held = {}
for i = 1, 40 do
  local co = coroutine.wrap(function() local me = coroutine.running() c[me] = me coroutine.yield() end)
  co() if i % 4 == 0 then held[#held + 1] = co end
end
collectgarbage() print(count(c)) held = nil collectgarbage() print(count(c))

-- caches that fill while they are cleared, in both modes of the collector
for _, mode in ipairs { "incremental", "generational" } do
  collectgarbage(mode)
  local cache, bad = weak("v"), 0
  for i = 1, 50000 do
    local key = i % 500
    local x = cache[key]
    if x and x[1] ~= key then bad = bad + 1 end
    if not x then cache[key] = { key, {} } end
  end
  local memo = weak("k")
  for i = 1, 20000 do local key = { i } memo[key] = { key, i } if memo[key][2] ~= i then bad = bad + 1 end end
  print(mode, bad) collectgarbage() print(count(cache), count(memo))
end
collectgarbage("incremental")
-- removal while a traversal stands in a table that is cleared
local n, w = 0, weak("k") for i = 1, 200 do w[{}] = i end
for key in pairs(w) do w[key] = nil n = n + 1 if n % 50 == 0 then collectgarbage() end end print(n <= 200, count(w))

-- strings are values, in the array part too
local s = weak("v")
for i = 1, 64 do s[i] = "array " .. i end
collectgarbage() collectgarbage()
local texts = 0 for i = 1, 64 do if s[i] == "array " .. i then texts = texts + 1 end end
print(texts)
