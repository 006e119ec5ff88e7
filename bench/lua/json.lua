-- SPDX-License-Identifier: Apache-2.0
-- args: small
-- JSON: a document is written, read and written again, and the texts are compared.
--     json.lua [full|small] [incremental|generational]
local rounds, records = 20, 200
if arg[1] == "small" then rounds, records = 4, 50 end
collectgarbage(arg[2] or "incremental")

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t" }
local characters = { n = "\n", t = "\t", r = "\r", b = "\b", f = "\f" }

local function quoted(s)
  return '"' .. s:gsub('[%c"\\]', function(c) return escapes[c] or ("\\u%04x"):format(c:byte()) end) .. '"'
end

local write
local function write_array(a, out)
  out[#out + 1] = "["
  for i, v in ipairs(a) do
    if i > 1 then out[#out + 1] = "," end
    write(v, out)
  end
  out[#out + 1] = "]"
end

local function write_object(o, out)
  local names = {}
  for name in pairs(o) do names[#names + 1] = name end
  table.sort(names)
  out[#out + 1] = "{"
  for i, name in ipairs(names) do
    if i > 1 then out[#out + 1] = "," end
    out[#out + 1] = quoted(name) .. ":"
    write(o[name], out)
  end
  out[#out + 1] = "}"
end

function write(v, out)
  local kind = type(v)
  if kind == "table" then
    if #v > 0 or not next(v) then write_array(v, out) else write_object(v, out) end
  elseif kind == "string" then
    out[#out + 1] = quoted(v)
  else
    out[#out + 1] = tostring(v)
  end
end

local function text_of(v)
  local out = {}
  write(v, out)
  return table.concat(out)
end

local read
local function read_string(s, at)
  local parts = {}
  while true do
    local stop = s:find('["\\]', at)
    parts[#parts + 1] = s:sub(at, stop - 1)
    if s:byte(stop) == 34 then return table.concat(parts), stop + 1 end
    local c = s:sub(stop + 1, stop + 1)
    if c == "u" then
      parts[#parts + 1] = utf8.char(tonumber(s:sub(stop + 2, stop + 5), 16))
      at = stop + 6
    else
      parts[#parts + 1] = characters[c] or c
      at = stop + 2
    end
  end
end

local function read_array(s, at)
  local a, v = {}, nil
  if s:find("^%s*%]", at) then return a, s:find("]", at, true) + 1 end
  repeat
    v, at = read(s, at)
    a[#a + 1] = v
    local c
    c, at = s:match("^%s*([,%]])()", at)
  until c == "]"
  return a, at
end

local function read_object(s, at)
  local o = {}
  if s:find("^%s*}", at) then return o, s:find("}", at, true) + 1 end
  repeat
    local name, c
    at = s:match('^%s*"()', at)
    name, at = read_string(s, at)
    at = s:match("^%s*:()", at)
    o[name], at = read(s, at)
    c, at = s:match("^%s*([,}])()", at)
  until c == "}"
  return o, at
end

local words = { t = { true, 4 }, f = { false, 5 } }
function read(s, at)
  local c
  c, at = s:match("^%s*(.)()", at)
  if c == "{" then return read_object(s, at) end
  if c == "[" then return read_array(s, at) end
  if c == '"' then return read_string(s, at) end
  if words[c] then return words[c][1], at - 1 + words[c][2] end
  local number, stop = s:match("^([%d.eE+-]+)()", at - 1)
  return tonumber(number), stop
end

local document = {}
for i = 1, records do
  document[i] = {
    id = i, name = "record \"" .. i .. "\"\n", tags = { "red", "green\t", "blue" .. i % 7 }, price = i / 8,
    stock = i % 3 == 0, place = { row = i // 10, column = i % 10, path = "a\\b\\" .. i }, empty = {},
  }
end
local text, length = text_of(document), 0
for _ = 1, rounds do
  local again = text_of((read(text, 1)))
  assert(again == text, "a round trip changed the document")
  length = length + #again
end
print("json", length)
