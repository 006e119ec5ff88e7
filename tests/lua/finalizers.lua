-- SPDX-License-Identifier: Apache-2.0
-- __gc: order, resurrection, errors, what finalizers may do, the end of the state.
local function gc(f, t) return setmetatable(t or {}, { __gc = f }) end
local log = {}
local function flush() collectgarbage() print(table.concat(log, " ")) log = {} end

-- reverse order of marking for finalization, whatever refers to whom
for i = 1, 10 do gc(function(o) log[#log + 1] = o.name end, { name = "n" .. i }) end flush()
do
  local a = gc(function() log[#log + 1] = "a" end)
  local b = gc(function() log[#log + 1] = "b" end, { a })
  a[1] = b
  a, b = nil, nil
end
flush()
-- one metatable for many; a __gc that comes too late; one that is changed after; no function
local mt = { __gc = function(o) log[#log + 1] = o[1] end }
for i = 1, 5 do setmetatable({ i }, mt) end flush()
local late = {} setmetatable({ "late" }, late) late.__gc = mt.__gc flush()
local changed = { __gc = true } setmetatable({ "changed" }, changed) changed.__gc = mt.__gc flush()
setmetatable({}, { __gc = 5 }) setmetatable({}, { __gc = {} }) flush()
local twice = setmetatable({ "twice" }, mt)
setmetatable(twice, mt)
setmetatable(twice, { __gc = function() log[#log + 1] = "last" end })
twice = nil
flush()
setmetatable({ "a" }, setmetatable({ __gc = false }, { __index = mt })) flush()

-- resurrection: alive again, not finalized again, unless it is marked again
local back
gc(function(o) back = o log[#log + 1] = "back" end, { "value" }) flush() print(back[1]) back = nil flush()
local times = 0
gc(function(o) times = times + 1 if times < 4 then setmetatable(o, getmetatable(o)) end end)
for i = 1, 6 do collectgarbage() end
print(times)
-- what a dead object refers to is whole in its finalizer, and dies after
local inner = setmetatable({}, { __mode = "k" })
do
  local part = { "part" }
  inner[part] = true
  gc(function(o) log[#log + 1] = o.part[1] .. (inner[o.part] and "+" or "-") end, { part = part })
  part = nil
end
flush() flush() print(next(inner))

-- weak values go before finalizers see them, weak keys after
local wk, wv = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "v" })
do
  local o = gc(function(o) log[#log + 1] = tostring(wk[o]) .. "/" .. tostring(wv[1]) end)
  wk[o] = "key"
  wv[1] = o
  o = nil
end
flush() collectgarbage() print(next(wk), next(wv))
do local o = gc(function(o) back = o end) wk[o] = "again" o = nil end
collectgarbage()
print(wk[back])
back = nil
collectgarbage()
print(next(wk))

-- errors in finalizers are warnings; those after it run all the same
warn("@on")
gc(function() log[#log + 1] = "one" end)
gc(function() error("in a finalizer", 0) end)
gc(function() error({}) end)
gc(function() log[#log + 1] = "two" end) flush() warn("@off")
-- finalizers that make objects with finalizers, collect, yield, call coroutines, throw away much
local made = 0
local function breed(n) return gc(function() made = made + 1 if n > 0 then breed(n - 1) breed(n - 1) end end) end
breed(5) for i = 1, 10 do collectgarbage() end print(made)
gc(function() collectgarbage() collectgarbage("step") log[#log + 1] = "collected" .. tostring(collectgarbage("count")
    ~= nil) end)
flush()
gc(function() log[#log + 1] = tostring(pcall(coroutine.yield)) end) flush()
gc(function() local w = coroutine.wrap(function() coroutine.yield("from inside") end) log[#log + 1] = w() end) flush()
coroutine.wrap(function() gc(function() log[#log + 1] = tostring(coroutine.isyieldable()) end) collectgarbage() end)()
flush()
gc(function() local t = {} for i = 1, 20000 do t[i] = { i } end log[#log + 1] = #t end) flush()
-- called while the program runs, not only when it asks
local called = 0
for _, mode in ipairs { "incremental", "generational" } do
  collectgarbage(mode)
  local before, n = called, 0
  repeat n = n + 1 gc(function() called = called + 1 end, { n, {} }) until n >= 20000 and called > before
  print(mode) collectgarbage() print(called - before == n)
end
collectgarbage("incremental")
-- stopped: nothing is finalized by itself
collectgarbage("stop")
local stopped = 0
for i = 1, 5000 do gc(function() stopped = stopped + 1 end) end
print(stopped)
collectgarbage("restart") collectgarbage() print(stopped)
-- a long list in which each refers to the next one
local chain, n = nil, 0
for i = 1, 5000 do chain = gc(function() n = n + 1 end, { chain }) end
chain = nil
collectgarbage()
print(n)
-- they keep up with a program that makes nothing but what has one, and does not collect itself
local n = 0
local counts = { __gc = function() n = n + 1 end }
local made = 0
repeat
  setmetatable({}, counts)
  made = made + 1
until n >= 100000 or made == 2000000
print(n >= 100000)
-- a cycle in steps has called them when it says that it is over
collectgarbage("incremental") collectgarbage()
n = 0
for i = 1, 1000 do setmetatable({}, counts) end
repeat until collectgarbage("step", 1000)
repeat until collectgarbage("step", 1000)
print(n)
-- what leads to it is in no weak table when one is called in the middle of a cycle
do
  local keys, values, called = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "v" }), false
  local function make()
    local big = {}
    for i = 1, 20000 do big[i] = { i } end
    local key = { gc(function() called = true end, { big = big }) }
    keys[key], values[1] = true, key
  end
  make()
  repeat collectgarbage("step", 0) until called
  print(next(keys), values[1])
end
-- files of the C library
local before = io.open("tests/lua/data/lines.txt") before = nil collectgarbage()
-- and those that are left when the state ends, newest first
for i = 1, 5 do
  keep_global = { gc(function(o) print("at the end", o.i, io.stdout ~= nil, type(string.format)) end, { i = i }),
      keep_global }
end
at_end = gc(function(o) print("this one first, and it makes another") gc(function() print("never, or in its turn") end)
    end)
