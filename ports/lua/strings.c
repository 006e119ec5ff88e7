/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short strings.  Lua keeps each once, in a table of chains that keeps none of them alive.
 *
 * The sweep asks before it frees one (hgc_kind.release), and takes it out of its chain then; a string knows its state by
 * `next`, which Lua does not use when its own collector is gone.  The chains are under the state's string lock.  Its owner has
 * it while Lua looks a string up or makes one, and may be preempted meanwhile; so the sweep only tries: a dead string
 * whose table is busy stays for another cycle.
 *
 * A string that was found in a chain in a mark is shaded.  Between marks it may be dead and not swept yet: it is stamped
 * with the cycle's number, under the lock, and the sweep leaves it.
 */
#define LUA_CORE
#define lstring_c
#include "ports/lua/state.h"

#include <string.h>

#include "lstring.h"

#undef luaS_newlstr
#undef luaS_new
LUAI_FUNC TString *luaS_newlstr(lua_State *L, const char *str, size_t l);
LUAI_FUNC TString *luaS_new(lua_State *L, const char *str);

enum { FREE, OWNER, SWEEP };

void lgc_strings_enter(struct lgc_state *u)
{
    while (!cas_acq(&u->strings, FREE, OWNER))      /* the sweep is at one string */
        ;
}

bool lgc_strings_leave(struct lgc_state *u)
{
    if (ld_rlx(&u->strings) != OWNER)
        return false;
    st_rel(&u->strings, FREE);
    return true;
}

void lgc_found(TString *ts)
{
    if (lgc_on())
        hgc_shade(ts);
    ts->marked = (lu_byte)hgc_cycle();
}

TString *luaS_newlstr(lua_State *L, const char *str, size_t l)
{
    if (l > LUAI_MAXSHORTLEN)
        return lgc_newlstr_locked(L, str, l);
    struct lgc_state *u = U(L);
    lgc_strings_enter(u);
    TString *ts = lgc_newlstr_locked(L, str, l);
    lgc_strings_leave(u);
    return ts;
}

TString *luaS_new(lua_State *L, const char *str)
{
    if (strlen(str) > LUAI_MAXSHORTLEN)
        return lgc_new_locked(L, str);
    struct lgc_state *u = U(L);
    lgc_strings_enter(u);
    TString *ts = lgc_new_locked(L, str);
    lgc_strings_leave(u);
    return ts;
}

static void take_out(stringtable *tb, TString *ts)
{
    TString **p = &tb->hash[lmod(ts->hash, tb->size)];
    while (*p && *p != ts)
        p = &(*p)->u.hnext;
    if (*p) {
        *p = ts->u.hnext;
        tb->nuse--;
    }
}

bool lgc_release_string(void *object)
{
    TString *ts = object;
    global_State *g = (global_State *)(uintptr_t)ld_rlx(&ts->next);
    if (!g) {
        fence_acq();                    /* partner: lgc_strings_forget, whose store the cell's next owner comes after */
        return true;
    }
    struct lgc_state *u = lgc_state_of(g);
    if (!cas_acq(&u->strings, FREE, SWEEP))
        return false;
    bool in_table = ld_rlx(&ts->next) != NULL;  /* or the state was closed before we had the lock: there is no table */
    bool dead = !in_table || ts->marked != (lu_byte)hgc_cycle();
    if (in_table && dead)
        take_out(&g->strt, ts);
    st_rel(&u->strings, FREE);
    return dead;
}

/* One that is given away may be swept at once, without the lock, and its cell be another's: so its link is read before.  The next one
 * stays, since it is not given away yet. */
void lgc_strings_forget(struct lgc_state *u)
{
    stringtable *tb = &u->lg.g.strt;
    lgc_strings_enter(u);
    for (int i = 0; tb->hash && i < tb->size; i++)
        for (TString *ts = tb->hash[i], *after; ts; ts = after) {
            after = ts->u.hnext;
            st_rel(&ts->next, NULL);
        }
    lgc_strings_leave(u);
}
