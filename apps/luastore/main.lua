-- SPDX-License-Identifier: Apache-2.0
-- The phases of the document store, in one of several states that share the work: the documents whose ordinal is this
-- state's number, by the number of states.  main.c calls them by their names and adds up what they return.
package.path = "apps/luastore/?.lua"
local json = require "json"
local edit = require "edit"
local store = require "store"

local GOLDEN = 0x9E3779B97F4A7C15
local REPARSE = 16              -- of the versions, one in so many is parsed again after it was printed
local BATCH = 32                -- versions that go from editor to printer at a time
local codes = {}                -- by place in this state's share: codes[i] is that of ordinal(i)
local shares = 0                -- documents in it

local function ordinal(i)
    return job.state + (i - 1) * job.states
end

-- ---- cut: texts that are no JSON are refused; tables are cut into the texts of their entries ------------------------

-- States take the files in turn, so a table may be cut by any.
function cut()
    local refused = 0
    for sort, text, name, offset in job.take do
        if sort == "document" then
            job.entry(1, #text)
        elseif sort == "table" then
            local value, code, at = json.parse(text, job.entry)
            if not value then error(("%s: %s at byte %d"):format(name, code, at)) end
        else
            local value, code, at = json.parse(text)
            if value ~= nil or code ~= name or at ~= offset then
                error(("%q: %s at byte %s, expected %s at %d"):format(text:sub(1, 40), code, at, name, offset))
            end
            refused = refused + 1
        end
        job.operation()
    end
    return refused
end

-- ---- load: documents from texts -------------------------------------------------------------------------------------

-- A file's name, and in a table ":" and the first of the members that serve as codes there.
local function code_of(root, name, in_table)
    if not in_table then return name end
    for _, member in ipairs(job.code_members) do
        local v = json.member(root, member)
        if v then return name .. ":" .. v end
    end
end

function load()
    for number = job.state, job.documents - 1, job.states do
        local text, name, in_table = job.text(number)
        local root, code, at = json.parse(text)
        if root == nil then error(("document %d of %s: %s at byte %d"):format(number, name, code, at)) end
        shares = shares + 1
        codes[shares] = code_of(root, name, in_table)
        store.insert(codes[shares], root, number, 0, job.text)
        job.operation()
    end
    return store.documents
end

-- ---- run: edits, look-ups, printing ---------------------------------------------------------------------------------

-- Looks up some document by code, and then by the name that it has, if it has one.  How many were found.
local function look_up(which)
    local root = store.get(codes[which % shares + 1])
    local name = json.member(root, "name")
    job.operation()
    return type(name) == "string" and store.with_name(name) and 2 or 1
end

-- A coroutine: makes the versions of all documents, pass by pass, and yields them in batches of {ordinal, version, root, ...}.
local function editor()
    local batch, n, found = {}, 0, 0
    for pass = 0, job.passes - 1 do
        for i = 1, shares do
            local number = ordinal(i)
            if pass < job.versions(number) then
                local root, version = store.advance(codes[i])
                batch[n + 1], batch[n + 2], batch[n + 3] = number, version, root
                n = n + 3
                found = found + look_up(edit.mix(pass, number))
                job.operation()
                if n == 3 * BATCH then
                    coroutine.yield(batch)
                    batch, n = {}, 0
                end
            end
        end
    end
    if n > 0 then coroutine.yield(batch) end
    return nil, found
end

-- Parses what was printed and prints it again: it must come out the same.
local function reparse(text, number, version)
    local again = json.parse(text)
    if again == nil or json.print(again) ~= text then
        error(("version %d of document %d does not survive printing and parsing"):format(version, number))
    end
end

-- How many versions there were, look-ups that found something, bytes printed, and the sum over all versions, which does not
-- depend on who comes first.
function run()
    local documents, bytes, history = 0, 0, 0
    local edited = coroutine.wrap(editor)
    while true do
        local batch, found = edited()
        if not batch then return documents, found, bytes, history end
        for i = 1, #batch, 3 do
            local number, version = batch[i], batch[i + 1]
            local text = json.print(batch[i + 2])
            history = history + (json.digest(text) ~ version << 32 ~ number) * GOLDEN
            bytes = bytes + #text
            if documents % REPARSE == 0 then reparse(text, number, version) end
            documents = documents + 1
            job.operation()
        end
    end
end

-- ---- check: each document's last version, and the indices, are what Python says --------------------------------------

-- What is wrong with a document, or nil; and its digest.
local function wrong(i)
    local number = ordinal(i)
    local root, version = store.get(codes[i])
    if version ~= job.versions(number) then return "it has the wrong version", 0 end
    local digest = json.digest(json.print(root))
    if digest ~= job.digest(number) then return "its text has the wrong digest", digest end
    local name = json.member(root, "name")
    if type(name) == "string" and not store.with_name(name) then return "it is not found by its name", digest end
    return nil, digest
end

function check()
    local total, bad = 0, 0
    for i = 1, shares do
        local what, digest = wrong(i)
        total = total + (digest ~ ordinal(i)) * GOLDEN
        if what then
            bad = bad + 1
            if bad <= 10 then print(("luastore: document %d, %s: %s"):format(ordinal(i), codes[i], what)) end
        end
    end
    return store.documents, store.named, total, bad
end
