-- SPDX-License-Identifier: Apache-2.0
-- A finalizer that fails where no function of C is called: Lua's own warning function then enters the main coroutine, in the middle of
-- a coroutine that goes on. What this one reads from a weak table from then on is kept, as everywhere.
warn("@on")
local cache = setmetatable({}, {__mode = "v"})
local rounds, each, long = 6, 2000, 400

local function finalized_here()
   local ran = false
   setmetatable({}, {__gc = function() ran = true; error("once", 0) end})
   repeat local t = {} until ran        -- a step finalizes, and warns
   local lost, found = 0, 0
   for r = 1, rounds do                 -- Lua's functions alone from here on
      for i = 1, each do cache[i] = {i} end
      for i = 1, each do
         local o = cache[i]
         if o then
            found = found + 1
            for j = 1, long do local t = {j} end
            if o[1] ~= i then lost = lost + 1 end
         end
      end
   end
   return lost, found > 0
end

print(coroutine.wrap(finalized_here)())
print(finalized_here())
