-- SPDX-License-Identifier: Apache-2.0
-- mem: 24M
-- host: plain asan
-- seconds: 240
-- verify: no
-- Out of memory is an error like others: it is caught, and the program goes on.
-- (Verified, with the heap full all along, it takes minutes.)
local function fill()
  local t = {}
  for i = 1, 1 << 30 do t[i] = ("%d"):format(i):rep(1000) end
end
local function tables()
  local list = nil
  while true do list = { list, {}, {} } end
end
local function double() local s = "0123456789abcdef" while true do s = s .. s end end
local function array() local t = {} for i = 1, 1 << 40 do t[i] = i end end
local function threads() local t = {} while true do local c = coroutine.create(print) t[#t + 1] = c end end
local function closures() local f = nil while true do local g = f f = function() return g end end end
local function strings() local t, n = {}, 0 while true do n = n + 1 t["key" .. n] = true end end
local function concat()
  local t = {} while true do t[#t + 1] = ("y"):rep(100000) if #t % 100 == 0 then table.concat(t) end end
end
local function memory(f, ...) local good, m = pcall(f, ...) return good, m end
for name, f in ipairs { fill, tables, double, array, closures, strings, concat, threads } do
  print(name, memory(f)) collectgarbage()
  local t = {} for i = 1, 1000 do t[i] = { i } end print(#t, t[1000][1], ("x"):rep(10))
end
print(memory(string.rep, "x", 1 << 40))
print(memory(table.concat, setmetatable({}, { __len = function() return 3 end, __index = function() return
    ("z"):rep(1 << 27) end })) == false)
-- in a coroutine, with variables to be closed, in a handler, in a metamethod
print(coroutine.resume(coroutine.create(double)))
print(pcall(function() local x <close> = setmetatable({}, { __close = function(_, e) print("closed with", e) end })
    double() end))
print(xpcall(double, function(m) return "handled: " .. m end))
print(pcall(function() return setmetatable({}, { __index = double }).x end))
-- again and again; what was reachable is whole
local kept = {} for i = 1, 1000 do kept[i] = { i, tostring(i) } end
for round = 1, 3 do
  local good = pcall(tables)
  for i = 1, 1000 do if kept[i][1] ~= i or kept[i][2] ~= tostring(i) then print("lost", i) end end
  if good then print("no error") end
end
-- finalizers run though memory was short, and may run short themselves
local n = 0
for i = 1, 100 do setmetatable({}, { __gc = function() n = n + 1 end }) end
pcall(double)
collectgarbage()
print(n)
warn("@on") setmetatable({}, { __gc = double }) collectgarbage() collectgarbage() warn("@off")
local t = {} for i = 1, 100000 do t[i] = i end print(#t, select("#", table.unpack(t, 1, 200)))
