/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States: how one begins and ends, and how a task enters it.
 *
 * A task that calls a function of Lua's becomes the owner of the state, and the coroutine that it calls it for becomes what
 * hgc_stacks names, so that this coroutine's stack is scanned with the task's C stack.  All others are objects like any other.
 *
 * In a mark, before anything else changes, the owner takes the state if nobody has: it marks what is on the stacks that it
 * has used.  Then it may go to another coroutine, whose stack it marks before it stores to it.
 */
#define LUA_CORE
#define lstate_c
#include "ports/lua/state.h"

#include <stdarg.h>
#include <string.h>

#include "ldebug.h"
#include "ldo.h"
#include "lfunc.h"
#include "lstring.h"

static struct hk_mutex states_lock;
static uint32_t started;        /* atomic; states_lock: kinds and hooks are registered */

/* ---- taking ------------------------------------------------------------------------------------------------------ */

static void shade(struct hgc_visitor *v, void *p)
{
    (void)v;
    hgc_shade(p);
}
static struct hgc_visitor shader = {shade, shade};

void lgc_drop_dead(lua_State *L)
{
    for (StkId o = L->top; L->stack && o < L->stack_last + EXTRA_STACK; o++)
        setnilvalue(s2v(o));
}

/* All open upvalues at once.  A new one is black, so nobody follows it to what it is put in front of; and what no closure has any
 * longer stays in the list until its function ends. */
void lgc_shade_thread(lua_State *L, bool whole)
{
    lgc_visit_thread(L, &shader, whole);
    for (UpVal *uv = L->openupval; uv; uv = uv->u.open.next)
        hgc_shade(uv);
}

static void take_thread(lua_State *L, uint32_t cycle)
{
    hgc_shade(L);
    lgc_shade_thread(L, false);
    lgc_drop_dead(L);
    L->gclist = (GCObject *)(uintptr_t)cycle;
}

void lgc_take(struct lgc_state *u)
{
    uint32_t cycle = hgc_cycle();
    lgc_visit_state(u, &shader);
    take_thread(&u->lg.l.l, cycle);
    if (u->current && u->current != &u->lg.l.l)
        take_thread(u->current, cycle);
    if (ld_rlx(&u->moves))
        take_thread(ld_rlx(&u->moves), cycle);
    st_rlx(&u->taken, cycle);
}

/* By its owner. */
static void take_mine(struct lgc_state *u)
{
    HAL_MARK(HAL_MARK_SECTION(HAL_MARK_RUNTIME));
    hgc_scan_self();
    lgc_take(u);
    hgc_let_run(task_self(), false);
    HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_RUNTIME));
}

/* Remembers a coroutine that was used in this cycle.  A stop, in which the list is read, falls before or after. */
static void list_touched(struct lgc_state *u, lua_State *L, uint32_t cycle)
{
    int n = u->touched_cycle == cycle ? u->ntouched : 0, room = u->touched_room;
    lua_State **all = u->touched, **old = all;
    if (L->next == (GCObject *)(uintptr_t)cycle)        /* `next` links nothing here */
        return;
    if (n == room) {
        room = room ? 2 * room : 16;
        all = u->alloc(u->alloc_ud, NULL, 0, (size_t)room * sizeof *all);
        if (!all) {
            u->touched_lost = cycle;
            return;
        }
        for (int i = 0; i < n; i++)
            all[i] = old[i];
    }
    int old_room = u->touched_room;
    hgc_store_t s = hgc_store_begin();
    all[n] = L;
    u->touched = all;
    u->touched_room = room;
    u->ntouched = n + 1;
    u->touched_cycle = cycle;
    hgc_store_end(s);
    L->next = (GCObject *)(uintptr_t)cycle;
    if (old != all)
        u->alloc(u->alloc_ud, old, (size_t)old_room * sizeof *old, 0);
}

