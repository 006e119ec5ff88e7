/* SPDX-License-Identifier: Apache-2.0 */
/* Two tasks for each hart, which do one phase of the program together; what they count; and the first thing that goes
 * wrong in any of them. */
#ifndef JSONSTORE_TEAM_H
#define JSONSTORE_TEAM_H

#include <stdbool.h>
#include <stdint.h>

#include "gc/hgc.h"
#include "kernel/config.h"
#include "kernel/hk.h"

/* Written by its own task only, read after that was joined.  It lies outside the heap and is no root: no references. */
struct member {
    unsigned number;            /* 0 .. members - 1 */
    struct task *task;
    void (*fn)(struct member *);
    /* Of this phase: */
    uint64_t documents;         /* parsed, edited or printed */
    uint64_t lookups;           /* that found something */
    uint64_t bytes;             /* printed */
    uint64_t history;           /* sum of history_term (tools/jsongen.py) */
    /* Of all phases: */
    uint64_t ops_marking[HK_MAX_HARTS];     /* operations, by hart, that began while the phase was MARK */
};

/* Runs fn in two tasks for each hart and waits for all.  0, or -1: something was reported by team_fail. */
int team_run(const char *name, void (*fn)(struct member *));
unsigned team_size(void);
const struct member *team_member(unsigned i);
/* Counts an operation of the program. */
static inline void team_op(struct member *m)
{
    if (hgc_marking())
        m->ops_marking[hk_hart()]++;
}
/* Prints what went wrong, one line, the first time it is called; from then on team_failed is true, and whoever works in a
 * loop leaves it.  Task. */
void team_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool team_failed(void);
/* Text of any length, and with any bytes, cut to be printed with %s. */
struct label { char s[48]; };
struct label label_of(const void *bytes, size_t length);

/* A channel through which the tasks of a team pass references.  Like hgc_chan's, but a task that waits for a minute calls
 * team_fail and gives up: those at the other end are gone, by a fault that the kernel has reported. */
int team_send(struct hgc_chan *c, void *reference);
int team_recv(struct hgc_chan *c, void **reference);

/* Hands out 0, 1, 2, ... to several tasks. */
struct counter {
    struct hk_mutex lock;
    uint32_t next;
};
uint32_t counter_take(struct counter *c);

#endif
