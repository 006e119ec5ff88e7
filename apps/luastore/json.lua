-- SPDX-License-Identifier: Apache-2.0
-- JSON values, their parser (RFC 8259, strict) and their printer.
--
-- Values never change once they are built: an edit makes a new list that shares what it did not touch.
--   string           Lua's
--   true, false      Lua's
--   integer          Lua's, if it prints as it was read; every other number is {NUMBER, text}, so that no digit is lost
--   null             json.null
--   array            {ARRAY, element, ...}
--   object           {OBJECT, name, value, name, value, ...}, in the order of the text
-- Neither parser nor printer recurses: no depth of nesting needs a deep stack.
local byte, char, find, gsub, match, sub = string.byte, string.char, string.find, string.gsub, string.match, string.sub
local tointeger, type = math.tointeger, type
local concat, move, unpack = table.concat, table.move, table.unpack

local json = { DEPTH_MAX = 100000 }
local ARRAY, OBJECT, NUMBER = "array", "object", "number"
json.ARRAY, json.OBJECT, json.NUMBER = ARRAY, OBJECT, NUMBER
json.null = { "null" }

-- ---- building ------------------------------------------------------------------------------------------------------

-- The number that is written so.  17 digits and a sign are within an integer of 64 bits.
function json.number(text)
    if #text < 18 and (match(text, "^-?[1-9]%d*$") or text == "0") then
        return tointeger(text)
    end
    return { NUMBER, text }
end

function json.is_list(v)
    if type(v) ~= "table" then return false end
    local tag = v[1]
    return tag == ARRAY or tag == OBJECT
end

-- The place of the member's name in an object, or nil.
local function place(object, name)
    for i = 2, #object, 2 do
        if object[i] == name then return i end
    end
end
json.place = place

-- The member itself; nil also if v is no object.
function json.member(v, name)
    local i = type(v) == "table" and v[1] == OBJECT and place(v, name)
    if i then return v[i + 1] end
end

local function copy_of(list)
    if #list > 200 then return move(list, 1, #list, 1, {}) end          -- not by way of the stack
    return { unpack(list) }
end

-- A copy with the i-th word replaced; with `n` words taken out at i; with a word put in at i.
function json.replace(list, i, value)
    local copy = copy_of(list)
    copy[i] = value
    return copy
end

function json.without(list, i, n)
    local copy, size = copy_of(list), #list
    move(copy, i + n, size, i)
    for last = size - n + 1, size do copy[last] = nil end
    return copy
end

function json.insert(list, i, value)
    local copy = copy_of(list)
    if i <= #list then move(copy, i, #list, i + 1) end
    copy[i] = value
    return copy
end

-- A copy of the object with the member set: in its place if there is one, else at the end.
function json.with(object, name, value)
    local copy, i = copy_of(object), place(object, name)
    if i then
        copy[i + 1] = value
    else
        i = #copy
        copy[i + 1], copy[i + 2] = name, value
    end
    return copy
end

-- ---- parsing: numbers and strings ----------------------------------------------------------------------------------

-- `at` is the place in the text where it is noticed.
local function fail(code, at)
    error({ code = code, at = at }, 0)
end

