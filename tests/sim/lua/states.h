/* SPDX-License-Identifier: Apache-2.0 */
/* What the workload of Lua states consists of. */
#ifndef STATES_H
#define STATES_H

#include <stddef.h>

/* A lua_Alloc; ud: a bool, the state is being closed. */
void *lua_states_memory(void *ud, void *p, size_t osize, size_t nsize);

/* A heap in which no cycle begins by itself, and two tasks on it, until both have ended: `fn`, and one that begins cycles. */
void lua_two_tasks(const char *name, void (*fn)(void *), void (*begins)(void *));

/* moves.c, rests.c: a heap and tasks of their own. */
void lua_moves(void);
void lua_rests(void);

#endif
