/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a mark, for Lua: weak tables and finalizers, in the order of the manual.
 *
 *   1. ephemerons: a value is marked when its key is; again and again, until nothing changes
 *   2. weak values that are not marked are cleared
 *   3. what has a finalizer and is not marked is to be finalized: it is marked, and all that it refers to; then 1 again
 *   4. weak keys that are not marked are cleared, and weak values in tables that came to light by 3
 *
 * Reads of weak tables have no barrier: a program may hold what it has read from one after its state was taken.  So when
 * weak tables were met, the end comes only with the owner at a safepoint, where all that it holds is on its Lua stacks, and
 * those that it has used since are looked at again.  A safepoint is where the owner waits for something, or where it enters
 * the state or finishes a step of Lua's collector while we ask it to wait for the mark's end.  If it does not come there soon,
 * or cannot, the weak tables are taken for strong ones in this cycle.
 */
#define LUA_CORE
#include "ports/lua/state.h"

#include "lstring.h"

enum {
    PATIENCE = 100,             /* times that it is asked, a fifth of a millisecond each */
    SLOTS = 1024,               /* of stacks that are taken in one stop, about: a state is 256 and its stack */
};
#define LIST_END ((GCObject *)1)
#define TRACED ((uintptr_t)2)   /* of a table's link: its vectors are traced as those of strong tables */

/* ---- the list of weak tables ------------------------------------------------------------------------------------- */

/* Markers race for a table only if it is scanned again; the first one in a mark lists it. */
void lgc_weak_met(struct lgc_state *u, Table *t)
{
    if (ld_rlx(&hgc_phase) != 1 || !cas_acq(&t->gclist, NULL, LIST_END))
        return;
    GCObject *head;
    do {
        head = ld_rlx(&u->weak);
        st_rlx(&t->gclist, head ? head : LIST_END);
    } while (!cas_full(&u->weak, head, (GCObject *)(void *)t));
}

static Table *first_weak(struct lgc_state *u) { return (Table *)(void *)ld_acq(&u->weak); }

static Table *next_weak(Table *t)
{
    GCObject *next = (GCObject *)((uintptr_t)ld_acq(&t->gclist) & ~TRACED);
    return next == LIST_END ? NULL : (Table *)(void *)next;
}

static bool is_traced(Table *t) { return (uintptr_t)ld_rlx(&t->gclist) & TRACED; }

/* ---- the owner --------------------------------------------------------------------------------------------------- */

/* Invariant: while the world runs, a marker looks at a state only under `still`; and under `still` alone nobody becomes somebody
 * who uses it: neither who has been parked, nor who comes to it in a mark (lgc_enter).  So a marker that finds it parked, or
 * nobody's, has it for itself until he lets go (`stands`).  Who comes just as a mark begins sees it when he has come, and comes
 * once more. */
void lgc_rest(struct lgc_state *u)
{
    st_rel(&u->parked, 1);              /* after all that is on its stacks */
}

void lgc_go_on(struct lgc_state *u)
{
    (void)hk_mutex_lock(&u->still);
    st_rlx(&u->parked, 0);
    hk_mutex_unlock(&u->still);
    hk_assert(!ld_rlx(&u->stands));
}

void lgc_park(struct lgc_state *u)
{
    HAL_MARK(HAL_MARK_SECTION(HAL_MARK_RUNTIME));
    lgc_rest(u);
    hgc_let_run(task_self(), false);
    hgc_ask_again();
    hgc_wait_mark();
    lgc_go_on(u);
    HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_RUNTIME));
}

/* Calls fn for its owner, if that is in it. */
static void tell_owner(struct lgc_state *u, void (*fn)(struct task *t))
{
    fence_full();                       /* after what the owner shall see; partner: lgc_enter */
    hal_crit_t c = hal_crit_enter();
    struct task *owner = ld_rlx(&u->owner), *t = owner ? task_lock_slot(ld_rlx(&u->owner_slot)) : NULL;
    if (t && lgc_stacks_in(t, u))
        fn(t);
    if (owner)
        task_unlock_slot();
    hal_crit_exit(c);
}

/* It looks here with its next call of Lua; in the stopped modes it runs on to its safepoint before it is kept off. */
static void runs(struct task *t)
{
    hgc_stacks_look_again(t);
    hgc_let_run(t, true);
}

