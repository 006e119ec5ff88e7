/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assists: a task that allocates while marking runs pays for it with marking, so that the mark ends before the heap reaches
 * its goal.
 *
 * A task's balance falls by what it takes in runs and large objects, and each byte is worth so much marking.  A task in debt
 * first takes what the workers have put into the pool, then marks as much as it owes, and if there is nothing to mark at the
 * moment it stays in debt, or, once the heap has reached its goal, waits in a queue for the workers to pay.
 *
 * No wake-up is lost: who pays adds to the pool, then a full fence, then looks at the queue; who waits queues itself, then a
 * full fence, then looks at the pool.  Whoever sees both, under the lock, pays from the one to the other.  A mark that ends
 * empties the queue: who queues itself saw the phase on in the same critical section, so the stop that turns it off comes
 * later, and the emptying after that.  So does a mark that a runtime holds open, after it has said so (gc.later).
 *
 * What holds (tests/models/assist.pml; checked in the stop that ends a mark, where nobody is between two steps):
 *   - while nobody gives credit, the pool is empty or nobody waits;
 *   - what workers have done is given once: what came into the pool is there, or was taken out;
 *   - nobody pays more than it owes.
 */
#include "gc/gc_internal.h"
#include "hal_mark.h"

struct payee {
    struct payee *next;
    uintptr_t owed, got;        /* work; the queue's lock */
    struct hk_sem paid;
};

static struct spinlock lock;
static struct payee *first, *last;      /* lock; first is atomic for peeking */
static uintptr_t pool;                  /* atomic: work done by workers that nobody has taken yet */
static uintptr_t given, taken;          /* atomic: into the pool and out of it, since the mark began */

enum { BATCH = 4 };     /* waiters that are paid in one critical section */
/* Work: what one allocation is asked for at most. */
enum { INSTALMENT = 3 * 1024, INSTALMENT_ALONE = 16 * 1024 };

/* ---- the queue --------------------------------------------------------------------------------------------------- */

static void queue_up(struct payee *p)
{
    p->next = NULL;
    if (first)
        last->next = p;
    else
        st_rlx(&first, p);
    last = p;
}

/* Gives the first one what there is.  Who gets only a part goes to the end; one that is alone stays, so that the queue does not
 * look empty for a moment, just when somebody who gives credit looks at it. */
static uintptr_t pay_first(uintptr_t have)
{
    struct payee *p = first;
    uintptr_t part = p->owed < have ? p->owed : have;
    p->owed -= part;
    p->got += part;
    if (p->owed == 0) {
        st_rlx(&first, p->next);
        hk_sem_post(&p->paid);
    } else if (p->next) {
        st_rlx(&first, p->next);
        queue_up(p);
    }
    return have - part;
}

/* Lock held.  Pays a few from the pool, each in turn.  True: there may be more. */
static bool pay_some(void)
{
    uintptr_t had = amo_swap_rlx(&pool, 0), have = had;
    for (unsigned i = 0; i < BATCH && have && first; i++)
        have = pay_first(have);
    amo_add_rlx(&taken, had - have);
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
    amo_add_rlx(&given, work);
    amo_add_rlx(&pool, work);
    fence_full();                       /* partner: wait_for_pay [L-sleep.waker] */
    if (ld_rlx(&first))
        pay_queue();
}

/* Waits until the workers have done so much, or the mark is over.  Not while a runtime holds a mark open: there is nothing to be
 * done then, and this may be the task that it waits for. */
static void wait_for_pay(uintptr_t work)
{
    struct payee p = {.owed = work};
    hk_sem_init(&p.paid, 0);
    hal_crit_t c = spin_lock_crit(&lock);
    bool on = gc_is_on() && !ld_rlx(&gc.later);
    if (on) {
        hk_assert(gc_is_on());
        queue_up(&p);
        fence_full();                   /* partner: assist_credit [L-sleep.hart] */
        pay_some();
    }
    spin_unlock_crit(&lock, c);
    if (on) {
        worker_hurry();
        hk_sem_wait(&p.paid, HK_FOREVER);
    }
    hk_assert(p.got <= work);
}

