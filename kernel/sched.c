/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler: which task a hart runs next, and how it gets there.
 *
 * A task leaves its hart in three steps: its state says where it goes (sched_leave), its context is saved, `busy` is
 * cleared (both hal_switch).  After the first it may be claimed or made ready by another hart; after the last it may be
 * scanned or resumed.  All three lie in one critical section, in which the hart waits for nobody but holders of
 * spinlocks (K3): so a claimer may wait for `busy` in a loop.
 *
 * What is to be done for a task that has left, once its context is saved, falls to the code that runs next on that hart:
 * sched_after, called behind every switch and at the start of every new task.  A task that was preempted goes on in the
 * middle of its own code, though, where nobody calls it: so who leaves something to do also sends its own hart an IPI,
 * whose hook calls sched_after too.  Whoever comes first, does it.
 */
#include "kernel/kernel_internal.h"

/* ---- what comes after a switch ---------------------------------------------------------------------------------- */

static void left_behind(struct hart *h, struct task *t)
{
    hk_assert(h->left == NULL);
    h->left = t;
    hal_ipi_send(h->index);
}

void sched_after(struct hart *h)
{
    struct task *t = h->left;
    if (t == NULL)
        return;
    h->left = NULL;
    /* [L-none: it left from this hart] */
    hk_assert(ld_acq(&t->busy) == 0);       /* partner: hal_switch.  It left from this hart, and before now */
    if ((ld_rlx(&t->state) & TASK_STATE_MASK) == TASK_DEAD)
        task_free(t);
    else
        task_hook_claimed(t);
}

/* Where the current task goes, and whether somebody wanted it claimed on the way: one compare-and-swap. */
void sched_leave(struct hart *h, struct task *t, uint32_t to)
{
    uint32_t s, n;
    hk_assert(h->pin == 0);
    sched_after(h);         /* of the switch before, if its IPI has not come yet: `left` has one place */
    do {
        s = ld_rlx(&t->state);
        hk_assert((s & TASK_STATE_MASK) == TASK_RUNNING);
        n = to;
        if ((s & TASK_WANT) && to != TASK_DEAD)
            n |= to == TASK_READY ? TASK_CLAIM | TASK_KICK : TASK_CLAIM;
        t->claim_want = !!(s & TASK_WANT);
        /* [L-leave.rel, L-wake.rel] */
    } while (!cas_rel(&t->state, s, n));    /* partner: the acquire of who claims, wakes or dispatches it */
    if ((n & TASK_CLAIM) || (to == TASK_DEAD && t->detached))
        left_behind(h, t);
    else if (to == TASK_READY && t != h->idle)
        queue_put_here(h, t);
}

/* ---- choosing --------------------------------------------------------------------------------------------------- */

/* The collector's worker, if it wants it to run and the worker can.  `running` needs no taking. */
static struct task *take_bound(struct hart *h, bool idle, struct task *running)
{
    struct task *t = task_hook_pick(h, idle);
    if (t != NULL && t == running)
        return t;
    if (t == NULL || ld_acq(&t->busy) != 0)     /* acq: hal_switch [L-none: a bound task left from this hart] */
        return NULL;
    hk_assert(t->bound && t->affinity == (int)h->index);
    if (cas_acq(&t->state, TASK_PARKED, TASK_READY))    /* [L-none: only the atomicity counts] */
        return queue_dispatch(h, t) ? t : NULL;
    if (queue_remove(h, t))                     /* it was preempted, or woke from a mutex */
        return queue_dispatch(h, t) ? t : NULL;
    return NULL;                                /* claimed, or waits for something of the kernel's */
}

static struct task *steal(struct hart *h)
{
    unsigned n = hal_hart_count();
    for (unsigned i = 1; i < n; i++) {
        struct task *t = queue_take(h, hal_hart((h->index + i) % n), 0);
        if (t) {
            own_add(&h->steals, 1);
            return t;
        }
    }
    return NULL;
}

struct task *sched_next(struct hart *h)
{
    struct task *t;
    (void)amo_swap_acq(&h->resched, 0);         /* partner: hart_kick [L-resched.acq] */
    if ((t = take_bound(h, false, NULL)) || (t = queue_take(h, h, 0)) || (t = steal(h)))
        return t;
    return take_bound(h, true, NULL);
}

struct task *sched_take_idle(struct hart *h)
{
    struct task *t = h->idle;
    hk_assert(ld_rlx(&t->state) == TASK_READY);
    st_rlx(&t->state, TASK_RUNNING);            /* nobody else ever looks at it */
    st_rlx(&t->busy, 1);
    return t;
}

/* ---- switching -------------------------------------------------------------------------------------------------- */

/* Who comes before `t`, which goes on or begins to run, but came while running_prio was that of the task before, or was passed over
 * since its context was not saved yet (K3): nobody tells us of it any more, so we look again. */
static void look_again(struct hart *h, const struct task *t)
{
    if (t->bound || !queue_above(h, ld_rlx(&t->prio)))
        return;
    st_rlx(&h->resched, 1);
    hal_ipi_send(h->index);
}

static void go_on(struct hart *h, const struct task *t)
{
    if (!t->bound)                              /* a worker may have given way (hart_gives_way) */
        st_rlx(&h->running_prio, 1 + ld_rlx(&t->prio));         /* another hart may have changed it */
    tick_restart(h);                            /* its full fence stands between running_prio and the queue, too */
    if (ld_rlx(&h->queued) > 0)
        look_again(h, t);
}

