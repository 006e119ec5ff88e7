-- SPDX-License-Identifier: Apache-2.0
-- stock: no
-- seconds: 300
-- mem: 32M
--
-- A hostile program: a graph of objects that change without end, and a shadow of it in numbers alone, by which all is checked.
--
--     hostile.lua [PERCENT [SEED]]
--
-- It ends when it has made 10,000,000 objects, seen 50 cycles, 10,000 weak entries that were cleared, and 10,000 finalizers,
-- each times PERCENT; 100 is the full size.  An object leads to others by fields, an upvalue, the stack of a coroutine, the
-- value of an ephemeron and its metatable.  Beside that there is garbage of all sorts, errors, and memory that runs out.
--
-- What is checked: what the shadow reaches is reached, and whole; a weak entry of it is there; its finalizer has not run.  A
-- finalizer runs once; it may store its object again.  What cannot be reached is gone from weak tables, and its finalizer
-- has run, after three full collections.  The memory in use after a full collection does not grow.
local PERCENT, SEED = tonumber(arg[1]) or 1, tonumber(arg[2]) or 1
local GOAL = {objects = 10000000 * PERCENT, cycles = 50 * PERCENT, cleared = 10000 * PERCENT, finalized = 10000 * PERCENT}
local ROOTS, MOST, EDGES = 150, 1500, 7
math.randomseed(SEED)
local R, create, resume = math.random, coroutine.create, coroutine.resume

local function bad(...) print("BAD", ...) os.exit(1) end

---- the graph, and its shadow ----------------------------------------------------------------------------------------------

local root, rootid = {}, {}             -- objects; their numbers
local by_value = setmetatable({}, {__mode = "v"})       -- number: object
local by_key = setmetatable({}, {__mode = "k"})         -- object: number
local by_both = setmetatable({}, {__mode = "kv"})       -- object: another
local ephemeron = setmetatable({}, {__mode = "k"})      -- object: {itself, to = another}

-- Of each number: NONE has no finalizer, DUE will have it called, CALLED has, BACK was stored again since.
local NONE, DUE, CALLED, BACK = 0, 1, 2, 3
local state, edge, in_value, in_both, reborn, called_late, age = {}, {}, {}, {}, {}, {}, {}
for e = 1, EDGES do edge[e] = {} end
local last = 0

local count = {objects = 0, cycles = 0, cleared = 0, finalized = 0, errors = 0, checks = 0, back = 0, coroutines = 0}

local function whole(o, id)
  if o.id ~= id or o.text ~= "object " .. id or o.check ~= id * 7 + 1 then bad("not whole", id, o.id, o.text, o.check) end
  local list = o.list
  if list then
    for i = 1, #list do if list[i][1] ~= id + i then bad("a list", id, i, list[i][1]) end end
    if #list ~= o.length then bad("length of a list", id, #list, o.length) end
  end
end

-- An object with a finalizer is stored again, and all that it leads to is reachable again, what had a finalizer too.  All that
-- was dead has left weak tables as a value, not as a key; and its finalizer is called, if that is due already.
local function come_back(id)
  local queue, n = {id}, 1
  local met = {[id] = true}
  count.objects = count.objects + 2
  while n > 0 do
    local at = queue[n]
    n = n - 1
    if state[at] == CALLED then state[at] = BACK end
    if in_value[at] and by_value[at] == nil then in_value[at] = nil count.cleared = count.cleared + 1 end
    if not in_value[at] then reborn[at], called_late[at] = true, true end
    for e = 1, EDGES do
      local to = edge[e][at]
      if to and not met[to] then met[to] = true n = n + 1 queue[n] = to end
    end
  end
end

local function finalizer(o)
  local id = o.id
  count.finalized = count.finalized + 1
  whole(o, id)
  if state[id] ~= DUE then bad("a finalizer runs again, or for what has none", id, state[id]) end
  state[id] = called_late[id] and BACK or CALLED
  local t = {}
  for i = 1, 5 do t[i] = {"finalizer " .. i} end
  count.objects = count.objects + 11
  if R(8) == 1 then
    local again = R(2) == 1 and {__gc = getmetatable(o).__gc, peer = getmetatable(o).peer}
    local k = R(ROOTS)
    come_back(id)
    root[k], rootid[k] = o, id
    count.back = count.back + 1
    if again then
      setmetatable(o, again)
      state[id] = DUE
    end
  end
