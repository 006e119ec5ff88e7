/* SPDX-License-Identifier: Apache-2.0 */
/* Stock Lua's collector is entered by three functions; a finalizer that runs in one of them may enter them again. */
#include "lgc.h"
#include "ports/lua/measure.h"

void __real_luaC_step(lua_State *L);
void __wrap_luaC_step(lua_State *L);
void __real_luaC_fullgc(lua_State *L, int emergency);
void __wrap_luaC_fullgc(lua_State *L, int emergency);
void __real_luaC_changemode(lua_State *L, int mode);
void __wrap_luaC_changemode(lua_State *L, int mode);

/* malloc without libc's locks, which are a third of all instructions here, and would not be there on a machine of one
 * thread: stock Lua shall be as fast as it is there. Lua's task alone calls malloc. */
struct _reent;
void __wrap___malloc_lock(struct _reent *r);
void __wrap___malloc_unlock(struct _reent *r);

void __wrap___malloc_lock(struct _reent *r)
{
    (void)r;
}

void __wrap___malloc_unlock(struct _reent *r)
{
    (void)r;
}

size_t measure_heap(void)
{
    return 0;
}

static int depth;

/* Generations begin with a whole collection. */
void __wrap_luaC_changemode(lua_State *L, int mode)
{
    if (depth++ == 0)
        MEASURE_BEGIN(MEASURE_COLLECT);
    __real_luaC_changemode(L, mode);
    if (--depth == 0)
        MEASURE_END(MEASURE_COLLECT);
}

void __wrap_luaC_step(lua_State *L)
{
    if (depth++ == 0)
        MEASURE_BEGIN(MEASURE_PAUSE);
    __real_luaC_step(L);
    if (--depth == 0)
        MEASURE_END(MEASURE_PAUSE);
}

static void emergency_collect(lua_State *L)
{
    MEASURE_BEGIN(MEASURE_PAUSE);
    __real_luaC_fullgc(L, 1);
    MEASURE_END(MEASURE_PAUSE);
}

static void collect(lua_State *L)
{
    MEASURE_BEGIN(MEASURE_COLLECT);
    __real_luaC_fullgc(L, 0);
    MEASURE_END(MEASURE_COLLECT);
}

void __wrap_luaC_fullgc(lua_State *L, int emergency)
{
    if (depth++ > 0)
        __real_luaC_fullgc(L, emergency);
    else
        (emergency ? emergency_collect : collect)(L);
    depth--;
}
