/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Lua asks this program for: the texts of the corpus, which are no heap memory, and what Python expects of them.
 *
 *   job.state, job.states            this state's number, and how many there are
 *   job.documents, passes, seed, history_max, array_max, deep_max, numbers, notes, code_members     see tools/jsongen.py
 *   job.take()                       the next file that no state has taken: its sort ("table", "document" or "refused"),
 *                                    text, name, and if it is to be refused the offset where that is noticed; or nil
 *   job.entry(first, last)           the next document of that file is these bytes of its text
 *   job.text(ordinal)                a document's text, its file's name, and whether it is one of a table
 *   job.versions(ordinal)            how many versions it gets; job.digest(ordinal): the last one's
 *   job.operation()                  counts an operation of the program
 */
#include "apps/luastore/team.h"

#include "lauxlib.h"

#define JS_TABLE
#include "expect.h"

static struct hk_mutex lock;
static size_t position;                 /* lock: for corpus_next */

/* The text of one document.  Written by the one state that took its file, read by others in later phases. */
static struct span {
    const unsigned char *text;
    const char *name;
    uint32_t length, name_length;
    bool in_table;
} spans[JS_DOCUMENTS];

static int take(lua_State *L)
{
    static const char *const sorts[] = {"table", "document", "refused"};
    struct corpus_file *f = &member_of(L)->file;
    (void)hk_mutex_lock(&lock);
    bool found = corpus_next(&position, f);
    (void)hk_mutex_unlock(&lock);
    if (!found)
        return 0;
    lua_pushstring(L, sorts[f->sort]);
    lua_pushlstring(L, (const char *)f->text, f->length);
    lua_pushlstring(L, f->name, f->name_length);
    lua_pushinteger(L, f->first);
    return 4;
}

static int entry(lua_State *L)
{
    struct corpus_file *f = &member_of(L)->file;
    lua_Integer first = luaL_checkinteger(L, 1), last = luaL_checkinteger(L, 2);
    luaL_argcheck(L, first >= 1 && last <= (lua_Integer)f->length && first <= last + 1, 1, "not within the text");
    luaL_argcheck(L, f->first < JS_DOCUMENTS && f->sort != CORPUS_REFUSED, 1, "too many documents");
    spans[f->first++] = (struct span){
        .text = f->text + first - 1, .length = (uint32_t)(last - first + 1), .name = f->name,
        .name_length = (uint32_t)f->name_length, .in_table = f->sort == CORPUS_TABLE,
    };
    return 0;
}

static uint32_t check_ordinal(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 0 && n < JS_DOCUMENTS, 1, "no such document");
    return (uint32_t)n;
}

static int text(lua_State *L)
{
    const struct span *s = &spans[check_ordinal(L)];
    if (!s->text)
        return luaL_error(L, "no file had this document");
    lua_pushlstring(L, (const char *)s->text, s->length);
    lua_pushlstring(L, s->name, s->name_length);
    lua_pushboolean(L, s->in_table);
    return 3;
}

static int versions(lua_State *L)
{
    lua_pushinteger(L, js_expect[check_ordinal(L)].versions);
    return 1;
}

static int digest(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)js_expect[check_ordinal(L)].digest);
    return 1;
}

static int operation(lua_State *L)
{
    if (hgc_marking())
        member_of(L)->ops_marking[hk_hart()]++;
    return 0;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static void set_integer(lua_State *L, const char *name, lua_Integer n)
{
    lua_pushinteger(L, n);
    lua_setfield(L, -2, name);
}

struct text { const char *bytes; size_t length; };

static void set_texts(lua_State *L, const char *name, const struct text *texts, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushlstring(L, texts[i].bytes, texts[i].length);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, name);
}

static void set_code_members(lua_State *L)
{
    static const char *const members[] = {JS_CODE_MEMBERS};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        lua_pushstring(L, members[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "code_members");
}

void job_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"take", take}, {"entry", entry}, {"text", text}, {"versions", versions}, {"digest", digest},
        {"operation", operation}, {NULL, NULL},
    };
    static const struct text numbers[10] = {JS_NUMBERS}, notes[10] = {JS_NOTES};
    luaL_newlib(L, functions);
    set_integer(L, "state", member_of(L)->number);
    set_integer(L, "states", hk_harts());
    set_integer(L, "documents", JS_DOCUMENTS);
    set_integer(L, "passes", JS_PASSES);
    set_integer(L, "seed", JS_SEED);
    set_integer(L, "history_max", JS_HISTORY_MAX);
    set_integer(L, "array_max", JS_ARRAY_MAX);
    set_integer(L, "deep_max", JS_DEEP_MAX);
    set_texts(L, "numbers", numbers, 10);
    set_texts(L, "notes", notes, 10);
    set_code_members(L);
    lua_setglobal(L, "job");
}