static void runs_no_longer(struct task *t)
{
    hgc_let_run(t, false);
}

/* Where its owner is. */
enum where { RUNS, WAITS, PARKED, NOBODY };

static enum where where(struct lgc_state *u)
{
    if (ld_acq(&u->parked))
        return PARKED;
    hal_crit_t c = hal_crit_enter();
    const struct task *t = task_lock_slot(ld_rlx(&u->owner_slot));
    uint32_t state = t && lgc_stacks_in(t, u) ? ld_acq(&t->state) & TASK_STATE_MASK : TASK_DEAD;
    enum where w = state == TASK_DEAD ? NOBODY : state == TASK_PARKED ? WAITS : RUNS;
    task_unlock_slot();
    hal_crit_exit(c);
    return w;
}

/* May its weak tables be looked at, and be cleared?  If it waits, it may wake at any time: so only in a stop. */
static bool at_safepoint(struct lgc_state *u, bool stopped)
{
    enum where w = where(u);
    return w == PARKED || w == NOBODY || (w == WAITS && stopped && !ld_rlx(&u->in_vector) && !u->building);
}

static void shade_all(struct hgc_visitor *v, void *p)
{
    (void)v;
    hgc_shade(p);
}

/* ---- taking a state whose owner does not ------------------------------------------------------------------------- */

/* All that its owner can reach, wherever it was stopped.  World stopped. */
static void take_by_force(struct lgc_state *u)
{
    static struct hgc_visitor shader;
    shader = (struct hgc_visitor){shade_all, shade_all};
    lgc_visit_state(u, &shader);
    lgc_shade_thread(&u->lg.l.l, true);
    if (u->current)
        lgc_shade_thread(u->current, true);
    if (ld_rlx(&u->moves))
        lgc_shade_thread(u->moves, true);
    u->current->gclist = u->lg.l.l.gclist = (GCObject *)(uintptr_t)hgc_cycle();
    hgc_scan_stack(ld_rlx(&u->owner));
    st_rlx(&u->taken, hgc_cycle());
}

/* The owner takes its state as soon as it allocates or calls a function of Lua's.  True: it is taken, or nobody uses it. */
static bool is_taken(struct lgc_state *u, bool stopped)
{
    enum where w;
    if (ld_rlx(&u->taken) == hgc_cycle() || (w = where(u)) == NOBODY)
        return true;
    tell_owner(u, runs);
    if (w == PARKED || (w == WAITS && stopped))
        lgc_take(u);
    else if (stopped && u->asked >= PATIENCE)
        take_by_force(u);
    else
        return false;
    tell_owner(u, runs_no_longer);      /* or who was to come and take it would run on through a stopped mark */
    return ld_rlx(&u->taken) == hgc_cycle();
}

/* ---- marking ----------------------------------------------------------------------------------------------------- */

static bool shade(GCObject *o)
{
    if (hgc_marked(o))
        return false;
    hgc_shade(o);
    return true;
}

/* A visitor that says whether it found something. */
struct finder { struct hgc_visitor v; bool found; };
static void find(struct hgc_visitor *v, void *p) { ((struct finder *)v)->found |= shade(p); }

/* What the owner may have read from weak tables since its state was taken. */
static bool mark_stack(lua_State *L, bool stopped)
{
    struct finder f = {{find, find}, false};
    lgc_visit_thread(L, &f.v, false);
    if (stopped)
        lgc_drop_dead(L);
    return f.found;
}

static bool mark_stacks(struct lgc_state *u, bool stopped)
{
    bool more = mark_stack(&u->lg.l.l, stopped);
    if (u->current)
        more |= mark_stack(u->current, stopped);
    for (int i = 0; u->touched_cycle == hgc_cycle() && i < u->ntouched; i++)
        more |= mark_stack(u->touched[i], stopped);
    return more;
}

static bool is_string(int tt) { return novariant(tt) == LUA_TSTRING; }
static bool is_kept(const TValue *o) { return !iscollectable(o) || hgc_marked(gcvalue(o)); }

static bool mark_values(TValue *at, size_t n, unsigned mode)
{
    bool more = false;
    for (size_t i = 0; i < n; i++)
        if (iscollectable(&at[i]) && (!(mode & WEAK_VALUES) || is_string(rawtt(&at[i]))))
            more |= shade(gcvalue(&at[i]));
    return more;
}

