/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collecting in steps, by a task of the program: the host drives.
 *
 * A step does what is next, a piece at a time: mark, sweep, or begin the cycle that is due.  Marking is a drain like a
 * worker's, counted in gc.active, and what it does is credit for tasks in debt.  Two things are left to a worker, which
 * runs inside the step as the task leaves its hart: to scan the task's own stack, which must stand still for it, and to end
 * the mark, which is done by tasks whose stack is no root.  On a hart that is kept free another hart's worker is called.
 *
 * Each step that finds something takes a piece before it looks at its budget, so that steps alone finish a cycle.
 */
#include "gc/gc_internal.h"

/* What things cost in instructions on rv64gc, as tests/image/gc-step-cost.c measures it: a byte searched costs 3 to 13, by how
 * many references there are. */
enum { PER_BYTE = 5, PER_MARK = 80, PER_PIECE = 100, PER_SWEEP = 220, PER_STOP = 5000 };

#define LONGEST (INT64_MAX / 4000)      /* microseconds: then no sum of times wraps */

struct step {
    bool counted;               /* the budget is in instructions: `left`; else `until`, a time */
    int64_t left;
    uint64_t until;
    bool begins;                /* a cycle, even if none is due; if one was going on, it does not */
};

static int64_t left(const struct step *s)
{
    return s->counted ? s->left : (int64_t)(s->until - hal_time_ns()) / 1000;
}

static bool is_over(const struct step *s)
{
    return s->counted ? s->left <= 0 : hal_time_ns() >= s->until;
}

/* False: there is nothing to be had. */
static bool mark_piece(struct step *s, struct gc_hart *g)
{
    uintptr_t bytes = hart_searched(g), marked = ld_rlx(&g->marked_objects);
    if (!drain_piece(false))
        return false;
    bytes = hart_searched(g) - bytes;
    s->left -= PER_PIECE + (int64_t)bytes * PER_BYTE + (int64_t)(ld_rlx(&g->marked_objects) - marked) * PER_MARK;
    return true;
}

static bool kept_free_here(void)
{
    return ld_rlx(&hal_hart(hk_hart())->kept_free);
}

/* Marks until the budget is used, or the hart is wanted.  False: there was nothing to be had. */
static bool mark(struct step *s)
{
    drain_enter();
    struct gc_hart *g = gc_self();
    bool on = gc_is_on(), any = false;  /* if on, until this drain ends; if not, a mark may begin in between */
    uint64_t begin = hal_time_ns();
    uintptr_t from = hart_work(g);
    while (on && mark_piece(s, g)) {
        any = true;
        if (is_over(s) || hart_resched_due())
            break;
    }
    if (any) {
        uint64_t ns = hal_time_ns() - begin;
        assist_credit(hart_work(g) - from);
        g->step_ns += ns;
        own_add(&g->step_us, ns / 1000);
    }
    root_wipe_below();                  /* before this task may leave its hart */
    drain_leave();
    return any;
}

/* There is nothing to mark.  False: others are at the last of it, or end the mark. */
static bool end_mark(struct step *s)
{
    if (!gc_is_on())
        return true;
    if (kept_free_here() || !cycle_quiet() || ld_rlx(&gc.terminating))
        return false;
    hk_yield();                         /* to the worker, which worker_pick offers when it is quiet */
    s->left -= PER_STOP;
    return !gc_is_on() || !cycle_quiet();
}

static bool begin_cycle(struct step *s)
{
    uint32_t begun = ld_rlx(&gc.cycle);
    if (!s->begins && !cycle_wanted())
        return false;
    cycle_start_stepped(s->begins, begun);
    s->begins = false;
    s->left -= PER_STOP;
    return true;
}

/* Does what is next.  False: there is nothing to do for this task. */
static bool piece(struct step *s)
{
    if (gc_is_on())
        return mark(s) || end_mark(s);
    unsigned swept = sweep_some(SWEEP_PIECE);
    s->left -= (int64_t)(swept * PER_SWEEP);
    return swept || begin_cycle(s);
}

static bool going_on(void)
{
    return gc_is_on() || ld_rlx(&gc.sweep_next) < gc.nblocks;
}

int64_t hgc_step(int64_t budget, unsigned how)
{
    hk_assert(task_may_wait());
    if (budget > LONGEST && !(how & HGC_STEP_INSTRUCTIONS))
        budget = LONGEST;
    if (budget <= 0 || !gc.nblocks || how & ~(unsigned)(HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE))
        return budget;
    struct step s = {.counted = how & HGC_STEP_INSTRUCTIONS, .left = budget};
    s.begins = (how & HGC_STEP_CYCLE) && !going_on();
    if (!s.counted)
        s.until = hal_time_ns() + (uint64_t)budget * 1000;
    stacks_wait_begin();
    bool found;
    do
        found = piece(&s);
    while (found && !is_over(&s));
    stacks_wait_end();
    int64_t rest = left(&s);
    return rest > 0 || (found && (going_on() || cycle_wanted())) ? rest : 1;    /* or who wants one cycle would begin another */
}

/* Is there something that a step of this task would do? */
static bool any_work(void)
{
    if (gc_is_on())
        return root_any() || markq_any() || (!ld_rlx(&gc.terminating) && cycle_quiet());
    return ld_rlx(&gc.sweep_next) < gc.nblocks || cycle_wanted();
}

bool hgc_idle(uint64_t deadline_ns)
{
    hk_assert(task_may_wait());
    struct step s = {.until = deadline_ns};
    while (!is_over(&s) && piece(&s)) {
    }
    return any_work();
}
