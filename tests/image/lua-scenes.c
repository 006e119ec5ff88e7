/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 2 */
/* seconds: 60 */
/* mem: 128M */
/*
 * Lua in marks that come at a bad time, each scene once a defect: what was read from a weak table goes where no barrier was, an
 * emergency collects between a table's vectors, a state's user changes or ends, a finalizer is set as a mark ends.
 */
#define LUA_CORE
#include "ports/lua/state.h"

#include "cycle.h"
#include "gc/gc_internal.h"
#include "lauxlib.h"
#include "libc/libc.h"
#include "lualib.h"
#include "tap.h"
#include "waits.h"

enum { ARENA = 56 << 20, MANUAL = 12 << 20, STACK = 128 << 10, WEAK = 50, TIMES = 5 };

static struct task *start(const char *name, void (*fn)(void *))
{
    struct hk_task_config config = {.name = name, .stack_size = STACK};
    struct task *t = NULL;
    (void)hk_task_create(&t, &config, fn, NULL);
    return t;
}

static void in_task(void (*fn)(void *))
{
    (void)hk_task_join(start("scene", fn), NULL);
}

static lua_State *open(void)
{
    hgc_stacks_only(true);
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    return L;
}

static void run(lua_State *L, const char *program)
{
    if (luaL_dostring(L, program)) {
        hk_printf("# %s\n", lua_tostring(L, -1));
        lua_settop(L, 0);
    }
}

static void begin_mark(void)
{
    while (!hgc_marking())
        (void)hgc_collect(HGC_START);
}

/* The next cycle begins when all of this one is swept. */
static void end_and_sweep(void)
{
    hgc_wait_mark();
    (void)hgc_collect(HGC_START);
    hgc_wait_mark();
}

/* If the mark was over before the scene, the weak table has lost what was to be read from it, and there is nothing here. */
static bool is_freed(lua_State *L, int i)
{
    return lua_istable(L, i) && hgc_size(lua_topointer(L, i)) == 0;
}

/* So that a mark takes long enough for a scene. */
static void ballast(void *arg)
{
    (void)arg;
    run(open(), "b = {} for i = 1, 150000 do b[i] = {i} end");
}

/* ---- what was read from a weak table ----------------------------------------------------------------------------- */

static unsigned lost;

static int upvalue(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    return 1;
}

static int bind(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushcclosure(L, upvalue, 1);
    return 1;
}

static void closures(void *arg)
{
    (void)arg;
    lua_State *L = open();
    lua_register(L, "bind", bind);
    run(L, "w = setmetatable({}, {__mode = 'v'}) keep = {} for i = 1, 50 do w[i] = {n = i} end");
    (void)luaL_loadstring(L, "for i = 1, 50 do keep[i] = bind(w[i]) end");
    begin_mark();
    (void)lua_pcall(L, 0, 0, 0);
    end_and_sweep();
    for (int i = 1; i <= WEAK; i++) {
        lua_getglobal(L, "keep");
        lua_geti(L, -1, i);
        lua_getupvalue(L, -1, 1);
        lost += is_freed(L, -1);
        lua_settop(L, 0);
    }
}

static void metatables(void *arg)
{
    (void)arg;
    lua_State *L = open();
    run(L, "co = coroutine.create(print) w = setmetatable({}, {__mode = 'v'}) for i = 1, 5 do w[i] = {__index = {foo = i}} end");
    (void)luaL_loadstring(L, "for i = 1, 300000 do end local t = {} for i = 1, 300000 do end debug.setmetatable(0, w[1])"
                             " debug.setmetatable(nil, w[2]) debug.setmetatable(true, w[3]) debug.setmetatable(print, w[4])"
                             " debug.setmetatable(co, w[5])");
    begin_mark();
    (void)lua_pcall(L, 0, 0, 0);
    end_and_sweep();
    lua_settop(L, 0);
    lua_pushinteger(L, 5);
    lua_pushnil(L);
    lua_pushboolean(L, 1);
    lua_getglobal(L, "print");
    lua_getglobal(L, "co");
    for (int i = 1; i <= 5; i++)
        if (lua_getmetatable(L, i)) {
            lost += is_freed(L, -1);
            lua_settop(L, 5);
        }
}

