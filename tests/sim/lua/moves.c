/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lua_xmove moves, when a mark begins between its look for one and its entering the receiver.
 *
 * One task moves a value that only a stack holds from a coroutine to the main one, which is in use, and back, until another task
 * has begun a mark.  The coroutine lies behind a chain, so markers come to it late, and no C stack but lua_xmove's own names it.
 * The receiver is marked as it is entered, and by markers; then it must not get what nobody has marked.
 */
#include "gc/gc_internal.h"
#include "sim.h"
#include "states.h"
#include "workload.h"

#include "lua.h"

enum { CHAIN = 30, MOVES = 12 };

static struct hk_sem begin_one;
static bool moving;                     /* of who moves */
static uintptr_t side, value;           /* complements of addresses */

/* The first coroutine that is noted in a mark needs memory.  That takes until markers have come to the receiver, which is in front
 * of the chain, and all the while they cannot look at the C stack of who moves. */
static void *late_memory(void *ud, void *p, size_t osize, size_t nsize)
{
    if (moving && hgc_marking()) {
        static uint32_t any;
        hal_crit_t c = hal_crit_enter();
        for (unsigned i = sim_choose(16u << sim_choose(8)); i; i--)
            (void)ld_rlx(&any);
        hal_crit_exit(c);
    }
    return lua_states_memory(ud, p, osize, nsize);
}

static void begins(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < MOVES; i++) {
        hk_sem_wait(&begin_one, HK_FOREVER);
        for (uint32_t before = hgc_cycle(); hgc_cycle() == before;)
            (void)hgc_collect(HGC_START);
    }
}

static __attribute__((noinline)) void fill(lua_State *L)
{
    lua_State *co = lua_newthread(L);
    for (unsigned i = 0; i < CHAIN; i++) {
        lua_createtable(L, 1, 0);
        lua_rotate(L, -2, 1);
        lua_rawseti(L, -2, 1);
    }
    lua_setglobal(L, "chain");
    lua_createtable(co, 0, 0);
    side = ~(uintptr_t)co;
    value = ~(uintptr_t)lua_topointer(co, -1);
}

static __attribute__((noinline)) void take_from_side(lua_State *L) { lua_xmove((lua_State *)~side, L, 1); }
static __attribute__((noinline)) void give_to_side(lua_State *L) { lua_xmove(L, (lua_State *)~side, 1); }

static void move_until_mark(lua_State *L)
{
    uint32_t before = hgc_cycle();
    moving = true;
    hk_sem_post(&begin_one);
    while (hgc_cycle() == before) {
        lua_settop(L, 0);               /* in use */
        take_from_side(L);
        if (hgc_cycle() == before)
            give_to_side(L);
    }
    moving = false;
}

/* With a state of its own each time, in which no coroutine has been noted yet. */
static void move_once(void)
{
    static bool closes;
    hgc_wait_mark();
    lua_State *L = lua_newstate(late_memory, &closes);
    if (!L)
        sim_fail("no memory for a state");
    fill(L);
    workload_forget();
    move_until_mark(L);
    hgc_wait_mark();
    (void)hgc_collect(HGC_START);       /* after the sweep */
    hgc_wait_mark();
    if (hgc_size((void *)~value) == 0)
        sim_fail("what lua_xmove moved is lost");
    lua_close(L);
}

static void moves(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < MOVES; i++)
        move_once();
}

void lua_moves(void)
{
    hk_sem_init(&begin_one, 0);
    lua_two_tasks("moves", moves, begins);
}
