/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run queues: one a hart, a FIFO for each priority.
 *
 * Invariant: a task in a queue is READY, perhaps claimed, and t->queue names the queue; a READY task in none is in the
 * hands of whoever made it ready, or claimed and kicked (then task_unclaim will put it in one).
 *
 * Who puts a task in a queue tells the hart: the queue is published, then a full fence, then the words asleep,
 * running_prio and ticking are read.  Their owner writes them, then a full fence, then looks at the queue.  So one of the
 * two sees the other.
 */
#include "kernel/kernel_internal.h"

/* ---- one queue -------------------------------------------------------------------------------------------------- */

static void link_last(struct hart *h, struct task *t, unsigned prio)
{
    hk_assert(prio < HK_PRIOS);
    t->queue_prio = prio;
    t->next = NULL;
    t->prev = h->queue_tail[prio];
    *(t->prev ? &t->prev->next : &h->queue_head[prio]) = t;
    h->queue_tail[prio] = t;
    own_add(&h->queued_at[prio], 1);
}

static void unlink(struct hart *h, struct task *t)
{
    *(t->prev ? &t->prev->next : &h->queue_head[t->queue_prio]) = t->next;
    *(t->next ? &t->next->prev : &h->queue_tail[t->queue_prio]) = t->prev;
    own_add(&h->queued_at[t->queue_prio], -1);
    t->next = t->prev = NULL;
}

unsigned queue_put_here(struct hart *h, struct task *t)
{
    spin_lock(&h->queue_lock);
    hk_assert(ld_rlx(&t->queue) == NULL);
    st_rlx(&t->queue, h);
    /* [L-prio.put] */
    fence_full();           /* partner: queue_set_prio; either we see the new priority or it sees the queue */
    unsigned prio = ld_rlx(&t->prio);   /* once the lock is free `t` may be gone */
    link_last(h, t, prio);
    own_add(&h->queued, 1);
    spin_unlock(&h->queue_lock);
    return prio;
}

static void take_out(struct hart *h, struct task *t)
{
    hk_assert(spin_holding(&h->queue_lock));
    unlink(h, t);
    st_rlx(&t->queue, NULL);
    own_add(&h->queued, -1);
}

bool queue_remove(struct hart *h, struct task *t)
{
    spin_lock(&h->queue_lock);
    bool here = ld_rlx(&t->queue) == h;
    if (here)
        take_out(h, t);
    spin_unlock(&h->queue_lock);
    return here;
}

struct hart *queue_set_prio(struct task *t, unsigned prio)
{
    st_rlx(&t->prio, prio);
    fence_full();           /* partner: queue_put_here [L-prio.set], [L-raised.set] */
    struct hart *h = ld_rlx(&t->queue);
    if (h == NULL)
        return NULL;        /* whoever queues it now reads the new priority */
    spin_lock(&h->queue_lock);
    if (ld_rlx(&t->queue) == h && t->queue_prio != prio) {
        unlink(h, t);
        link_last(h, t, prio);
    }
    spin_unlock(&h->queue_lock);
    return h;
}

/* ---- taking ----------------------------------------------------------------------------------------------------- */

/* READY -> RUNNING.  The task is in no queue: it is ours, unless it is claimed; then the claim's end queues it (K1). */
bool queue_dispatch(struct hart *h, struct task *t)
{
    for (;;) {
        uint32_t s = ld_rlx(&t->state);
        hk_assert((s & TASK_STATE_MASK) == TASK_READY && !(s & TASK_KICK));
        if (s & TASK_CLAIM) {
            /* [L-kick.rel] */
            if (cas_rel(&t->state, s, s | TASK_KICK))   /* releases our unlinking to task_unclaim, which links it again */
                return false;
            continue;
        }
        st_rlx(&t->hart, h->index);             /* before RUNNING: who sees that may want to know where */
        /* [L-where.rel, L-wake.acq, L-raised.run] */
        if (cas_full(&t->state, s, TASK_RUNNING)) {     /* acq: who made it ready, task_unclaim; rel: t->hart */
            st_rlx(&t->busy, 1);                /* only our own leaving makes anybody look at it: that is a release */
            return true;
        }
    }
}

static uint32_t gate;           /* atomic: sched_gate(true) */

void sched_gate(bool closed)
{
    st_rlx(&gate, closed);
    if (closed)
        return;
    for (unsigned i = 0; i < hal_hart_count(); i++)
        hart_kick(i);           /* its release orders `gate` before */
}

bool sched_gated(void)
{
    return ld_rlx(&gate);
}

bool sched_kept_off(const struct task *t)
{
    return sched_gated() && !t->system && !ld_rlx(&t->runs_on);
}

void sched_let_run(struct task *t, bool on)
{
    st_rlx(&t->runs_on, on);
    for (unsigned i = 0; on && i < hal_hart_count(); i++)
        hart_kick(i);           /* its release orders the store before */
}

static bool may_run(const struct hart *h, const struct task *t)
{
    return (t->affinity < 0 || t->affinity == (int)h->index) && !sched_kept_off(t);
}

