-- SPDX-License-Identifier: Apache-2.0
-- expect: exit 1
-- An error that is no text, but knows how to become one.
error(setmetatable({}, { __tostring = function() return "an object as an error" end }))