static void set_current(struct hart *h, struct task *next)
{
    st_rlx(&h->current, next);
    st_rlx(&h->running_prio, next == h->idle ? 0 : 1 + ld_rlx(&next->prio));
    own_add(&h->switches, 1);
    tick_restart(h);                            /* its full fence also stands between running_prio and the queue */
    if (next == h->idle || ld_rlx(&h->queued) == 0)
        return;
    look_again(h, next);
    hart_wake_one();                            /* there is more here than we can run */
}

void sched_run(struct hart *h, struct task *next)
{
    struct task *t = ld_rlx(&h->current);
    hk_assert(t != next);
    set_current(h, next);
    hal_switch(&t->ctx, &next->ctx, &t->busy);
    h = hal_self();                             /* whatever hart it is now */
    sched_after(h);
    if (!stack_ok(t, (uintptr_t)__builtin_frame_address(0)))
        hal_ipi_send(h->index);                 /* the trap's exit ends it, outside of what it is doing here */
}

/* hal_switch_trap may return at once, with the trap, or when `t` goes on: the same is right for both. */
void sched_run_trap(struct hart *h, struct task *next)
{
    struct task *t = ld_rlx(&h->current);
    set_current(h, next);
    hal_switch_trap(&t->ctx, &next->ctx, &t->busy);
    sched_after(hal_self());
}

/* ---- giving way ------------------------------------------------------------------------------------------------- */

/* The current task could go on: who runs next, perhaps itself? */
static struct task *successor(struct hart *h, struct task *t)
{
    struct task *next;
    /* [L-resched.acq] */
    (void)amo_swap_acq(&h->resched, 0);         /* partner: hart_kick.  Before the state: a wish comes before its kick */
    bool wanted = (ld_rlx(&t->state) & TASK_WANT) || sched_kept_off(t);
    if ((next = take_bound(h, false, wanted ? NULL : t)) || (next = queue_take(h, h, wanted ? 0 : ld_rlx(&t->prio))))
        return next;
    if (!wanted)
        return t;
    return (next = sched_next(h)) ? next : sched_take_idle(h);
}

void sched_turn(void)
{
    struct hart *h = hal_self();
    struct task *t = ld_rlx(&h->current), *next = successor(h, t);
    if (next == t) {
        go_on(h, t);
        return;
    }
    sched_leave(h, t, TASK_READY);
    sched_run(h, next);
}

void sched_turn_trap(struct hart *h)
{
    struct task *t = ld_rlx(&h->current), *next = successor(h, t);
    if (next == t) {
        go_on(h, t);
        return;
    }
    sched_leave(h, t, TASK_READY);
    sched_run_trap(h, next);
}

/* ---- parking and waking ----------------------------------------------------------------------------------------- */

void sched_park(struct spinlock *lock, uint32_t bits)
{
    struct hart *h = hal_self();
    struct task *t = ld_rlx(&h->current);
    hk_assert(t != h->idle && !hal_in_trap());
    sched_leave(h, t, TASK_PARKED | bits);
    if (lock)
        spin_unlock(lock);                      /* from here on somebody may make it ready: K3 keeps it here till saved */
    struct task *next = sched_next(h);
    sched_run(h, next ? next : sched_take_idle(h));
}

void task_park(struct spinlock *lock, hal_crit_t c)
{
    sched_park(lock, 0);
    hal_crit_exit(c);
}

/* PARKED (with exactly `bits`) -> READY. */
static bool make_ready(struct task *t, uint32_t bits)
{
    hal_crit_t c = hal_crit_enter();
    bool done = false, queue = false;
    while (!done) {
        uint32_t s = ld_rlx(&t->state);
        if ((s & ~TASK_CLAIM) != (TASK_PARKED | bits))
            break;
        queue = !(s & TASK_CLAIM);              /* claimed: task_unclaim will queue it (K1) */
        done = cas_rel(&t->state, s, queue ? TASK_READY : TASK_READY | TASK_CLAIM | TASK_KICK);     /* [L-wake.rel] */
    }                                           /* rel: what the waker did before; partner: queue_dispatch */
    if (queue && done)
        queue_put(t);
    hal_crit_exit(c);
    return done;
}

bool task_ready(struct task *t)
{
    return make_ready(t, 0);
}

void wait_wake(struct task *t)
{
    bool was_parked = make_ready(t, TASK_WAIT);
    hk_assert(was_parked);
    (void)was_parked;
}

/* ---- the hart as others see it ---------------------------------------------------------------------------------- */

void hart_kick(unsigned index)
{
    hal_crit_t c = hal_crit_enter();
    st_rel(&hal_hart(index)->resched, 1);       /* partner: the swaps above [L-resched.rel] */
    if (!(hal_in_trap() && hal_self()->index == index))     /* our own trap's exit looks at it anyway */
        hal_ipi_send(index);
    hal_crit_exit(c);
}

void hart_pin(void)
{
    hal_crit_t c = hal_crit_enter();            /* or the task could go to another hart between finding tp and adding */
    hal_self()->pin++;
    hal_crit_exit(c);
}

void hart_unpin(void)
{
    hal_crit_t c = hal_crit_enter();
    struct hart *h = hal_self();
    hk_assert(h->pin > 0);
    if (--h->pin == 0 && ld_rlx(&h->resched))
        sched_turn();
    hal_crit_exit(c);
}

bool hart_resched_due(void)
{
    hal_crit_t c = hal_crit_enter();
    bool due = ld_rlx(&hal_self()->resched);
    hal_crit_exit(c);
    return due;
}

void hk_yield(void)
{
    hk_assert(task_may_wait());
    hal_crit_t c = hal_crit_enter();
    sched_turn();
    hal_crit_exit(c);
}
