/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hart does when it has nothing to do: it sleeps until an interrupt.
 *
 * Sleeping and waking:
 *     the hart, interrupts off:                   who brings work:
 *         asleep = 1                                  publishes the work
 *         fence_full                                  fence_full
 *         looks for work; none: hal_wait              if (asleep) sends an IPI
 * One of the two sees the other's store, so work never waits for a hart that sleeps.  An IPI that comes before hal_wait is
 * pending there, and ends it.  The waker takes `asleep` back with a swap, so that two wakers wake two harts.
 */
#include "kernel/kernel_internal.h"

bool hart_wake(struct hart *h)
{
    if (!ld_rlx(&h->asleep) || !amo_swap_rlx(&h->asleep, 0))
        return false;
    hal_ipi_send(h->index);
    return true;
}

static bool wake_among(bool kept_free)
{
    unsigned n = hal_hart_count(), self = hal_self()->index;
    for (unsigned i = 1; i < n; i++) {
        struct hart *h = hal_hart((self + i) % n);
        if (!ld_rlx(&h->kept_free) == !kept_free && hart_wake(h))
            return true;
    }
    return false;
}

void hart_wake_helper(void)
{
    hal_crit_t c = hal_crit_enter();
    fence_full();                   /* partner: take_or_sleep [L-sleep.waker] */
    wake_among(false);
    hal_crit_exit(c);
}

/* A helper first: the wake-up that is passed on may have been meant for one, and a hart that is kept free would sleep on. */
void hart_wake_one(void)
{
    hal_crit_t c = hal_crit_enter();
    fence_full();                   /* partner: take_or_sleep [L-sleep.waker] */
    if (!wake_among(false))
        wake_among(true);
    hal_crit_exit(c);
}

bool hart_any_idle(void)
{
    for (unsigned i = 0; i < hal_hart_count(); i++)
        if (ld_rlx(&hal_hart(i)->running_prio) == 0 && !ld_rlx(&hal_hart(i)->kept_free))
            return true;
    return false;
}

HAL_NO_SANITIZE uint64_t hart_idle_ns(unsigned index)
{
    return *(const volatile uint64_t *)&hal_hart(index)->idle_ns;
}

static void count_idle(struct hart *h, uint64_t ns)
{
    h->idle_ns += ns;
    st_rlx(&h->idle_us, (uint32_t)(h->idle_ns / 1000));
}

/* A task to run, or, after some sleep, NULL. */
static struct task *take_or_sleep(struct hart *h)
{
    h->passed_over = false;
    st_rlx(&h->asleep, 1);
    fence_full();                   /* partners: queue.c tell, hart_wake_one [L-sleep.hart] */
    struct task *next = sched_next(h);
    if (next != NULL) {
        if (!amo_swap_rlx(&h->asleep, 0))
            hart_wake_one();            /* a wake-up was spent on us, who found something: it goes to the next */
        return next;
    }
    if (!h->passed_over) {      /* one that is about to be saved (K3) will not tell us: look again */
        uint64_t since = hal_time_ns();
        hal_wait();
        count_idle(h, hal_time_ns() - since);
    }
    st_rlx(&h->asleep, 0);
    return next;
}

/* The idle task of each hart.  Begins, as every task, inside a critical section. */
_Noreturn void idle_run(void *self)
{
    (void)self;
    start_hart_up();
    for (;;) {
        struct hart *h = hal_self();        /* an idle task never migrates, but the rule is the rule */
        struct task *next = take_or_sleep(h);
        if (next) {
            sched_leave(h, h->idle, TASK_READY);
            sched_run(h, next);
        }
        hal_crit_exit(HAL_CRIT_OPEN);       /* here the interrupts are taken */
        (void)hal_crit_enter();
    }
}
