-- SPDX-License-Identifier: Apache-2.0
-- The base library.
print(_VERSION, type(_G), _G._G == _G, math.type(1), math.type(1.0), type(nil))
for _, v in ipairs { 1, 1.0, -0.0, 1e15, 1e16, 2^53, 2^63, -2^63, 1e100, 1/0, -1/0, 3.14159265358979, "text",
    true } do
  print(tostring(v), type(v))
end
print(tostring(nil), tostring(false))

-- tonumber: texts, bases, what is no number
for _, s in ipairs { "10", "  0x1F  ", "1e2", "0x.8p1", "0x1p-2", "1e", "", " ", "0x", "12a", "- 1", "-7", "+7",
    "1 2", "inf",
                     "nan", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
                         "0xffffffffffffffff",
                     "0x1ffffffffffffffff", "1e400", "1_0", "0b1", ".5", "5.", "." } do
  print(("%q"):format(s), tonumber(s), math.type(tonumber(s)))
end
for base = 2, 36, 7 do
  print(base, tonumber("10", base), tonumber("zz", base), tonumber("-11", base), tonumber(" 1 ", base),
      tonumber("1.0", base))
end
print(pcall(tonumber), pcall(tonumber, "1", 1), pcall(tonumber, 1, 10), tonumber({}), tonumber(nil))

-- select, raw access, next
print(select("#"), select("#", nil, nil), select(2, "a", "b", "c"), select(-1, "a", "b", "c"))
print(pcall(select, 0), pcall(select, -2, 1))
local t = setmetatable({ 1, 2, 3 }, { __index = function(_, k) return k .. "?" end, __len = function() return 42 end,
                                      __newindex = function(t, k, v) rawset(t, k, v .. "!") end,
                                      __eq = function() return true end, __name = "Thing" })
print(#t, rawlen(t), t.x, rawget(t, "x"), rawequal(t, setmetatable({}, getmetatable(t))), rawlen("abcd"))
t.y = "set"
print(t.y, rawset(t, "z", 1) == t, t.z, next({}), next({ 7 }))
print(pcall(next, {}, 1), pcall(rawlen, 5), pcall(rawset, {}, nil, 1))
print((tostring(t):gsub("0x%x+", "ADDRESS")), t == setmetatable({}, getmetatable(t)))
print(pcall(setmetatable, {}, 1), getmetatable("").__index == string)
local locked = setmetatable({}, { __metatable = "locked" })
print(getmetatable(locked), pcall(setmetatable, locked, {}))

-- pairs with __pairs, ipairs with __index
for k, v in pairs(setmetatable({}, { __pairs = function() return function(_, k) k = (k or 0) + 1
  if k < 4 then return k, k * k end end, nil, nil end })) do io.write(k, "=", v, " ") end print()
for i, v in ipairs(setmetatable({}, { __index = function(_, i) if i < 5 then return i * 10 end end })) do
  io.write(i, ":", v, " ")
end
print()

-- error, assert, pcall, xpcall
print(pcall(error), pcall(error, nil), pcall(error, "plain", 0), pcall(error, { 1 } and 12))
print(pcall(assert, false), pcall(assert, nil, "message"), pcall(assert), assert(1, 2, 3))
print(select("#", pcall(assert, false, nil)))
print(xpcall(function(...) return select("#", ...), ... end, print, 1, nil, nil))
print(xpcall(function() error("one") end, function(m) return m .. " handled" end))
print(xpcall(function() local x = nil; return x.y end, function(m) return (m:gsub("^.-:%d+: ", "")) end))
print(pcall(pcall), pcall(xpcall), pcall(xpcall, print))

-- load and friends
print(load("return 1 + 1")(), load("syntax error here"))
print(type(load(function() return nil end)), pcall(load, 5))
local env = { print = print }
load("x = 5; print(x)", "chunk", "t", env)()
print(env.x, x)
print(dofile("tests/lua/data/module.lua").name, pcall(dofile, "tests/lua/data/nothing.lua"))
print(loadfile("tests/lua/data/nothing.lua"))
package.path = "tests/lua/data/?.lua"
print(require("module") == require("module"), require("module").name, package.loaded.module.loads())
print((select(2, pcall(require, "absent"))))
print(collectgarbage("count") > 0, type(warn), warn("@off"))
