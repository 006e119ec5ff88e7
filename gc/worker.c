/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mark workers: one task a hart, parked where the scheduler finds it.  A worker runs while its hart has nothing else to
 * do, and otherwise until it has had a quarter of the hart's time since the mark began; three quarters when the heap has
 * passed its goal, so that the mark ends before the arena does (there are no assists yet).
 *
 * gc.active counts drains from before they take until after they leave, so "quiet" (nothing queued, no drain, no job)
 * means that nobody can still find work.  A worker that parks is looked at again by its hart's scheduler, after it has
 * parked: no wake-up is lost between "found nothing" and "parked".
 */
#include "gc/gc_internal.h"

static bool work_any(void)
{
    return root_any() || markq_any();
}

static void drain(void)
{
    hart_pin();
    /* [L-quiet-take.acq] */
    amo_add_ar(&gc.active, 1);          /* before it takes; partner: cycle_quiet reads work first, then active */
    struct gc_hart *g = gc_self();
    uint64_t begin = hal_time_ns();
    struct block *b;
    while (gc_is_on()) {
        if (root_job()) {
        } else if ((b = markq_take())) {
            mark_block(b);
        } else {
            break;
        }
        if (hart_resched_due())
            break;
    }
    uint64_t ns = hal_time_ns() - begin;
    g->worker_ns += ns;
    own_add(&g->worker_us, ns / 1000);
    amo_add_ar(&gc.active, -1);         /* [L-quiet-leave.rel, L-last-one.rel, L-last-one.acq] */
    hart_unpin();
}

static void worker_main(void *arg)
{
    (void)arg;
    for (;;) {
        if (gc_is_on()) {
            drain();
            cycle_try_end();
        }
        task_park(NULL, hal_crit_enter());
    }
}

struct task *worker_pick(struct hart *h, bool idle)
{
    struct gc_hart *g = gc_of(h);
    if (ld_rlx(&gc.terminating) == 1 + h->index)
        return g->worker;           /* all may wait for what it ends: a task of higher priority does not keep it from that */
    if (ld_rlx(&hgc_phase) != GC_MARK)
        return NULL;
    unsigned quarters = ld_rlx(&gc.used) > ld_rlx(&gc.goal) ? 3 : 1;
    if (!idle && g->worker_ns * 4 > (hal_time_ns() - g->cycle_ns) * quarters)
        return NULL;
    if (work_any() || (!ld_rlx(&gc.terminating) && cycle_quiet()))
        return g->worker;
    return NULL;
}

void worker_init(void)
{
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        char name[20];
        hk_snprintf(name, sizeof(name), "mark/%u", i);
        struct gc_hart *g = gc_of(hal_hart(i));
        g->work_from = i + 1;
        g->worker = task_create_bound(name, i, worker_main, NULL);
    }
}
