-- SPDX-License-Identifier: Apache-2.0
-- os, and io on the files in the image, which can only be read.
local name = "tests/lua/data/lines.txt"
for line in io.lines(name) do io.write("[", line, "]") end print()
for line in io.lines(name, "L") do io.write(#line, " ") end print()
for a, b in io.lines(name, 3, "l") do io.write(a, "|", b, " ") end print()
for c in io.lines(name, 1) do if c == "4" then io.write("found ") break end end print()
local f = assert(io.open(name))
print(io.type(f), io.type(io.stdout), io.type(42), (tostring(f):gsub("0x%x+", "ADDRESS")))
print(f:read("l", "L", 5, 0, "n"))
print(f:seek("set", 23), f:read("n"), f:read("l"))
print(f:seek("set"), f:read("a") == (function() local g = io.open(name) local s = g:read("a") g:close() return
    s end)())
print(f:read("a"), f:read("l"), f:read(0), f:read("n"), f:seek("end"), f:seek("cur", -5), f:read(100))
f:seek("set", 36) print(f:read("n", "n", "n", "l"))
print(pcall(f.read, f, "x"), pcall(f.seek, f, "nowhere"), pcall(f.seek, f, "set", 1.5))
print(f:close(), io.type(f), tostring(f), pcall(f.read, f), pcall(f.close, f))
print(io.open("tests/lua/data/nothing"))
print(pcall(io.lines, "tests/lua/data/nothing"))
print(pcall(io.open, name, "rz"))
print(pcall(io.popen, "ls")) print(os.execute()) print((os.remove("tests/lua/data/nothing")))
print(f == f, pcall(io.close, f), pcall(io.input, "tests/lua/data/nothing"))
local old = io.input() io.input(name) print(io.read("l"), io.type(io.input()), io.read(6)) io.close(io.input())
print(pcall(io.read))
io.input(old)
print(io.input() == old, io.output() == io.stdout, io.stdout:write("") == io.stdout)
io.write(1, " ", 2.5, " ", "text\n")
print(pcall(io.write, {}))
print(io.stdout:setvbuf("line"), io.stdout:flush() == io.stdout, io.flush())
-- a variable that closes its file, and files that only the collector closes
local kept do local g <close> = io.open(name) kept = g print(io.type(g)) end print(io.type(kept))
local opened = 0
for i = 1, 300 do
  local g = io.open(name)
  if not g then collectgarbage() g = assert(io.open(name)) end
  opened = opened + (g:read(5) == "first" and 1 or 0)
end
print(opened) collectgarbage()
-- os
local t = { year = 2024, month = 2, day = 29, hour = 13, min = 5, sec = 9 }
print(os.time(t), os.date("!%Y-%m-%d %H:%M:%S %j %a %A %b %B %p %y %%", os.time(t)), os.date("!%c", 0),
    os.date("!%x %X %D", 86399))
print(os.time { year = 2024, month = 14, day = -3, hour = 12 }, os.time { year = 2000, month = 1, day = 1 },
    pcall(os.time, { year = 2000 }))
local d = os.date("!*t", 1e9 | 0) print(d.year, d.month, d.day, d.hour, d.min, d.sec, d.wday, d.yday, d.isdst)
local n = { year = 2023, month = 13, day = 32, hour = 25, min = 61, sec = 61 } os.time(n)
print(n.year, n.month, n.day, n.hour, n.min, n.sec, n.wday, n.yday)
print(pcall(os.date, "%Ez", 0), pcall(os.date, "%Q", 0), pcall(os.time, { year = "x", month = 1, day = 1 }),
    pcall(os.time, { year = 1 << 40, month = 1, day = 1 }))
print(os.difftime(10, 4), type(os.clock()), os.clock() >= 0, os.getenv("NO_SUCH_NAME"), os.setlocale(),
    os.setlocale("C"), os.setlocale("xx"), type(os.time()))