static void read_weak(void)
{
    lost = 0;
    for (unsigned i = 0; i < TIMES; i++)
        in_task(closures);
    is(lost, 0, "what was read from a weak table is kept by a C closure");
    lost = 0;
    for (unsigned i = 0; i < TIMES; i++)
        in_task(metatables);
    is(lost, 0, "and by a basic type that has it for its metatable");
}

/* ---- an emergency between a table's two vectors ------------------------------------------------------------------ */

/* While it is on, marks stay open: so many times. */
static uint32_t held_open;              /* atomic */
static size_t nodes;

static void some_tables(lua_State *L)
{
    for (int i = 0; i < 5; i++) {
        lua_createtable(L, 0, 0);
        lua_pop(L, 1);
    }
}

/* The first large one is the nodes, the second the array: there is no memory for that, once. */
static void two_vectors(void *arg)
{
    (void)arg;
    lua_State *L = open();
    some_tables(L);
    st_rlx(&held_open, 100);
    begin_mark();
    some_tables(L);
    hgc_fail_alloc(2, 1);
    lua_createtable(L, 1024, 1024);
    hgc_fail_alloc(0, 0);
    nodes = hgc_size(((const Table *)lua_topointer(L, -1))->node);
}

static void emergency(void)
{
    in_task(two_vectors);
    ok(nodes >= 1024 * sizeof(Node), "an emergency collection leaves a table in the making its vectors");
}

/* ---- two coroutines, two tasks ----------------------------------------------------------------------------------- */

/* `a` is in a function that began before the mark and returns what it reads from a weak table, without another word to the collector;
 * then `b` goes on in the state with another coroutine. */
static lua_State *of_a, *of_b;
static struct hk_sem a_spins, a_is_back, b_is_done;

static int spins(lua_State *L)
{
    (void)L;
    hk_sem_post(&a_spins);
    return 0;
}

static void first_user(void *arg)
{
    (void)arg;
    lua_State *L = open();
    lua_register(L, "spins", spins);
    of_a = lua_newthread(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "a");
    of_b = lua_newthread(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "b");
    run(L, "w = setmetatable({}, {__mode = 'v'}) for i = 1, 50 do w[i] = {n = i} end"
           " function f() local w = w spins() for i = 1, 200000 do end local t = {} for i = 1, 200000 do end"
           "   return w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8] end"
           " function g() local t = {} for i = 1, 100 do t[i] = {} end end");
    lua_getglobal(of_b, "g");
    lua_getglobal(of_a, "f");
    (void)lua_pcall(of_a, 0, 8, 0);
    hk_sem_post(&a_is_back);
    hk_sem_wait(&b_is_done, HK_FOREVER);
    for (int i = 1; i <= 8; i++)
        lost += is_freed(of_a, i);
}

static void second_user(void *arg)
{
    (void)arg;
    hgc_stacks_only(true);
    hk_sem_wait(&a_is_back, HK_FOREVER);
    (void)lua_pcall(of_b, 0, 0, 0);
    end_and_sweep();
    hk_sem_post(&b_is_done);
}

static void use_by_two(void)
{
    hk_sem_init(&a_spins, 0);
    hk_sem_init(&a_is_back, 0);
    hk_sem_init(&b_is_done, 0);
    struct task *a = start("a", first_user), *b = start("b", second_user);
    hk_sem_wait(&a_spins, HK_FOREVER);
    begin_mark();
    (void)hk_task_join(a, NULL);
    (void)hk_task_join(b, NULL);
}

static void two_users(void)
{
    lost = 0;
    for (unsigned i = 0; i < TIMES; i++)
        use_by_two();
    is(lost, 0, "what a function returned to a coroutine is kept when another task goes on in the state");
}

/* ---- who wakes as a mark ends ------------------------------------------------------------------------------------ */

/* In the stop after that in which Lua has looked for what is to be finalized the owner is woken, and sets finalizers of keys that are
 * not taken out of their table yet: so it waits until they are. */
static lua_State *late;
static uint32_t armed, woken, set;      /* atomic */
static struct lgc_state *patient;       /* atomic: for this state's owner marks wait as long as it takes, almost */
static struct hk_sem owner_waits, owner_wakes;
static unsigned given, called, bad;

