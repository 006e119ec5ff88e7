/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 200 */
/* mem: 128M */
/*
 * Lua states, one or many: several at a time on all harts, handed from task to task while marks run, two used in turn by one
 * task, closed by a task that did not make them, and made with too little memory.  Verify mode checks every mark, and stress
 * sees to it that there are many.
 */
#include "gc/hgc.h"
#include "lauxlib.h"
#include "libc/libc.h"
#include "lualib.h"
#include "tap.h"

#include <stdlib.h>

enum { ARENA = 48 << 20, MANUAL = 16 << 20, STACK = 128 << 10, STRESS = 3000 };
enum { STATES = 6, TASKS = 4, TURNS = 30, ROUNDS = 200 };

/* What each state does: it keeps things of all sorts, and knows what they must be.  `turn` goes on with a table that lives as
 * long as the state does; its loops hold objects in nothing but registers. */
static const char program[] =
    "local kept, weak, made = {}, setmetatable({}, { __mode = 'v' }), 0\n"
    "local function adder(i) return coroutine.wrap(function(a) while true do a = coroutine.yield(a + i) end end) end\n"
    "local function thing(k, i)\n"
    "    local t = { name = k .. '!', n = i, f = function() return k, i end, co = adder(i), list = { k, i, { k } } }\n"
    "    weak[k] = t\n"
    "    return t\n"
    "end\n"
    "local function right(k, t)\n"
    "    local a, b = t.f()\n"
    "    return a == k and b == t.n and t.name == k .. '!' and t.co(1) == 1 + b and t.list[3][1] == k and weak[k] == t\n"
    "end\n"
    "function turn(rounds)\n"
    "    for i = 1, rounds do\n"
    "        local k = 'key ' .. made % 61\n"
    "        local a, b, c = { k }, { made }, k .. made\n"
    "        if i % 50 == 0 then for j = 1, 3000 do a, b = b, a end end\n"
    "        kept[k] = thing(k, made)\n"
    "        assert(a[1] == k and b[1] == made and c == k .. made, 'a register changed')\n"
    "        made = made + 1\n"
    "    end\n"
    "    local n = 0\n"
    "    for k, t in pairs(kept) do\n"
    "        assert(right(k, t), k)\n"
    "        n = n + 1\n"
    "    end\n"
    "    return made, n\n"
    "end\n";

/* ---- what a task does with a state ------------------------------------------------------------------------------- */

static uint32_t complaints;             /* atomic */

static void complain(const char *what)
{
    if (amo_add_rlx(&complaints, 1) < 10)
        hk_printf("# %s\n", what ? what : "an error without a message");
}

