-- SPDX-License-Identifier: Apache-2.0
-- args: small
-- A table of 200,000 entries that live long, of which some are replaced all the time, and short-lived records around it.
--     churn.lua [full|small] [incremental|generational]
local live, rounds = 200000, 340000
if arg[1] == "small" then live, rounds = 10000, 100000 end
collectgarbage(arg[2] or "incremental")

local seed = 1
local function random(n)
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  return (seed >> 8) % n + 1
end

local entries = {}
for i = 1, live do entries["key" .. i] = { id = i, name = "name" .. i } end
local sum = 0
for i = 1, rounds do
  local key = "key" .. random(live)
  local old = entries[key]
  local new = { id = old.id, name = old.name, { i } }
  if i % 4 == 0 then entries[key] = new end
  sum = (sum + new.id) & 0xffffffff
end
local n = 0
for _, entry in pairs(entries) do n = n + entry.id end
print("churn", n, sum)
