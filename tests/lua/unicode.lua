-- SPDX-License-Identifier: Apache-2.0
-- The utf8 library.
local s = "aé€𝄞z"
print(#s, utf8.len(s), utf8.char(97, 233, 8364, 119070, 122) == s, utf8.charpattern ==
    "[\0-\x7F\xC2-\xFD][\x80-\xBF]*")
print(utf8.codepoint(s, 1, -1))
print(utf8.codepoint(s, 2))
print(pcall(utf8.codepoint, s, 3))
print(pcall(utf8.codepoint, s, 100))
for p, c in utf8.codes(s) do io.write(p, ":", c, " ") end print()
for i = -5, 6 do io.write(tostring((select(2, pcall(utf8.offset, s, i)))), " ") end print()
print(utf8.offset(s, 0, 4), utf8.offset(s, 3, 2), utf8.offset(s, -1, 4), pcall(utf8.offset, s, 1, 3), utf8.offset("",
    1), utf8.offset("", 2))
print(utf8.len("\xff"), utf8.len("abc\xE4"), utf8.len(s, 2), utf8.len(s, 3), utf8.len(s, -1), utf8.len(s, 4, 6),
    utf8.len(""), pcall(utf8.len, "abc", 5))
print(utf8.len("\u{D7FF}"), utf8.len("\u{D800}"), utf8.len("\u{D800}", 1, -1, true), utf8.len("\u{10FFFF}"),
    utf8.len("\u{110000}"), utf8.len("\u{7FFFFFFF}", 1, -1, true))
print(utf8.len("\xC0\x80"), utf8.len("\xE0\x80\x80"), utf8.len("\xF4\x90\x80\x80"), utf8.len("\x80"))
print(pcall(function() for _ in utf8.codes("ab\xff") do end end))
print(pcall(function() for _ in utf8.codes("ab\u{200000}") do end end))
for _, c in utf8.codes("\u{200000}", true) do print(c) end
print(utf8.char(), utf8.char(0):byte(), utf8.char(0x7f):byte(1, -1))
print(utf8.char(0x80):byte(1, -1))
print(utf8.char(0x7fffffff):byte(1, -1))
print(pcall(utf8.char, -1), pcall(utf8.char, 1 << 31))
for c in s:gmatch(utf8.charpattern) do io.write(#c, " ") end print()
local t = {} for i = 0, 0x2ff do if i < 0xd800 or i > 0xdfff then t[#t + 1] = utf8.char(i * 37) end end
local all, good = table.concat(t), true
local n = utf8.len(all)
for i, c in ipairs { utf8.codepoint(all, 1, utf8.offset(all, 100) - 1) } do good = good and c == (i - 1) * 37 end
print(n, good)
