-- SPDX-License-Identifier: Apache-2.0
-- mem: 256M
-- Closures, upvalues, goto, attributes, integer division, metamethods, varargs, tail calls.
local fs = {}
for i = 1, 5 do local j = i * 10 fs[i] = function() j = j + 1 return i, j end end
for i = 1, 5 do fs[i]() io.write(table.concat({ fs[i]() }, ":"), " ") end
print()
local function counter()
  local n = 0 return function() n = n + 1 return n end, function() return n end, function(v) n = v end
end
local inc, get, set = counter() inc() inc() print(get(), set(40), inc(), get())
local k = {}
do local i = 1 while i <= 3 do local v = i k[i] = function() v = v + 1 return v end i = i + 1 end end
print(k[1](), k[1](), k[2](), k[3]())
local r = {}
do local n = 0 repeat local x = n r[#r + 1] = function() return x end n = n + 1 until x >= 2 end
print(#r, r[1](), r[3]())
local function fix(f)
  return (function(x) return x(x) end)(function(x) return f(function(...) return x(x)(...) end) end)
end
print(fix(function(self) return function(n) return n < 2 and 1 or n * self(n - 1) end end)(20))
local function curry(n, f)
  local function step(args, k)
    return function(x) local a = table.move(args, 1, #args, 1, {}) a[#a + 1] = x if k == 1 then return
        f(table.unpack(a)) end return step(a, k - 1) end
  end
  return step({}, n)
end
print(curry(4, function(a, b, c, d) return a .. b .. c .. d end)("w")("x")("y")("z"))
local up = {} for i = 1, 250 do up[i] = ("local u%d = %d "):format(i % 190, i) end
print(load("local a,b,c=1,2,3 return function() return function() a=a+1 return a+b+c end end")()()())
print(select(2, load(("local x = 1 "):rep(201))))
print(select(2, load("local function f() " .. (function() local s = {} for i = 1, 256 do s[i] = "v" .. i end return
    "" end)() .. "end return 1 +")))
-- goto
do local i = 1 ::top:: if i <= 3 then io.write(i, " ") i = i + 1 goto top end print() end
for i = 1, 3 do for j = 1, 3 do if j == 2 then goto continue end io.write(i, j, " ") ::continue:: end end print()
do
  local t = {}
  for i = 1, 3 do local x x = i t[i] = function() return x end goto skip ::skip:: end
  print(t[1](), t[2](), t[3]())
end
do
  local n, t = 0, {}
  ::again::
  local x = n
  t[#t + 1] = function() x = x + 1 return x end
  n = n + 1
  if n < 3 then goto again end
  print(t[1](), t[2](), t[3](), t[1]())
end
for _, s in ipairs { "goto nowhere", "do ::a:: end goto a", "::a:: ::a::", "goto f local x ::f:: print(x)", "break",
    "repeat if x then goto c end local y ::c:: until y", "local x <const> = 1 x = 2",
    "local x <foo> = 1", "local a <close>, b <close> = 1, 2" } do
  print(select(2, load(s)))
end
-- attributes
local c <const> = 5 print(c + 1, (function() return c end)())
-- metamethods, all of them
local mt = {}
local log = function(n) return function(a, b) return n .. "(" .. (type(a) == "table" and "t" or tostring(a))
    .. "," .. (type(b) == "table" and "t" or tostring(b)) .. ")" end end
for _, n in ipairs { "add", "sub", "mul", "div", "mod", "pow", "unm", "idiv", "band", "bor", "bxor", "shl",
    "shr", "bnot", "concat", "len", "index", "call" } do
  mt["__" .. n] = log(n)
end
local o = setmetatable({}, mt)
print(o + 1, 1 + o, o - o, o * 2, 2 / o, o % 3, o ^ 2, -o, o // 1, o & 1, 1 | o, o ~ 1, o << 1, 1 >> o, ~o, o .. "s",
    "s" .. o, 1 .. o, #o, o.key, o(7))
print(pcall(function() return o < o end))
mt.__lt = function() return 1 end
mt.__le = function() return nil end
mt.__eq = function() return "yes" end
local p = setmetatable({}, mt) print(o < p, o > 1, o <= p, 1 >= o, o == p, o ~= p, o == 1, rawequal(o, p))
local chain = setmetatable({}, { __index = setmetatable({ a = 1 }, { __index = setmetatable({ b = 2 }, { __index =
    function(_, k) return k:upper() end }) }) })
print(chain.a, chain.b, chain.c)
local loop = {}
setmetatable(loop, { __index = loop })
print(pcall(function() return loop.x end))
print(pcall(function() local a, b = {}, {} setmetatable(a, { __index = b }) setmetatable(b, { __index = a }) return
    a.x end))
local stored = {} local w = setmetatable({}, { __newindex = stored }) w.x = 1 print(rawget(w, "x"), stored.x)
local cc = setmetatable({}, { __call = setmetatable({}, { __call = function(self, inner, x) return "twice", x end }) })
print(pcall(cc, 5))
-- varargs
local function v(...) local a, b = ... return select("#", ...), a, b, (...) end
print(v())
print(v(nil))
print(v(1, 2, 3))
print((v(1, 2)))
print((function(...) return ... end)(1, nil, nil))
print(select("#", (function(...) return ... end)(1, nil, nil)), #{ (function(...) return ... end)(1, 2, 3) })
local function many(n) local t = {} for i = 1, n do t[i] = i end return table.unpack(t) end
print(select("#", many(250)), select(250, many(250)), (select("#", many(100000))), pcall(many, 1e7),
    string.char(many(10)):byte(1, -1))
local function rec(n, ...) if n == 0 then return select("#", ...) end return rec(n - 1, n, ...) end print(rec(200))
-- tail calls need no stack; calls do
local function count(n, acc) if n == 0 then return acc end return count(n - 1, acc + 1) end print(count(1000000, 0))
local function depth(n) return n == 0 and 0 or 1 + depth(n - 1) end print(depth(100000), pcall(depth, 1e7))
print(select(2, pcall(string.rep)), select(2, pcall(("x").rep, "x", {})))
