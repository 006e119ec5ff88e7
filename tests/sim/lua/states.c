/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lua states on the collector: each of some tasks runs a program that changes a graph of tables, closures, coroutines and
 * strings, in weak tables and out of them, with finalizers; each object says itself whether it is whole.  A state may be
 * made by one task, used by the next, and closed by a third, while cycles go on.
 *
 * Lua's own accesses are no scheduling points and have no weak memory here; those of its collector are.
 */
#include <string.h>
#include <sys/mman.h>

#include "gc/gc_internal.h"
#include "sim.h"
#include "states.h"
#include "workload.h"

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

enum { STATES = 2, HEAP = 384 * 1024, STACK = 64 * 1024 };

static const char program[] =
    "local choose, rounds = ...\n"
    "local live, n, fins = {}, 8, 0\n"
    "local v, k, kv = {}, {}, {}\n"
    "setmetatable(v, {__mode = 'v'}) setmetatable(k, {__mode = 'k'}) setmetatable(kv, {__mode = 'kv'})\n"
    "local function whole(o) if o.sum ~= o.a * 3 + 1 or o.s ~= 's' .. o.a then error('an object is not whole') end end\n"
    "local mt = {__gc = function(o) fins = fins + 1 whole(o) local t = {{o}} if choose(3) == 1 then live[choose(n)] = o end\n"
    "  end}\n"
    "local function make()\n"
    "  local a = choose(50)\n"
    "  local o = {a = a, sum = a * 3 + 1, s = 's' .. a}\n"
    "  local what = choose(5)\n"
    "  if what == 1 then o.f = function() return o end\n"
    "  elseif what == 2 then local x = {o} o.f = coroutine.wrap(function() while true do coroutine.yield(x[1]) x = {o} end end)\n"
    "  elseif what == 3 then setmetatable(o, mt) end\n"
    "  return o\n"
    "end\n"
    "local function check(o, d)\n"
    "  whole(o)\n"
    "  if o.f and o.f() ~= o then error('a closure or coroutine lost its object') end\n"
    "  if d > 0 then for i = 1, 2 do if o[i] then check(o[i], d - 1) end end end\n"
    "end\n"
    "for i = 1, n do live[i] = make() end\n"
    "for r = 1, rounds do\n"
    "  local o, what = live[choose(n)], choose(14)\n"
    "  if what == 1 then live[choose(n)] = make()\n"
    "  elseif what == 2 then o[choose(2)] = live[choose(n)]\n"
    "  elseif what == 3 then o[choose(2)] = nil\n"
    "  elseif what == 4 then v[choose(6)] = choose(2) == 1 and o or make()\n"
    "  elseif what == 5 then k[choose(2) == 1 and o or make()] = make()\n"
    "  elseif what == 6 then kv[make()] = o kv[o] = make()\n"
    "  elseif what == 7 then local w = v[choose(6)] if w then check(w, 1) live[choose(n)] = w end\n"
    "  elseif what == 8 then local w = k[o] if w then check(w, 1) o[1] = w end\n"
    "  elseif what == 9 then local t = {} for i = 1, choose(20) do t[i] = {i} end for i = 1, #t do\n"
    "      if t[i][1] ~= i then error('an array lost an element') end end o.t = t\n"
    "  elseif what == 10 then pcall(error, make())\n"
    "  elseif what == 11 then for x, y in pairs(kv) do check(x, 0) check(y, 0) end\n"
    "  elseif what == 12 then o.t = nil local t = {} for i = 1, choose(12) do t['k' .. i] = make() end\n"
    "      for i, x in pairs(t) do check(x, 0) t[i] = nil end\n"
    "  elseif what == 13 and choose(6) == 1 then collectgarbage(choose(3) == 1 and 'step' or 'collect')\n"
    "  else check(o, 2) end\n"
    "end\n"
    "for i = 1, n do check(live[i], 1) end\n"
    "function glance(rounds)\n"
    "  for i = 1, rounds do\n"
    "    local w, t = v[choose(6)], {live[choose(n)]}\n"
    "    if w then whole(w) live[choose(n)] = w end\n"
    "    check(t[1], 0)\n"
    "  end\n"
    "end\n";

/* Coroutines that are used once, long after they were made, and whose objects are in nothing but registers then.  Without weak tables
 * nothing of theirs is looked at a second time. */
static const char sleepers[] =
    "local choose, rounds = ...\n"
    "local all, n, a, b, c, d, e = {}, 16, {}, {}, {}, {}, {}\n"
    "a[1], b[1], c[1], d[1], e[1] = a, b, c, d, e\n"
    "local function sleeper() local x = {} x[1] = x return coroutine.wrap(function() return x end) end\n"
    "for i = 1, n do all[i] = sleeper() end\n"
    "for r = 1, 2 * rounds do\n"
    "  local i = choose(n)\n"
    "  if a[1] ~= a then error('a coroutine lost its object') end\n"
    "  a, b, c, d, e = b, c, d, e, all[i]()\n"
    "  all[i] = sleeper()\n"
    "end\n";

static unsigned left;                   /* atomic: tasks that have not ended */
static lua_State *states[STATES];
static struct hk_mutex in_use[STATES];
static bool closes[STATES];             /* in_use */
enum { MANUAL = 16 << 20 };
static char *manual;
static size_t manual_used;

static int choose(lua_State *L)
{
    lua_pushinteger(L, 1 + (lua_Integer)sim_choose((unsigned)luaL_checkinteger(L, 1)));
    return 1;
}

/* Memory that is not collected: at the same addresses in each run of a schedule, because Lua hashes some.  None is used again.
 * While a state is closed it takes its time, in which cycles pass. */