static bool mark_node(Node *n, unsigned mode)
{
    bool more = false, key_kept = !keyiscollectable(n);
    TValue *o = gval(n);
    if (!key_kept && (is_string(keytt(n)) || (!isempty(o) && !(mode & WEAK_KEYS))))
        more |= shade(gckey(n));
    if (iscollectable(o) && (is_string(rawtt(o)) || (!(mode & WEAK_VALUES) && (key_kept || hgc_marked(gckey(n))))))
        more |= shade(gcvalue(o));
    return more;
}

/* Keeps what the table keeps.  True: some of it was not marked yet. */
static bool mark_table(struct lgc_state *u, Table *t)
{
    unsigned mode = u->keeps_all ? 0 : lgc_mode(t);
    if (is_traced(t))
        return false;
    if (mode == 0) {                    /* or it is weak no longer */
        st_rlx(&t->gclist, (GCObject *)((uintptr_t)ld_rlx(&t->gclist) | TRACED));
        hgc_touch(t->array);
        hgc_touch(t->node);
        return true;
    }
    Node *node = t->node;
    bool more = mark_values(t->array, lgc_room(t->array, sizeof(TValue)), mode);
    for (size_t i = 0, n = lgc_nodes(node); i < n; i++)
        more |= mark_node(&node[i], mode);
    return more;
}

static bool mark_weak(struct lgc_state *u, bool stopped)
{
    bool more = !u->keeps_all && mark_stacks(u, stopped);
    for (Table *t = first_weak(u); t; t = next_weak(t))
        more |= mark_table(u, t);
    return more;
}

/* ---- clearing: world stopped ------------------------------------------------------------------------------------- */

static void clear_values(Table *t)
{
    for (size_t i = 0, n = lgc_room(t->array, sizeof(TValue)); i < n; i++)
        if (!is_kept(&t->array[i]))
            setempty(&t->array[i]);
    for (size_t i = 0, n = lgc_nodes(t->node); i < n; i++)
        if (!is_kept(gval(&t->node[i])))
            setempty(gval(&t->node[i]));
}

/* As Lua does it, a key without a value gets another tag: then it is compared by its address alone. */
static void clear_keys(Table *t, bool weak)
{
    for (size_t i = 0, n = lgc_nodes(t->node); i < n; i++) {
        Node *at = &t->node[i];
        bool kept = !keyiscollectable(at) || hgc_marked(gckey(at));
        if (weak && !kept)
            setempty(gval(at));
        if (isempty(gval(at)) && !kept)
            setdeadkey(at);
    }
}

static void clear(struct lgc_state *u, bool keys)
{
    for (Table *t = first_weak(u); t; t = next_weak(t)) {
        unsigned mode = is_traced(t) ? 0 : lgc_mode(t);
        if (mode & WEAK_VALUES)
            clear_values(t);
        if (keys && mode)
            clear_keys(t, mode & WEAK_KEYS);
    }
}

/* ---- finalizers: world stopped ----------------------------------------------------------------------------------- */

/* The newest first.  There is room: see luaC_checkfinalizer. */
static bool separate(struct lgc_state *u)
{
    int kept = 0, before = u->due.n;
    bool closing = u->lg.g.gcstp & GCSTPCLS;            /* then all go, in this order, too */
    for (int i = u->fin.n - 1; i >= 0; i--)
        if (closing || !hgc_marked(u->fin.at[i]))
            lgc_list_put(&u->due, u->due.n++, u->fin.at[i]);
    for (int i = 0; i < u->fin.n; i++)
        if (!closing && hgc_marked(u->fin.at[i]))
            u->fin.at[kept++] = u->fin.at[i];
    u->fin.n = kept;
    for (int i = before; i < u->due.n; i++)
        hgc_shade(*lgc_list_place(&u->due, i));
    return u->due.n > before;
}

/* ---- the hooks --------------------------------------------------------------------------------------------------- */

static void finish(struct lgc_state *u)
{
    for (Table *t = first_weak(u), *next; t; t = next) {
        next = next_weak(t);
        t->gclist = NULL;
    }
    st_rlx(&u->weak, NULL);
    st_rlx(&u->park, 0);
    tell_owner(u, runs_no_longer);
    u->asked = 0;
    u->keeps_all = u->separated = false;
}

