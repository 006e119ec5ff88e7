-- SPDX-License-Identifier: Apache-2.0
-- args: small
-- Binary trees, the usual benchmark of allocators: trees of every depth are built, counted and dropped beside one that stays.
--     trees.lua [full|small] [incremental|generational]
local depth = arg[1] == "small" and 10 or 14
collectgarbage(arg[2] or "incremental")

local function tree(d)
  if d == 0 then return {} end
  local left, right = tree(d - 1), tree(d - 1)
  return { left, right }
end

local function count(t)
  if not t[1] then return 1 end
  return 1 + count(t[1]) + count(t[2])
end

print("stretch", count(tree(depth + 1)))
local long = tree(depth)
for d = 4, depth, 2 do
  local n, sum = 1 << (depth - d + 4), 0
  for _ = 1, n do sum = sum + count(tree(d)) end
  print(n, d, sum)
end
print("long-lived", count(long))
