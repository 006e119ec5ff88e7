-- SPDX-License-Identifier: Apache-2.0
-- expect: exit 1
-- An error that nobody catches.
local function inner(x) return x.field.other end
print("before")
local t = setmetatable({}, { __gc = function() print("the state is closed all the same") end })
inner({})