end

-- Holds one object on its stack, until it is given another.
local function holder(o)
  local held = o
  while true do
    local new = coroutine.yield(held)
    if new ~= nil then held = new end
  end
end

-- A new object.  It refers to one that is there by its metatable, and to nothing else.
local function make()
  local k = R(ROOTS)
  local peer, peerid = root[k], rootid[k]
  local id = last + 1
  last = id
  local o = {id = id, check = id * 7 + 1, text = "object " .. id}
  local mt = R(2) == 1 and {__gc = finalizer, peer = peer} or nil
  local held
  count.objects = count.objects + 3
  if R(3) == 1 then
    o.get, o.set = function() return held end, function(x) held = x end
    count.objects = count.objects + 3
  end
  if R(6) == 1 then
    o.co = create(holder)
    resume(o.co, false)
    count.objects = count.objects + 3
    count.coroutines = count.coroutines + 1
  end
  if R(4) == 1 then
    ephemeron[o] = {o}
    count.objects = count.objects + 1
  end
  if mt then setmetatable(o, mt) end
  state[id] = mt and DUE or NONE
  edge[7][id] = mt and peerid
  by_key[o] = id
  if R(2) == 1 then by_value[id] = o in_value[id] = true end
  return o, id
end

local function target(o, e)
  if e <= 3 then return o[e] end
  if e == 4 then return o.get and o.get() or nil end
  if e == 5 then
    if not o.co then return nil end
    local good, held = resume(o.co)
    if not good then bad("a coroutine", held) end
    return held or nil
  end
  if e == 6 then local pair = ephemeron[o] return pair and pair.to end
  local mt = getmetatable(o)
  return mt and mt.peer
end

-- Of an object that has such an edge; to nil, too.
local function set(o, id, e, to, toid)
  if e <= 3 then o[e] = to
  elseif e == 4 and o.set then o.set(to)
  elseif e == 5 and o.co then resume(o.co, to or false)
  elseif e == 6 and ephemeron[o] then
    if R(2) == 1 then ephemeron[o] = {o} count.objects = count.objects + 1 end
    ephemeron[o].to = to
  else return end
  edge[e][id] = toid
end

---- checking ---------------------------------------------------------------------------------------------------------------

local function check_object(o, id, meet)
  whole(o, id)
  if state[id] == CALLED then bad("a finalizer ran for what is reachable", id) end
  if by_key[o] ~= id then bad("a weak key is gone", id, by_key[o]) end
  if in_value[id] and by_value[id] ~= o then bad("a weak value is gone", id, by_value[id]) end
  for e = 1, EDGES do
    local to, toid = target(o, e), edge[e][id]
    if (to and to.id) ~= (toid or nil) then bad("an edge", id, e, to and to.id, toid) end
    if to then meet(to, toid) end
  end
end

-- All that is reachable: number: object.
local function reach()
  local queue, met, n = {}, {}, 0
  local function meet(o, id)
    if not met[id] then met[id] = o n = n + 1 queue[n] = id end
  end
  for k = 1, ROOTS do
    if root[k].id ~= rootid[k] then bad("a root", k) end
    meet(root[k], rootid[k])
  end
  local at = 0
  while at < n do
    at = at + 1
    check_object(met[queue[at]], queue[at], meet)
  end
  for id, o in pairs(met) do
    local toid = in_both[id]
    if toid and met[toid] and by_both[o] ~= met[toid] then
      if by_both[o] or not reborn[toid] then bad("an entry of two weak sides is gone", id, toid) end
      in_both[id] = nil
      count.cleared = count.cleared + 1
    end
  end
  return met, n
end

