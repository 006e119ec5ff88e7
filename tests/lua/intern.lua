-- SPDX-License-Identifier: Apache-2.0
-- host: plain asan
-- Strings: one of each short one, however often it is made, dropped and made again.
local keys, n = {}, 0
for i = 1, 20000 do keys["key" .. i] = i end
for i = 1, 20000 do n = n + (keys[("key%d"):format(i)] == i and 1 or 0) end print(n)
for round = 1, 5 do
  for i = 1, 20000 do local s = "gone" .. i + round * 100000 end
  for i = round, 20000, 5 do keys["key" .. i] = nil end
  collectgarbage("step")
end
print(next(keys)) collectgarbage()
-- made again while their dead twins may still be in the table of strings
local good = true
for round = 1, 200 do
  local t = {}
  for i = 1, 200 do t["again" .. i] = i end
  for i = 1, 200 do if t["again" .. i] ~= i then good = false end end
  t = nil collectgarbage("step", round % 7)
end
print(good)
-- short against long ones: 40 and 41 characters
for _, len in ipairs { 0, 1, 39, 40, 41, 100 } do
  local a, b = ("s"):rep(len), ("s"):rep(len)
  local t = { [a] = len } io.write(len, " ", tostring(a == b), " ", tostring(t[b]), "; ")
end print()
-- keys that are removed in a traversal, and whose strings go meanwhile
local t = {} for i = 1, 3000 do t["k" .. i] = i end
local seen = 0
for k, v in pairs(t) do t[k] = nil seen = seen + 1 if seen % 300 == 0 then collectgarbage() end end
print(seen, next(t))
for i = 1, 3000 do t["k" .. i] = -i end seen = 0 for k, v in pairs(t) do seen = seen + v end print(seen)
-- names of fields, metamethods and variables outlive collections
local o = setmetatable({}, { __index = function(_, k) return k .. "!" end })
collectgarbage()
print(o.field, o["fi" .. "eld"], _G["pri" .. "nt"] == print)
-- texts in a weak table are values, not objects
local w = setmetatable({}, { __mode = "kv" })
for i = 1, 1000 do w["w" .. i] = "v" .. i end
collectgarbage()
n = 0
for k, v in pairs(w) do n = n + 1 end
print(n, w.w77)
local total = 0 for i = 1, 60000 do total = total + #(i .. ":" .. i * 7) end print(total)
local parts = {}
for i = 1, 20000 do parts[#parts + 1] = ("%x"):format(i * 2654435761 % 2^32 | 0) end
local all = table.concat(parts, " ")
local h = 0 for c in all:gmatch("%x") do h = (h * 31 + tonumber(c, 16)) & 0xffffffff end print(#all, h)