static void forget_touched(struct lgc_state *u)
{
    lua_State **old = u->touched;
    int room = u->touched_room;
    hgc_store_t s = hgc_store_begin();
    u->touched = NULL;
    u->ntouched = u->touched_room = 0;
    hgc_store_end(s);
    u->alloc(u->alloc_ud, old, (size_t)room * sizeof *old, 0);
}

/* The stack of a coroutine that is about to be used. */
static void touch(struct lgc_state *u, lua_State *L, uint32_t cycle)
{
    if (L->gclist != (GCObject *)(uintptr_t)cycle) {
        HAL_MARK(HAL_MARK_SECTION(HAL_MARK_RUNTIME));
        take_thread(L, cycle);
        HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_RUNTIME));
    }
    list_touched(u, L, cycle);
}

/* ---- entering ---------------------------------------------------------------------------------------------------- */

struct hgc_stacks *lgc_stacks_in(const struct task *t, const struct lgc_state *u)
{
    struct hgc_stacks *s = ld_acq(&t->gc_stacks);
    return t == ld_rlx(&u->owner) && s && lgc_thread_of(s)->l_G == &u->lg.g ? s : NULL;
}

/* A state goes from task to task without a word to us, so the one that had it may be in the middle of leaving it (by going to
 * another one) when the next comes, or come to that long after.  Invariant: a task takes a state, and lists what it used there,
 * only as its owner; and `door` is held whenever that is done by a task that leaves, and when the owner changes.  So a state is
 * never taken behind the back of who runs in it: what is above its stack's top is in use then.
 *
 * A task whose stacks are the state's enters it without a look here, as long as no mark is on.  So who loses it loses them, too: only
 * the owner has them. */
static void displace(struct lgc_state *u)
{
    hal_crit_t c = hal_crit_enter();
    struct task *t = task_lock_slot(ld_rlx(&u->owner_slot));
    struct hgc_stacks *s = t ? lgc_stacks_in(t, u) : NULL;
    if (s) {
        hgc_let_run(t, false);
        (void)cas_acq(&t->gc_stacks, s, NULL);  /* or it goes on with another state right now */
        hgc_stacks_look_again(t);
    }
    task_unlock_slot();
    hal_crit_exit(c);
}

static void become_owner(struct lgc_state *u)
{
    struct task *self = task_self();
    hk_mutex_lock(&u->door);
    displace(u);
    st_rlx(&u->owner_slot, self->slot);
    st_rlx(&u->owner, self);
    hk_mutex_unlock(&u->door);
}

static void leave(struct lgc_state *left, lua_State *was, uint32_t cycle)
{
    hk_mutex_lock(&left->door);
    if (ld_rlx(&left->owner) == task_self() && !left->closed) {
        if (ld_rlx(&left->taken) != cycle)
            take_mine(left);
        list_touched(left, was, cycle);
    }
    hk_mutex_unlock(&left->door);
}

static void enter_marking(struct lgc_state *u, lua_State *L, struct hgc_stacks *mine)
{
    uint32_t cycle = hgc_cycle();
    if (mine && mine != LGC_STACKS(L))
        leave(U(lgc_thread_of(mine)), lgc_thread_of(mine), cycle);
    if (ld_rlx(&u->taken) != cycle)
        take_mine(u);
    if (u->current && u->current != L)
        list_touched(u, u->current, cycle);     /* of who had the state: it need not have entered it in this cycle */
    touch(u, L, cycle);
}

static bool is_elsewhere(struct hgc_stacks *mine, lua_State *L)
{
    return mine != LGC_STACKS(L) && (!mine || lgc_thread_of(mine)->l_G != G(L));
}

