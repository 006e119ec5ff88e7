/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping the world, and ragged handshakes.
 *
 * I3: after world_stop returns, no other hart executes a heap store, an allocation or a barrier until world_start (a
 * handler's store into its own fresh cell excepted).
 * I2: inside a critical section a hart never waits for another hart's task, and never for the world.
 *
 * How: the initiator takes the world lock (waited for outside critical sections), pins itself, writes the request and a
 * new epoch, and sends an IPI to every other hart.  Each takes it in its trap handler, on any instruction outside a
 * critical section: registers are saved, restartable sequences rewound, then it runs `prepare`, acknowledges with
 * release, and waits for the epoch of the start.  "Go" is an epoch, not a flag: a hart that has not yet left stop k is
 * never counted into stop k + 1.
 */
#ifndef KERNEL_WORLD_H
#define KERNEL_WORLD_H

#include "kernel/hart.h"

/* For the counters and the reports. */
enum world_reason { WORLD_MARK_START, WORLD_MARK_TERM, WORLD_HANDSHAKE, WORLD_OTHER, WORLD_REASONS };

/* Stops every other hart.  `prepare` (may be NULL) runs on each hart, the initiator included, before it acknowledges:
 * its own share of the work, in parallel, with interrupts off, bounded.  Task context, not pinned, not critical; returns
 * pinned.  Between stop and start the caller uses spinlocks only: no mutex, no park, no allocation. */
void world_stop(enum world_reason reason, void (*prepare)(struct hart *h, void *arg), void *arg);
void world_start(void);
/* Runs fn once on every hart, in its trap handler (on the caller's hart: in a critical section), one after another in any
 * order, while the others go on; returns when all have.  Task context, as world_stop. */
void world_each_hart(void (*fn)(struct hart *h, void *arg), void *arg);
/* Does this hart stand in a stop that another one began for that reason?  Only a handler finds itself there.  Critical. */
bool world_stands(enum world_reason reason);
/* Is the world stopped now (by anyone)?  Any context. */
bool world_stopped(void);

struct world_times {
    uint64_t stops[WORLD_REASONS];
    uint64_t total_ns[WORLD_REASONS];   /* from all acknowledged to start */
    uint64_t max_ns[WORLD_REASONS];
    uint64_t last_ns, last_wait_ns;     /* the last stop: stopped time; request until all had acknowledged */
};
/* Filled under the world lock by each stop; the initiator may read it between stop and the next. */
extern struct world_times world_times;

#endif
