-- SPDX-License-Identifier: Apache-2.0
-- Variables to be closed.
local function c(name, f)
  return setmetatable({}, { __close = function(_, e) print("close", name, e) if f then f(e) end end })
end
do local a <close> = c("a") local b <close> = c("b") print("body") end
do local n <close> = nil local f <close> = false print("nil and false are no matter") end
print((function() local x <close> = c("x") return "result", 2 end)())
for i = 1, 2 do local x <close> = c("loop" .. i) if i == 2 then break end end
do local x <close> = c("goto") goto out end ::out::
local n = 0 while n < 2 do n = n + 1 local x <close> = c("while" .. n) end
repeat local x <close> = c("repeat") until x ~= nil
print(pcall(function() local a <close> = c("outer") local b <close> = c("inner") error("thrown", 0) end))
print(pcall(function() local a <close> = c("sees the second", nil) local b <close> = c("fails", function()
    error("in close", 0) end) error("first", 0) end))
print(pcall(function() local a <close> = c("fails alone", function() error("in close", 0) end) return "lost" end))
print(pcall(function() local a <close> = {} end)) print(pcall(function() local a <close> = 42 end))
local mt = { __close = print } print(pcall(function() local x <close> = setmetatable({}, mt) mt.__close = nil end))
-- the closing value of a loop
local function iter(n) return function(_, i) if i < n then return i + 1 end end, nil, 0, c("iterator" .. n) end
for i in iter(3) do io.write(i, " ") end for i in iter(3) do if i == 2 then break end end
print(pcall(function() for i in iter(2) do error("in the loop", 0) end end))
print((function() for i in iter(5) do if i == 3 then return i end end end)())
-- tail calls, upvalues, coroutines, and collections meanwhile
print((function() local x <close> = c("no tail call") return (function() return "called" end)() end)())
local get do local x <close> = c("upvalue") get = function() return x end end print(type(get()))
local co = coroutine.wrap(function() local x <close> = c("in a coroutine", function() coroutine.yield("closing") end)
    coroutine.yield("running") return "ended" end)
print(co(), co(), co())
local co = coroutine.create(function() local x <close> = c("never resumed again") coroutine.yield() end)
coroutine.resume(co)
co = nil
collectgarbage()
print("collected without closing")
local co = coroutine.create(function() for i = 1, 50 do local x <close> = c("many", i == 1 and function()
    print("innermost") end) if i == 3 then coroutine.yield() end end end)
coroutine.resume(co) print(coroutine.close(co))
for i = 1, 1000 do
  local x <close> = setmetatable({}, { __close = function() n = n + 1 end })
  if i % 100 == 0 then collectgarbage("step") end
end
print(n)
local function depth(k)
  local x <close> = setmetatable({}, { __close = function() n = n + 1 end })
  if k > 0 then return (depth(k - 1)) end
  collectgarbage()
  return 0
end
depth(2000)
print(n)
print(pcall(function()
  local x <close> = setmetatable({}, { __close = function() n = n + 1 end })
  depth(500)
  error("after the deep one", 0)
end), n)
