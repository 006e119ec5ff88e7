/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lua's collector interface: steps, full collections, finalizers.  See lgc.h.
 *
 * hgc decides when it collects; a step of Lua's is where the state's owner does what only it can do: clear the dead part of
 * its stack, call finalizers, wait for the end of a mark if it is asked to.  GCdebt is how Lua comes here: it grows with what
 * is allocated and is set back by each step.
 */
#define LUA_CORE
#define lgc_c
#include "ports/lua/state.h"

#include "ldo.h"
#include "ldebug.h"
#include "lstring.h"

enum {
    STEP = 32 * 1024,           /* bytes between two steps */
    FINALIZERS = 10,            /* in a step, and of those that are due one in so many: never more than some steps' worth waits */
    DUE = 8,
    SLICE = 200000,             /* instructions of collectgarbage("step", 0) */
    PER_KIB = 25000,            /* and for each KiB that a step is told was allocated */
};

/* ---- what the owner does ----------------------------------------------------------------------------------------- */

/* Lua's own luaS_clearcache takes out what is white, and asks us: nothing is. */
static void forget(struct lgc_state *u)
{
    global_State *g = &u->lg.g;
    for (int i = 0; i < STRCACHE_N; i++)
        for (int j = 0; j < STRCACHE_M; j++)
            g->strcache[i][j] = g->memerrmsg;
    for (int i = 0; i < FRESH; i++)
        u->fresh[i] = NULL;
}

/* What was made after the last mark's end and before its owner saw that is in no count, but goes out of it when it is dropped. */
void lgc_count_floor(global_State *g)
{
    l_mem least = sizeof(struct lg);
    if (g->totalbytes + g->GCdebt < least)
        g->totalbytes = least - g->GCdebt;
}

static void set_debt(global_State *g)
{
    lgc_count_floor(g);
    luaE_setdebt(g, -STEP);
}

/* After a cycle, what it found alive and what it knows nothing of; in between Lua counts. */
static void count(struct lgc_state *u, uint32_t cycle)
{
    global_State *g = &u->lg.g;
    if (u->counted == cycle)
        return;
    u->counted = cycle;
    g->totalbytes = (l_mem)hgc_live() + u->manual - g->GCdebt;
    lgc_strings_enter(u);               /* the sweep counts what it takes out */
    int size = g->strt.size;
    while (g->strt.nuse < size / 4 && size > MINSTRTABSIZE)
        size /= 2;
    if (size < g->strt.size && !g->gcemergency) {
        g->gcstopem = 1;                /* or the sweep finds the chains half moved */
        luaS_resize(g->mainthread, size);
        g->gcstopem = 0;
    }
    lgc_strings_leave(u);
}

/* collectgarbage("step", n): marks and sweeps a little.  A cycle is told to be over when its mark is: what is dead is known
 * then, and the rest of the sweep is nobody's business but the collector's. */
static void explicit_step(lua_State *L)
{
    global_State *g = G(L);
    struct lgc_state *u = U(L);
    if (g->gckind == KGC_GEN) {
        luaC_fullgc(L, 0);
        g->gcstate = GCSpropagate;      /* as Lua's */
        return;
    }
    if (!u->steps || hgc_marking()) {
        int64_t budget = u->asks_for <= 0 ? SLICE : (int64_t)u->asks_for * PER_KIB;
        lgc_rest(u);
        hgc_ask_again();
        if (hgc_step(budget, HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE) > 0)
            hgc_wait_mark();            /* others are at the last of it */
        lgc_go_on(u);
        if (ld_rlx(&u->park) && lgc_on())
            lgc_park(u);
    }
    u->steps = hgc_marking();
    g->gcstate = u->steps ? GCSpropagate : GCSpause;
}

void luaC_step(lua_State *L)
{
    global_State *g = G(L);
    struct lgc_state *u = U(L);
    bool asked = u->asks;
    if (!gcrunning(g)) {
        set_debt(g);
        if (ld_rlx(&u->park) && lgc_on())
            lgc_park(u);
        return;
    }
    HAL_MARK(HAL_MARK_SECTION(HAL_MARK_STEP));
    uint32_t cycle = hgc_cycle();
    if (u->cleaned != cycle) {
        u->cleaned = cycle;
        luaD_shrinkstack(L);
        forget(u);
    }
    if (asked)
        explicit_step(L);
    else if (ld_rlx(&u->park) && lgc_on())
        lgc_park(u);
    HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_STEP));
    if (!hgc_marking())
        count(u, hgc_cycle());
    set_debt(g);
    lgc_finalize(L, asked && g->gcstate == GCSpause ? INT_MAX : FINALIZERS + u->due.n / DUE);
}

/* The counting plugin tells what a script asks for from what it does not. */
static void collect(int emergency)
{
    if (emergency) {
        HAL_MARK(HAL_MARK_SECTION(HAL_MARK_RUNTIME));
        (void)hgc_collect(HGC_WAIT);
        HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_RUNTIME));
    } else {
        HAL_MARK(HAL_MARK_SECTION(HAL_MARK_COLLECT));
        (void)hgc_collect(HGC_WAIT);
        HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_COLLECT));
    }
}

