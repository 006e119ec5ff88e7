-- SPDX-License-Identifier: Apache-2.0
-- Coroutines: values, states, yields from everywhere, errors, closing, many of them.
local co = coroutine
local function gen(n) return co.wrap(function() for i = 1, n do co.yield(i) end end) end
for i in gen(4) do io.write(i, " ") end print()
local c = co.create(function(a, b) print("start", a, b) local x, y = co.yield(a + b) print("again", x, y)
  local z = co.yield(x * y, "two") print("last", z) return "end", nil, 3 end)
print(co.status(c), co.resume(c, 1, 2))
print(co.status(c), co.resume(c, 3, 4))
print(co.resume(c, "z"))
print(co.status(c), co.resume(c))
print(co.isyieldable(), select(2, co.running()), co.wrap(function() return co.isyieldable(), select(2, co.running())
    end)())
print(pcall(co.yield), pcall(co.create), pcall(co.resume, 1), pcall(co.wrap(function() error("inside") end)),
    pcall(co.wrap(function() error({}) end)) == false)
local me
me = co.create(function() print(co.status(me), co.resume(me)) local inner = co.create(function() print(co.status(me))
    end) co.resume(inner) end)
co.resume(me)
-- yields across pcall, metamethods, iterators, table.sort's refusal
local w = co.wrap(function() return pcall(function() local v = co.yield("in pcall") error("got " .. v, 0) end) end)
print(w(), w("x"))
local w = co.wrap(function() return xpcall(function() co.yield(1) local x = nil + 1 end, function(m) return
    "handled " .. (m:gsub("^.-:%d+: ", "")) end) end)
print(w(), w())
local mt = { __add = function(a, b) return co.yield("add") end, __index = function(t, k) return co.yield("index " .. k)
    end, __call = function(_, x) return co.yield("call " .. x) end,
  __lt = function() return co.yield("lt") end, __le = function() return co.yield("le") end, __eq = function() return
      co.yield("eq") end, __concat = function() return co.yield("concat") end,
  __newindex = function(_, k, v) co.yield("newindex " .. k) end, __len = function() return co.yield("len") end,
      __unm = function() return co.yield("unm") end, __close = function() co.yield("close") end }
local function obj() return setmetatable({}, mt) end
local w = co.wrap(function() local a, b = obj(), obj() local r = { a + 1, a.key, a(5), a < b, a <= b, a == b,
    a .. "x", "x" .. "y" .. a, #a, -a } a.new = 1
  do local x <close> = a end
  if a < b then r[#r + 1] = "then" end
  if not (a == b) then r[#r + 1] = "differ" end
  for i = 1, #r do r[i] = tostring(r[i]) end
  return table.concat(r, ",") end)
local v, n = w(), 0
while n < 20 do n = n + 1 io.write(v, "; ") if v:find(",") then break end v = w(n % 2 == 0 and n) end
print()
local w = co.wrap(function() for k, v in (function() return function(_, i) i = i + 1 co.yield("iter " .. i)
    if i < 3 then return i, i end end, nil, 0 end)() do co.yield("body " .. k) end return "done" end)
repeat local v = w() io.write(v, "; ") until v == "done" print()
print(pcall(co.wrap(function() table.sort({ 3, 2, 1 }, co.yield) end)))
-- wrap passes errors on, and closes; close
print(pcall(co.wrap(function() local x <close> = setmetatable({}, { __close = function(_, e) print("closing with", e)
    end }) error("oops", 0) end)))
local c = co.create(function() local a <close> = setmetatable({}, { __close = function(_, e) print("a closed", e) end
    }) local b <close> = setmetatable({}, { __close = function(_, e) print("b closed", e) error("in b", 0) end })
    co.yield(1) end)
print(co.resume(c))
print(co.close(c))
print(co.status(c), co.close(c), co.close(co.create(print)))
print(pcall(co.close, (co.running())))
local dead = co.create(function() error("dead", 0) end) co.resume(dead) print(co.close(dead)) print(co.close(dead))
-- a coroutine in a coroutine in a ... and what the C stack allows
local function nest(n) if n == 0 then return "bottom" end return co.wrap(nest)(n - 1) end print(nest(100))
local ok, m = pcall(nest, 1000) print(ok, type(m) == "string" and m:find("C stack overflow") ~= nil)
local function deep(n) if n == 0 then co.yield("deep") return 0 end return 1 + deep(n - 1) end
local w = co.wrap(function() return deep(10000) end) print(w(), w())
-- many, each with its own stack, resumed in turns; half of them dropped on the way
local cs, sum = {}, 0
for i = 1, 5000 do
  cs[i] = co.create(function(a) local t = { a } while true do local x = co.yield(t[1] + i) t = { t[1] + x } end end)
end
for round = 1, 4 do
  for i = 1, #cs do
    if cs[i] then
      local _, v = co.resume(cs[i], round) sum = sum + v if round == 2 and i % 2 == 0 then cs[i] = false end
    end
  end
  collectgarbage("step")
end
print(sum) cs = nil collectgarbage()
local count = 0
for i = 1, 20000 do
  local w = co.wrap(function(...) local a = { ... } co.yield(#a) return #a end)
  count = count + w(i, i) + (i % 3 == 0 and w() or 0)
end
print(count)
-- producer, filter, consumer; permutations; a generator left alone in the middle
local function perm(a, n)
  n = n or #a
  if n <= 1 then
    co.yield(table.concat(a))
  else
    for i = 1, n do a[n], a[i] = a[i], a[n] perm(a, n - 1) a[n], a[i] = a[i], a[n] end
  end
end
local list = {}
for s in co.wrap(function() perm { "a", "b", "c", "d" } end) do list[#list + 1] = s end
print(#list, list[1], list[24])
local primes = (function() local g = co.wrap(function() for i = 2, 200 do co.yield(i) end end) return
    co.wrap(function() while true do local p = g() if not p then return end co.yield(p)
  local old = g g = co.wrap(function() for v in old do if v % p ~= 0 then co.yield(v) end end end) end end) end)()
local s = {} for p in primes do s[#s + 1] = p end print(#s, s[#s])
-- upvalues shared by coroutines, open while their stacks live, kept after
local shared = {}
for i = 1, 10 do
  local c = co.wrap(function() local x = i shared[i] = function() x = x + 1 return x end co.yield() return x end)
  c()
  shared[i]()
  if i % 2 == 0 then c() end
  c = nil
end
collectgarbage() local s = 0 for i = 1, 10 do s = s + shared[i]() end print(s)

-- a function outlives the coroutine whose variable it uses, which stands in the middle
local function outlived(n)
  local co = coroutine.create(function() local x = { n } coroutine.yield(function() return x end) return x end)
  return select(2, coroutine.resume(co))
end
local left = {}
for i = 1, 50 do left[i] = outlived(i) end
collectgarbage() collectgarbage()
for i = 1, 50 do outlived(-i) end
local sum = 0 for i = 1, 50 do sum = sum + left[i]()[1] end print(sum)
