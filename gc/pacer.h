/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pacer: when a cycle starts, how far the heap may grow, how much an allocating task owes, how fast the sweep goes, and
 * when the collector has had enough.
 *
 * Pure functions over two structures: no atomics, no globals, no clock.  All that they know comes in as arguments, so a
 * simulator drives them on the host (tests/unit/pacer.c); pace.c drives them in the collector and holds a lock meanwhile.
 * Bytes and nanoseconds are 64 bits wide on every machine; there is no floating point.  Products saturate.
 *
 * P1  live <= trigger <= goal, and goal <= limit unless live is above the limit already: then all three are live.
 * P2  Work is bytes: of objects and roots searched, and of leaves marked; the sum of hart_work.
 */
#ifndef GC_PACER_H
#define GC_PACER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PACER_SHIFT = 16,           /* fractional bits of a ratio */
    PACER_PAST = 4,             /* cycles whose rates count */
};
#define PACER_PERCENT_OFF UINT32_MAX    /* no percent: only the limit makes a goal */

struct pacer {
    /* settings */
    uint64_t arena;             /* bytes of all blocks */
    uint64_t limit;             /* the heap shall stay below it */
    uint64_t least;             /* no cycle below it */
    uint32_t percent;

    /* what the last cycle found */
    uint64_t live;              /* marked, and allocated while it marked */
    uint64_t newborn;           /* the latter: nobody knows yet what of it is live */
    uint64_t stacks, roots;     /* bytes scanned beside the heap */
    uint64_t work;

    /* learnt */
    uint64_t past[PACER_PAST];  /* allocation rate over mark rate, each of one hart's time; 0: not known */
    uint32_t next;              /* where the next one goes */
    uint32_t low;               /* the trigger's lower bound, in 64ths of the way from live to goal */

    /* what follows from these */
    uint64_t goal, trigger;

    /* the cycle that runs */
    uint64_t began;             /* in use when it began: no more than that can be left to mark */
    uint32_t assist;            /* work owed per byte allocated, PACER_SHIFT fractional bits, saturated */
};

/* What one cycle measured. */
struct pacer_cycle {
    uint64_t live, stacks, roots, work;
    uint64_t allocated;         /* bytes, while it marked */
    uint64_t mark_ns;           /* harts' time spent on marking, by workers of every mode and by assists */
    uint64_t assist_ns;         /* of tasks, spent on assists or in waiting for the mark */
    uint64_t wall_ns;           /* length of the mark */
    uint32_t harts;
};

/* `limit` 0: the arena less an eighth. */
void pacer_init(struct pacer *p, uint64_t arena, uint64_t limit, uint64_t least, uint32_t percent);
/* Changes a setting and computes goal and trigger again.  Limit as above, never above the arena. */
void pacer_set_percent(struct pacer *p, uint32_t percent);
void pacer_set_limit(struct pacer *p, uint64_t limit);

/* A cycle begins, with `used` bytes in use. */
void pacer_begin(struct pacer *p, uint64_t used);
/* The assist ratio for the rest of the mark: what is left to mark over what is left to allocate. */
uint32_t pacer_revise(struct pacer *p, uint64_t used, uint64_t work);
/* A cycle has ended: learns from it, and computes the next goal and trigger. */
void pacer_end(struct pacer *p, const struct pacer_cycle *c);

/* How many bytes may be allocated for each block that is swept, so that `blocks` are swept before the trigger; 1 at least. */
uint64_t pacer_sweep_step(const struct pacer *p, uint64_t used, uint64_t blocks);

/* The limiter: a bucket that the collector's time fills and the program's empties.  While it is full the collector has had
 * more than half of the time, by a second of each hart.  It saves no credit: an idle hour buys no second of collecting.  It
 * limits until an eighth has run out again: a bucket that is full to the brim would forget what spills over. */
struct limiter {
    uint64_t fill, capacity;    /* ns */
    bool limiting;
};
#define LIMITER_NS_PER_HART UINT64_C(1000000000)

void limiter_init(struct limiter *l, uint32_t harts);
void limiter_update(struct limiter *l, uint64_t gc_ns, uint64_t program_ns);

/* Shall an allocation of `size` bytes fail?  When the limiter limits, the heap would pass the limit, and the last cycle found
 * so much live that less than an eighth is left below it, so that more cycles would gain little.  What was allocated while it
 * marked does not count: where the collector comes late, that may be all of the heap, and garbage. */
bool pacer_refuses(const struct pacer *p, bool limiting, uint64_t used, uint64_t size);

/* a * num / den, saturated; exact but for the bits that numbers above 32 bits lose. */
uint64_t pacer_scale(uint64_t a, uint64_t num, uint64_t den);

#endif
