/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtimes that have something to do as a mark ends: weak tables, finalizers in an order of their own.
 *
 * A runtime that has to wait for a task keeps the mark open by a root job that nobody does: then it is not quiet, and no hart
 * is kept from sleeping.  The job closes when the runtime may be asked again: when it says so, or after a while, because
 * what it waits for may come about without a word (a task begins to wait for something).
 */
#include "gc/gc_internal.h"

#define AGAIN_NS 200000         /* a few stops' time */

/* Under the lock no cycle begins, so each runtime is told of a cycle's beginning and asked about its end, or neither. */
int hgc_runtime(const struct hgc_runtime *r)
{
    if (!r)
        return HGC_EINVAL;
    hk_mutex_lock(&gc.start_lock);
    cycle_wait(ld_rlx(&gc.cycle));
    uint32_t n = ld_rlx(&gc.nruntimes);
    if (n < HGC_RUNTIMES) {
        gc.runtimes[n] = r;
        st_rlx(&gc.nruntimes, n + 1);   /* the stop of the next cycle orders it */
    }
    hk_mutex_unlock(&gc.start_lock);
    return n < HGC_RUNTIMES ? HGC_OK : HGC_ENOMEM;
}

bool hgc_marked(const void *p)
{
    struct object o;
    return !find_object((uintptr_t)p, &o) || object_marked(&o);
}

void runtime_begin(void)
{
    for (unsigned i = 0; i < ld_rlx(&gc.nruntimes); i++)
        if (gc.runtimes[i]->begin)
            gc.runtimes[i]->begin();
}

void hgc_let_run(struct task *task, bool on)
{
    if (!on || sched_gated())
        sched_let_run(task, on);
}

/* ---- later ------------------------------------------------------------------------------------------------------- */

/* A critical section: a task that took `later` back and then left its hart, in a stopped mode, would leave the job open. */
void hgc_ask_again(void)
{
    hal_crit_t c = hal_crit_enter();
    if (ld_rlx(&gc.later) && amo_swap_rlx(&gc.later, 0)) {
        amo_add_rel(&gc.jobs_open, -1);     /* [L-countdown.rel] */
        hart_wake_helper();
        worker_call();
    }
    hal_crit_exit(c);
}

static void again(void *arg)
{
    (void)arg;
    hgc_ask_again();
}

/* Whom it waits for may wait for the workers, who have nothing left to do. */
static void ask_later(void)
{
    hk_timer_cancel(&gc.later_timer);   /* it ran, or is to be run for an answer that came early */
    amo_add_rlx(&gc.jobs_open, 1);
    st_rlx(&gc.later, 1);
    assist_end();
    hk_timer_start(&gc.later_timer, hk_now() + AGAIN_NS, again, NULL);
}

/* ---- the end of a mark ------------------------------------------------------------------------------------------- */

static enum hgc_quiet highest(enum hgc_quiet a, enum hgc_quiet b)
{
    return a > b ? a : b;
}

bool runtime_look(void)
{
    enum hgc_quiet answer = HGC_QUIET;
    for (unsigned i = 0; i < ld_rlx(&gc.nruntimes); i++)
        if (gc.runtimes[i]->quiet)
            answer = highest(answer, gc.runtimes[i]->quiet());
    if (answer == HGC_QUIET_LATER)
        ask_later();
    return answer != HGC_QUIET;
}

bool runtime_stray(const struct task *t, uintptr_t word)
{
    for (unsigned i = 0; i < ld_rlx(&gc.nruntimes); i++)
        if (gc.runtimes[i]->stray && gc.runtimes[i]->stray(t, (const void *)word))
            return true;
    return false;
}

/* Without the job a mark with nothing left to do would try to end again at once, and keep tasks from what it waits for. */
bool runtime_end(void)
{
    enum hgc_quiet answer = HGC_QUIET;
    for (unsigned i = 0; i < ld_rlx(&gc.nruntimes); i++)
        if (gc.runtimes[i]->end)
            answer = highest(answer, gc.runtimes[i]->end());
    if (answer == HGC_QUIET_LATER)
        ask_later();
    return answer == HGC_QUIET;
}