local gone = {}                         -- keys that nothing reaches: how often they were met after a full collection
-- Those that nothing reaches, and nothing can bring back, are forgotten; full: a full collection has come before.
local function forget(met, full)
  local queue, kept, n = {}, {}, 0
  local function keep(id) if not kept[id] then kept[id] = true n = n + 1 queue[n] = id end end
  for id, s in pairs(state) do
    if met[id] then age[id] = nil
    elseif s == DUE or (in_value[id] and by_value[id] ~= nil) then
      keep(id)
      if full then
        age[id] = (age[id] or 0) + 1
        if age[id] > 3 then bad("nothing reaches it, and it stays", id, s, by_value[id]) end
      end
    end
  end
  while n > 0 do
    local at = queue[n]
    n = n - 1
    for e = 1, EDGES do local to = edge[e][at] if to then keep(to) end end
  end
  for id in pairs(state) do
    if not met[id] and not kept[id] then
      if in_value[id] then count.cleared = count.cleared + 1 end
      if in_both[id] then count.cleared = count.cleared + 1 end
      count.cleared = count.cleared + 1                 -- in by_key: seen to below
      state[id], in_value[id], in_both[id], reborn[id], age[id] = nil, nil, nil, nil, nil
      for e = 1, EDGES do edge[e][id] = nil end
    end
  end
  local still = {}
  for o, id in pairs(by_key) do
    if o.id ~= id then bad("a weak key of another", id, o.id) end
    if not state[id] and full then
      still[id] = (gone[id] or 0) + 1
      if still[id] > 3 then bad("a weak key stays", id) end
    end
  end
  if full then gone = still end
end

local function cut()
  for k = 1, ROOTS do for e = 1, 6 do set(root[k], rootid[k], e) end end
end

local grown = false                     -- the graph has once been as large as it gets
-- Nothing runs behind its back: finalizers wait.
local function check(full)
  collectgarbage("stop")
  local met, n = reach()
  forget(met, full)
  if n > MOST then cut() grown = true end
  if full then called_late = {} end     -- all that were due have been called
  count.checks = count.checks + 1
  count.objects = count.objects + 8
  collectgarbage("restart")
end

---- what happens -----------------------------------------------------------------------------------------------------------

local function pick() local k = R(ROOTS) return root[k], rootid[k] end

local function new_root()
  local o, id = make()
  local k = R(ROOTS)
  root[k], rootid[k] = o, id
end
local function link()
  local o, id = pick()
  local to, toid = pick()
  set(o, id, R(6), to, toid)
end
local function link_new()
  local to, toid = make()
  local o, id = pick()
  set(o, id, R(6), to, toid)
end
local function unlink()
  local o, id = pick()
  set(o, id, R(6))
end
-- The object moves on, and the edge to it goes.
local function move()
  local o, id = pick()
  local e, k = R(6), R(ROOTS)
  local to, toid = target(o, e), edge[e][id]
  if not to then return end
  set(o, id, e)
  root[k], rootid[k] = to, toid
end
local function weak_pair()
  local o, id = pick()
  local to, toid = pick()
  by_both[o] = to
  in_both[id] = toid
end
-- From a weak table, dead or not.
local function weak_read()
  local k, id = R(ROOTS), last - R(300)
  local o = by_value[id]
  if not o then return end
  root[k], rootid[k] = o, id
  whole(o, id)
end
local function grow()
  local o, id = pick()
  local list = o.list or {}
  local n = #list
  if n > 200 then o.list, o.length = nil, nil return end
  o.list = list
  for i = n + 1, n + R(20) do list[i] = {id + i} o.length = i count.objects = count.objects + 1 end
end
local function raise()
  local o, id = pick()
  local good, e = pcall(error, o)
  if good or e ~= o then bad("an error's object", id) end
  local co = create(function(x) local y <close> = setmetatable({}, {__close = function() whole(o, id) end}) error({x}) end)
  good, e = resume(co, o)
  if good or e[1] ~= o then bad("a coroutine's error", id) end
  coroutine.close(co)
  good, e = pcall(function() return o.nothing.here end)
  if good or not e:find("nothing", 1, true) then bad("a message", e) end
  count.objects = count.objects + 8
  count.errors = count.errors + 3
end
---- garbage ----------------------------------------------------------------------------------------------------------------

local function tables()
  local t, sum = {}, 0
  for i = 1, 100 do t[i] = {i} end
  for i = 1, 100 do sum = sum + t[i][1] end
  if sum ~= 5050 then bad("tables", sum) end
  count.objects = count.objects + 101
end
local function records()
  local t = {}
  for i = 1, 50 do t = {next = t, i = i} end
  for i = 50, 1, -1 do if t.i ~= i then bad("records", i) end t = t.next end
  count.objects = count.objects + 51
end
local function functions()
  local t = {}
  for i = 1, 50 do t[i] = function() i = i + 1 return i end end
  for i = 1, 50 do if t[i]() ~= i + 1 then bad("functions", i) end end
  count.objects = count.objects + 101
