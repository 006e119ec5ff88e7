-- SPDX-License-Identifier: Apache-2.0
-- settings: stress=40
-- Open upvalues that no closure has any longer, but that are in the list of their coroutine still, behind one that was made in a
-- mark.  When the function ends the list is closed from its front.
local function one(i)
  local a, b, c, made = { i }, { i + 1 }, { i + 2 }, {}
  local last = function() return c end
  do local first = function() return a end made[1] = first() end
  for k = 1, 6 do made[#made + 1] = { k } end
  local middle = function() return b end          -- between the two
  for k = 1, 12 do made[#made + 1] = { k } end
  return last()[1] + middle()[1] + a[1] + #made
end
local sum = 0
for i = 1, 6000 do sum = sum + one(i) end
print(sum)

-- the same in coroutines, that are left in the middle
local threads = {}
for i = 1, 300 do
  threads[i] = coroutine.wrap(function()
    local a, b, c = { i }, { i }, { i }
    local last = function() return c end
    do local first = function() return a end first() end
    coroutine.yield()
    local middle = function() return b end
    coroutine.yield()
    return last()[1] + middle()[1] + a[1]
  end)
end
for round = 1, 2 do for i = 1, #threads do threads[i]() local t = {} for k = 1, 10 do t[k] = { k } end end end
sum = 0
for i = 1, #threads do sum = sum + threads[i]() end
print(sum)