void lgc_enter(lua_State *L)
{
    struct lgc_state *u = U(L);
    uint32_t cycle;
    bool comes = is_elsewhere(hgc_stacks_mine(), L);
    if (ld_rlx(&u->owner) != task_self()) {
        become_owner(u);
        comes = true;
    }
    do {                                /* a mark may begin before it has the coroutine */
        struct hgc_stacks *mine = hgc_stacks_mine();
        cycle = hgc_cycle();
        bool on = lgc_on();
        if (on && comes)
            (void)hk_mutex_lock(&u->still);     /* see weak.c */
        if (on)
            enter_marking(u, L, mine);
        if (mine != LGC_STACKS(L)) {
            u->current = L;
            hgc_stacks_set(LGC_STACKS(L));
            hgc_exempt(G(L)->gcstp & GCSTPUSR);
        }
        if (on && comes)
            hk_mutex_unlock(&u->still);
        hgc_stacks_enter(LGC_STACKS(L));
    } while (cycle != hgc_cycle());     /* as a mark begins the note is taken back: weak.c */
    fence_full();                       /* who wants it to wait says so, then has it look again; partner: tell_owner */
    if (ld_rlx(&u->park) && lgc_on())
        lgc_park(u);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* An object is black if it was made in a mark, so before it gets its first reference from a stack, that stack is taken.  It is white if
 * the mark has begun since: then it was on no stack that was taken. */
static void made(lua_State *L, void *object)
{
    struct lgc_state *u = U(L);
    hk_assert(!ld_rlx(&u->stands));
    if (ld_rlx(&u->taken) != hgc_cycle()) {
        take_mine(u);
        hgc_shade(object);
    }
    if (ld_rlx(&u->park))
        G(L)->GCdebt = 1;               /* a step of ours comes soon, and waits */
}

/* hgc has collected before it said that there is no memory, unless it had too much to do already.  Here it is asked to, once,
 * because what a script has just dropped may be all of it. */
static void *try_again(lua_State *L, unsigned kind, size_t size)
{
    if (G(L)->gcstp & GCSTPCLS || !completestate(G(L)))
        return NULL;
    luaC_fullgc(L, 1);
    return hgc_alloc(kind, size);
}

void *lgc_alloc(lua_State *L, unsigned kind, size_t size)
{
    void *p = hgc_alloc(kind, size);
    if (l_unlikely(!p) && !(p = try_again(L, kind, size)))
        return NULL;
    if (lgc_on())
        made(L, p);
    return p;
}

static l_noret no_memory(lua_State *L)
{
    lgc_strings_leave(U(L));
    luaD_throw(L, LUA_ERRMEM);
}

static inline void *new_string(size_t size)
{
    switch ((size + 15) / 16) {
    case 2: return hgc_new(KIND_SHORT_STRING, 32);
    case 3: return hgc_new(KIND_SHORT_STRING, 48);
    case 4: return hgc_new(KIND_SHORT_STRING, 64);
    default: return hgc_alloc(KIND_SHORT_STRING, size);
    }
}

static inline void *new_closure(size_t size)
{
    switch (size) {
    case sizeLclosure(0): return hgc_new(KIND_LUA_CLOSURE, sizeLclosure(0));
    case sizeLclosure(1): return hgc_new(KIND_LUA_CLOSURE, sizeLclosure(1));
    case sizeLclosure(2): return hgc_new(KIND_LUA_CLOSURE, sizeLclosure(2));
    default: return hgc_alloc(KIND_LUA_CLOSURE, size);
    }
}

static unsigned kind_of_object(int tt)
{
    switch (tt) {
    case LUA_VTABLE:    return KIND_TABLE;
    case LUA_VSHRSTR:   return KIND_SHORT_STRING;
    case LUA_VLNGSTR:   return HGC_LEAF;
    case LUA_VUPVAL:    return KIND_UPVALUE;
    case LUA_VLCL:      return KIND_LUA_CLOSURE;
    case LUA_VCCL:      return KIND_C_CLOSURE;
    case LUA_VPROTO:    return KIND_PROTO;
    default:            return KIND_USERDATA;
    }
}

GCObject *luaC_newobj(lua_State *L, int tt, size_t size)
{
    global_State *g = G(L);
    GCObject *o;
    switch (tt) {                       /* kind and size are constants here */
    case LUA_VTABLE:    o = hgc_new(KIND_TABLE, sizeof(Table)); break;
    case LUA_VSHRSTR:   o = new_string(size); break;
    case LUA_VUPVAL:    o = hgc_new(KIND_UPVALUE, sizeof(UpVal)); break;
    case LUA_VLCL:      o = new_closure(size); break;
    default:            o = hgc_alloc(kind_of_object(tt), size); break;
    }
    if (l_unlikely(!o) && !(o = try_again(L, kind_of_object(tt), size)))
        no_memory(L);
    if (lgc_on())
        made(L, o);
    o->next = (GCObject *)(uintptr_t)g;
    o->tt = (lu_byte)tt;
    o->marked = 0;
    g->GCdebt += (l_mem)size;
    return o;
}

CallInfo *lgc_newci(lua_State *L)
{
    CallInfo *ci = lgc_alloc(L, KIND_CALL, sizeof(CallInfo));
    if (!ci)
        no_memory(L);
    return ci;
}

/* The record is linked behind one that may be marked already. */
CallInfo *__real_luaE_extendCI(lua_State *L);
CallInfo *__wrap_luaE_extendCI(lua_State *L);
CallInfo *__wrap_luaE_extendCI(lua_State *L)
{
    CallInfo *ci = __real_luaE_extendCI(L);
    if (lgc_on())
        hgc_shade(ci);
    return ci;
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

static unsigned kind_of(enum lgc_kind kind)
{
    switch (kind) {
    case LGC_VALUES:   return KIND_VALUES;
    case LGC_NODES:    return KIND_NODES;
    case LGC_POINTERS: return KIND_POINTERS;
    case LGC_NAMES:    return KIND_NAMES;
    default:           return HGC_LEAF;
    }
}

/* Markers read a vector of references while it is filled (trace.c): a word at a time, whatever memcpy does. */
HAL_NO_SANITIZE static void copy_words(void *volatile *to, void *const *from, size_t size)
{
    for (size_t i = 0; i < size / sizeof *to; i++)
        to[i] = from[i];
}

HAL_NO_SANITIZE static void wipe_words(void *volatile *to, size_t size)
{
    for (size_t i = 0; i < size / sizeof *to; i++)
        to[i] = NULL;
}

/* A slot of a stack that holds nothing keeps the word that it held once, perhaps of an object that is dead now.  Nobody may load it:
 * in a register, where memcpy leaves much, it would be a reference. */
LUAI_FUNC void lgc_copy_stack(StackValue *to, const StackValue *from, size_t size);
void lgc_copy_stack(StackValue *to, const StackValue *from, size_t size)
{
    for (size_t i = 0; i < size / sizeof *to; i++)
        if (novariant(rawtt(s2v(&from[i]))) <= LUA_TBOOLEAN) {
            settt_(s2v(&to[i]), rawtt(s2v(&from[i])));
            to[i].tbclist.delta = from[i].tbclist.delta;
        } else {
            to[i] = from[i];
        }
}

static void copy(void *to, const void *from, size_t size, enum lgc_kind kind)
{
    if (kind == LGC_LEAF)
        memcpy(to, from, size);
    else
        copy_words(to, from, size);
}

static size_t cell(size_t size)
{
    return size <= HGC_SMALL_MAX ? HGC_CELL(size) : (size + HGC_BLOCK - 1) & ~(HGC_BLOCK - 1);
}

static void note(struct lgc_state *u, void *object)
{
    u->fresh[u->fresh_at++ % FRESH] = object;
}

void lgc_note(lua_State *L, void *object)
{
    note(U(L), object);
    if (lgc_on_after())
        hgc_shade(object);
}

void lgc_inctop(lua_State *L)
{
    L->top++;
    if (l_unlikely(L->top >= L->stack_last))
        luaD_growstack(L, 1, 1);
}

/* Nobody may know one, when a cycle begins or an emergency collects, but a register that is gone when the state is taken, or a C stack
 * that is left out.  So the last ones are kept. */
static void *new_vector(lua_State *L, size_t size, enum lgc_kind kind)
{
    struct lgc_state *u = U(L);
    st_rlx(&u->in_vector, 1);
    void *p = lgc_alloc(L, kind_of(kind), size);
    st_rlx(&u->in_vector, 0);
    if (p)
        note(u, p);
    return p;
}

void *lgc_revec(lua_State *L, void *old, size_t osize, size_t nsize, enum lgc_kind kind)
{
    if (nsize == osize)
        return old;
    if (nsize == 0) {
        lgc_dropvec(L, old, osize);
        return NULL;
    }
    if (old && cell(nsize) == cell(osize)) {
        if (nsize < osize && kind != LGC_LEAF)
            wipe_words((void *)((char *)old + nsize), osize - nsize);
        G(L)->GCdebt += (l_mem)nsize - (l_mem)osize;
        return old;
    }
    void *p = new_vector(L, nsize, kind);
    if (!p)
        return NULL;
    if (old)
        copy(p, old, osize < nsize ? osize : nsize, kind);
    lgc_dropvec(L, old, osize);
    G(L)->GCdebt += (l_mem)nsize;
    return p;
}

void *lgc_revec_or_error(lua_State *L, void *old, size_t osize, size_t nsize, enum lgc_kind kind)
{
    void *p = lgc_revec(L, old, osize, nsize, kind);
    if (!p && nsize > 0)
        no_memory(L);
    return p;
}

void *lgc_rearray(lua_State *L, Table *t, size_t osize, size_t nsize)
{
    void *p = lgc_revec(L, t->array, osize, nsize, LGC_VALUES);
    if (lgc_on())
        lgc_shade_vectors(t);
    return p;
}

/* Room for one more than n. */
void *lgc_growvec(lua_State *L, void *old, int n, int *size, size_t each, int limit, const char *what, enum lgc_kind kind)
{
    if (n < *size)
        return old;
    if (*size >= limit)
        luaG_runerror(L, "too many %s (limit is %d)", what, limit);
    int more = *size >= limit / 2 ? limit : *size < 2 ? 4 : *size * 2;
    void *p = lgc_revec_or_error(L, old, (size_t)*size * each, (size_t)more * each, kind);
    *size = more;
    return p;
}

/* What was in it is still wanted, by who has read it or has moved it to where no marker comes. */
void lgc_dropvec(lua_State *L, void *old, size_t size)
{
    if (lgc_on() && old)
        hgc_touch(old);                 /* of a weak table it was not followed, and whoever still holds it is */
    G(L)->GCdebt -= (l_mem)size;
}

/* ---- barriers ---------------------------------------------------------------------------------------------------- */

void lgc_shade_value(const TValue *v)
{
    if (iscollectable(v))
        hgc_shade(gcvalue(v));
}

void lgc_shade_node(const Node *n)
{
    lgc_shade_value(gval(n));
    if (keyiscollectable(n))
        hgc_shade(gckey(n));
}

/* In luaH_resize's table on the C stack the size is any byte until its nodes are empty: there is nothing in them either way. */
void lgc_shade_slot(const Table *t, const TValue *slot)
{
    const Node *node = t->node, *n = (const Node *)(const void *)slot;
    if (n >= node && n < node + ((size_t)1 << (t->lsizenode & 31)))
        lgc_shade_node(n);
    else
        lgc_shade_value(slot);
}

void lgc_shade_vectors(const Table *t)
{
    hgc_shade(t->array);
    hgc_shade(t->node);
}

int __real_lua_setmetatable(lua_State *L, int index);
int __wrap_lua_setmetatable(lua_State *L, int index);
int __wrap_lua_setmetatable(lua_State *L, int index)
{
    if (lgc_on()) {
        lua_lock(L);
        hgc_shade(lua_topointer(L, -1));        /* a basic type's is in the state, which is black */
        if (lua_getmetatable(L, index)) {
            hgc_shade(lua_topointer(L, -1));
            lua_settop(L, -2);
        }
    }
    int result = __real_lua_setmetatable(L, index);
    return result;
}

void __real_lua_upvaluejoin(lua_State *L, int f1, int n1, int f2, int n2);
void __wrap_lua_upvaluejoin(lua_State *L, int f1, int n1, int f2, int n2);
void __wrap_lua_upvaluejoin(lua_State *L, int f1, int n1, int f2, int n2)
{
    if (lgc_on()) {
        lua_lock(L);
        hgc_shade(lua_upvalueid(L, f1, n1));
    }
    __real_lua_upvaluejoin(L, f1, n1, f2, n2);
}

/* It takes values off a stack that it does not lock, and lowers its top before it reads them. */
void __real_lua_xmove(lua_State *from, lua_State *to, int n);
void __wrap_lua_xmove(lua_State *from, lua_State *to, int n);
void __wrap_lua_xmove(lua_State *from, lua_State *to, int n)
{
    st_rlx(&U(from)->moves, from);      /* before the look: a mark that begins after it takes what is here */
    if (lgc_on() && from != to) {
        lgc_enter(from);                /* so that the state is taken first, all at once */
        touch(U(from), from, hgc_cycle());
    }
    __real_lua_xmove(from, to, n);
    st_rlx(&U(from)->moves, NULL);
}

/* ---- what is not collected --------------------------------------------------------------------------------------- */

/* For what was never marked, listed or lost in any cycle: the number wraps, so 0 would be one of a cycle. */
static uint32_t never(void)
{
    return hgc_cycle() - 1;
}

/* Lua's allocation function: coroutines from the heap, the rest by the program's. */
static void *allocate(void *ud, void *block, size_t osize, size_t nsize)
{
    struct lgc_state *u = ud;
    void *p;
    if (!block && osize == LUA_TTHREAD) {
        if (nsize == sizeof(struct lg))
            return &u->lg;
        struct lgc_thread *t = lgc_alloc(&u->lg.l.l, KIND_THREAD, sizeof *t);
        if (!t)
            return NULL;
        t->stacks.trace = lgc_trace_stacks;
        t->lx.l.gclist = (GCObject *)(uintptr_t)never();
        return &t->lx;
    }
    if (block == &u->lg)
        return NULL;                    /* the state itself, which its last reference keeps */
    if ((p = u->alloc(u->alloc_ud, block, osize, nsize)) || nsize == 0)
        u->manual += (l_mem)nsize - (block ? (l_mem)osize : 0);
    return p;
}

lua_Alloc __wrap_lua_getallocf(lua_State *L, void **ud);
lua_Alloc __wrap_lua_getallocf(lua_State *L, void **ud)
{
    if (ud)
        *ud = U(L)->alloc_ud;
    return U(L)->alloc;
}

void __wrap_lua_setallocf(lua_State *L, lua_Alloc f, void *ud);
void __wrap_lua_setallocf(lua_State *L, lua_Alloc f, void *ud)
{
    U(L)->alloc = f;
    U(L)->alloc_ud = ud;
}

/* ---- collectgarbage ---------------------------------------------------------------------------------------------- */

/* A step that a program asks for is told from those that come by themselves. */
int __real_lua_gc(lua_State *L, int what, ...);
int __wrap_lua_gc(lua_State *L, int what, ...);
int __wrap_lua_gc(lua_State *L, int what, ...)
{
    int arg[3] = {0, 0, 0};
    va_list list;
    va_start(list, what);
    for (int i = 0, n = what == LUA_GCINC ? 3 : what == LUA_GCGEN ? 2 : what >= LUA_GCSTEP && what <= LUA_GCSETSTEPMUL; i < n; i++)
        arg[i] = va_arg(list, int);
    va_end(list);
    U(L)->asks = what == LUA_GCSTEP;
    U(L)->asks_for = arg[0];
    lgc_count_floor(G(L));
    int result = __real_lua_gc(L, what, arg[0], arg[1], arg[2]);
    U(L)->asks = false;
    hgc_exempt(G(L)->gcstp & GCSTPUSR);
    return result;
}

/* ---- beginning and end ------------------------------------------------------------------------------------------- */

/* Registers kinds and hooks, once. */
static bool start(void)
{
    if (ld_acq(&started))
        return true;
    hk_mutex_lock(&states_lock);
    if (!started && lgc_kinds() == HGC_OK)
        st_rel(&started, 1);
    hk_mutex_unlock(&states_lock);
    return ld_acq(&started);
}

static void link(struct lgc_state *u)
{
    hk_mutex_lock(&states_lock);
    struct lgc_state *first = hgc_get(lgc_states.first);
    hgc_set(&u->next, first);
    hgc_set(&lgc_states.first, u);
    hk_mutex_unlock(&states_lock);
}

static void unlink(struct lgc_state *u)
{
    hk_mutex_lock(&states_lock);
    struct lgc_state *after = hgc_get(u->next), *p;     /* that one may be closed at the same time */
    if (hgc_get(lgc_states.first) == u)
        hgc_set(&lgc_states.first, after);
    else
        for (p = hgc_get(lgc_states.first); p; p = hgc_get(p->next))
            if (hgc_get(p->next) == u) {
                hgc_set(&p->next, after);
                break;
            }
    hk_mutex_unlock(&states_lock);
}

lua_State *__real_lua_newstate(lua_Alloc f, void *ud);
lua_State *__wrap_lua_newstate(lua_Alloc f, void *ud);
lua_State *__wrap_lua_newstate(lua_Alloc f, void *ud)
{
    struct lgc_state *u = start() ? hgc_alloc(KIND_STATE, sizeof *u) : NULL;
    if (!u)
        return NULL;
    u->alloc = f;
    u->alloc_ud = ud;
    u->stacks.trace = lgc_trace_stacks;
    u->building = true;
    u->taken = u->touched_cycle = u->touched_lost = never();
    u->lg.l.l.gclist = (GCObject *)(uintptr_t)never();
    u->lg.l.l.l_G = &u->lg.g;
    link(u);
    lgc_enter(&u->lg.l.l);
    lua_State *L = __real_lua_newstate(allocate, u);
    u->building = false;
    return L;
}

/* The newest of those that have a finalizer, one at a time: no stop waits for many.  A stop in between may move some, too. */
static bool move_to_due(struct lgc_state *u)
{
    hgc_store_t s = hgc_store_begin();
    bool any = u->fin.n > 0;
    if (any) {
        GCObject *o = u->fin.at[--u->fin.n];
        hgc_shade(o);
        lgc_list_put(&u->due, u->due.n++, o);
    }
    hgc_store_end(s);
    return any;
}

/* The strings stay where they are until the sweep finds them, and know nothing of the state then.  A closed state keeps nothing, so a
 * cycle may free its stack and calls while Lua is still in lua_close, which would give them back one by one: it is told that there
 * are none. */
void luaC_freeallobjects(lua_State *L)
{
    global_State *g = G(L);
    struct lgc_state *u = U(L);
    g->gcstp = GCSTPCLS;
    if (completestate(g)) {
        while (move_to_due(u))
            ;
        lgc_finalize(L, INT_MAX);
    }
    lgc_strings_forget(u);
    forget_touched(u);
    u->closed = true;
    g->mainthread->stack = NULL;
    unlink(u);
    hgc_stacks_set(NULL);
    hal_crit_t c = hal_crit_enter();    /* under the lock: a marker that saw them has it run on before, none after */
    (void)task_lock_slot(task_self()->slot);
    hgc_let_run(task_self(), false);
    task_unlock_slot();
    hal_crit_exit(c);
    hgc_exempt(false);
}
