/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a hart look at its pending interrupts, and sleeping until there are some.
 *
 *     the sender:                         the hart, in hal_wait:              the hart, after it:
 *         pending |= irq                      waiting = 1                         waiting = 0
 *         fence_full                          fence_full                          fence_full
 *         waiting ? futex : signal            pending == 0 ? futex : back         crit = 0; pending?
 * Of two stores with a fence and a load behind each, one load sees the other's store.  So either the hart sees
 * the interrupt, or the sender sees whether it sleeps; a signal that comes to one that does not sleep finds the interrupt
 * pending.  The bit is set before the signal is sent, so whoever finds it set already need not send another.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hal_internal.h"

static void wake(struct hal_hart *to)
{
    syscall(SYS_futex, to->pending, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Until *word is not 0, or the machine's time is `ns`, or for no reason. */
static void sleep_until(uint32_t *word, uint64_t ns)
{
    struct timespec end = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, 0, ns == UINT64_MAX ? NULL : &end, NULL,
            FUTEX_BITSET_MATCH_ANY);
}

void hal_signal_self(const struct hal_hart *me)
{
    syscall(SYS_tgkill, getpid(), me->tid, SIGURG);
}

void hal_interrupt(struct hal_hart *to, enum hal_irq irq)
{
    if (amo_or_ar(to->pending, irq) & irq)      /* rel: what the handler reads; partner: serve */
        return;
    fence_full();                               /* partners: hal_wait */
    if (ld_rlx(&to->waiting))
        wake(to);
    else if (to != hal_me() && !HAL_POLLED)     /* we look when this section or handler ends */
        syscall(SYS_tgkill, getpid(), to->tid, SIGURG);
}

void hal_ipi_send(unsigned index)
{
    hal_crit_t c = hal_crit_enter();
    hal_interrupt(hal_of(index), HAL_IRQ_IPI);
    hal_crit_exit(c);
}

void hal_wait(void)
{
    struct hal_hart *me = hal_me();
    st_rlx(&me->waiting, 1);
    fence_full();                               /* partner: hal_interrupt */
    if (ld_rlx(me->pending) == 0)
        sleep_until(me->pending, me->deadline);
    st_rlx(&me->waiting, 0);
    fence_full();                               /* partner: hal_interrupt */
    hal_timer_look(me);
}