void *lua_states_memory(void *ud, void *p, size_t osize, size_t nsize)
{
    if (nsize == 0 && *(bool *)ud && sim_choose(2)) {
        (void)hgc_collect(HGC_START);
        hk_sleep(sim_choose(1000000));
    }
    if (nsize == 0 || (p && nsize <= osize))
        return nsize ? p : NULL;
    if (manual_used + nsize + 15 > MANUAL)
        return NULL;
    void *q = manual + manual_used;
    manual_used += (nsize + 15) & ~(size_t)15;
    return p ? memcpy(q, p, osize) : q;
}

static lua_State *make(unsigned s)
{
    static const luaL_Reg libs[] = {
        {LUA_GNAME, luaopen_base}, {LUA_COLIBNAME, luaopen_coroutine}, {LUA_TABLIBNAME, luaopen_table}, {NULL, NULL}};
    lua_State *L = lua_newstate(lua_states_memory, &closes[s]);
    if (!L)
        sim_fail("no memory for a state");
    for (const luaL_Reg *lib = libs; lib->func; lib++) {
        luaL_requiref(L, lib->name, lib->func, 1);
        lua_settop(L, 0);
    }
    return L;
}

static void run(lua_State *L)
{
    bool sleeps = sim_choose(3) == 0;
    if (luaL_loadbuffer(L, sleeps ? sleepers : program, (sleeps ? sizeof sleepers : sizeof program) - 1, "program"))
        sim_fail("%s", lua_tostring(L, -1));
    lua_pushcfunction(L, choose);
    lua_pushinteger(L, 5 + (lua_Integer)sim_choose(40));
    if (lua_pcall(L, 2, 0, 0))
        sim_fail("Lua: %s", lua_tostring(L, -1));
}

/* A use that is over before the next mark begins, as often as not. */
static void glance(lua_State *L)
{
    if (lua_getglobal(L, "glance") == LUA_TNIL) {
        lua_settop(L, 0);
        return;
    }
    lua_pushinteger(L, 1 + (lua_Integer)sim_choose(20));
    if (lua_pcall(L, 1, 0, 0))
        sim_fail("Lua: %s", lua_tostring(L, -1));
}

/* Whoever has a state makes it if there is none, uses it, and closes it, or leaves it to the next. */
static void user(void *arg)
{
    (void)arg;
    hgc_stacks_only(true);
    for (unsigned i = 0, n = 1 + sim_choose(8); i < n; i++) {
        unsigned s = sim_choose(STATES);
        hk_mutex_lock(&in_use[s]);
        bool glances = states[s] && sim_choose(4);
        lua_State *L = states[s] ? states[s] : make(s);
        (glances ? glance : run)(L);
        closes[s] = !glances && sim_choose(3) == 0;
        if (closes[s])
            lua_close(L);
        states[s] = closes[s] ? NULL : L;
        closes[s] = false;
        hk_mutex_unlock(&in_use[s]);
    }
    amo_add_rel(&left, -1);             /* [L-none: a count] */
}

/* A cycle marks some hundred objects, so they do not come after every few allocations, as in other workloads. */
static void start(void)
{
    struct hgc_config config = {.size = HEAP, .base = hk_mem_alloc(HEAP), .period_ns = HGC_PERIOD_OFF};
    config.verify = sim_choose(2);
    config.clobber = sim_choose(2);
    config.stress = sim_choose(3) == 0 ? 250 + sim_choose(500) : 0;
    config.percent = 10 + 20 * sim_choose(4);
    config.min_trigger = 16384;
    config.stoptheworld = sim_choose(8) == 0 ? 1 + sim_choose(2) : 0;
    if (sim_choose(4) == 0)
        workload_roles(&config);
    if (!config.base || hgc_init(&config) != HGC_OK)
        sim_fail("hgc_init failed");
    workload_cycle_wraps(6);
}

void lua_two_tasks(const char *name, void (*fn)(void *), void (*begins)(void *))
{
    struct hgc_config config = {.size = HEAP, .base = hk_mem_alloc(HEAP), .period_ns = HGC_PERIOD_OFF, .percent = HGC_PERCENT_OFF};
    struct hk_task_config tasks[] = {{.name = name, .stack_size = STACK}, {.name = "begins", .stack_size = STACK}};
    struct task *t[2];
    config.verify = sim_choose(4) == 0;
    if (!config.base || hgc_init(&config) != HGC_OK)
        sim_fail("hgc_init failed");
    workload_cycle_wraps(6);
    if (hk_task_create(&t[0], &tasks[0], fn, NULL) || hk_task_create(&t[1], &tasks[1], begins, NULL))
        sim_fail("no task");
    for (unsigned i = 0; i < 2; i++)
        hk_task_join(t[i], NULL);
}

int lua_states(void)
{
    struct task *tasks[4];
    unsigned n = 1 + sim_choose(3);
    manual_used = 0;
    manual = mmap((void *)0x500000000000, MANUAL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (manual == MAP_FAILED)
        sim_fail("no memory of the host's");
    unsigned what = sim_choose(3);
    if (what) {                     /* these are the shorter ones */
        (what == 1 ? lua_moves : lua_rests)();
        return 0;
    }
    start();
    st_rlx(&left, n);
    for (unsigned i = 0; i < n; i++) {
        struct hk_task_config config = {.name = "lua", .stack_size = STACK};
        if (hk_task_create(&tasks[i], &config, user, NULL))
            sim_fail("no task");
    }
    for (unsigned i = 0; i < n; i++)
        hk_task_join(tasks[i], NULL);
    hgc_collect(HGC_WAIT);
    for (unsigned s = 0; s < STATES; s++)
        if (states[s])
            lua_close(states[s]);
    return 0;
}
