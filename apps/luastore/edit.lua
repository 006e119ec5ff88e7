-- SPDX-License-Identifier: Apache-2.0
-- The edits.  A document's version is a function of the version before it, of the document's ordinal and of the version's
-- number.  tools/jsongen.py has the same rules in Python, apps/jsonstore/edit.c in C: a rule changed here is changed there.
local json = require "json"
local NUMBERS, NOTES, SEED = job.numbers, job.notes, job.seed
local ARRAY, OBJECT = json.ARRAY, json.OBJECT
local with, replace, without, insert, is_list = json.with, json.replace, json.without, json.insert, json.is_list
local edit = {}

-- 32 well-stirred bits of two numbers.
function edit.mix(a, b)
    local x = (a * 0x9E3779B1 ~ b * 0x85EBCA77 ~ SEED) & 0xFFFFFFFF
    x = x ~ x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x = x ~ x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ~ x >> 16
end

-- Is this version made by deleting the document and inserting it again from its text?
function edit.is_reinsertion(ordinal, version)
    return edit.mix(ordinal, version) & 15 == 0
end

-- ---- pieces --------------------------------------------------------------------------------------------------------

local function number_of(pick) return json.number(NUMBERS[pick % 10 + 1]) end
local function note_of(pick) return NOTES[pick % 10 + 1] end

local function long_note(ordinal, pick)
    return note_of(pick) .. "/" .. ordinal .. "/" .. note_of(pick // 10)
end

local function flag_of(pick)
    local way = pick % 3
    if way == 0 then return json.null end
    return way == 1
end

-- A small document of its own.
local function meta(ordinal, version, pick)
    local some = { ARRAY }
    for i = 0, pick % 4 - 1 do some[i + 2] = number_of(pick + i) end
    return { OBJECT, "k", ordinal, "v", version, "numbers", some, "empty", { OBJECT }, "none", { ARRAY },
        "deep", { OBJECT, "list", { ARRAY, { ARRAY, pick }, note_of(pick) } } }
end

-- The place of the i-th element or member value, from 0.
local function place_of(list, i)
    return list[1] == OBJECT and 2 * i + 3 or i + 2
end

local function count(list)
    local n = #list - 1
    return list[1] == OBJECT and n // 2 or n
end

-- ---- the rules -----------------------------------------------------------------------------------------------------

-- The place of the first list in `list`, from the pick-th value on and around; nil: there is none.
local function a_list_in(list, pick)
    local n = count(list)
    for j = 0, n - 1 do
        local i = place_of(list, (pick + j) % n)
        if is_list(list[i]) then return i end
    end
end

-- Goes down 1 to deep_max levels through lists and adds or replaces something there; then makes new lists all the way up.
local function edit_inside(v, version, pick)
    local path, places, depth = {}, {}, 0
    for level = 1, 1 + pick % job.deep_max do
        local i = a_list_in(v, pick)
        if not i then break end
        path[level], places[level], depth = v, i, level
        v = v[i]
    end
    if v[1] == OBJECT then
        v = with(v, "inside", version)
    elseif #v - 1 < job.array_max then
        v = insert(v, #v + 1, version)
    else
        v = replace(v, pick % (#v - 1) + 2, version)
    end
    for level = depth, 1, -1 do v = replace(path[level], places[level], v) end
    return v
end

-- Appends to "history", which keeps the last history_max.
local function remember(v, version)
    local history = json.member(v, "history")
    if type(history) ~= "table" or history[1] ~= ARRAY then return with(v, "history", { ARRAY, version }) end
    if #history - 1 >= job.history_max then history = without(history, 2, 1) end
    return with(v, "history", insert(history, #history + 1, version))
end

-- Takes the member at place i out and appends its value under `name`.
local function move_member(v, i, name)
    return with(without(v, i - 1, 2), name, v[i])
end

local function edit_object(v, ordinal, version, op, pick)
    local n = count(v)
    if op == 3 or op == 4 then return with(v, "name", "Name " .. ordinal % 1000 .. "." .. version % 5) end
    if op == 5 then return with(v, "note", long_note(ordinal, pick)) end
    if op == 6 then return with(v, "meta", meta(ordinal, version, pick)) end
    if op == 10 then return remember(v, version) end
    if op == 12 or op == 13 then return edit_inside(v, version, pick) end
    if op == 14 then return with(v, "flag", flag_of(pick)) end
    if n > 0 then
        local i = place_of(v, pick % n)
        if op == 7 and n > 1 then return without(v, i - 1, 2) end
        if op == 8 then return replace(v, i, number_of(pick // n)) end
        if op == 9 then return move_member(v, i, v[i - 1]) end
        if op == 11 then return with(v, "copy", v[i]) end
        if op == 15 then return move_member(v, i, "moved") end
    end
    return with(v, "version", version)
end

local function edit_array(v, ordinal, version, op, pick)
    local n = count(v)
    if n > 0 then
        local i = pick % n + 2
        if op == 5 or op == 6 then return replace(v, i, long_note(ordinal, pick)) end
        if op == 7 or (op < 5 and n >= job.array_max) then return without(v, i, 1) end
        if op == 8 then return replace(v, i, number_of(pick // n)) end
        if op == 9 or op == 15 then return insert(without(v, 2, 1), n + 1, v[2]) end
        if op == 10 then return insert(v, i, meta(ordinal, version, pick)) end
        if op == 11 then return replace(v, pick // n % n + 2, v[i]) end
        if op == 12 or op == 13 then return edit_inside(v, version, pick) end
        if op == 14 then return replace(v, i, flag_of(pick)) end
    end
    return insert(v, #v + 1, version)
end

-- The version that follows v.
function edit.edit(v, ordinal, version)
    local h = edit.mix(ordinal, version)
    local op, pick = h & 15, h >> 4
    if type(v) == "table" then
        if v[1] == OBJECT then return edit_object(v, ordinal, version, op, pick) end
        if v[1] == ARRAY then return edit_array(v, ordinal, version, op, pick) end
    end
    return { OBJECT, "was", v, "version", version }
end

return edit