/* May its weak tables be looked at now, or does it do without? */
static bool ready(struct lgc_state *u, bool stopped)
{
    if (!u->keeps_all && u->touched_lost != hgc_cycle()) {
        if (at_safepoint(u, stopped))
            return true;
        st_rlx(&u->park, 1);
        tell_owner(u, runs);
        if (++u->asked < PATIENCE)
            return false;
    }
    u->keeps_all = true;
    return true;
}

static enum hgc_quiet quiet_state(struct lgc_state *u)
{
    if (!is_taken(u, false))            /* who waits is taken in the stop, and so, after a while, is who does not come */
        return where(u) == WAITS || ++u->asked >= PATIENCE ? HGC_QUIET : HGC_QUIET_LATER;
    if (!ld_rlx(&u->weak) || (!u->keeps_all && where(u) == WAITS))
        return HGC_QUIET;
    return !ready(u, false) ? HGC_QUIET_LATER : mark_weak(u, false) ? HGC_QUIET_MORE : HGC_QUIET;
}

/* World stopped, the phase is OFF still.  With its next call of Lua each owner takes its state, before the call can take anything off
 * the stack: C code may go on with that, though its own stack was scanned before. */
static void begin(void)
{
    for (struct lgc_state *u = hgc_get(lgc_states.first); u; u = hgc_get(u->next))
        tell_owner(u, hgc_stacks_look_again);
}

static enum hgc_quiet quiet(void)
{
    enum hgc_quiet answer = HGC_QUIET;
    for (struct lgc_state *u = hgc_get(lgc_states.first); u; u = hgc_get(u->next)) {
        enum hgc_quiet q;
        if (hk_mutex_try(&u->still) == HK_EAGAIN) {         /* the owner comes or goes on */
            q = sched_gated() || ++u->asked >= PATIENCE ? HGC_QUIET : HGC_QUIET_LATER;
        } else {
            enum where w = where(u);
            st_rlx(&u->stands, w == PARKED || w == NOBODY);
            q = quiet_state(u);
            st_rlx(&u->stands, 0);
            hk_mutex_unlock(&u->still);
        }
        if (q > answer)
            answer = q;
    }
    return answer;
}

/* Some weak tables are cleared, others not yet, and finalizers are due: who comes to Lua between the stops waits for the mark's end. */
static void keep_out(struct lgc_state *u)
{
    if (ld_rlx(&u->weak) && !u->keeps_all) {
        st_rlx(&u->park, 1);
        tell_owner(u, hgc_stacks_look_again);
    }
}

static bool is_left(struct lgc_state *u)
{
    return ld_rlx(&u->taken) != hgc_cycle() && where(u) != NOBODY;
}

/* The states that nobody has taken: a few in each stop, or one with a long stack.  True: there were some, and all others are looked at
 * once more. */
static bool take_left(void)
{
    bool any = false;
    size_t slots = 0;
    for (struct lgc_state *u = hgc_get(lgc_states.first); u; u = hgc_get(u->next))
        if (is_left(u)) {
            any = true;
            if (slots < SLOTS && is_taken(u, true))
                slots += SLOTS / 4 + (size_t)stacksize(&u->lg.l.l);
        }
    return any;
}

/* True: it has to be tried again. */
static bool end_state(struct lgc_state *u)
{
    return ld_rlx(&u->weak) && (!ready(u, true) || mark_weak(u, true));
}

static enum hgc_quiet end(void)
{
    if (take_left())
        return HGC_QUIET_MORE;
    bool more = false;
    for (struct lgc_state *u = hgc_get(lgc_states.first); u; u = hgc_get(u->next))
        more |= end_state(u);
    if (more)
        return HGC_QUIET_MORE;
    for (struct lgc_state *u = hgc_get(lgc_states.first); u; u = hgc_get(u->next))
        if (!u->separated) {
            u->separated = true;
            clear(u, false);
            more |= separate(u);
        }
    for (struct lgc_state *u = hgc_get(lgc_states.first); more && u; u = hgc_get(u->next))
        keep_out(u);
    if (more)
        return HGC_QUIET_MORE;
    for (struct lgc_state *u = hgc_get(lgc_states.first); u; u = hgc_get(u->next)) {
        clear(u, true);
        finish(u);
    }
    return HGC_QUIET;
}

const struct hgc_runtime lgc_runtime = {.begin = begin, .quiet = quiet, .end = end, .stray = lgc_is_stray};