-- A byte that does not fit: it is missing, or wrong.
local function unfit(s, at, code)
    fail(at > #s and "JSON_EEND" or code, at)
end

local function digits(s, at)
    return match(s, "^%d+()", at) or unfit(s, at, "JSON_ENUMBER")
end

-- The value that begins at `from`, and the place behind it.
local function number(s, from)
    local at = match(s, "^-?()", from)
    if byte(s, at) == 48 then                   -- 0
        at = at + 1
        if find(s, "^%d", at) then fail("JSON_ENUMBER", at) end
    else
        at = digits(s, at)
    end
    if byte(s, at) == 46 then at = digits(s, at + 1) end
    local exponent = match(s, "^[eE][+-]?()", at)
    if exponent then at = digits(s, exponent) end
    return json.number(sub(s, from, at - 1)), at
end

local short = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- The four digits at `at`, of the escape that began at `from`.
local function hex4(s, at, from)
    local hex = match(s, "^%x%x%x%x", at)
    if hex then return tonumber(hex, 16) end
    local bad = match(s, "^%x*()", at)
    if bad > #s then fail("JSON_EEND", #s + 1) end
    fail("JSON_EESCAPE", from)
end

-- The escape that begins at `at`: what it stands for, and the place behind it.
local function escape(s, at)
    local letter = sub(s, at + 1, at + 1)
    if letter == "" then fail("JSON_EEND", #s + 1) end
    if letter ~= "u" then return short[letter] or fail("JSON_EESCAPE", at), at + 2 end
    local code = hex4(s, at + 2, at)
    if code < 0xD800 or code > 0xDFFF then return utf8.char(code), at + 6 end
    if code > 0xDBFF or sub(s, at + 6, at + 7) ~= "\\u" then fail("JSON_ESURROGATE", at) end
    local low = hex4(s, at + 8, at)
    if low < 0xDC00 or low > 0xDFFF then fail("JSON_ESURROGATE", at) end
    return utf8.char(0x10000 + (code - 0xD800 << 10) + (low - 0xDC00)), at + 12
end

-- A string with escapes or bytes beyond ASCII, whose contents begin at `at`.
local function hard_string(s, at)
    local out, n = {}, 0
    while true do
        local stop = find(s, '["\\\0-\31\128-\255]', at)
        if not stop then fail("JSON_EEND", #s + 1) end
        local c, piece, behind = byte(s, stop), nil, stop
        if c == 34 then break end               -- "
        if c == 92 then
            piece, behind = escape(s, stop)
        elseif c < 32 then
            fail("JSON_ECONTROL", stop)
        else
            behind = match(s, "^[\128-\255]+()", stop)
            local good, bad = utf8.len(s, stop, behind - 1)
            if not good then fail("JSON_EUTF8", bad) end
            piece = sub(s, stop, behind - 1)
        end
        out[n + 1], out[n + 2] = sub(s, at, stop - 1), piece
        n, at = n + 2, behind
    end
    local stop = find(s, '"', at, true)
    out[n + 1] = sub(s, at, stop - 1)
    return concat(out), stop + 1
end

-- The string whose quote stands at `at`, and the place behind it.
local function text_at(s, at)
    local plain, behind = match(s, '^([^"\\\0-\31\128-\255]*)"()', at + 1)
    if plain then return plain, behind end
    return hard_string(s, at + 1)
end

local words = { n = { "null", json.null }, t = { "true", true }, f = { "false", false } }

local function scalar(s, at, c)
    if c == 34 then return text_at(s, at) end
    if c == 45 or c and c >= 48 and c <= 57 then return number(s, at) end
    local word = c and words[char(c)]
    if not word then unfit(s, at, "JSON_ETOKEN") end
    if sub(s, at, at + #word[1] - 1) ~= word[1] then fail("JSON_ETOKEN", at) end
    return word[2], at + #word[1]
end

-- ---- parsing: the loop ---------------------------------------------------------------------------------------------

local function space(s, at)
    return match(s, "^[ \n\r\t]*()", at)
end

-- A member's name and the colon behind it, the slow way: it may be wrong.
local function hard_name(s, at)
    local name
    at = space(s, at)
    if byte(s, at) ~= 34 then unfit(s, at, "JSON_ETOKEN") end
    name, at = text_at(s, at)
    at = space(s, at)
    if byte(s, at) ~= 58 then unfit(s, at, "JSON_ETOKEN") end
    return name, space(s, at + 1)
end

-- Where the member's value goes (of members with one name the last value counts, in the first one's place), and where it
-- begins.
local function name_at(s, at, object)
    local name, value = match(s, '^[ \n\r\t]*"([^"\\\0-\31\128-\255]*)"[ \n\r\t]*:[ \n\r\t]*()', at)
    if not name then name, value = hard_name(s, at) end
    local i = place(object, name)
    if not i then
        i = #object + 1
        object[i], object[i + 1] = name, false
    end
    return i + 1, value
end

local closers = { [ARRAY] = "]", [OBJECT] = "}" }

-- `list` is the innermost open list and `slot` the place of its next value; `lists` and `slots` have those outside.
local function parse(s, item)
    local lists, slots, depth, list, slot = {}, {}, 0, nil, nil
    local at, from = space(s, 1), 1
    while true do                               -- a value begins at `at`
        local c, value = byte(s, at), nil
        if item and depth == 2 then from = at end
        if c == 91 or c == 123 then             -- [ {
            if depth == json.DEPTH_MAX then fail("JSON_EDEPTH", at) end
            depth = depth + 1
            lists[depth], slots[depth] = list, slot
            list, slot = { c == 91 and ARRAY or OBJECT }, 2
            at = space(s, at + 1)
            if sub(s, at, at) ~= closers[list[1]] then
                if c == 123 then slot, at = name_at(s, at, list) end
                goto next
            end
            value, list, slot, at = list, lists[depth], slots[depth], at + 1
            depth = depth - 1
        else
            local behind
            if c == 34 then value, behind = match(s, '^([^"\\\0-\31\128-\255]*)"()', at + 1) end
            if value then at = behind else value, at = scalar(s, at, c) end
        end
        while true do                           -- a value is complete; others may be by it
            if item and depth == 2 then item(from, at - 1) end
            if depth == 0 then
                at = space(s, at)
                if at <= #s then fail("JSON_ETRAIL", at) end
                return value
            end
            list[slot] = value
            local mark, behind = match(s, "^[ \n\r\t]*([],}])()", at)
            if mark == "," then
                if list[1] == ARRAY then
                    slot, at = slot + 1, space(s, behind)
                else
                    slot, at = name_at(s, behind, list)
                end
                break
            end
            if mark ~= closers[list[1]] then unfit(s, space(s, at), "JSON_ETOKEN") end
            value, list, slot, at = list, lists[depth], slots[depth], behind
            lists[depth] = nil
            depth = depth - 1
        end
        ::next::
    end
end

-- The value of a text, which must be one by RFC 8259; or nil, the error's name, and its offset from 0.  item(first, last) is
-- told of each value inside two lists, where its text stands.
function json.parse(text, item)
    local good, result = pcall(parse, text, item)
    if good then return result end
    if type(result) ~= "table" or not result.code then error(result, 0) end
    return nil, result.code, result.at - 1
end

-- ---- printing ------------------------------------------------------------------------------------------------------

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\t"] = "\\t", ["\n"] = "\\n", ["\f"] = "\\f",
    ["\r"] = "\\r" }
for i = 0, 31 do
    escapes[char(i)] = escapes[char(i)] or ("\\u%04x"):format(i)
end

local function quoted(s)
    if find(s, '["\\\0-\31]') then s = gsub(s, '["\\\0-\31]', escapes) end
    return '"' .. s .. '"'
end

-- Texts that were printed before, by value: most names and many values come again and again.  A table that has become large
-- is left to the collector.
local CACHED = 4096

local function cache(text_of)
    local self, meta, n = {}, {}, 0
    function meta.__index(_, v)
        local text = text_of(v)
        if text and (type(v) ~= "string" or #v <= 40) then
            if n % CACHED == 0 then self.texts = setmetatable({}, meta) end
            n = n + 1
            self.texts[v] = text
        end
        return text
    end
    self.texts = setmetatable({}, meta)
    return self
end

-- What a scalar is printed as; false: it is a list.
local scalars = cache(function(v)
    local sort = type(v)
    if sort == "string" then return quoted(v) end
    if sort ~= "table" then return tostring(v) end
    if v == json.null then return "null" end
    return v[1] == NUMBER and v[2]
end)
-- A member's name with what stands before and behind it.
local names = cache(function(name) return "," .. quoted(name) .. ":" end)

local openers = { [ARRAY] = "[", [OBJECT] = "{" }
local ends = { [ARRAY] = "]", [OBJECT] = "}" }

-- The canonical form: no spaces, members in order, raw UTF-8, the short escapes, \u00xx for other controls.
function json.print(v)
    local scalar_text, name_text = scalars.texts, names.texts
    if scalar_text[v] then return scalar_text[v] end
    local out, n, lists, places, depth = { openers[v[1]] }, 1, {}, {}, 0
    local list, tag, size, i = v, v[1], #v, 2
    while true do
        if i > size then                        -- the list is complete
            n = n + 1
            out[n] = ends[tag]
            if depth == 0 then return concat(out) end
            list, i = lists[depth], places[depth]
            tag, size, depth = list[1], #list, depth - 1
        else
            if tag == OBJECT then
                local name = list[i]
                n = n + 1
                out[n] = i > 2 and name_text[name] or quoted(name) .. ":"
                i = i + 1
            elseif i > 2 then
                n = n + 1
                out[n] = ","
            end
            local value = list[i]
            local text = scalar_text[value]
            i, n = i + 1, n + 1
            if text then
                out[n] = text
            else
                depth = depth + 1
                lists[depth], places[depth] = list, i
                list, tag, size, i = value, value[1], #value, 2
                out[n] = openers[tag]
            end
        end
    end
end

-- 64 bits of a text: a multiply and a fold for each word of 8 bytes, the last one filled with zeros; begins with the length.
function json.digest(text)
    local h, n, at, words = 0xCBF29CE484222325 ~ #text, #text, 1, string.unpack
    while at + 31 <= n do
        local a, b, c, d
        a, b, c, d, at = words("<i8i8i8i8", text, at)
        h = (h ~ a) * 0x100000001B3
        h = ((h ~ h >> 32) ~ b) * 0x100000001B3
        h = ((h ~ h >> 32) ~ c) * 0x100000001B3
        h = ((h ~ h >> 32) ~ d) * 0x100000001B3
        h = h ~ h >> 32
    end
    local rest = sub(text, at) .. ("\0"):rep((at - n - 1) % 8)
    for word = 1, #rest, 8 do
        h = (h ~ words("<i8", rest, word)) * 0x100000001B3
        h = h ~ h >> 32
    end
    return h
end

return json