void assist_check(void)
{
    hk_assert(!first || !pool);
    hk_assert(given == taken + pool);
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

/* World stopped.  Nobody waits since the last mark, unless who ended it has not come to let them go. */
void assist_begin(void)
{
    hk_assert(!first || ld_rlx(&gc.terminating));
    st_rlx(&pool, 0);
    st_rlx(&given, 0);
    st_rlx(&taken, 0);
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

/* At most so much, in one critical section: no stop sees it taken and not counted. */
static uintptr_t take_from_pool(uintptr_t work)
{
    uintptr_t have, take = 0;
    hal_crit_t c = hal_crit_enter();
    do {
        have = ld_rlx(&pool);
        take = have < work ? have : work;
    } while (take && !cas_acq(&pool, have, have - take));       /* [L-none: only the atomicity counts] */
    amo_add_rlx(&taken, take);
    hal_crit_exit(c);
    return take;
}

/* Marks until so much is done, or the hart is wanted, or there is nothing to mark (*dry).  Returns what was done. */
static uintptr_t mark_for(uintptr_t work, bool *dry)
{
    drain_enter();
    HAL_MARK(HAL_MARK_SECTION(HAL_MARK_ASSIST));
    bool on = gc_is_on();               /* if so, until this drain ends; if not, a mark may begin, which is not owed for */
    struct gc_hart *g = gc_self();
    uint64_t begin = hal_time_ns();
    uintptr_t from = hart_work(g);
    *dry = false;
    while (on && hart_work(g) - from < work && !(*dry = !drain_piece(true)) && !hart_resched_due())
        ;
    uintptr_t done = on ? hart_work(g) - from : 0;
    uint64_t ns = hal_time_ns() - begin;
    g->assist_ns += ns;
    own_add(&g->assist_us, ns / 1000);
    HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_ASSIST));
    root_wipe_below();                  /* before this task may leave its hart */
    drain_leave();
    pace_assisted(ns);
    worker_call_if_quiet();
    return done;
}

/* So far that who finds nothing to mark waits for those who have all of it. */
static bool beyond_goal(void)
{
    uintptr_t goal = ld_rlx(&gc.goal);
    return ld_rlx(&gc.used) >= goal + goal / 32;
}

/* So far beyond the goal, or so near the limit, and nobody else is marking: then others are not relied on any more. */
static bool is_alone(void)
{
    uintptr_t goal = ld_rlx(&gc.goal), limit = ld_rlx(&gc.limit), used = ld_rlx(&gc.used);
    return ld_rlx(&gc.active) == 0 && (used >= goal + goal / 4 || used >= limit - limit / 8);
}

/* Of 32 bits work may need more, and a little ratio makes much of it. */
static intptr_t bytes_for(uint64_t work, uint32_t ratio)
{
    uint64_t bytes = pacer_scale(work, 1u << PACER_SHIFT, ratio);
    return bytes < INTPTR_MAX / 4 ? (intptr_t)bytes : INTPTR_MAX / 4;
}

/* Marks so much.  What it did more than that is credit.  If there is nothing to mark at the moment it stays in debt while the heap
 * has room, and waits until others have marked if not. */
static void work_off(struct task *t, uintptr_t work, uint32_t ratio)
{
    while (work && gc_is_on()) {
        bool dry;
        uintptr_t done = mark_for(work, &dry);
        if (done >= work) {
            t->gc_balance += bytes_for(done - work, ratio);
            return;
        }
        work -= done;
        if (dry && !beyond_goal()) {
            t->gc_balance -= bytes_for(work, ratio);
            return;
        }
        if (dry) {
            uint32_t since = pace_wait_begin();
            wait_for_pay(work);
            pace_wait_end(since);
            return;
        }
    }
}

/* No pause is longer for the size of an object, or for how near the goal is.  Who has nobody that marks beside it, or may not
 * rely on those any more, pays what two blocks cost, if that is more, so that a debt never lasts. */
static uintptr_t instalment(uint32_t ratio)
{
    uintptr_t two = (uintptr_t)pacer_scale(2 * HGC_BLOCK, ratio, 1u << PACER_SHIFT);
    if (two < INSTALMENT || (hal_hart_count() > 1 && !is_alone()))
        return INSTALMENT;
    return two < INSTALMENT_ALONE ? two : INSTALMENT_ALONE;
}

void assist(void)
{
    struct task *t = task_self();
    if (!gc_is_on() || balance(t) >= 0 || pace_limiting())
        return;
    uint32_t ratio = pace_ratio();
    uint64_t work = pacer_scale((uint64_t)-t->gc_balance, ratio, 1u << PACER_SHIFT);
    t->gc_balance = 0;
    work -= work ? take_from_pool(work < UINTPTR_MAX ? (uintptr_t)work : UINTPTR_MAX) : 0;
    uintptr_t most = instalment(ratio);
    if (work > most) {                  /* what a large object owes is paid by the allocations after it, too */
        t->gc_balance = -bytes_for(work - most, ratio);
        work = most;
    }
    work_off(t, (uintptr_t)work, ratio);
}