end
local function strings()
  local t, x = {}, R(1000000)
  for i = 1, 50 do t["k" .. i + x] = i end
  for i = 1, 50 do if t["k" .. i + x] ~= i then bad("strings", i) end t["k" .. i + x] = nil end
  count.objects = count.objects + 51
end
local function long_strings()
  local x = R(1000000)
  local s = ("x"):rep(R(3000), ",") .. x
  if not s:find(x, 1, true) then bad("a long string") end
  count.objects = count.objects + 3
end
local function coroutines()
  for i = 1, 5 do
    local co = coroutine.wrap(function(a) while true do a = coroutine.yield({a}) end end)
    for j = 1, 3 do if co(j)[1] ~= j then bad("a coroutine", j) end end
  end
  count.objects = count.objects + 35
  count.coroutines = count.coroutines + 5
end
local garbage = {tables, tables, tables, records, records, functions, functions, strings, long_strings, coroutines}

-- For a while the stack alone holds what an edge led to, or a weak table.
local function hold()
  local o, id = pick()
  local e, k = R(7), R(ROOTS)
  local to, toid
  if e < 7 then
    to, toid = target(o, e), edge[e][id]
    if not to then return end
    set(o, id, e)
  else
    toid = last - R(100)
    to = by_value[toid]
    if not to then return end
  end
  o = nil
  for _ = 1, R(60) do garbage[R(#garbage)]() end
  check_object(to, toid, function() end)
  root[k], rootid[k] = to, toid
end
local function hold_in_coroutine() coroutine.wrap(hold)() count.objects = count.objects + 2 end
local changes = {new_root, new_root, link, link, link_new, link_new, unlink, move, weak_pair, weak_read, grow, raise, hold,
  hold_in_coroutine}

-- Memory runs out, by objects of some KB or of many.  (Verify mode has no limiter: it would look at small ones again and again.)
local function exhaust()
  local size = R(2) == 1 and 4000 or 50000
  local n = 0
  local good, e = pcall(function()
    local t = {}
    while true do
      t = {t, ("x"):rep(size)}
      n = n + 1
    end
  end)
  if good or e ~= "not enough memory" then bad("memory did not run out", e) end
  count.objects = count.objects + 2 * n
  count.errors = count.errors + 1
end

-- An object whose finalizer makes the next: it counts cycles.
local function sentinel()
  setmetatable({}, {__gc = function() count.cycles = count.cycles + 1 sentinel() end})
end

---- the program ------------------------------------------------------------------------------------------------------------

local function begin()
  local first = {id = 0, check = 1, text = "object 0"}
  by_key[first] = 0
  state[0] = NONE
  for k = 1, ROOTS do root[k], rootid[k] = first, 0 end
  for _ = 1, 2 * ROOTS do new_root() end
  sentinel()
end
local function reached()
  for name, n in pairs(GOAL) do if count[name] < n then return false end end
  return true
end
local function some(list, n) for _ = 1, n do list[R(#list)]() end end

begin()
local used = {}
for round = 1, math.huge do
  some(changes, 6)
  some(garbage, 4)
  if round % 40 == 0 then check(false) end
  if round % 400 == 0 then
    if round % 4000 == 0 then exhaust() end
    collectgarbage()
    collectgarbage()
    check(true)
    collectgarbage()
    if grown then used[#used + 1] = collectgarbage("count") end
    if reached() and #used >= 20 then break end
  end
end

-- The memory in use: the most in the second half is not more than in the first, but for what a graph is larger by chance.
local most = {0, 0}
for i = 1, #used do
  local half = i <= #used // 2 and 1 or 2
  if used[i] > most[half] then most[half] = used[i] end
end
if most[2] > most[1] * 1.2 + 100 then bad("the memory in use grows", most[1], most[2]) end
io.stderr:write(("hostile: %d objects, %d cycles, %d weak entries cleared, %d finalizers, %d stored again\n"):format(
  count.objects, count.cycles, count.cleared, count.finalized, count.back))
io.stderr:write(("hostile: %d coroutines, %d errors, %d checks, %d KiB in use at most, then %d KiB\n"):format(
  count.coroutines, count.errors, count.checks, math.ceil(most[1]), math.ceil(most[2])))
print("hostile: OK")
