/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time, and each hart's timer.
 *
 * `deadline` is what the kernel wants, `armed` what the operating system's timer is set to, both in its time.  Invariant:
 * armed <= deadline, or armed is being set, or the timer has gone off and its signal is on the way.  So a deadline that
 * moves back, as at nearly every switch, costs no system call; the timer that goes off too early is set again then.
 *
 * The signal handler uses the same words, in the middle of whatever it interrupts: each step here leaves them fit for it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <time.h>

#include "hal_internal.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static uint64_t boot_ns;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* With HAL_POLLED, loops that wait for a time to pass must be interruptible. */
uint64_t hal_time_ns(void)
{
    if (HAL_POLLED)
        hal_poll();
    return now() - boot_ns;
}

void hal_timer_init(void)
{
    boot_ns = now();
}

/* With HAL_POLLED the deadline alone does: hal_poll and hal_wait look at it. */
void hal_timer_init_hart(struct hal_hart *me)
{
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGURG };
    event.sigev_notify_thread_id = me->tid;
    me->deadline = me->armed = UINT64_MAX;
    if (!HAL_POLLED && timer_create(CLOCK_MONOTONIC, &event, &me->timer) != 0)
        hal_die("the operating system has no timer for a hart");
}

static void arm(struct hal_hart *me, uint64_t ns)
{
    struct itimerspec when = { .it_value = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) } };
    st_rlx(&me->armed, ns);
    if (!HAL_POLLED)
        timer_settime(me->timer, TIMER_ABSTIME, &when, NULL);
}

void hal_timer_set(uint64_t ns)
{
    struct hal_hart *me = hal_me();
    uint64_t deadline = ns > UINT64_MAX - boot_ns ? UINT64_MAX : boot_ns + ns;
    st_rlx(&me->deadline, deadline);    /* first: a signal that comes now and finds `armed` passed arms for this one */
    if (deadline < ld_rlx(&me->armed))
        arm(me, deadline);
}

/* Part of a poll, so not by ld_rlx, which polls. */
void hal_timer_look(struct hal_hart *me)
{
    uint64_t deadline = __atomic_load_n(&me->deadline, __ATOMIC_RELAXED);
    uint64_t armed = __atomic_load_n(&me->armed, __ATOMIC_RELAXED);
    if (deadline == UINT64_MAX && armed == UINT64_MAX)
        return;
    uint64_t t = now();
    if (t >= deadline)
        amo_or_rlx(me->pending, HAL_IRQ_TIMER);
    if (t < armed)
        return;
    st_rlx(&me->armed, UINT64_MAX);
    if (t < deadline && deadline != UINT64_MAX)
        arm(me, deadline);
}

/* The deadline may have moved since. */
void hal_timer_serve(struct hal_hart *me)
{
    if (now() < ld_rlx(&me->deadline))
        return;
    st_rlx(&me->deadline, UINT64_MAX);
    hal_hooks.timer();
}
