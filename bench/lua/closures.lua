-- SPDX-License-Identifier: Apache-2.0
-- args: small
-- Closures and coroutines: pipelines of generators that are made, drained and dropped, counters, folds, and a scheduler.
--     closures.lua [full|small] [incremental|generational]
local rounds, tasks = 800, 400
if arg[1] == "small" then rounds, tasks = 20, 50 end
collectgarbage(arg[2] or "incremental")

local function range(n)
  return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end)
end

local function map(f, source)
  return coroutine.wrap(function() for v in source do coroutine.yield(f(v)) end end)
end

local function filter(f, source)
  return coroutine.wrap(function() for v in source do if f(v) then coroutine.yield(v) end end end)
end

local function compose(...)
  local composed = function(x) return x end
  for _, f in ipairs { ... } do
    local before = composed
    composed = function(x) return f(before(x)) end
  end
  return composed
end

local function adder(n) return function(x) return x + n end end

local sum = 0
for round = 1, rounds do
  for v in filter(function(x) return x % 3 == 0 end, map(adder(round), range(100))) do sum = sum + v end
  local fs = {}
  for i = 1, 50 do fs[i] = compose(adder(i), adder(-i), function(x) return x * 2 end) end
  for i = 1, 50 do sum = sum + fs[i](round) end
end

-- tasks that wait for each other, each with a stack and upvalues of its own
local ready, done = {}, 0
for i = 1, tasks do
  local steps = { n = 0 }
  ready[i] = coroutine.create(function()
    for k = 1, 100 do
      steps.n = steps.n + #{ k, i, tostring(k) }
      coroutine.yield()
    end
    done = done + steps.n
  end)
end
while #ready > 0 do
  local again = {}
  for _, task in ipairs(ready) do
    assert(coroutine.resume(task))
    if coroutine.status(task) ~= "dead" then again[#again + 1] = task end
  end
  ready = again
end
print("closures", sum, done)
