/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An owner that leaves a safepoint while a marker goes through its state.
 *
 * One task asks for a step of its state, in which markers may look at that, and allocates right after; another begins mark after
 * mark.  The state has a weak table of many entries and few other objects, so that most of a mark is a look at it.
 */
#include "gc/gc_internal.h"
#include "sim.h"
#include "states.h"
#include "workload.h"

#include "lua.h"

enum { ENTRIES = 120, OBJECTS = 40, RESTS = 1200 };

static uint32_t rests_on;               /* atomic: the owner has not ended */

static void begins(void *arg)
{
    (void)arg;
    while (ld_rlx(&rests_on)) {
        (void)hgc_collect(HGC_START);
        hgc_wait_mark();
    }
}

static void fill(lua_State *L)
{
    lua_createtable(L, ENTRIES, 0);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, "v");
    lua_setfield(L, -2, "__mode");
    (void)lua_setmetatable(L, -2);
    lua_createtable(L, OBJECTS, 0);
    for (int i = 1; i <= OBJECTS; i++) {
        lua_createtable(L, 0, 0);
        lua_rawseti(L, -2, i);
    }
    for (int i = 1; i <= ENTRIES; i++) {
        lua_rawgeti(L, -1, 1 + i % OBJECTS);
        lua_rawseti(L, -3, i);
    }
    lua_setglobal(L, "strong");
    lua_setglobal(L, "weak");
}

static void check(lua_State *L)
{
    lua_getglobal(L, "weak");
    lua_getglobal(L, "strong");
    for (int i = 1; i <= ENTRIES; i++) {
        lua_rawgeti(L, 1, i);
        lua_rawgeti(L, 2, 1 + i % OBJECTS);
        if (!lua_rawequal(L, -1, -2))
            sim_fail("a weak table lost entry %d", i);
        lua_settop(L, 2);
    }
    lua_settop(L, 0);
}

static void rests(void *arg)
{
    static bool closes;
    (void)arg;
    lua_State *L = lua_newstate(lua_states_memory, &closes);
    if (!L)
        sim_fail("no memory for a state");
    fill(L);
    for (unsigned i = 0; i < RESTS; i++) {
        (void)lua_gc(L, LUA_GCSTEP, 1);
        lua_createtable(L, 0, 0);
        lua_settop(L, 0);
    }
    check(L);
    st_rlx(&rests_on, 0);
    lua_close(L);
}

void lua_rests(void)
{
    st_rlx(&rests_on, 1);
    lua_two_tasks("rests", rests, begins);
}