/* The first task of at least min_prio that may run on `h` and whose context is saved (K3), out of the queue. */
static struct task *find(struct hart *h, struct hart *from, unsigned min_prio, bool *passed_over)
{
    for (unsigned prio = HK_PRIOS; prio-- > min_prio; )
        for (struct task *t = from->queue_head[prio]; t; t = t->next) {
            if (!may_run(h, t))
                continue;
            if (ld_acq(&t->busy) == 0) {        /* partner: hal_switch [L-leave.busy] */
                take_out(from, t);
                return t;
            }
            *passed_over = true;
        }
    return NULL;
}

struct task *queue_take(struct hart *h, struct hart *from, unsigned min_prio)
{
    struct task *t = NULL;
    if (ld_rlx(&from->queued) == 0)
        return NULL;
    spin_lock(&from->queue_lock);
    while ((t = find(h, from, min_prio, &h->passed_over)) != NULL && !queue_dispatch(h, t))
        ;
    spin_unlock(&from->queue_lock);
    return t;
}

bool queue_above(struct hart *h, unsigned prio)
{
    bool any = false;
    spin_lock(&h->queue_lock);
    for (unsigned p = HK_PRIOS - 1; p > prio && !any; p--)
        for (const struct task *t = h->queue_head[p]; t && !any; t = t->next)
            any = may_run(h, t);
    spin_unlock(&h->queue_lock);
    return any;
}

/* ---- putting ---------------------------------------------------------------------------------------------------- */

/* How well `t` would be placed on `h`: 0 at once, 1 by preempting, more: so many tasks later. */
static unsigned cost(struct hart *h, struct task *t)
{
    unsigned ahead = 0, prio = ld_rlx(&t->prio), running = ld_rlx(&h->running_prio);
    if (ld_rlx(&h->queued) > 0)
        for (unsigned p = prio; p < HK_PRIOS; p++)
            ahead += ld_rlx(&h->queued_at[p]);
    return running == 0 ? ahead : running <= prio ? 1 + ahead : 2 + ahead;
}

/* Where it ran last, unless it would do better elsewhere. */
static struct hart *choose(struct task *t)
{
    if (!start_done())
        return hal_hart(0);
    if (t->affinity >= 0)
        return hal_hart((unsigned)t->affinity);
    struct hart *best = hal_hart(ld_rlx(&t->hart));
    unsigned best_cost = cost(best, t), n = hal_hart_count();
    for (unsigned i = 0; i < n && best_cost > 0; i++) {
        unsigned c = cost(hal_hart(i), t);
        if (c < best_cost) {
            best = hal_hart(i);
            best_cost = c;
        }
    }
    return best;
}

/* `prio` was put in the queue of `h`: makes the hart do what follows from it.  If it does not come to that soon, another one may: one
 * that ran something when `choose` looked, and has gone to sleep since. */
static void tell(struct hart *h, unsigned prio, bool is_bound)
{
    fence_full();           /* partners: idle.c, tick_restart, sched.c set_current [L-sleep.waker] */
    if (hart_wake(h))
        return;
    if (1 + prio > ld_rlx(&h->running_prio)) {
        hart_kick(h->index);
        return;
    }
    if (!is_bound)
        hart_wake_one();
    if (ld_rlx(&h->ticking))
        return;             /* its slice will end */
    else if (h == hal_self())
        tick_update(h);
    else
        hal_ipi_send(h->index);     /* its IPI hook arms the tick */
}

void queue_put(struct task *t)
{
    struct hart *h = choose(t);
    bool is_bound = t->affinity >= 0;
    unsigned prio = queue_put_here(h, t);
    if (start_done())
        tell(h, prio, is_bound);
}

bool hart_others_wait(void)
{
    return ld_rlx(&hal_self()->queued) > 0;
}

void hart_gives_way(void)
{
    hal_crit_t c = hal_crit_enter();
    struct hart *h = hal_self();
    hk_assert(h->pin > 0);
    st_rlx(&h->running_prio, 0);
    fence_full();               /* partner: tell [L-sleep.hart] */
    if (ld_rlx(&h->queued) > 0)
        st_rlx(&h->resched, 1);
    hal_crit_exit(c);
}

void hart_shed(void)
{
    hal_crit_t c = hal_crit_enter();
    struct hart *h = hal_self();
    unsigned n = hal_hart_count();
    hk_assert(h->pin > 0);
    (void)amo_swap_acq(&h->resched, 0);     /* [L-resched.acq] */
    tick_restart(h);
    for (unsigned i = 1; n > 1 && i < 2 * n; i++) {     /* bounded: two for each other hart */
        struct hart *to = hal_hart((h->index + 1 + i % (n - 1)) % n);
        spin_lock(&h->queue_lock);
        struct task *t = find(to, h, 0, &h->passed_over);
        spin_unlock(&h->queue_lock);
        if (t == NULL)
            break;
        bool is_bound = t->affinity >= 0;
        tell(to, queue_put_here(to, t), is_bound);
    }
    hal_crit_exit(c);
}