static enum hgc_quiet quiet(void)
{
    static unsigned n, m;
    struct lgc_state *u = ld_rlx(&patient);
    if (u && m++ < 20000)               /* after Lua's, which counts */
        u->asked = 0;
    if (ld_rlx(&woken) == 1) {
        st_rlx(&woken, 2);
        hk_sem_post(&owner_wakes);
    }
    if (ld_rlx(&woken) == 2 && !ld_rlx(&set) && n++ < 500)
        return HGC_QUIET_LATER;
    uint32_t h = ld_rlx(&held_open);
    if (h)
        st_rlx(&held_open, h - 1);
    return h ? HGC_QUIET_LATER : HGC_QUIET;
}

static enum hgc_quiet end(void)         /* after Lua's */
{
    if (ld_rlx(&armed) && U(late)->separated) {
        st_rlx(&armed, 0);
        st_rlx(&woken, 1);
    }
    return HGC_QUIET;
}

static int count_finalized(lua_State *L)
{
    called++;
    bad += lua_getfield(L, 1, "n") != LUA_TNUMBER;
    return 0;
}

static void late_owner(void *arg)
{
    (void)arg;
    lua_State *L = late = open();
    lua_register(L, "finalized", count_finalized);
    run(L, "k = setmetatable({}, {__mode = 'k'}) for i = 1, 10 do k[{n = i}] = i end  mt = {__gc = finalized}"
           " function now() local n = 0 for o in pairs(k) do setmetatable(o, mt) n = n + 1 end return n end");
    run(L, "for i = 1, 50 do setmetatable({}, {__gc = function() end}) end");
    hk_sem_post(&owner_waits);
    hk_sem_wait(&owner_wakes, HK_FOREVER);
    lua_getglobal(L, "now");
    (void)lua_pcall(L, 0, 1, 0);
    given = (unsigned)lua_tointeger(L, -1);
    lua_settop(L, 0);
    st_rlx(&set, 1);
    hk_sem_wait(&owner_wakes, HK_FOREVER);
    run(L, "collectgarbage() collectgarbage() collectgarbage()");
}

static void finalizers(void)
{
    hk_sem_init(&owner_waits, 0);
    hk_sem_init(&owner_wakes, 0);
    struct task *o = start("late", late_owner);
    hk_sem_wait(&owner_waits, HK_FOREVER);
    until_waits(o);
    st_rlx(&armed, 1);
    hgc_collect(HGC_WAIT);
    hk_sem_post(&owner_wakes);
    (void)hk_task_join(o, NULL);
    hk_printf("# finalizers called %u of %u\n", called, given);
    /* The object right below a state's cell is kept: the root that names the state may be one past its end. */
    ok(given <= 1 && called + 1 >= given && !bad, "who wakes as a mark ends sees no key that is about to go");
}

/* ---- whose last user has ended ----------------------------------------------------------------------------------- */

static lua_State *left;

static void leaver(void *arg)
{
    (void)arg;
    left = open();
    run(left, "w = setmetatable({}, {__mode = 'v'}) w[1] = {} for i = 1, 10 do local t = {i} end");
}

static void ended(void)
{
    struct task *t = start("leaver", leaver);
    while ((ld_acq(&t->state) & TASK_STATE_MASK) != TASK_DEAD)
        hk_yield();
    (void)hgc_collect(HGC_WAIT);
    (void)hgc_collect(HGC_WAIT);
    lua_getglobal(left, "w");
    is(lua_geti(left, -1, 1), LUA_TNIL, "weak values are cleared though the state's last user has ended and was not joined");
    (void)hk_task_join(t, NULL);
}

/* ---- what was just popped ---------------------------------------------------------------------------------------- */

static unsigned marks, untaken;

/* C code may go on with what it takes off Lua's stack in a mark that has scanned its own.  So the state is taken before that. */
static void pops(void *arg)
{
    (void)arg;
    lua_State *L = open();
    lua_createtable(L, 0, 0);
    begin_mark();
    uint32_t cycle = hgc_cycle();
    lua_settop(L, 0);
    bool taken = ld_rlx(&U(L)->taken) == cycle;
    if (hgc_marking() && hgc_cycle() == cycle) {
        marks++;
        untaken += !taken;
    }
    hgc_wait_mark();
    lua_close(L);
}

static void popped(void)
{
    for (unsigned i = 0; i < TIMES; i++)
        in_task(pops);
    ok(marks > 0 && untaken == 0, "a state is taken before anything is taken off its stack");
}

