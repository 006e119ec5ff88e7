/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices.  A hart has a tick only while it runs a task and either other tasks wait in its queue or the collector wants to
 * be asked (sched_ticks).  So a hart with one task, or none, is never interrupted for nothing.
 *
 * `ticking` says that a tick is armed.  Who puts a task in the queue and finds it 0 sends an IPI; the hart clears it, then
 * a full fence, then looks at its queue (the pair of the fence in queue.c).
 */
#include "kernel/kernel_internal.h"

static uint32_t always;         /* atomic: sched_ticks(true) */

void tick_update(struct hart *h)
{
    if (ld_rlx(&h->ticking) || ld_rlx(&h->current) == h->idle)
        return;
    if (ld_rlx(&h->queued) == 0 && (!ld_rlx(&always) || ld_rlx(&h->kept_free)))
        return;
    st_rlx(&h->ticking, 1);
    h->slice_end = hal_time_ns() + HK_TICK_NS;
    timer_arm(h);
}

void tick_restart(struct hart *h)
{
    st_rlx(&h->ticking, 0);
    h->slice_end = UINT64_MAX;
    fence_full();               /* partner: queue.c tell [L-sleep.hart] */
    tick_update(h);
}

void tick_expire(struct hart *h, uint64_t now)
{
    if (now < h->slice_end)
        return;
    h->slice_end = UINT64_MAX;
    st_rlx(&h->ticking, 0);
    st_rlx(&h->resched, 1);     /* for this hart alone: read at the exit of this trap, or as the pinned section ends */
}

void sched_ticks(bool on)
{
    st_rlx(&always, on);
    if (!on || !start_done())
        return;                 /* ticks that are armed run out */
    hal_crit_t c = hal_crit_enter();
    struct hart *self = hal_self();
    tick_update(self);
    for (unsigned i = 0; i < hal_hart_count(); i++)
        if (i != self->index && ld_rlx(&hal_hart(i)->running_prio) > 0)
            hal_ipi_send(i);    /* orders `always` before it; the IPI hook arms the tick */
    hal_crit_exit(c);
}
