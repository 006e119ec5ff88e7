-- SPDX-License-Identifier: Apache-2.0
-- mem: 384M
-- host: plain asan
-- seconds: 180
-- Errors: what messages say, what is thrown and caught, overflows, warnings.
local function e(s) local f, m = load(s, "=text") if not f then return print("syntax", m) end print(pcall(f)) end
for _, s in ipairs { "local a = nil; a.b = 1", "a.b.c = 1", "x = nothing()", "local t = {} t.x.y()",
    "local t = {} t:method()", "return 1 + {}", "return 'a' + 1", "return {} .. 'x'", "return #5",
  "return -{}", "return 1 < 'x'", "return {} < {}", "return nil > 1", "return 2^53 & 1.5", "return 1 // 0",
      "return math.floor('x')", "return ('x'):bad()", "string.rep()", "setmetatable(1, {})",
  "for i = 1, 'x' do end", "for i = 1, 10, 0 do end", "error()", "error('level 2', 2)",
      "local up = nil; return (function() return up.x end)()",
  "return ({}).x.y", "local a <close> = 5", "return (1)()", "local s = 'x'; s()", "a = {}; a[nil] = 1",
      "a = {}; a[0/0] = 1", "return 1 << {}", "string.format('%d', 1.5)", "goto x", "x =", "x = = 1",
      "return 'unfinished", "return [[unfinished", "--[[ unfinished", "return '\\q'",
  "return '\\300'", "return '\\u{110000000}'", "return '\\xZZ'", "return 0x", "return 1e", "return 3x", "if x then",
      "for i do end", "function f( end", "local function 5() end", "return return", "x y", "end", "f(", "a.1 = 2",
      "local a, 5 = 1", "return ... ", "function f() return ... end", "\1", "return ~", "x = }", "::l:: goto m",
      "a, b + 1 = 2", "f() = 1" } do e(s) end
print(select(2, pcall(error, setmetatable({}, { __tostring = function() return "shown" end }))) ~= nil)
-- levels, rethrown errors, handlers that fail
local function thrower(l) error("at level", l) end
print(pcall(thrower, 0))
print(pcall(thrower, 1))
print(pcall(thrower, 2))
print(pcall(thrower, 3))
local t = { "an object" }
print(select(2, pcall(error, t)) == t, select(2, pcall(pcall, error, t)), select(3, pcall(pcall, error, t)) == t)
print(xpcall(error, function(m) error("handler fails") end, "x"))
print(xpcall(error, function(m) return m, "only one" end, "x"))
print(xpcall(function() error("a") end, function(m) return debug.traceback("trace", 1):find("errors.lua") ~= nil end))
-- stack overflows: Lua's, the C stack's, in handlers, and life after
local function inf() return 1 + inf() end local ok, m = pcall(inf) print(ok, m:match("stack overflow"))
local function cinf() return pcall(cinf) end print(select("#", cinf()) > 100, (cinf()))
print(pcall(function() local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. "x"] end
    return t.a end) == false)
local function handler(m) return handler2(m) end
print(xpcall(inf, function(m) return "handled " .. m:match("stack overflow") end))
print(select("#", pcall(string.gsub, ("x"):rep(10), "x", function() return nil end)), pcall(string.rep, "x", -1))
for i = 1, 2 do local good = pcall(inf) if good then print("no overflow") end end print("overflowed again and again")
-- warnings
warn("@on")
warn("one ", "two ", "three")
warn("@off")
warn("silent")
warn("@on")
warn("@unknown")
print(pcall(warn), pcall(warn, 1, {}))
