/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/luastore/team.h"

#include "lauxlib.h"
#include "lualib.h"

/* Deep enough for Lua's compiler; parser and printer do not recurse. */
enum { STACK = 128 << 10 };

static struct member members[HK_MAX_HARTS];
static uint32_t failed;                 /* atomic */

bool team_failed(void)
{
    return ld_rlx(&failed) != 0;
}

const struct member *team_member(unsigned i)
{
    return &members[i];
}

uint64_t team_sum(unsigned i)
{
    uint64_t sum = 0;
    for (unsigned m = 0; m < hk_harts(); m++)
        sum += members[m].result[i];
    return sum;
}

static void fail(const struct member *m, const char *what)
{
    st_rlx(&failed, 1);                 /* orders nothing: tasks are joined before it counts */
    hk_printf("luastore: state %u: %s\n", m->number, what);
}

/* ---- in a state's task ------------------------------------------------------------------------------------------- */

/* Anything may throw here: it is called by lua_pcall. */
static int open_state(lua_State *L)
{
    luaL_openlibs(L);
    job_open(L);
    if (luaL_loadfile(L, lua_touserdata(L, 1)))
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

static int call_phase(lua_State *L)
{
    struct member *m = member_of(L);
    lua_getglobal(L, m->phase);
    lua_call(L, 0, (int)m->results);
    for (unsigned i = 0; i < m->results; i++)
        m->result[i] = (uint64_t)luaL_checkinteger(L, (int)(i + 1 - m->results) - 1);
    return 0;
}

static void pcall(struct member *m, lua_CFunction fn, const void *arg)
{
    lua_pushcfunction(m->L, fn);
    lua_pushlightuserdata(m->L, (void *)(uintptr_t)arg);
    if (lua_pcall(m->L, 1, 0, 0) != LUA_OK) {
        const char *what = lua_tostring(m->L, -1);
        fail(m, what ? what : "an error without a message");
        lua_pop(m->L, 1);
    }
}

/* Between phases nobody uses the state, and any task may be its next user. */
static void phase_task(void *arg)
{
    struct member *m = arg;
    hgc_stacks_only(true);              /* all references that this task has are in Lua's stacks */
    pcall(m, call_phase, NULL);
}

static const char *script;

static void start_task(void *arg)
{
    struct member *m = arg;
    hgc_stacks_only(true);
    m->L = luaL_newstate();
    if (!m->L) {
        fail(m, "no memory for a state");
        return;
    }
    *(struct member **)lua_getextraspace(m->L) = m;
    pcall(m, open_state, script);
}

static void end_task(void *arg)
{
    struct member *m = arg;
    hgc_stacks_only(true);
    lua_close(m->L);
    m->L = NULL;
}

/* ---- for all states ---------------------------------------------------------------------------------------------- */

static void run_tasks(const char *name, void (*fn)(void *))
{
    struct hk_task_config config = {.name = name, .stack_size = STACK};
    unsigned started = 0;
    for (; started < hk_harts(); started++) {
        struct member *m = &members[started];
        m->number = started;
        if (hk_task_create(&m->task, &config, fn, m)) {
            fail(m, "no memory for a task");
            break;
        }
    }
    for (unsigned i = 0; i < started; i++)
        if (hk_task_join(members[i].task, NULL))
            fail(&members[i], "its task ended by a fault");
}

int team_start(const char *path)
{
    script = path;
    run_tasks("start", start_task);
    return team_failed() ? -1 : 0;
}

void team_run(const char *phase, unsigned results)
{
    if (team_failed())
        return;
    for (unsigned i = 0; i < hk_harts(); i++) {
        members[i].phase = phase;
        members[i].results = results;
    }
    run_tasks(phase, phase_task);
}

void team_end(void)
{
    run_tasks("end", end_task);
}
