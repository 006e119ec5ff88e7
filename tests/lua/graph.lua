-- SPDX-License-Identifier: Apache-2.0
-- seconds: 180
-- Random changes to a graph of every kind of object, against a model of numbers alone; in each mode of the collector.
local seed = 1
local function rnd(n) seed = (seed * 6364136223846793005 + 1442695040888963407) return (seed >> 33) % n + 1 end
local SLOTS = 200

-- An object that hides `value`, and the way to ask for it
local make = {
  function(v) return { value = v } end,
  function(v) local t = setmetatable({}, { __index = { value = v } }) return t end,
  function(v) return function() return v end end,
  function(v)
    local c = coroutine.wrap(function() local x = { v } while true do coroutine.yield(x[1]) end end) c() return c
  end,
  function(v) return "text " .. v end,
  function(v) return ("long text "):rep(10) .. v end,
  function(v) local f = load("local u = ... return function() return u end") return f(v) end,
  function(v) return { nil, nil, nil, { { value = v } } } end,
  function(v) local t = setmetatable({}, { __gc = function() end }) t.value = v return t end,
  function(v)
    local co = coroutine.create(function(a) local b <const> = { a } coroutine.yield() return b[1] end)
    coroutine.resume(co, v)
    return co
  end,
}
local function read(o)
  local t = type(o)
  if t == "function" then return o() end
  if t == "string" then return tonumber(o:match("%d+$")) end
  if t == "thread" then local _, v = debug.getlocal(o, 1, 2) return v[1] end
  return o.value or o[4][1].value
end
local function run(rounds)
  local objects, model, links = {}, {}, setmetatable({}, { __mode = "k" })
  for i = 1, rounds do
    local at = rnd(SLOTS)
    local what = rnd(12)
    if what <= 6 then objects[at] = make[rnd(#make)](i) model[at] = i
    elseif what == 7 then objects[at], model[at] = nil, nil
    elseif what == 8 then local b = rnd(SLOTS)
    objects[at], objects[b] = objects[b], objects[at]
    model[at], model[b] = model[b], model[at]
    elseif what == 9 and objects[at] then links[objects[at]] = { at, i }
    elseif what == 10 then local t = {} for k, v in pairs(objects) do t[k] = v end objects = t
    elseif what == 11 then local stack = { table.unpack(objects, 1, SLOTS) }
    for k = 1, SLOTS do objects[k] = stack[k] end
    elseif objects[at] and read(objects[at]) ~= model[at] then return "wrong at " .. i end
  end
  local sum = 0
  for k = 1, SLOTS do
    if (objects[k] ~= nil) ~= (model[k] ~= nil) then return "lost" end
    if objects[k] ~= nil then if read(objects[k]) ~= model[k] then return "wrong" end sum = sum + model[k] end
  end
  for o, l in pairs(links) do if l[2] < 1 then return "bad link" end end
  return sum
end
print(run(3000)) collectgarbage("generational") print(run(3000))
collectgarbage("incremental", 100, 400, 5)
print(run(3000))
collectgarbage("stop")
print(run(3000))
collectgarbage("restart") collectgarbage("incremental", 200, 100, 13)
-- an object of each kind at the end of a long list, and in deep nesting
local list = nil
for i = 1, 100000 do list = { list, i } end
collectgarbage()
local n = 0
while list do n = n + list[2] list = list[1] end
print(n)
local deep = { "bottom" }
for i = 1, 30000 do deep = setmetatable({ deep }, deep) end
collectgarbage()
for i = 1, 30000 do deep = deep[1] end
print(deep[1])
local f = function() return "innermost" end
for i = 1, 30000 do local g = f f = function() return g end end
collectgarbage()
for i = 1, 30000 do f = f() end
print(f())
