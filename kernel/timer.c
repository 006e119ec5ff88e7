/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: on each hart a list sorted by deadline, run by that hart's timer interrupt.
 *
 * The machine's one timer is set to the earliest of the list, the slice's end and the kernel's alarm.  It is set only when
 * that is earlier than what it is set to: a deadline that went away costs one interrupt for nothing, not a device access.
 */
#include "hal_mark.h"
#include "kernel/kernel_internal.h"

enum { TIMERS_AT_ONCE = 2 };   /* run in one interrupt, so that others get in between */

static uint64_t first_deadline(struct hart *h)
{
    uint64_t first = UINT64_MAX;
    spin_lock(&h->timer_lock);
    if (h->timers)
        first = h->timers->when;
    spin_unlock(&h->timer_lock);
    if (h->slice_end < first)
        first = h->slice_end;
    return h->alarm < first ? h->alarm : first;
}

void timer_arm(struct hart *h)
{
    uint64_t when = first_deadline(h);
    if (when >= h->armed)
        return;
    h->armed = when;
    hal_timer_set(when);
}

/* Runs one timer that is due.  Nothing of it is touched once its function has begun: that may free it. */
static bool run_one(struct hart *h, uint64_t now)
{
    spin_lock(&h->timer_lock);
    struct hk_timer *t = h->timers;
    if (t == NULL || t->when > now) {
        spin_unlock(&h->timer_lock);
        return false;
    }
    void (*fn)(void *) = t->fn;
    void *arg = t->arg;
    h->timers = t->next;
    own_add(&t->fired, 1);              /* before hart is NULL, as timer_running */
    st_rlx(&h->timer_running, t);
    /* [L-timer.fired] */
    st_rel(&t->hart, NULL);             /* rel: who sees NULL in hk_timer_cancel sees timer_running too */
    spin_unlock(&h->timer_lock);
    fn(arg);
    st_rel(&h->timer_running, NULL);    /* partner: hk_timer_cancel; what fn did is over [L-timer.over] */
    return true;
}

void timer_interrupt(void)
{
    struct hart *h = hal_self();
    uint64_t now = hal_time_ns();
    h->armed = UINT64_MAX;
    for (int i = 0; i < TIMERS_AT_ONCE && run_one(h, now); i++)
        ;
    tick_expire(h, now);
    if (now >= h->alarm)
        h->alarm = UINT64_MAX;  /* it has ended hal_wait; or it would be due again at once, for ever */
    timer_arm(h);
}

void hk_timer_start(struct hk_timer *t, uint64_t when_ns, void (*fn)(void *), void *arg)
{
    hal_probe(&t->fired);
    hal_crit_t c = hal_crit_enter();
    struct hart *h = hal_self();
    struct hk_timer **at = &h->timers;
    hk_assert(ld_rlx(&t->hart) == NULL);
    uint64_t now = hal_time_ns();
    if (when_ns < now)          /* or one that starts itself again for a time long past would stay before all others */
        when_ns = now;
    t->when = when_ns;
    t->fn = fn;
    t->arg = arg;
    spin_lock(&h->timer_lock);
    while (*at && (*at)->when <= when_ns)
        at = &(*at)->next;
    t->next = *at;
    *at = t;
    st_rlx(&t->hart, h);
    spin_unlock(&h->timer_lock);
    timer_arm(h);
    hal_crit_exit(c);
}

/* Takes it off the list of `h`, if it is still there. */
static bool unlink(struct hart *h, struct hk_timer *t)
{
    hal_crit_t c = spin_lock_crit(&h->timer_lock);
    struct hk_timer **at = &h->timers;
    while (*at && *at != t)
        at = &(*at)->next;
    bool found = *at == t;
    if (found) {
        *at = t->next;
        st_rlx(&t->hart, NULL);
    }
    spin_unlock_crit(&h->timer_lock, c);
    return found;
}

static void await_handlers(struct hk_timer *t)
{
    HAL_MARK(HAL_MARK_WAIT_BEGIN);
    for (unsigned i = 0; i < hal_hart_count(); i++)
        while (ld_acq(&hal_hart(i)->timer_running) == t)    /* partner: run_one [L-timer.wait] */
            ;                                   /* a handler, with interrupts off: soon over */
    HAL_MARK(HAL_MARK_WAIT_END);
}

bool hk_timer_cancel(struct hk_timer *t)
{
    hk_assert(!hal_in_trap());
    hal_probe(&t->fired);
    for (;;) {
        uint32_t fired = ld_rlx(&t->fired);
        struct hart *h = ld_acq(&t->hart);      /* partner: run_one [L-timer.look] */
        if (h && unlink(h, t))
            return true;
        if (h)
            continue;                           /* it has just fired */
        await_handlers(t);
        /* [L-none: await_handlers has acquired what it did] */
        if (ld_acq(&t->hart) == NULL && ld_rlx(&t->fired) == fired)
            return false;                       /* else its function has started it again, and it may run once more */
    }
}
