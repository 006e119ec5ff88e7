-- SPDX-License-Identifier: Apache-2.0
-- Literals, load and string.dump.
print("\a\b\f\n\r\t\v\\\"\'\65\065\x41\u{41}\u{20AC}\z
       joined" == "\7\8\12\10\13\9\11\92\34\39AAAA\xe2\x82\xacjoined", '\'', "a\
b", #[[
first newline is left out]], [==[ ]] ]=] ]==], #"\0\0", "\0651")
print(0xff, 0XA.8p1, 1e+2, .5, 5., 3e-2, 0x.1, 0xffffffffffffffffff, 1//1, 1--[[comment]]+1, --[==[ another
]] ]==] 2)
print(#load("return [[" .. ("long\n"):rep(10000) .. "]]")(), load("return '" .. ("\\z  "):rep(100) .. "x'")())
print(load("# not a comment here"), load("return 1, --[[ x ]] 2 -- end")())

-- a reader in pieces, and what readers may return
local function pieces(...)
  local list, i = { ... }, 0
  return function() i = i + 1 return list[i] end
end
print(load(pieces("return ", "1", " + ", "41"))(), load(pieces("ret", "urn 5", ""))(), type(load(pieces("x = ", 5))))
print(load(function() error("reader fails", 0) end), pcall(load, pieces("x"), "name", "q"))
print(load("return _ENV", "=name", "t", 5)(), load("return ...")(1, 2), load("syntax", "@file.lua"))
print(load("return syntax syntax", "=(name)"), load("return syntax syntax", "long text of a chunk\nin two lines"))
print(load("x = 'a\n'", ("n"):rep(100)))

-- dump and load again: constants, upvalues, nested functions, debug information
local function all(a, ...)
  local text, long, int, float, yes, no, none = "short", ("l"):rep(50), 1 << 40, 0.1, true, false, nil
  local function inner(x) return x, text, a end
  for i = 1, 2 do a = a + i end
  return inner(int), long, float, yes, no, none, ...
end
local again = load(string.dump(all), "dumped", "b")
print(again(1, "more")) print(load(string.dump(all, true))(1, "more"))
print(debug.getinfo(again, "S").short_src, debug.getinfo(load(string.dump(all, true)), "S").short_src)
print(pcall(load(string.dump(function(t) return t.x.y end)), {}))
print(pcall(load(string.dump(function(t) return t.x.y end, true)), {}))
local n = 5 local f = load(string.dump(function() n = (n or 0) + 1 return n end))
print(pcall(f), n, debug.setupvalue(f, 1, 10), f(), n)
print(load(string.dump(all), "x", "t"), load("return 1", "x", "b"), pcall(string.dump, print), pcall(string.dump))
local code =
    string.dump(load("local t = {} for i = 1, 10 do t[i] = function() return i end end return t[3](), 'x', 1.5"))
local bad = 0 for i = 1, #code - 1 do if not load(code:sub(1, i), "cut", "b") then bad = bad + 1 end end
print(bad == #code - 1, load(code)(), load(code:sub(1, 10), "=cut"))

-- many functions, made and dropped
local sum, kept = 0, {}
for i = 1, 3000 do
  local g = load(("local a = ... local t = { %d, 'k%d' } return function() return a + t[1] + #t[2] end"):format(i, i))
  local h = g(i) sum = sum + h() if i % 100 == 0 then kept[#kept + 1] = h end
end
collectgarbage() for _, h in ipairs(kept) do sum = sum + h() end print(sum)
local nested = "return 1"
for i = 1, 40 do nested = "return (function() " .. nested .. " end)()" end
print(load(nested)())
print(select(2, load(("("):rep(300) .. "1" .. (")"):rep(300))))
print(select(2, load("return " .. ("{"):rep(300))), #load("return {" .. ("'x',"):rep(70000) .. "}")())
