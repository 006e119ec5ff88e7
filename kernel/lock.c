/* SPDX-License-Identifier: Apache-2.0 */
/* Spinlocks.  One test-and-set word: critical sections are short, so fairness is not worth a queue. */
#include "kernel/lock.h"

#include "hal_mark.h"
#include "kernel/hart.h"
#include "kernel/hk.h"

static uint32_t me(void)
{
    return 1 + hal_self()->index;
}

bool spin_try(struct spinlock *l)
{
    return cas_acq(&l->held, 0, me());      /* partner: spin_unlock [L-spinlock.acq] */
}

void spin_lock(struct spinlock *l)
{
    hk_assert(hal_crit_held());
    hk_assert(!spin_holding(l));
    if (spin_try(l))
        return;
    HAL_MARK(HAL_MARK_WAIT_BEGIN);          /* not counted as our work: it is the holder's, and counted there */
    do
        while (ld_rlx(&l->held) != 0)       /* read only: does not take the line from the holder */
            ;
    while (!spin_try(l));
    HAL_MARK(HAL_MARK_WAIT_END);
}

void spin_unlock(struct spinlock *l)
{
    hk_assert(spin_holding(l));
    st_rel(&l->held, 0);                    /* partner: spin_try [L-spinlock.rel] */
}

bool spin_holding(struct spinlock *l)
{
    return ld_rlx(&l->held) == me();        /* nobody else writes our own number */
}
