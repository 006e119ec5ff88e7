-- SPDX-License-Identifier: Apache-2.0
-- seconds: 120
-- collectgarbage with every option; nothing here prints how many bytes there are.
local cg = collectgarbage
print(cg(), cg("collect"), math.type(cg("count")), cg("isrunning"), pcall(cg, "nothing"), pcall(cg, {}), cg(nil) ==
    cg())
print(cg("stop"), cg("isrunning"), cg("restart"), cg("isrunning"))
print(cg("incremental"), cg("generational"), cg("generational", 30, 150), cg("incremental", 150, 200, 12),
    cg("incremental", 0, 0, 0))
print(cg("setpause", 200) >= 0, cg("setpause"), cg("setpause", 200), cg("setstepmul", 100) >= 0, cg("setstepmul",
    100), cg("setstepmul", 100))
-- count: grows with what is made, shrinks after it was dropped
cg() local base = cg("count")
local big = {} for i = 1, 10000 do big[i] = { i } end
local grown = cg("count") print(grown > base + 300) cg() print(cg("count") > base + 300)
big = nil cg() print(cg("count") < base + 50)
local s = ("x"):rep(1 << 20) print(cg("count") > base + 1000) s = nil cg() print(cg("count") < base + 50)
-- the table of strings, which is no object, counts too: when it shrinks, what is left is not less than nothing
local names = {} for i = 1, 100000 do names["name" .. i] = true end print(cg("count") > base + 5000)
names = nil for i = 1, 10 do cg() print(cg("count") > 0) end
-- step: ends a cycle after finitely many; a large one at once
local n = 0 repeat n = n + 1 until cg("step", 0) or n > 1000000 print(n <= 1000000)
n = 0 repeat n = n + 1 until cg("step", 20) or n > 100000 print(n <= 100000, cg("step", 1 << 20), type(cg("step")))
cg("generational") print(type(cg("step", 0)), cg("step", 1 << 20)) cg("incremental")
-- stop is kept: nothing is collected but on demand
cg() cg("stop") local w = setmetatable({ {} }, { __mode = "v" })
for i = 1, 100000 do local t = { i } end print(w[1] ~= nil) cg("restart")
for i = 1, 3000000 do local t = { i } if not w[1] then break end end print(w[1])
cg("stop")
w[1] = {}
cg()
print(w[1], cg("isrunning"))
w[1] = {}
repeat until cg("step", 100)
repeat until cg("step", 100)
print(w[1], cg("isrunning"))
cg("restart")
-- steady: what comes and goes does not grow. A string whose table was locked as the sweep came stays for another cycle: many do where a
-- host lets who has locked it stand still, perhaps in several cycles.
local function shrinks_to(most)
  for i = 1, 20 do
    cg()
    if cg("count") < most then return true end
  end
  return false
end
cg() local before = cg("count")
for i = 1, 60000 do local t = { {}, tostring(i), function() return i end } end print(shrinks_to(before + 50))
for _, mode in ipairs { "generational", "incremental" } do
  cg(mode)
  for i = 1, 100 do local t = {} for j = 1, 1000 do t[j] = { j, tostring(j) } end end
  print(mode, shrinks_to(before + 100))
end
-- generations begin with a whole collection, finalizers and all
cg("incremental")
local weak = setmetatable({ {} }, { __mode = "v" })
setmetatable({}, { __gc = function() print("finalized") end })
cg("generational")
print(weak[1])
-- texts that were compiled, and are nobody's any longer
do
  local pad, texts = ("x"):rep(1 << 16), {}
  cg() cg()
  local before = cg("count")
  for i = 1, 100 do texts[i] = "--" .. i .. pad end
  for i = 1, 100 do load(texts[i]) end
  texts = nil
  print(shrinks_to(before + 1500))
end
-- what is collected from inside: a coroutine, a finalizer, a metamethod, a message handler
print(coroutine.wrap(function() cg() return cg("count") > 0 end)(), xpcall(error, function() cg() return
    "handled" end))
local t = setmetatable({}, { __index = function(_, k) cg() return k end, __lt = function() cg("step") return true end
    })
print(t.key, t < t)