static int open_program(lua_State *L)
{
    luaL_openlibs(L);
    if (luaL_loadstring(L, program))
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

/* Made `turns` turns before: so much is in it. */
static int call_turn(lua_State *L)
{
    lua_Integer turns = lua_tointeger(L, 1);
    lua_getglobal(L, "turn");
    lua_pushinteger(L, ROUNDS);
    lua_call(L, 1, 2);
    if (lua_tointeger(L, -2) != (turns + 1) * ROUNDS || lua_tointeger(L, -1) != 61)
        return luaL_error(L, "turn %d: %d made, %d kept", (int)turns, (int)lua_tointeger(L, -2), (int)lua_tointeger(L, -1));
    return 0;
}

static bool pcall(lua_State *L, lua_CFunction fn, lua_Integer arg)
{
    lua_pushcfunction(L, fn);
    lua_pushinteger(L, arg);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return true;
    complain(lua_tostring(L, -1));
    lua_pop(L, 1);
    return false;
}

static lua_State *open(void)
{
    lua_State *L = luaL_newstate();
    if (!L || !pcall(L, open_program, 0))
        complain("no state");
    return L;
}

static struct task *start(const char *name, void (*fn)(void *), void *arg)
{
    struct hk_task_config config = {.name = name, .stack_size = STACK};
    struct task *t = NULL;
    if (hk_task_create(&t, &config, fn, arg))
        complain("no task");
    return t;
}

static void in_task(void (*fn)(void *), void *arg)
{
    (void)hk_task_join(start("one", fn, arg), NULL);
}

/* ---- each in its own task ---------------------------------------------------------------------------------------- */

static void own_state(void *arg)
{
    (void)arg;
    hgc_stacks_only(true);
    lua_State *L = open();
    for (lua_Integer i = 0; i < TURNS / 4; i++)
        pcall(L, call_turn, i);
    lua_close(L);
}

static void many(void)
{
    struct task *t[2 * HK_MAX_HARTS];
    unsigned n = 2 * hk_harts();
    for (unsigned i = 0; i < n; i++)
        t[i] = start("own", own_state, NULL);
    for (unsigned i = 0; i < n; i++)
        (void)hk_task_join(t[i], NULL);
    is(ld_rlx(&complaints), 0, "several states work, each in its own task");
}

/* ---- handed on --------------------------------------------------------------------------------------------------- */

/* Nobody holds a state for long: whoever gets one makes a turn in it and hands it on, so a task's last state is in use by
 * another when it goes on with the next.  What is passed here is no reference that the collector knows. */
static struct handed { lua_State *L; lua_Integer turns; } handed[STATES];
static struct hk_chan pool;
static uintptr_t pool_words[STATES];
static uint32_t turns_left, in_mark;    /* atomic */

static void open_task(void *arg)
{
    struct handed *h = arg;
    hgc_stacks_only(true);
    h->L = open();
}

static void turner(void *arg)
{
    uintptr_t word;
    (void)arg;
    hgc_stacks_only(true);
    while (amo_add_rlx(&turns_left, (uint32_t)-1) - 1 < STATES * TURNS && hk_chan_recv(&pool, &word, HK_FOREVER) == 0) {
        struct handed *h = (struct handed *)word;
        amo_add_rlx(&in_mark, hgc_marking());
        pcall(h->L, call_turn, h->turns++);
        amo_add_rlx(&in_mark, hgc_marking());
        (void)hk_chan_send(&pool, word, HK_FOREVER);
        hk_yield();
        (void)hgc_collect(HGC_START);           /* another may be in it already, in one of its long loops */
    }
}

static void close_task(void *arg)
{
    struct handed *h = arg;
    lua_close(h->L);
    h->L = NULL;
}

static void hand_on(void)
{
    struct task *t[TASKS];
    uint32_t before = ld_rlx(&complaints);
    lua_Integer turns = 0;
    hk_chan_init(&pool, pool_words, STATES);
    st_rlx(&turns_left, STATES * TURNS);
    for (unsigned i = 0; i < STATES; i++) {
        in_task(open_task, &handed[i]);
        (void)hk_chan_send(&pool, (uintptr_t)&handed[i], HK_FOREVER);
    }
    for (unsigned i = 0; i < TASKS; i++)
        t[i] = start("turner", turner, NULL);
    for (unsigned i = 0; i < TASKS; i++)
        (void)hk_task_join(t[i], NULL);
    for (unsigned i = 0; i < STATES; i++) {
        turns += handed[i].turns;
        in_task(close_task, &handed[i]);
    }
    hk_printf("# %u of %u times a mark was on\n", (unsigned)ld_rlx(&in_mark), 2 * STATES * TURNS);
    is(turns, STATES * TURNS, "states go from task to task");
    ok(ld_rlx(&in_mark) > 0, "some of them while a mark is on");
    is(ld_rlx(&complaints), before, "and lose nothing");
}

/* ---- who leaves a state that another is in ----------------------------------------------------------------------- */

/* A mark begins while `b` runs in a state that `a` was in last, and before `b` comes to a safepoint `a` goes on with another
 * state: it must not take the one that is not its own any longer, nor forget what lies above that one's top. */
static struct hk_sem a_goes_on, b_loops;
static lua_State *shared, *other;

static int loops(lua_State *L)
{
    (void)L;
    hk_sem_post(&b_loops);
    return 0;
}

static void task_a(void *arg)
{
    hgc_stacks_only(true);
    shared = open();
    other = open();
    lua_register(shared, "loops", loops);
    (void)luaL_dostring(shared, "held = { one = { 1 }, two = { 2 } }");
    struct task *b = start("b", arg, NULL);
    hk_sem_wait(&a_goes_on, HK_FOREVER);
    pcall(other, call_turn, 0);
    (void)hk_task_join(b, NULL);
    lua_close(other);
    lua_close(shared);
}

/* Locals that are stored where the function was that is called before. */
static void task_b(void *arg)
{
    (void)arg;
    hgc_stacks_only(true);
    if (luaL_dostring(shared, "local t = held\nloops()\nlocal one, two = t.one, t.two\nlocal i = 0\nwhile i < 5000000 do i = i + 1 end\n"
                              "assert(one[1] == 1 and two[1] == 2)"))
        complain(lua_tostring(shared, -1));
}

static void leaving(void)
{
    uint32_t before = ld_rlx(&complaints);
    struct hk_task_config config = {.name = "a", .stack_size = STACK};
    struct task *a;
    hk_sem_init(&a_goes_on, 0);
    hk_sem_init(&b_loops, 0);
    (void)hgc_collect(HGC_WAIT);
    (void)hk_task_create(&a, &config, task_a, task_b);
    hk_sem_wait(&b_loops, HK_FOREVER);
    (void)hgc_collect(HGC_START);
    while (!hgc_marking() && hgc_collect(HGC_START) == HGC_OK)
        hk_yield();
    hk_sem_post(&a_goes_on);
    (void)hk_task_join(a, NULL);
    is(ld_rlx(&complaints), before, "a task leaves its last state alone when another is in it");
}

/* ---- who comes back to his last state ---------------------------------------------------------------------------- */

/* `a` uses a state, then `b` does and goes on with another, then `a` again while no mark is on.  One begins, and `a` has objects that
 * nothing but its function's registers hold. */
static struct hk_sem b_left, b_ends;

static void leaves(void *arg)
{
    (void)arg;
    hgc_stacks_only(true);
    other = open();
    (void)luaL_dostring(shared, "local been = true");
    pcall(other, call_turn, 0);
    hk_sem_post(&b_left);
    hk_sem_wait(&b_ends, HK_FOREVER);
    lua_close(other);
}

static void comes_back(void *arg)
{
    (void)arg;
    hgc_stacks_only(true);
    shared = open();
    lua_register(shared, "loops", loops);
    (void)luaL_dostring(shared, "function f() local t = { one = { 1 }, two = { 2 } } loops() local one, two = t.one, t.two"
                                " t.one, t.two = nil, nil local i = 0 while i < 5000000 do i = i + 1 end"
                                " assert(one[1] == 1 and two[1] == 2, 'a register was forgotten') end");
    struct task *b = start("b", leaves, NULL);
    hk_sem_wait(&b_left, HK_FOREVER);
    hgc_wait_mark();
    lua_getglobal(shared, "f");
    if (lua_pcall(shared, 0, 0, 0))
        complain(lua_tostring(shared, -1));
    hk_sem_post(&b_ends);
    (void)hk_task_join(b, NULL);
    lua_close(shared);
}

static void back(void)
{
    uint32_t before = ld_rlx(&complaints);
    hk_sem_init(&b_loops, 0);
    hk_sem_init(&b_left, 0);
    hk_sem_init(&b_ends, 0);
    struct task *a = start("a", comes_back, NULL);
    hk_sem_wait(&b_loops, HK_FOREVER);
    (void)hgc_collect(HGC_WAIT);
    (void)hk_task_join(a, NULL);
    is(ld_rlx(&complaints), before, "a task comes back to its last state, which another has used meanwhile");
}

/* ---- two in turn by one task ------------------------------------------------------------------------------------- */

/* A function of the one state calls the other. */
static int other_turn(lua_State *L)
{
    lua_State *other = lua_touserdata(L, lua_upvalueindex(1));
    lua_getglobal(L, "turn");
    lua_pushinteger(L, 3);
    lua_call(L, 1, 2);
    lua_Integer mine = lua_tointeger(L, -2);
    lua_getglobal(other, "turn");
    lua_pushinteger(other, 3);
    lua_call(other, 1, 2);
    if (mine != lua_tointeger(other, -2))
        luaL_error(L, "the other state is at %d, this one at %d", (int)lua_tointeger(other, -2), (int)mine);
    lua_settop(other, 0);
    return 0;
}

static void in_turn(void *arg)
{
    (void)arg;
    hgc_stacks_only(true);
    lua_State *one = open(), *two = open();
    lua_pushlightuserdata(one, two);
    lua_pushcclosure(one, other_turn, 1);
    lua_setglobal(one, "other_turn");
    for (unsigned i = 0; i < 1000; i++) {
        lua_getglobal(one, "other_turn");
        if (lua_pcall(one, 0, 0, 0)) {
            complain(lua_tostring(one, -1));
            break;
        }
    }
    lua_close(two);
    lua_close(one);
}

static void alternate(void)
{
    uint32_t before = ld_rlx(&complaints);
    in_task(in_turn, NULL);
    is(ld_rlx(&complaints), before, "a task uses two states in turn, one from within the other");
}

/* ---- closing ----------------------------------------------------------------------------------------------------- */

enum { FINALIZED = 1000 };
static lua_Integer finalized[FINALIZED + 1];
static unsigned nfinalized;

static int note_finalized(lua_State *L)
{
    if (nfinalized <= FINALIZED)
        finalized[nfinalized++] = lua_tointeger(L, 1);
    return 0;
}

static void open_finalized(void *arg)
{
    struct handed *h = arg;
    hgc_stacks_only(true);
    h->L = open();
    lua_register(h->L, "note", note_finalized);
    if (luaL_dostring(h->L, "all = {}\nfor i = 1, 1000 do\n all[i] = setmetatable({ i, tostring(i) .. 'th' }, { __gc ="
                            " function(o) assert(o[2] == o[1] .. 'th') note(o[1]) end })\nend"))
        complain(lua_tostring(h->L, -1));
}

static void closing(void)
{
    static struct handed h;
    uint32_t before = ld_rlx(&complaints);
    bool order = true;
    in_task(open_finalized, &h);
    (void)hgc_collect(HGC_WAIT);
    is(nfinalized, 0, "what is alive is not finalized");
    in_task(close_task, &h);
    for (unsigned i = 0; i < FINALIZED; i++)
        order &= finalized[i] == FINALIZED - i;
    is(nfinalized, FINALIZED, "lua_close, in another task, finalizes all");
    ok(order && ld_rlx(&complaints) == before, "the last first, and each was whole");
}

/* ---- too little memory ------------------------------------------------------------------------------------------- */

struct purse { size_t held; unsigned calls, fails_at; };

/* Of what is not collected.  Fails from call `fails_at` on; giving back always succeeds. */
static void *purse(void *ud, void *block, size_t old, size_t size)
{
    struct purse *p = ud;
    if (!block)
        old = 0;
    if (size > old && p->fails_at && ++p->calls >= p->fails_at)
        return NULL;
    p->held += size - old;
    if (size)
        return realloc(block, size);
    free(block);
    return NULL;
}

static size_t live(void)
{
    (void)hgc_collect(HGC_WAIT);
    (void)hgc_collect(HGC_WAIT);        /* a string whose table was busy has stayed for one more */
    return hgc_live();
}

/* With the n-th of either sort of allocation failing: how many times none could be made before one could. */
static unsigned fail_manual(struct purse *p)
{
    for (unsigned n = 1;; n++) {
        *p = (struct purse){.fails_at = n};
        lua_State *L = lua_newstate(purse, p);
        if (L) {
            lua_close(L);
            return n - 1;
        }
        if (p->held)
            complain("a state that could not be made keeps memory");
    }
}

static unsigned fail_collected(struct purse *p)
{
    for (unsigned n = 1;; n++) {
        *p = (struct purse){0};
        hgc_fail_alloc(n, UINT32_MAX / 2);
        lua_State *L = lua_newstate(purse, p);
        hgc_fail_alloc(0, 0);
        if (L) {
            lua_close(L);
            return n - 1;
        }
        if (p->held)
            complain("a state that could not be made keeps memory");
    }
}

static void poor_task(void *arg)
{
    static struct purse p;
    uint32_t before = ld_rlx(&complaints);
    (void)arg;
    hgc_stacks_only(true);
    size_t base = live();
    unsigned manual = fail_manual(&p), collected = fail_collected(&p);
    hk_printf("# lua_newstate failed at each of %u allocations of the program's, and of %u of the collector's\n", manual,
              collected);
    ok(manual > 0 && collected > 50, "lua_newstate returns NULL when there is no memory, wherever it runs out");
    is(p.held, 0, "what the closed one had is given back");
    is(ld_rlx(&complaints), before, "and so is what the others had");
    size_t after = live();
    hk_printf("# live %zu and %zu bytes\n", base, after);
    ok(after <= base + 4096, "the collector keeps nothing of them");
}

int app_main(void)
{
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true, .clobber = true, .stress = STRESS,
                                .min_trigger = 1 << 20};
    is(hgc_init(&config) | libc_heap(hk_mem_alloc(MANUAL), MANUAL), HGC_OK, "the heap starts");
    many();
    hand_on();
    leaving();
    back();
    alternate();
    closing();
    in_task(poor_task, NULL);
    struct hgc_stats s;
    hgc_stats(&s);
    hk_printf("# %u cycles\n", (unsigned)s.cycles);
    ok(s.verified >= s.cycles && s.cycles > 20, "every mark was verified");
    return tap_end();
}
