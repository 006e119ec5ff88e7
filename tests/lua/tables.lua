-- SPDX-License-Identifier: Apache-2.0
-- The table library, and tables: their parts, borders, traversal.
local function show(t)
  local s = {} for i = 1, #t do s[i] = tostring(t[i]) end print("{" .. table.concat(s, " ") .. "}")
end
local t = {}
table.insert(t, "a") table.insert(t, 1, "b") table.insert(t, #t + 1, "c") table.insert(t, 2, "d") show(t)
print(table.remove(t), table.remove(t, 1), table.remove(t, #t + 1), table.remove({}), table.remove({}, 0), #t) show(t)
print(pcall(table.insert, t, 5, "x"), pcall(table.insert, t), pcall(table.insert, t, 1, 2, 3), pcall(table.remove, t,
    7))
print(pcall(table.insert, nil, 1), pcall(table.concat, { 1, {}, 3 }), pcall(table.unpack, {}, 1, 1e8))
print(table.concat({}), table.concat({ 1, 2.5, "x" }, ", "), table.concat({ 1, 2, 3 }, "-", 2), table.concat({ 1, 2,
    3 }, "-", 2, 2), table.concat({ 1 }, "", 2, 1))
print(table.unpack({ 1, 2, 3 }))
print(table.unpack({ 1, 2, 3 }, 2))
print(table.unpack({ 1, nil, 3 }, 1, 3))
print(table.unpack({}, 1, 0))
print(table.pack().n, table.pack(nil, nil).n, table.pack(1, nil, 3)[3])
show(table.move({ 1, 2, 3 }, 1, 3, 2))
show(table.move({ 1, 2, 3 }, 2, 3, 1))
show(table.move({ 1, 2, 3 }, 1, 3, 1, { 9, 9, 9, 9 }))
show(table.move({ 1, 2 }, 1, 0, 5))
print(pcall(table.move, {}, 1, math.maxinteger, 2), pcall(table.move, { 1 }, -1, math.maxinteger, 1))
local proxy = setmetatable({}, { __index = function(_, i) return i <= 3 and i * 11 or nil end, __len = function()
    return 3 end, __newindex = function(_, k, v) io.write("[", k, "]=", tostring(v), " ") end })
print(table.unpack(proxy))
print(table.concat(proxy, " "))
table.insert(proxy, 44)
table.move({ 7, 8 }, 1, 2, 5, proxy)
print(table.remove(proxy))

-- sort
local seed = 42
local function rnd(n) seed = (seed * 1103515245 + 12345) & 0x7fffffff return seed >> 8 & 0xffffff % n end
local function sorted(n, less, make)
  local t = {} for i = 1, n do t[i] = make(i) end
  table.sort(t, less)
  local good = true for i = 2, n do good = good and not (less or function(a, b) return a < b end)(t[i], t[i - 1]) end
  return good
end
for _, n in ipairs { 0, 1, 2, 3, 10, 100, 1000, 5000 } do
  io.write(n, " ", tostring(sorted(n, nil, function() return rnd(1 << 20) end)), " ", tostring(sorted(n, function(a,
      b) return a > b end, function(i) return i end)),
    " ", tostring(sorted(n, nil, function() return rnd(3) end)), " ", tostring(sorted(n, function(a, b) return
        #a < #b end, function() return ("x"):rep(rnd(50)) end)), "\n")
end
print(pcall(table.sort, { 3, 1, "x" }), pcall(table.sort, { 1, 2, 3, 4, 5, 6, 7, 8 }, function() return true end),
    pcall(table.sort, { 2, 1 }, 5))
local words = {}
for w in ("the quick brown fox jumps over the lazy dog"):gmatch("%a+") do words[#words + 1] = w end
table.sort(words)
show(words)

-- keys
local k = {} k[1.0] = "one" k[2^53] = "big" k["1"] = "text" k[-0.0] = "zero" k[true] = "true" k[1.5] = "half"
print(k[1], k[2^53 | 0], k["1"], k[0], k[true], k[3 / 2], k[nil], next({ [1.0] = 1 }))
print(pcall(function() k[nil] = 1 end)) print(pcall(function() k[0/0] = 1 end)) print(k[0/0], rawget(k, 0/0))
for _, key in ipairs { math.maxinteger, math.mininteger, math.maxinteger + 0.0, 2^63, -2^63, 1e308 } do
  k[key] = key
end
print(k[math.maxinteger], k[math.mininteger], k[2^63], k[-2^63], k[1e308])

-- growth from both ends, holes, shrinking; each step against a plain model
local function check(t, model, n)
  for i = -n, n do if t[i] ~= model["k" .. i] then return false end end return true
end
local t, model = {}, {}
for step = 1, 4000 do
  local i, v = rnd(200) - 100, rnd(4) > 0 and step or nil
  t[i] = v model["k" .. i] = v
  if step % 500 == 0 then
    local c = 0 for _ in pairs(t) do c = c + 1 end io.write(step, " ", c, " ", tostring(check(t, model, 200)), "\n")
  end
end
local n, sum = 0, 0 for i = 1, 100000 do t[i] = i end for i = 1, 100000 do sum = sum + t[i] end print(#t, sum)
for i = 100000, 51, -1 do t[i] = nil end print(#t) for i = -100, 0 do t[i] = nil end
for key, v in pairs(t) do n = n + 1 t[key] = nil end print(n, next(t))
local visited = 0 t = {} for i = 1, 1000 do t["key" .. i] = i t[i] = -i end
for key, v in pairs(t) do visited = visited + 1 if type(key) == "string" then t[key] = nil else t[key] = v - 1 end end
local left = 0 for _ in pairs(t) do left = left + 1 end print(visited, left, t[1], t[1000], t.key5)
-- keys that went and come again, while a traversal stands at them
t = {} for i = 1, 100 do t["x" .. i] = i end
local key, count = next(t), 0
while key do t[key] = nil collectgarbage("step") count = count + 1 key = next(t, key) end print(count, next(t))
-- constructors
local c = { 1, 2, [2] = "no", 3, n = 4, [10] = 10, (function() return 5, 6 end)() }
print(#c >= 5, c[1], c[2], c[3], c[4], c[5], c.n, c[10])
local big = load("return {" .. ("1,"):rep(1000) .. "f=2," .. ("3,"):rep(200) .. "}")()
print(#big, big[1000], big[1001], big.f)
print(#{ n = 1 }, #{ 1, 2, nil }, #"", #{ (function() return 1, 2, 3 end)() }, #{ ((function() return 1, 2, 3 end)())
    })
