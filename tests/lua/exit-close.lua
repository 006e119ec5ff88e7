-- SPDX-License-Identifier: Apache-2.0
-- expect: exit 0
-- os.exit closes the state when it is asked to: variables, then finalizers, newest first.
local closes <close> = setmetatable({}, { __close = function() print("closed") end })
for i = 1, 3 do _G["o" .. i] = setmetatable({}, { __gc = function() print("finalized", i) end }) end
coroutine.wrap(function()
  local in_a_coroutine <close> = setmetatable({}, { __close = function() print("not this one") end })
  os.exit(true, true)
end)()
