-- SPDX-License-Identifier: Apache-2.0
-- The debug library.
local d = debug
local function here(...)
  local a, b = ..., 2
  local i = d.getinfo(1, "nSlutr")
  return i.name, i.namewhat, i.short_src, i.currentline, i.linedefined, i.lastlinedefined, i.what, i.nups, i.nparams,
      i.isvararg, i.istailcall
end
print(here(1))
print(d.getinfo(print).what, d.getinfo(print, "S").short_src, d.getinfo(1, "l").currentline, d.getinfo(100),
    pcall(d.getinfo, 1, "X"), pcall(d.getinfo, "x"))
local function lines(x)
  if x then
    return 1
  end
  return 2
end
local t = {}
for l in pairs(d.getinfo(lines, "L").activelines) do t[#t + 1] = l end
table.sort(t)
print(table.concat(t, " "), d.getinfo(lines, "f").func == lines)
local function tail() return d.getinfo(1, "t").istailcall end print((function() return tail() end)())
-- locals, upvalues
local function locals(a, b, ...) local c = 3 local s = {} local i = 1 while true do local n, v = d.getlocal(1, i)
    if not n then break end if n:sub(1, 1) ~= "(" then s[#s + 1] = n .. "=" .. tostring(type(v) == "table" and
    "table" or v) end i = i + 1 end
  return table.concat(s, " "), d.getlocal(1, -1), d.getlocal(1, -3), d.setlocal(1, 1, "changed"), a end
print(locals(1, nil, "v1", "v2"))
print(d.getlocal(locals, 1), d.getlocal(locals, 2), d.getlocal(locals, 3), pcall(d.getlocal, 100, 1))
local u1, u2 = 10, 20 local function up() return u1, u2 end local function up2() return u2, u1 end
print(d.getupvalue(up, 1), d.getupvalue(up, 2), d.getupvalue(up, 3), d.setupvalue(up, 1, 11), u1, d.upvalueid(up, 1) ==
    d.upvalueid(up2, 2), d.upvalueid(up, 1) == d.upvalueid(up, 2))
d.upvaluejoin(up, 1, up2, 1)
print(up())
print(pcall(d.upvaluejoin, up, 5, up2, 1), pcall(d.upvalueid, up, 9), d.getupvalue(string.gmatch("x", "x"), 1))
local c = coroutine.create(function(x) local y = x * 2 coroutine.yield(y) error("later") end) coroutine.resume(c, 21)
print(d.getlocal(c, 1, 1))
print(d.getlocal(c, 1, 2))
print(d.setlocal(c, 1, 2, 5), (d.traceback(c):gsub("\n%s*", " / ")))
coroutine.resume(c)
print((d.traceback(c, "dead", 0):gsub("\n%s*", " / ")))
print((d.traceback("message", 1):gsub("\n%s*", " / ")))
print(d.traceback({}) ~= nil, d.traceback(nil), d.traceback(12))
local function level(n) if n == 0 then return (d.traceback("deep")) end local r = level(n - 1) return r end
print(select(2, level(50):gsub("\n", "\n")), level(50):find("...\t(skipping", 1, true) ~= nil)
-- hooks: lines, calls, counts
local trace = {} local function f(x) local y = x
  y = y + 1
  return y end
d.sethook(function(e, l) trace[#trace + 1] = l end, "l") f(1) d.sethook() print(#trace > 3, d.gethook())
local ev = {}
d.sethook(function(e) ev[#ev + 1] = e .. ":" .. tostring(d.getinfo(2, "n").name) end, "cr")
f(1)
math.abs(1)
d.sethook()
print(table.concat(ev, " "))
local n = 0 d.sethook(function() n = n + 1 end, "", 100) for i = 1, 1000 do end d.sethook() print(n >= 9 and n <= 40)
print(pcall(function() d.sethook(function() d.sethook() error("from a hook", 0) end, "", 1000) while true do end end))
local c = coroutine.create(function() local x = 1 coroutine.yield() x = x + 1 return x end)
local cl = 0
d.sethook(c, function() cl = cl + 1 end, "l")
coroutine.resume(c)
coroutine.resume(c)
print(cl, d.gethook(c) ~= nil, d.gethook() == nil)
-- metatables of all, user values, registry
d.setmetatable(nil, { __index = function(_, k) return "nil." .. k end })
print((nil).x)
d.setmetatable(nil, nil)
print(pcall(function() return (nil).x end))
d.setmetatable(1, { __call = function(n, x) return n * x end, __index = math })
print((3)(4), (2):sqrt() == math.sqrt(2), (5).huge)
d.setmetatable(1, nil)
d.setmetatable(print, { __index = { name = "function" } }) print(print.name, lines.name) d.setmetatable(print, nil)
print(d.getmetatable("x").__index == string, d.getmetatable(1), d.getuservalue(1), d.getuservalue(io.stdout, 1),
    d.setuservalue(io.stdout, 1, 1), type(d.getregistry()), d.getregistry()[2] == _G)

-- the metatable of a type is known to the state alone
d.setmetatable(1, { __index = function(n, k) return k .. n end })
collectgarbage() collectgarbage()
for i = 1, 1000 do local t = { i, {} } end
print((7).seven, (1.5).half)
d.setmetatable(1, nil)