/* ---- who makes nothing ------------------------------------------------------------------------------------------- */

static unsigned left_over;

static void calls(void *arg)
{
    (void)arg;
    lua_State *L = open();
    run(L, "w = setmetatable({}, {__mode = 'v'}) for i = 1, 50 do w[i] = {} end for i = 1, 10 do local t = {i} end");
    st_rlx(&patient, U(L));             /* the hart that calls may stand still for as long as a mark waits */
    begin_mark();
    while (hgc_marking()) {
        lua_pushnil(L);
        lua_settop(L, 0);
    }
    st_rlx(&patient, NULL);
    lua_getglobal(L, "w");
    for (int i = 1; i <= WEAK; i++) {
        left_over += lua_geti(L, -1, i) != LUA_TNIL;
        lua_settop(L, 1);
    }
    lua_close(L);
}

static void makes_nothing(void)
{
    in_task(calls);
    hk_printf("# %u of %u weak values left\n", left_over, (unsigned)WEAK);
    ok(left_over < WEAK / 2, "who only calls functions of Lua's that make nothing is taken, and waits, all the same");
}

/* ---- what verify mode takes for no reference --------------------------------------------------------------------- */

static bool is_stray[3];

static void words(void *arg)
{
    (void)arg;
    lua_State *L = open();
    const char *p = (const char *)L->stack;
    is_stray[0] = lgc_is_stray(task_self(), p);
    is_stray[1] = lgc_is_stray(task_self(), p + 6);
    is_stray[2] = lgc_is_stray(task_self(), L->stack_last + 100);
    lua_close(L);
}

static void strays(void)
{
    in_task(words);
    ok(!is_stray[0], "the address of a stack is a reference");
    ok(is_stray[1], "one that is not aligned is none");
    ok(is_stray[2], "nor is one a little beyond the stack");
}

/* ---- the number of a cycle wraps --------------------------------------------------------------------------------- */

enum { UNUSED = 200 };
static int handed_out;
static uint32_t done;                   /* atomic */

/* So that no hart is idle, and marks then. */
static void busy(void *arg)
{
    (void)arg;
    while (!ld_rlx(&done))
        ;
}

/* Each table is on the stack of a coroutine alone, which was not used in any mark.  In the mark numbered 0 it goes from there to
 * the caller's stack, which is taken already, and is not looked at again, because the list of what was used is lost. */
static void unused(void *arg)
{
    (void)arg;
    lua_State *L = open();
    run(L, "b = {} for i = 1, 50000 do b[i] = {i} end");
    run(L, "co = {} for i = 1, 200 do co[i] = coroutine.wrap(function() local x = {i} coroutine.yield() coroutine.yield(x)"
           " x = nil do local a, b, c, d, e, f end end) co[i]() end");
    set_cycle(UINT32_MAX);
    luaL_checkstack(L, UNUSED + 10, NULL);
    lua_getglobal(L, "co");
    begin_mark();
    for (int i = 1; i <= UNUSED; i++) {
        lua_geti(L, 1, i);
        lua_call(L, 0, 1);
        lua_geti(L, 1, i);
        lua_call(L, 0, 0);
    }
    U(L)->touched_lost = hgc_cycle();
    end_and_sweep();
    for (int i = 1; i <= UNUSED; i++)
        handed_out += lua_istable(L, 1 + i) && !is_freed(L, 1 + i);
    lua_close(L);
}

static void wraps(void)
{
    struct task *t = start("busy", busy);
    in_task(unused);
    st_rlx(&done, 1);
    (void)hk_task_join(t, NULL);
    is(handed_out, UNUSED, "what an unused coroutine gave away in the cycle numbered 0 is kept");
}

int app_main(void)
{
    static const struct hgc_runtime second = {.quiet = quiet, .end = end};
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .clobber = true, .no_auto = true, .min_trigger = 1 << 20};
    is(hgc_init(&config) | libc_heap(hk_mem_alloc(MANUAL), MANUAL), HGC_OK, "the heap starts");
    lua_close(luaL_newstate());         /* Lua's runtime comes first */
    is(hgc_runtime(&second), HGC_OK, "a second runtime");
    ended();
    strays();
    in_task(ballast);
    read_weak();
    popped();
    makes_nothing();
    emergency();
    two_users();
    finalizers();
    wraps();
    return tap_end();
}
