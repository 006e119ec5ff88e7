-- SPDX-License-Identifier: Apache-2.0
-- settings: stress=40
-- What loses its last place in the heap while it is held by a stack alone, and a mark goes on that has not come there yet: all
-- lies behind a long list, which a marker goes along step by step, and a script faster. Taken out of a table's array and its
-- nodes, by assignment and by the library, out of an upvalue, out of a coroutine's stack, and as a metatable.
local ROUNDS, HELD, LENGTH, ITEMS = 40, 40, 6000, 1000

local function item(i) return {v = i, text = {tostring(i)}} end
local function whole(o, i) assert(o.v == i and o.text[1] == tostring(i), "an object that a stack held is not whole") end

local function list(last)
  for i = 1, LENGTH do last = {next = last, i} end
  return last
end
local function behind(l)
  while l.next do l = l.next end
  return l
end

local function variable(i)
  local o = item(i)
  return {take = function() local was = o; o = nil; return was end, put = function(to) o = to end}
end
local function keeper(i)                -- its stack has the object, until it is given another one for it
  local co = coroutine.wrap(function(o)
    while true do
      local to = coroutine.yield()
      o, to = to, o
      coroutine.yield(to)
    end
  end)
  co(item(i))
  return function(to)
    local was = co(to)
    co()
    return was
  end
end
local function fill()
  local all = {array = {}, nodes = {}, variables = {}, keepers = {}, owners = {}}
  for i = 1, ITEMS do
    all.array[i], all.nodes["k" .. i] = item(i), item(i)
  end
  for i = 1, HELD do
    all.variables[i], all.keepers[i] = variable(i), keeper(i)
    all.owners[i] = setmetatable({}, item(i))
  end
  return all
end
local head = list(fill())

local how = {
  {function(a, i) local o = a.array[i]; a.array[i] = nil; return o end, function(a, i, o) a.array[i] = o end},
  {function(a, i) local o = a.nodes["k" .. i]; a.nodes["k" .. i] = nil; return o end,
   function(a, i, o) a.nodes["k" .. i] = o end},
  {function(a, i) local o = rawget(a.array, i); rawset(a.array, i, nil); return o end,
   function(a, i, o) rawset(a.array, i, o) end},
  {function(a, i) local o = a.array[i]; table.move({false}, 1, 1, i, a.array); return o end,
   function(a, i, o) table.move({o}, 1, 1, i, a.array) end},
  {function(a, i) return a.variables[i].take() end, function(a, i, o) a.variables[i].put(o) end, true},
  {function(a, i) return a.keepers[i](nil) end, function(a, i, o) a.keepers[i](o) end, true},
  {function(a, i) local o = getmetatable(a.owners[i]); setmetatable(a.owners[i], nil); return o end,
   function(a, i, o) setmetatable(a.owners[i], o) end, true},
}

-- Takes HELD objects out, lets marks begin and end, and puts them back.
local function hold(from, take, put)
  local function take_all(a, i, ...)
    if i < from + HELD then return take_all(a, i + 1, take(a, i), ...) end
    return ...
  end
  local function held(...)
    for _ = 1, 300 do local _ = {{}} end
    for k = 1, HELD do whole(select(k, ...), from + HELD - k) end
    local a = behind(head)
    for k = 1, HELD do put(a, from + HELD - k, (select(k, ...))) end
  end
  held(take_all(behind(head), from))
end

for round = 0, ROUNDS - 1 do
  for _, h in ipairs(how) do hold(h[3] and 1 or 1 + round * HELD % (ITEMS - HELD), h[1], h[2]) end
end
local all = behind(head)
for i = 1, ITEMS do
  whole(all.array[i], i)
  whole(all.nodes["k" .. i], i)
end
print("snapshot", #all.array)
