-- SPDX-License-Identifier: Apache-2.0
-- Numbers: integers, floats, the math library.
local inf, maxi, mini = math.huge, math.maxinteger, math.mininteger
print(maxi, mini, maxi + 1 == mini, mini - 1 == maxi, mini * -1 == mini, -mini == mini, maxi * 2, math.abs(mini),
    maxi // -1, mini // -1, mini % -1)
for _, p in ipairs { { 7, 2 }, { -7, 2 }, { 7, -2 }, { -7, -2 }, { 7.5, 2 }, { -7.5, 2 }, { 7, 2.5 }, { -7, 2.5 },
    { 1, inf }, { -1, inf }, { 1, -inf }, { 0, 5 }, { 5, 0.0 }, { -5, 0.0 } } do
  print(p[1], p[2], p[1] // p[2], p[2] ~= 0 and p[1] % p[2] or "-", p[1] / p[2], p[2] ~= 0 and math.fmod(p[1], p[2]) or
      "-")
end
print(pcall(function() return 1 // 0 end))
print(pcall(function() return 1 % 0 end))
print(pcall(math.fmod, 1, 0))
print(1 // 0.0, -1 // 0.0, 1 % inf, -1 % inf)
print(1 == 1.0, maxi + 0.0 == maxi, maxi + 0.0 == 2^63, mini + 0.0 == mini, 2^53 == 2^53 + 1, (2^53 | 0) + 1 == 2^53,
    maxi < 2^63, maxi + 0.0 < maxi, mini <= -2^63)
print(1 < 1.5, 1 < inf, -inf < mini, 0/0 == 0/0, 0/0 ~= 0/0, 0/0 < 1, 1 < 0/0, 0.0 == -0.0, 1/0.0, 1/-0.0)
print(3 & 5, 3 | 5, 3 ~ 5, ~0, 1 << 62, 1 << 63, 1 << 64, 1 << -1, -1 >> 1, -1 >> 63, -1 >> 64, 2.0 & 3, 1 << 0.0)
print(pcall(function() return 1.5 & 1 end))
print(pcall(function() return 2^63 | 0 end))
print(pcall(function() return {} & 1 end))
print(2 ^ 10, 2 ^ 0.5, (-8) ^ (1 / 3) ~= (-8) ^ (1 / 3), 0 ^ 0, 2 ^ -1, -2 ^ 2, 10 // 3 * 3 + 10 % 3, 2 ^ 3 ^ 2,
    1e308 * 10, -1e308 * 10, 5e-324, 5e-324 / 2)
for _, v in ipairs { 3.7, -3.7, 3, -0.0, 1e100, -1e100, inf, 2^62, 0.5, -0.5, "3.7", "8" } do
  print(v, math.floor(v), math.ceil(v), math.tointeger(v), pcall(math.modf, v))
end
print(math.tointeger("8"), math.tointeger("x"), math.tointeger({}), math.tointeger(2^63), math.tointeger(-2^63),
    math.tointeger(3.0))
print(math.max(1, 2.5, -1), math.min(1, 2.5, -1), math.max(2, 2.0), math.max(3), pcall(math.max), math.ult(1, -1),
    math.ult(-1, 1), math.type("1"), pcall(math.type))
for _, x in ipairs { 0.5, 1, 2, 10, 1e-10, 100 } do
  print(("%.14g %.14g %.14g %.14g %.14g %.14g %.14g %.14g"):format(math.sqrt(x), math.sin(x), math.cos(x),
      math.tan(x), math.exp(x), math.log(x), math.log(x, 2), math.log(x, 10)))
  print(("%.14g %.14g %.14g %.14g %.14g %.14g"):format(math.atan(x), math.atan(x, 2), math.atan(-x, -2),
      math.asin(x / 100), math.acos(x / 100), math.log(x, 3)))
end
print(math.pi, math.deg(math.pi), math.rad(180), math.sqrt(-1) ~= math.sqrt(-1), math.log(0), math.exp(710),
    math.log(8, 2), math.log(100, 10))
-- random: the same from the same seed
math.randomseed(42)
local a = { math.random(), math.random(100), math.random(-5, 5), math.random(0), math.random(mini, maxi) }
math.randomseed(42)
local same = true
for i, v in ipairs { math.random(), math.random(100), math.random(-5, 5), math.random(0), math.random(mini, maxi) } do
  same = same and a[i] == v
end
print(same, table.unpack(a))
math.randomseed(1, 2)
print(math.random(1 << 40), math.random(1 << 40), math.random(3, 3))
math.randomseed(7.0)
print(math.random(1000))
print(pcall(math.random, 0, -1), pcall(math.random, 1, 2, 3), pcall(math.random, 1.5), pcall(math.random, 2, 1))
local low, high, hits = inf, -inf, {}
for i = 1, 10000 do
  local r = math.random() low, high = math.min(low, r), math.max(high, r) hits[math.random(10)] = true
end
print(low >= 0, high < 1, #hits)
-- loops
local function loop(a, b, c)
  local s = {} for i = a, b, c do s[#s + 1] = tostring(i) if #s > 6 then break end end print(table.concat(s, " "))
end
loop(1, 3, 1)
loop(3, 1, -1)
loop(1, 0, 1)
loop(1, 2, 0.25)
loop(maxi - 2, maxi, 1)
loop(mini + 2, mini, -1)
loop(1, inf, 1)
loop(1.0, 3, 1)
loop(maxi - 1, inf, 1)
loop(1, 3.9, 1)
loop(-1, -3.9, -1)
loop(mini, maxi, maxi)
loop(0.1, 0.35, 0.1)
print(pcall(loop, 1, 2, 0)) print(pcall(loop, "a", 2, 1)) print(pcall(loop, 1, {}, 1)) print(pcall(loop, 1, 2, "x"))
-- texts of numbers and back
for _, x in ipairs { 0.1, 1/3, 2/3, 1e21, 123456789012, 1e-7, 2^-1074, 1.7976931348623157e308, 100, 1e2,
    0x7fffffffffffffff, 0xffffffffffffffff, 0x.1p4, 0xA.8 } do
  print(x, ("%.17g"):format(x), tonumber(("%.17g"):format(x)) == x, tonumber(("%a"):format(x)) == x)
end
