/* SPDX-License-Identifier: Apache-2.0 */
/* One Lua state for each hart, and tasks that run a phase of the program in them. */
#ifndef LUASTORE_TEAM_H
#define LUASTORE_TEAM_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/jsonstore/corpus.h"
#include "gc/hgc.h"
#include "kernel/config.h"
#include "kernel/hk.h"
#include "lua.h"

enum { RESULTS = 4 };

/* Written by the state's task only, read after that was joined. */
struct member {
    unsigned number;            /* 0 .. hk_harts() - 1 */
    lua_State *L;               /* open: so the collector knows it */
    struct task *task;
    const char *phase;          /* a global function of the state; NULL: the state is made, or closed */
    unsigned results;           /* that it returns */
    uint64_t result[RESULTS];
    struct corpus_file file;    /* that job.take gave last */
    uint64_t ops_marking[HK_MAX_HARTS];         /* operations, by hart, that began while the phase was MARK */
};

/* Makes the states and runs `script` in each.  0 or -1.  Task. */
int team_start(const char *script);
/* Calls the global function `phase` in all states, each in a task of its own, and waits for them.  Task. */
void team_run(const char *phase, unsigned results);
/* Closes the states, each in a task of its own.  Task. */
void team_end(void);
/* Of the last phase: the sum of all states' i-th results. */
uint64_t team_sum(unsigned i);
const struct member *team_member(unsigned i);
/* Something went wrong in a state, and was reported. */
bool team_failed(void);

/* job.c: the global table `job` of a state, whose member is in lua_getextraspace. */
void job_open(lua_State *L);
static inline struct member *member_of(lua_State *L) { return *(struct member **)lua_getextraspace(L); }

/* report.c: what the collector did, and what each hart did while marking was on.  -1: a column is all zero.  Samples whether a
 * mark is on, by an interrupt, while the run goes on. */
int report(void);
void sample_start(void);
void sample_stop(void);

#endif
