/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Lua's objects refer to, for markers that run beside the program.
 *
 * A value is two words that are stored one after the other, so any mixture of an old and a new one may be seen.  That is
 * harmless: what is reported is looked up before it is believed, the old value was shaded before it was overwritten, and the
 * new one is shaded or was reachable when the state was taken.  Sizes come from the heap, never from fields that belong to
 * another moment than the pointer beside them.  What the program may be writing is read by word_at and its kin alone: each is one
 * access, and a race that is meant.
 */
#define LUA_CORE
#include "ports/lua/state.h"

#include "lfunc.h"
#include "lstring.h"
#include "lopcodes.h"

struct lgc_root lgc_states;

HAL_NO_SANITIZE static void *word_at(const void *place) { return *(void *const volatile *)place; }
HAL_NO_SANITIZE static lu_byte byte_at(const lu_byte *place) { return *(const volatile lu_byte *)place; }
HAL_NO_SANITIZE static int int_at(const int *place) { return *(const volatile int *)place; }

static void visit_value(const TValue *o, struct hgc_visitor *v)
{
    if (byte_at(&o->tt_) & BIT_ISCOLLECTABLE)
        hgc_visit(v, word_at(&o->value_));
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static void trace_values(void *start, size_t bytes, struct hgc_visitor *v)
{
    for (TValue *o = start, *end = o + bytes / sizeof *o; o < end; o++)
        visit_value(o, v);
}

/* The key of an entry without a value is no reference, but a string is compared by its contents. */
static void trace_nodes(void *start, size_t bytes, struct hgc_visitor *v)
{
    for (Node *n = start, *end = n + bytes / sizeof *n; n < end; n++) {
        lu_byte key = byte_at(&n->u.key_tt);
        visit_value(gval(n), v);
        if ((key & BIT_ISCOLLECTABLE) && (novariant(byte_at(&n->u.tt_)) != LUA_TNIL || novariant(key) == LUA_TSTRING))
            hgc_visit(v, word_at(&n->u.key_val));
    }
}

size_t lgc_nodes(const Node *node)
{
    size_t room = lgc_room(node, sizeof(Node)), n = 1;
    if (!room)
        return 0;                       /* the common empty node */
    while (n * 2 <= room)
        n *= 2;
    return n;
}

/* As Lua looks up a short string, but from a vector that may be one of a moment ago. */
static const TValue *find_short(const Table *t, const TString *key)
{
    const Node *node = word_at(&t->node);
    size_t n = lgc_nodes(node), i = n ? key->hash & (n - 1) : 0;
    for (size_t steps = 0; steps < n; steps++) {
        const struct NodeKey *at = &node[i].u;
        int next = int_at(&at->next);
        if (byte_at(&at->key_tt) == ctb(LUA_VSHRSTR) && word_at(&at->key_val) == key)
            return gval(&node[i]);
        if (next == 0 || i + (size_t)next >= n)
            return NULL;
        i += (size_t)next;
    }
    return NULL;
}

unsigned lgc_mode(const Table *t)
{
    unsigned mode = 0;
    const Table *mt = word_at(&t->metatable);
    const global_State *g = word_at(&t->next);
    if (!mt || !g || !g->tmname[TM_MODE])
        return 0;
    const TValue *o = find_short(mt, g->tmname[TM_MODE]);
    if (!o || novariant(byte_at(&o->tt_)) != LUA_TSTRING)
        return 0;
    const TString *s = word_at(&o->value_);
    if (hgc_size(s) < sizeof(TString) || (s->tt != LUA_VSHRSTR && s->tt != LUA_VLNGSTR))
        return 0;                       /* half of another value */
    for (const char *c = getstr(s), *end = c + hgc_size(s) - offsetof(TString, contents); c < end && *c; c++)
        mode |= *c == 'v' ? WEAK_VALUES : *c == 'k' ? WEAK_KEYS : 0;
    return mode;
}

/* One that has a metatable keeps its state, by which it is told whether it is weak: a word on some stack may keep it longer than
 * its state is open. */
static void trace_table(void *object, size_t size, struct hgc_visitor *v)
{
    Table *t = object, *mt = word_at(&t->metatable);
    (void)size;
    if (byte_at(&t->tt) != LUA_VTABLE)
        return;                         /* not made yet */
    void *array = word_at(&t->array), *node = word_at(&t->node);
    if (mt) {
        hgc_visit(v, mt);
        hgc_visit(v, word_at(&t->next));
    }
    if (mt && lgc_mode(t)) {
        hgc_visit_weakly(v, array);
        hgc_visit_weakly(v, node);
        lgc_weak_met(lgc_state_of(word_at(&t->next)), t);
    } else {
        hgc_visit(v, array);
        hgc_visit(v, node);
    }
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

static void trace_lua_closure(void *object, size_t size, struct hgc_visitor *v)
{
    LClosure *c = object;
    size_t n = (size - offsetof(LClosure, upvals)) / sizeof c->upvals[0];
    hgc_visit(v, word_at(&c->p));
    for (size_t i = 0; i < n && i < c->nupvalues; i++)
        hgc_visit(v, word_at(&c->upvals[i]));
}

static void trace_c_closure(void *object, size_t size, struct hgc_visitor *v)
{
    CClosure *c = object;
    size_t n = (size - offsetof(CClosure, upvalue)) / sizeof c->upvalue[0];
    for (size_t i = 0; i < n && i < c->nupvalues; i++)
        visit_value(&c->upvalue[i], v);
}

/* An open one keeps the stack's memory, and of what is on it the one value.  So a coroutine may die before it. */
static void trace_upvalue(void *object, size_t size, struct hgc_visitor *v)
{
    UpVal *uv = object;
    TValue *at = word_at(&uv->v);
    (void)size;
    if (!at)
        return;                         /* not made yet */
    visit_value(&uv->u.value, v);
    if (at == &uv->u.value)
        return;
    hgc_visit(v, at);
    hgc_visit(v, word_at(&uv->u.open.next));
    visit_value(at, v);
}

static void trace_proto(void *object, size_t size, struct hgc_visitor *v)
{
    Proto *p = object;
    (void)size;
    hgc_visit(v, word_at(&p->source));
    hgc_visit(v, word_at(&p->k));
    hgc_visit(v, word_at(&p->p));
    hgc_visit(v, word_at(&p->upvalues));
    hgc_visit(v, word_at(&p->locvars));
    hgc_visit(v, word_at(&p->code));
    hgc_visit(v, word_at(&p->lineinfo));
    hgc_visit(v, word_at(&p->abslineinfo));
}

static void trace_userdata(void *object, size_t size, struct hgc_visitor *v)
{
    Udata *u = object;
    size_t n = (size - offsetof(Udata0, bindata)) / sizeof u->uv[0];
    hgc_visit(v, word_at(&u->metatable));
    for (size_t i = 0; i < n && i < u->nuvalue; i++)
        visit_value(&u->uv[i].uv, v);
}

/* ---- coroutines and states --------------------------------------------------------------------------------------- */

void lgc_visit_thread(lua_State *L, struct hgc_visitor *v, bool whole)
{
    StkId stack = word_at(&L->stack), top = word_at(&L->top);
    size_t room = lgc_room(stack, sizeof(StackValue)), n = room;
    if (!whole && top >= stack && (size_t)(top - stack) < room)
        n = (size_t)(top - stack);
    hgc_visit(v, stack);
    hgc_visit(v, word_at(&L->ci));
    hgc_visit(v, word_at(&L->base_ci.next));
    hgc_visit(v, word_at(&L->openupval));
    for (size_t i = 0; i < n; i++)
        visit_value(s2v(stack + i), v);
}

static void trace_thread(void *object, size_t size, struct hgc_visitor *v)
{
    lua_State *L = &((struct lgc_thread *)object)->lx.l;
    (void)size;
    if (L->l_G)
        hgc_visit(v, L->l_G);
    lgc_visit_thread(L, v, false);
}

void lgc_visit_state(struct lgc_state *u, struct hgc_visitor *v)
{
    global_State *g = &u->lg.g;
    hgc_visit(v, hgc_get(u->next));
    if (u->closed)
        return;
    visit_value(&g->l_registry, v);
    hgc_visit(v, g->memerrmsg);
    for (int i = 0; i < TM_N; i++)
        hgc_visit(v, g->tmname[i]);
    for (int i = 0; i < LUA_NUMTAGS; i++)
        hgc_visit(v, word_at(&g->mt[i]));
    for (int i = 0; i < STRCACHE_N; i++)
        for (int j = 0; j < STRCACHE_M; j++)
            hgc_visit(v, word_at(&g->strcache[i][j]));
    for (int i = 0; i < FRESH; i++)
        hgc_visit(v, word_at(&u->fresh[i]));
    hgc_visit(v, word_at(&u->current));     /* who entered it may be gone, and with him the stacks that kept it */
    hgc_visit(v, word_at(&u->fixed.at));
    hgc_visit(v, word_at(&u->fin.at));
    hgc_visit(v, word_at(&u->due.at));
}

static void trace_state(void *object, size_t size, struct hgc_visitor *v)
{
    struct lgc_state *u = object;
    (void)size;
    lgc_visit_state(u, v);
    if (!u->closed)
        lgc_visit_thread(&u->lg.l.l, v, false);
}

/* In a mark, the stack is not looked at here, where its top may be any: it stays grey until the state is taken, at a safepoint.
 * Verify mode, before and after, sees all of it, and the main thread's: an error that no coroutine catches is put there.  A task
 * that has used the state, and does not own it any longer, has nothing on them. */
void lgc_trace_stacks(struct hgc_stacks *s, const struct task *task, struct hgc_visitor *v)
{
    lua_State *L = lgc_thread_of(s);
    hgc_visit(v, L);
    if (!L->l_G || ld_rlx(&hgc_phase) == MARKING)
        return;
    struct lgc_state *u = lgc_state_of(L->l_G);
    hgc_visit(v, u);
    if (u->closed || ld_rlx(&u->owner) != task)
        return;
    lgc_visit_thread(&u->lg.l.l, v, true);
    lgc_visit_thread(L, v, true);
}

static bool is_beyond(const void *vector, const void *p)
{
    uintptr_t end = (uintptr_t)vector + lgc_room(vector, sizeof(TValue)) * sizeof(TValue);
    return vector && (uintptr_t)p - end <= MAXARG_A * sizeof(TValue);
}

/* The constants of the function that runs.  It may be stopped where its place on the stack is half written. */
static const TValue *constants(const lua_State *L)
{
    const CallInfo *ci = L->ci;
    if (!ci || !isLua(ci) || (uintptr_t)ci->func - (uintptr_t)L->stack >= hgc_size(L->stack) || !ttisLclosure(s2v(ci->func)))
        return NULL;
    const LClosure *cl = clLvalue(s2v(ci->func));
    return hgc_size(cl) >= sizeLclosure(0) && hgc_size(cl->p) >= sizeof(Proto) ? cl->p->k : NULL;
}

/* The interpreter computes where register A is before it looks at the opcode.  In a jump those bits are a part of the distance, so
 * that may be beyond the stack, in any object.  And of an operand that is a register or a constant a compiler may compute both.
 * Nor is an address that is not aligned a reference: text is on Lua's stack as well.  The parser's records have fields of one and
 * two bytes, and what they leave of a word that was there may make one, into a stack that grew. */
bool lgc_is_stray(const struct task *task, const void *p)
{
    struct hgc_stacks *s = ld_rlx(&task->gc_stacks);
    if (!s || s->trace != lgc_trace_stacks)
        return false;
    const lua_State *L = lgc_thread_of(s);
    return (uintptr_t)p % sizeof(void *) || is_beyond(L->stack, p) || is_beyond(constants(L), p);
}

/* ---- kinds ------------------------------------------------------------------------------------------------------- */

static const uint32_t every[] = {1};
static const uint32_t call_map[] = {HGC_MAP(CallInfo, previous) | HGC_MAP(CallInfo, next)};
_Static_assert(sizeof(CallInfo) % sizeof(void *) == 0 && sizeof(Upvaldesc) == 2 * sizeof(void *)
               && sizeof(LocVar) == 2 * sizeof(void *), "maps");

static const struct { unsigned number; struct hgc_kind kind; } kinds[] = {
    {KIND_STATE, {.name = "lua state", .trace = trace_state}},
    {KIND_THREAD, {.name = "lua thread", .trace = trace_thread}},
    {KIND_CALL, {.name = "lua call", .words = sizeof(CallInfo) / sizeof(void *), .map = call_map}},
    {KIND_TABLE, {.name = "lua table", .trace = trace_table}},
    {KIND_VALUES, {.name = "lua values", .words = sizeof(TValue) / sizeof(void *), .trace = trace_values}},
    {KIND_NODES, {.name = "lua nodes", .words = sizeof(Node) / sizeof(void *), .trace = trace_nodes}},
    {KIND_POINTERS, {.name = "lua pointers", .words = 1, .map = every}},
    {KIND_NAMES, {.name = "lua names", .words = 2, .map = every}},
    {KIND_LUA_CLOSURE, {.name = "lua closure", .trace = trace_lua_closure}},
    {KIND_C_CLOSURE, {.name = "lua C closure", .trace = trace_c_closure}},
    {KIND_UPVALUE, {.name = "lua upvalue", .trace = trace_upvalue}},
    {KIND_PROTO, {.name = "lua prototype", .trace = trace_proto}},
    {KIND_USERDATA, {.name = "lua userdata", .trace = trace_userdata}},
    {KIND_SHORT_STRING, {.name = "lua string", .release = lgc_release_string}},
};

int lgc_kinds(void)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int error = hgc_kind(kinds[i].number, &kinds[i].kind);
        if (error)
            return error;
    }
    int error = hgc_root_add(&lgc_states, sizeof lgc_states);
    return error ? error : hgc_runtime(&lgc_runtime);
}