void luaC_fullgc(lua_State *L, int emergency)
{
    global_State *g = G(L);
    struct lgc_state *u = U(L);
    bool strings = lgc_strings_leave(u), in_vector = ld_rlx(&u->in_vector);
    u->asks = false;
    g->gcemergency = cast_byte(emergency);
    if (!emergency)
        luaD_shrinkstack(L);
    if (!in_vector) {
        forget(u);
        lgc_rest(u);
    }
    collect(emergency);
    if (!in_vector)
        lgc_go_on(u);
    u->counted = hgc_cycle() - 1;       /* it may have counted while this cycle's strings were not swept yet */
    count(u, hgc_cycle());
    g->gcemergency = 0;
    g->gcstate = GCSpause;
    set_debt(g);
    if (strings)
        lgc_strings_enter(u);
    if (!emergency)
        lgc_finalize(L, INT_MAX);
}

/* Lua's generations begin with a whole collection. */
void luaC_changemode(lua_State *L, int mode)
{
    if (mode == KGC_GEN && G(L)->gckind != KGC_GEN)
        luaC_fullgc(L, 0);
    G(L)->gckind = cast_byte(mode);
}

/* ---- lists of objects -------------------------------------------------------------------------------------------- */

/* A stop takes objects out of a list, or appends some: then its length is another, and it is copied anew. */
static hgc_store_t copy_list(struct lgc_list *to, const struct lgc_list *from)
{
    for (;;) {
        int n = ld_rlx(&from->n);
        for (int i = 0; i < n; i++)
            lgc_list_put(to, i, *lgc_list_place(from, i));
        hgc_store_t s = hgc_store_begin();
        if (ld_rlx(&from->n) == n)
            return s;
        hgc_store_end(s);
    }
}

bool lgc_list_room(lua_State *L, struct lgc_list *l, int n, enum lgc_kind kind)
{
    if (n <= l->room)
        return true;
    struct lgc_list more = {.room = l->room ? 2 * l->room : 32};
    while (more.room < n)
        more.room *= 2;
    more.at = lgc_revec(L, NULL, 0, (size_t)more.room * sizeof *more.at, kind);
    if (!more.at)
        return false;
    hgc_store_t s = copy_list(&more, l);
    hgc_shade(l->at);
    hgc_shade(more.at);
    more.n = l->n;
    *l = more;
    hgc_store_end(s);
    return true;
}

void luaC_fix(lua_State *L, GCObject *o)
{
    struct lgc_list *l = &U(L)->fixed;
    if (!lgc_list_room(L, l, l->n + 1, LGC_POINTERS))
        luaD_throw(L, LUA_ERRMEM);
    lgc_list_put(l, l->n++, o);
    if (lgc_on_after())
        hgc_shade(o);
}

/* ---- finalizers -------------------------------------------------------------------------------------------------- */

/* The list of those that are due always has room for all: in the stop that moves them there is no memory to be had. */
void luaC_checkfinalizer(lua_State *L, GCObject *o, Table *mt)
{
    global_State *g = G(L);
    struct lgc_state *u = U(L);
    if (tofinalize(o) || gfasttm(g, mt, TM_GC) == NULL || (g->gcstp & GCSTPCLS))
        return;
    int n = ld_rlx(&u->fin.n);          /* first: a stop moves from here to there */
    n += ld_acq(&u->due.n);
    if (!lgc_list_room(L, &u->due, n + 1, LGC_POINTERS)
        || !lgc_list_room(L, &u->fin, u->fin.n + 1, LGC_LEAF))
        luaD_throw(L, LUA_ERRMEM);
    hgc_store_t s = hgc_store_begin();
    lgc_list_put(&u->fin, u->fin.n++, o);
    hgc_shade(o);                       /* the stop that looks for dead ones may be over */
    hgc_store_end(s);
    o->marked |= bitmask(FINALIZEDBIT);
}

static GCObject *next_due(struct lgc_state *u)
{
    hgc_store_t s = hgc_store_begin();
    GCObject *o = NULL;
    if (u->due.n > 0) {
        o = *lgc_list_place(&u->due, 0);
        hgc_shade(o);
        lgc_list_put(&u->due, 0, NULL);
        u->due.first = (u->due.first + 1) & (u->due.room - 1);
        u->due.n--;
    }
    hgc_store_end(s);
    return o;
}

static void call(lua_State *L, void *ud)
{
    (void)ud;
    luaD_callnoyield(L, L->top - 2, 0);
}

static void finalize(lua_State *L, GCObject *o)
{
    global_State *g = G(L);
    lu_byte hooks = L->allowhook, stopped = g->gcstp;
    TValue v;
    setgcovalue(L, &v, o);
    o->marked &= cast_byte(~bitmask(FINALIZEDBIT));     /* it may get one again */
    const TValue *tm = luaT_gettmbyobj(L, &v, TM_GC);
    if (ttisnil(tm))
        return;
    g->gcstp |= GCSTPGC;
    L->allowhook = 0;
    setobj2s(L, L->top++, tm);
    setobj2s(L, L->top++, &v);
    L->ci->callstatus |= CIST_FIN;
    int status = luaD_pcall(L, call, NULL, savestack(L, L->top - 2), 0);
    L->ci->callstatus &= (unsigned short)~CIST_FIN;
    L->allowhook = hooks;
    g->gcstp = stopped;
    if (status != LUA_OK) {
        luaE_warnerror(L, "__gc");
        L->top--;
        lua_lock(L);                    /* Lua's own warning function has entered the main coroutine */
    }
}

void lgc_finalize(lua_State *L, int max)
{
    GCObject *o;
    struct lgc_state *u = U(L);
    while (max-- > 0 && u->due.n > 0 && (o = next_due(u)) != NULL)
        finalize(L, o);
}
