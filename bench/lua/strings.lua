-- SPDX-License-Identifier: Apache-2.0
-- args: small
-- Texts: built piece by piece, joined, taken apart, searched and replaced; short ones as keys of a table that is cleared.
--     strings.lua [full|small] [incremental|generational]
local rounds = arg[1] == "small" and 5 or 82
collectgarbage(arg[2] or "incremental")

local check = 0
for round = 1, rounds do
  local lines = {}
  for i = 1, 400 do
    lines[i] = ("%d:%s:%x"):format(i, "item" .. (i * round) % 997, i * round)
  end
  local text = table.concat(lines, "\n")
  local seen = {}
  for word in text:gmatch("item%d+") do seen[word] = (seen[word] or 0) + 1 end
  for word, n in pairs(seen) do check = check + #word * n end
  local upper = text:gsub("%a+", string.upper):gsub("\n", "; ")
  check = check + #upper
  local s = ""
  for i = 1, 100 do s = s .. lines[i] end
  check = (check + #s + s:byte(round)) & 0xffffffff
end
print("strings", check)
