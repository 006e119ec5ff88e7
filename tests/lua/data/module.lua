-- SPDX-License-Identifier: Apache-2.0
local loads = (loads_of_module or 0) + 1
loads_of_module = loads
return { name = "module " .. select("#", ...), loads = function() return loads end }
