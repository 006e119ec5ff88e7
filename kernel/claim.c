/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims: the collector holds a task that does not run while it scans its stack.
 *
 * The rules K1 to K3 stand in task.h.  Each wish of task_claim_leave has exactly one of four ends: it is granted on the
 * spot; the leaving task's compare-and-swap turns TASK_WANT into TASK_CLAIM and `claimed` is called once the context is
 * saved; that compare-and-swap makes the task DEAD, and `died` is called with claim_want set; or the task takes it back
 * itself (task_claim_take_back).
 */
#include "kernel/kernel_internal.h"

/* Adds the claim, or the wish, if the state allows it.  Table locked, so `t` cannot go away. */
static enum task_claim add_claim(struct task *t, bool want)
{
    for (;;) {
        uint32_t s = ld_rlx(&t->state), state = s & TASK_STATE_MASK;
        if ((s & (TASK_CLAIM | TASK_WANT)) || state == TASK_DEAD)
            return TASK_NONE;
        if (state == TASK_RUNNING && !want)
            return TASK_ON_HART;
        /* acq: what the task did before it left (partner: sched_leave); t->hart (partner: queue_dispatch) */
        /* [L-leave.acq, L-where.acq] */
        if (cas_acq(&t->state, s, s | (state == TASK_RUNNING ? TASK_WANT : TASK_CLAIM)))
            return state == TASK_RUNNING ? TASK_ON_HART : TASK_CLAIMED;
    }
}

static enum task_claim claim(unsigned slot, struct task **out, bool want)
{
    unsigned hart = 0;
    hal_crit_t c = hal_crit_enter();
    hk_assert(hal_self()->pin > 0);
    struct task *t = task_lock_slot(slot);
    enum task_claim got = t && !t->no_stack_roots ? add_claim(t, want) : TASK_NONE;
    if (got != TASK_NONE) {
        *out = t;
        hart = ld_rlx(&t->hart);
    }
    task_unlock_slot();
    hal_crit_exit(c);
    if (got == TASK_ON_HART && want)
        hart_kick(hart);                /* it runs there, or has left since: then the kick does no harm */
    /* [L-leave.busy] */
    while (got == TASK_CLAIMED && ld_acq(&t->busy) != 0)    /* K2.  Partner: hal_switch, soon: see sched.c */
        ;
    return got;
}

enum task_claim task_claim(unsigned slot, struct task **t)
{
    return claim(slot, t, false);
}

enum task_claim task_claim_leave(unsigned slot, struct task **t)
{
    return claim(slot, t, true);
}

bool task_claim_take_back(void)
{
    struct task *t = task_self();
    uint32_t s;
    do {
        s = ld_rlx(&t->state);
        if (!(s & TASK_WANT))
            return false;
    } while (!cas_acq(&t->state, s, s & ~TASK_WANT));       /* [L-none: only the atomicity counts] */
    return true;
}

void task_unclaim(struct task *t)
{
    hal_crit_t c = hal_crit_enter();
    for (;;) {
        uint32_t s = ld_rlx(&t->state);
        bool kicked = s & TASK_KICK;
        hk_assert(s & TASK_CLAIM);
        /* full: our reads of its stack come before anybody resumes it (partner: queue_dispatch), and who kicked it has
         * unlinked it before we link it (partner: the cas_rel there) */
        if (!cas_full(&t->state, s, s & ~(TASK_CLAIM | TASK_KICK)))     /* [L-unclaim.rel, L-kick.acq, L-wake.acq] */
            continue;
        if (kicked)
            queue_put(t);
        break;
    }
    hal_crit_exit(c);
}
