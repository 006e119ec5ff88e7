-- SPDX-License-Identifier: Apache-2.0
-- The document store: documents by code, which is unique, and by name, which is not (the member "name" of the present
-- version, if it is a string).  One state has one; nobody else sees it.
local json = require "json"
local edit = require "edit"
local store = { documents = 0, named = 0 }      -- how many the indices hold
local by_code, by_name = {}, {}                 -- a document; a set of documents

-- Brings the index by name into line with the document's root; nil takes it out.
local function set_root(d, root)
    local old, name = d.name, json.member(root, "name")
    if type(name) ~= "string" then name = nil end
    d.root, d.name = root, name
    if old == name then return end
    if old then
        local same = by_name[old]
        same[d] = nil
        if next(same) == nil then by_name[old] = nil end
        store.named = store.named - 1
    end
    if name then
        local same = by_name[name]
        if not same then
            same = {}
            by_name[name] = same
        end
        same[d] = true
        store.named = store.named + 1
    end
end

-- Adds a document; `text` tells its text.
function store.insert(code, root, ordinal, version, text)
    assert(not by_code[code], "another document has this code")
    local d = { code = code, ordinal = ordinal, version = version, text = text }
    by_code[code] = d
    store.documents = store.documents + 1
    set_root(d, root)
    return d
end

local function delete(d)
    by_code[d.code] = nil
    store.documents = store.documents - 1
    set_root(d, nil)
end

-- The present version of a document: its root and its number.
function store.get(code)
    local d = by_code[code]
    return d.root, d.version
end

-- The root of a document that has this name now, or nil.
function store.with_name(name)
    local same = by_name[name]
    local d = same and next(same)
    if d then return d.root end
end

-- Makes the next version of a document: its root and its number.
function store.advance(code)
    local d = by_code[code]
    local version = d.version + 1
    if edit.is_reinsertion(d.ordinal, version) then
        local text = d.text(d.ordinal)
        local root = json.parse(text)
        delete(d)
        store.insert(code, root, d.ordinal, version, d.text)
        return root, version
    end
    d.version = version
    set_root(d, edit.edit(d.root, d.ordinal, version))
    return d.root, version
end

return store
