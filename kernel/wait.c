/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for an object: the one way under mutexes, semaphores, events and channels.
 *
 * Invariant: a task is in the queue t->wait_queue exactly while that is not NULL; both change only under t->wait_lock,
 * the lock of the object.  Whoever takes it out (a waker, or its own timer) owes it one wait_wake.  The state bit
 * TASK_WAIT keeps everybody else from making it ready, so it comes back only when that has happened.
 *
 * The timer lies on the waiter's stack, and its function reads the task: the waiter does not go on before the timer is
 * cancelled, and cancelling waits until it does not run.  So t->wait_lock is still that of this wait when it is read.
 */
#include "kernel/kernel_internal.h"

enum { WAKE_AT_ONCE = 8 };      /* in one critical section */

/* By priority, first come first served among equals. */
static void insert(struct hk_wait *q, struct task *t)
{
    struct task *before = q->tail;
    while (before && ld_rlx(&before->prio) < ld_rlx(&t->prio))
        before = before->wait_prev;
    t->wait_prev = before;
    t->wait_next = before ? before->wait_next : q->head;
    *(t->wait_prev ? &t->wait_prev->wait_next : &q->head) = t;
    *(t->wait_next ? &t->wait_next->wait_prev : &q->tail) = t;
}

static void take_out(struct task *t)
{
    struct hk_wait *q = ld_rlx(&t->wait_queue);
    hk_assert(spin_holding(t->wait_lock));
    *(t->wait_prev ? &t->wait_prev->wait_next : &q->head) = t->wait_next;
    *(t->wait_next ? &t->wait_next->wait_prev : &q->tail) = t->wait_prev;
}

static void expire(void *arg)
{
    struct task *t = arg;
    struct spinlock *lock = t->wait_lock;
    spin_lock(lock);
    bool waits = ld_rlx(&t->wait_queue) != NULL;
    if (waits) {
        take_out(t);
        st_rlx(&t->wait_queue, NULL);
        t->wait_result = HK_ETIMEOUT;
    }
    spin_unlock(lock);
    if (waits)
        wait_wake(t);
}

void wait_enter(struct hk_wait *q, struct spinlock *lock)
{
    struct task *t = ld_rlx(&hal_self()->current);
    hk_assert(spin_holding(lock) && ld_rlx(&t->wait_queue) == NULL);
    t->wait_lock = lock;
    st_rlx(&t->wait_queue, q);
    insert(q, t);
}

/* The timer is cancelled in the critical section in which the task comes back: whatever ends the task later, a fault or an
 * overflowed stack, no list leads to its stack then. */
int wait_block(uint64_t timeout_ns)
{
    struct task *t = ld_rlx(&hal_self()->current);
    struct hk_timer timer = { 0 };
    st_rlx(&t->wait_timed, timeout_ns != HK_FOREVER);
    if (timeout_ns != HK_FOREVER) {
        uint64_t now = hal_time_ns();
        hk_timer_start(&timer, timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX - 1, expire, t);
    }
    sched_park(t->wait_lock, TASK_WAIT);
    if (timeout_ns != HK_FOREVER)
        hk_timer_cancel(&timer);
    hk_assert(ld_rlx(&t->wait_queue) == NULL);
    return t->wait_result;
}

uintptr_t task_waits_for(const struct task *t)
{
    uint32_t state = ld_rlx(&t->state);
    bool waits = (state & TASK_STATE_MASK) == TASK_PARKED && (state & TASK_WAIT) && !ld_rlx(&t->wait_timed);
    return waits ? (uintptr_t)ld_rlx(&t->wait_queue) : 0;
}

/* The object may be a collector's, and the caller's frame be gone: then the task's own stack must name it until nobody needs it here,
 * its timer neither. */
int wait_on(struct hk_wait *q, struct spinlock *lock, hal_crit_t c, uint64_t timeout_ns)
{
    wait_enter(q, lock);
    int result = wait_block(timeout_ns);
    __asm__ volatile("" : : "r"(q));
    hal_crit_exit(c);
    return result;
}

struct task *wait_pop(struct hk_wait *q, int result)
{
    struct task *t = q->head;
    if (t == NULL)
        return NULL;
    hk_assert(ld_rlx(&t->wait_queue) == q);
    take_out(t);
    st_rlx(&t->wait_queue, NULL);
    t->wait_result = result;
    return t;
}

void wait_reorder(struct task *t)
{
    struct hk_wait *q = ld_rlx(&t->wait_queue);
    if (q == NULL)
        return;
    take_out(t);
    insert(q, t);
}

/* All are taken out first, because the object may be gone as soon as its lock is free, and then woken by few.  Those that were
 * taken out are parked, and stay linked by wait_next, until their turn comes.  Nobody but the caller knows them then, and their
 * time-outs do nothing: so it stays on its hart. */
void wait_wake_all(struct hk_wait *q, struct spinlock *lock, hal_crit_t c, int result)
{
    struct task *t, *next = q->head;
    bool pins = next != NULL && c == HAL_CRIT_OPEN;
    if (pins)
        hart_pin();
    while (wait_pop(q, result))
        ;
    spin_unlock(lock);
    for (unsigned n = 1; (t = next) != NULL; n++) {
        next = t->wait_next;
        wait_wake(t);
        if (n % WAKE_AT_ONCE == 0) {
            hal_crit_exit(c);
            c = hal_crit_enter();
        }
    }
    hal_crit_exit(c);
    if (pins)
        hart_unpin();
}
