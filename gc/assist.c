/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assists: a task that allocates while marking runs pays for it with marking, so that the mark ends before the heap reaches
 * its goal.
 *
 * A task's balance falls by what it takes in runs and large objects, and each byte is worth so much marking.  A task in debt
 * first takes what the workers have put into the pool, then marks as much as it owes, and if there is nothing to mark at the
 * moment it waits in a queue for the workers to pay.
 *
 * No wake-up is lost: who pays adds to the pool, then a full fence, then looks at the queue; who waits queues itself, then a
 * full fence, then looks at the pool.  Whoever sees both, under the lock, pays from the one to the other.  A mark that ends
 * empties the queue: who queues itself saw the phase on in the same critical section, so the stop that turns it off comes
 * later, and the emptying after that.
 */
#include "gc/gc_internal.h"

struct payee {
    struct payee *next;
    uintptr_t owed;             /* work; the queue's lock */
    struct hk_sem paid;
};

static struct spinlock lock;
static struct payee *first, *last;      /* lock; first is atomic for peeking */
static uintptr_t pool;                  /* atomic: work done by workers that nobody has taken yet */

enum { BATCH = 4 };     /* waiters that are paid in one critical section */

/* ---- the queue --------------------------------------------------------------------------------------------------- */

/* Lock held.  Pays a few from the pool, each in turn; who gets only a part goes to the end.  True: there may be more. */
static bool pay_some(void)
{
    uintptr_t have = amo_swap_rlx(&pool, 0);
    for (unsigned i = 0; i < BATCH && have && first; i++) {
        struct payee *p = first;
        st_rlx(&first, p->next);
        if (p->owed <= have) {
            have -= p->owed;
            hk_sem_post(&p->paid);
            continue;
        }
        p->owed -= have;
        have = 0;
        p->next = NULL;
        if (first)
            last->next = p;
        else
            st_rlx(&first, p);
        last = p;
    }
    amo_add_rlx(&pool, have);
    return have && first;
}

static void pay_queue(void)
{
    bool more = true;
    while (more) {
        hal_crit_t c = spin_lock_crit(&lock);
        more = pay_some();
        spin_unlock_crit(&lock, c);
    }
}

void assist_credit(uintptr_t work)
{
    if (!work)
        return;
    amo_add_rlx(&pool, work);
    fence_full();                       /* partner: wait_for_pay [L-sleep.waker] */
    if (ld_rlx(&first))
        pay_queue();
}

/* Waits until the workers have done so much, or the mark is over. */
static void wait_for_pay(uintptr_t work)
{
    struct payee p = {.owed = work};
    hk_sem_init(&p.paid, 0);
    hal_crit_t c = spin_lock_crit(&lock);
    bool on = gc_is_on();
    if (on) {
        if (first)
            last->next = &p;
        else
            st_rlx(&first, &p);
        last = &p;
        fence_full();                   /* partner: assist_credit [L-sleep.hart] */
        pay_some();
    }
    spin_unlock_crit(&lock, c);
    if (on)
        hk_sem_wait(&p.paid, HK_FOREVER);
}

void assist_end(void)
{
    for (bool more = true; more;) {
        hal_crit_t c = spin_lock_crit(&lock);
        for (unsigned i = 0; i < BATCH && first; i++) {
            struct payee *p = first;
            st_rlx(&first, p->next);
            hk_sem_post(&p->paid);
        }
        more = first != NULL;
        spin_unlock_crit(&lock, c);
    }
}

void assist_begin(void)
{
    st_rlx(&pool, 0);
}

/* ---- a task's balance -------------------------------------------------------------------------------------------- */

static intptr_t balance(struct task *t)
{
    uint32_t cycle = ld_rlx(&gc.cycle);
    if (t->gc_paid_cycle != cycle) {
        t->gc_paid_cycle = cycle;
        t->gc_balance = 0;
    }
    return t->gc_balance;
}

void assist_charge(uintptr_t bytes)
{
    if (gc_is_on()) {
        struct task *t = task_self();
        t->gc_balance = balance(t) - (intptr_t)bytes;
    }
}

static uintptr_t take_from_pool(uintptr_t work)
{
    for (uintptr_t have; (have = ld_rlx(&pool));) {
        uintptr_t take = have < work ? have : work;
        if (cas_acq(&pool, have, have - take))  /* [L-none: only the atomicity counts] */
            return take;
    }
    return 0;
}

/* Marks until so much is done, or the hart is wanted, or there is nothing to mark (*dry).  Returns what was done. */
static uintptr_t mark_for(uintptr_t work, bool *dry)
{
    drain_enter();
    struct gc_hart *g = gc_self();
    uint64_t begin = hal_time_ns();
    uintptr_t from = hart_work(g);
    *dry = false;
    while (gc_is_on() && hart_work(g) - from < work && !(*dry = !drain_piece()) && !hart_resched_due())
        ;
    uintptr_t done = hart_work(g) - from;
    uint64_t ns = hal_time_ns() - begin;
    g->assist_ns += ns;
    own_add(&g->assist_us, ns / 1000);
    drain_leave();
    pace_assisted(ns);
    root_wipe_below();
    if (gc_is_on() && cycle_quiet())
        hart_kick(hk_hart());           /* it was the last with work: a worker ends the mark */
    return done;
}

/* Marks so much, or waits until others have.  What it did more than that is credit. */
static void work_off(struct task *t, uintptr_t work, uint32_t ratio)
{
    while (work && gc_is_on()) {
        bool dry;
        uintptr_t done = mark_for(work, &dry);
        if (done >= work) {
            t->gc_balance += (intptr_t)(((uint64_t)(done - work) << PACER_SHIFT) / ratio);
            return;
        }
        work -= done;
        if (dry) {
            uint32_t since = pace_wait_begin();
            wait_for_pay(work);
            pace_wait_end(since);
            return;
        }
    }
}

void assist(void)
{
    struct task *t = task_self();
    if (!gc_is_on() || balance(t) >= 0 || pace_limiting())
        return;
    uint32_t ratio = pace_ratio();
    uintptr_t work = (uintptr_t)pacer_scale((uint64_t)-t->gc_balance, ratio, 1u << PACER_SHIFT);
    t->gc_balance = 0;
    work -= work ? take_from_pool(work) : 0;
    work_off(t, work, ratio);
}
