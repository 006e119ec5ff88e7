/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutexes with priority inheritance, which survive the death of their owner.
 *
 * Invariants:
 *   - m->word is the owner, and its low bit (WAITED) says that m stands in the owner's list `contended`.  Without the bit
 *     the owner unlocks with one compare-and-swap and anybody may lock a free mutex with one; with it the word changes
 *     only under pi_lock.
 *   - Waiters stand in m->waiters only while WAITED is set (the bit may outlast the last of them, if its time ran out).
 *   - Priority of a task = the highest of its own and of the first waiters of the mutexes in its list `contended`.
 *   - Ownership is handed over: an unlocked mutex has no waiters, so nobody can overtake them.
 * `held` lists all mutexes of a task for its end.  Only the task touches it; the one who hands it a mutex does so while it
 * waits.
 */
#include "kernel/kernel_internal.h"

#define WAITED ((uintptr_t)1)
enum { PI_CHAIN = 16 };         /* tasks that a boost or the search for a circle follows: bounds the critical section */

/* One lock for all contended mutexes: a chain of inheritance crosses them in any order. */
static struct spinlock pi_lock;

static struct task *owner(const struct hk_mutex *m)
{
    return (struct task *)(ld_rlx(&m->word) & ~WAITED);
}

/* ---- priority inheritance: pi_lock held ------------------------------------------------------------------------- */

static unsigned due_prio(const struct task *t)
{
    unsigned prio = t->base_prio;
    for (const struct hk_mutex *m = t->contended; m; m = m->next_contended)
        if (m->waiters.head && ld_rlx(&m->waiters.head->prio) > prio)
            prio = ld_rlx(&m->waiters.head->prio);
    return prio;
}

/* Where it stands in a queue or runs it may come first now, or another may.  One that is in neither, and not parked, is on its way to a
 * queue: who puts it there reads the priority behind a fence, as who dispatches it does once it has told t->hart; and so this reads
 * state and hart behind that of queue_set_prio. */
static void set_prio(struct task *t, unsigned prio)
{
    struct hart *h = hal_self();
    bool here = t == ld_rlx(&h->current), lower = prio < ld_rlx(&t->prio);
    struct hart *in = queue_set_prio(t, prio);
    if (here)
        st_rlx(&h->running_prio, 1 + prio);
    if (here ? lower : (ld_rlx(&t->state) & TASK_STATE_MASK) != TASK_PARKED)
        hart_kick(in ? in->index : ld_rlx(&t->hart));
}

/* Who owns what `t` waits for.  Where its time has run out it waits no longer, though it has not seen that yet; then that mutex may have
 * an owner who knows of no waiter, unlocks it without pi_lock, and ends. */
static struct task *next_in_chain(const struct task *t)
{
    const struct hk_mutex *m = ld_rlx(&t->wait_queue) ? t->waits_for : NULL;
    if (m == NULL)
        return NULL;
    hk_assert(ld_rlx(&m->word) & WAITED);
    return owner(m);
}

/* Gives `t`, and whom it waits for in turn, the priority that is due. */
static void propagate(struct task *t)
{
    for (int i = 0; t && i < PI_CHAIN; i++) {
        unsigned prio = due_prio(t);
        if (prio == ld_rlx(&t->prio))
            return;
        set_prio(t, prio);
        if (t->waits_for)               /* else pi_lock is not what guards the queue in which it may wait */
            wait_reorder(t);
        t = next_in_chain(t);
    }
}

static bool closes_circle(const struct task *self, const struct task *t)
{
    for (int i = 0; t && i < PI_CHAIN; i++) {
        if (t == self)
            return true;
        t = next_in_chain(t);
    }
    return false;
}

static void contend(struct hk_mutex *m, struct task *t)
{
    m->next_contended = t->contended;
    t->contended = m;
}

static void uncontend(struct hk_mutex *m, struct task *t)
{
    struct hk_mutex **at = &t->contended;
    while (*at != m) {
        hk_assert(*at != NULL);
        at = &(*at)->next_contended;
    }
    *at = m->next_contended;
}

/* After a waiter went away: the bit goes with the last, and the owner's priority with the first. */
static void settle(struct hk_mutex *m)
{
    struct task *t = owner(m);
    if (!(ld_rlx(&m->word) & WAITED))
        return;
    bool last = m->waiters.head == NULL;
    if (last)
        uncontend(m, t);
    propagate(t);
    if (last)   /* last of all: from here on t may unlock without pi_lock, and end */
        st_rel(&m->word, (uintptr_t)t);     /* [L-none: our reads of t come before its end; partner: fence in unlock] */
}

/* ---- locking ---------------------------------------------------------------------------------------------------- */

/* Critical section.  Acquire: partner is the release in unlock. */
static bool lock_free(struct hk_mutex *m, struct task *self)
{
    if (!cas_acq(&m->word, 0, (uintptr_t)self))     /* [L-mutex.acq] */
        return false;
    m->next_held = self->held;
    self->held = m;
    return true;
}

/* pi_lock held.  Takes it, or makes sure that its owner will come to pi_lock to unlock it. */
static bool lock_or_mark(struct hk_mutex *m, struct task *self)
{
    for (;;) {
        uintptr_t w = ld_rlx(&m->word);
        if (w == 0 && lock_free(m, self))
            return true;
        if (w & WAITED)
            return false;
        if (w != 0 && cas_acq(&m->word, w, w | WAITED)) {       /* [L-none: pi_lock orders it] */
            contend(m, owner(m));
            return false;
        }
    }
}

/* Tells the new owner, once, that the last one died. */
static int owned(struct hk_mutex *m)
{
    bool inconsistent = m->inconsistent;
    m->inconsistent = false;
    return inconsistent ? HK_EOWNERDEAD : HK_OK;
}

static int wait_for(struct hk_mutex *m, struct task *self, hal_crit_t c, uint64_t timeout_ns)
{
    int result;
    spin_lock(&pi_lock);
    if (lock_or_mark(m, self)) {
        spin_unlock_crit(&pi_lock, c);
        return owned(m);
    }
    if (closes_circle(self, owner(m))) {
        result = HK_EDEADLK;
    } else {
        self->waits_for = m;
        wait_enter(&m->waiters, &pi_lock);
        propagate(owner(m));
        result = wait_block(timeout_ns);
        if (result == HK_OK) {
            hal_crit_exit(c);
            return owned(m);
        }
        spin_lock(&pi_lock);
        self->waits_for = NULL;
    }
    settle(m);
    spin_unlock_crit(&pi_lock, c);
    return result;
}

int hk_mutex_lock_until(struct hk_mutex *m, uint64_t timeout_ns)
{
    hk_assert(timeout_ns == 0 || task_may_wait());
    hal_probe(&m->word);                /* a bad pointer faults here, where that ends only the task */
    hal_crit_t c = hal_crit_enter();
    struct task *self = ld_rlx(&hal_self()->current);
    bool mine = owner(m) == self;
    if (!mine && !lock_free(m, self) && timeout_ns != 0)
        return wait_for(m, self, c, timeout_ns);
    bool got = !mine && owner(m) == self;
    hal_crit_exit(c);
    return mine ? HK_EDEADLK : got ? owned(m) : HK_EAGAIN;
}

int hk_mutex_lock(struct hk_mutex *m)
{
    return hk_mutex_lock_until(m, HK_FOREVER);
}

int hk_mutex_try(struct hk_mutex *m)
{
    return hk_mutex_lock_until(m, 0);
}

/* ---- unlocking -------------------------------------------------------------------------------------------------- */

static void unlink_held(struct hk_mutex *m, struct task *t)
{
    struct hk_mutex **at = &t->held;
    while (*at != m) {
        hk_assert(*at != NULL);
        at = &(*at)->next_held;
    }
    *at = m->next_held;
}

/* pi_lock held: the first waiter, made the owner; NULL: there is none. */
static struct task *hand_over(struct hk_mutex *m)
{
    struct task *next = wait_pop(&m->waiters, HK_OK);
    if (next == NULL) {
        st_rel(&m->word, 0);            /* partner: lock_free [L-spinlock.rel] */
        return NULL;
    }
    next->waits_for = NULL;
    m->next_held = next->held;
    next->held = m;
    if (m->waiters.head)
        contend(m, next);
    st_rel(&m->word, (uintptr_t)next | (m->waiters.head ? WAITED : 0));     /* [L-none: the wake-up orders it] */
    propagate(next);
    return next;
}

/* Critical section.  `t` is the owner: the current task. */
static void unlock(struct hk_mutex *m, struct task *t)
{
    unlink_held(m, t);
    if (cas_rel(&m->word, (uintptr_t)t, 0)) {   /* partner: lock_free [L-mutex.rel] */
        fence_acq();    /* what settle read of t comes before t's end.  [L-none: a branch orders t's later stores anyway] */
        return;
    }
    spin_lock(&pi_lock);
    if (ld_rlx(&m->word) & WAITED)      /* the last waiter's time may have run out since we looked */
        uncontend(m, t);
    struct task *next = hand_over(m);
    propagate(t);
    spin_unlock(&pi_lock);
    if (next)
        wait_wake(next);
}

int hk_mutex_unlock(struct hk_mutex *m)
{
    (void)ld_rlx(&m->word);             /* as above */
    hal_crit_t c = hal_crit_enter();
    struct task *self = ld_rlx(&hal_self()->current);
    bool mine = owner(m) == self;
    if (mine)
        unlock(m, self);
    hal_crit_exit(c);
    return mine ? HK_OK : HK_EPERM;
}

void mutex_abandon(struct task *t)
{
    hal_crit_t c = hal_crit_enter();
    while (t->held) {
        struct hk_mutex *m = t->held;
        m->inconsistent = true;
        unlock(m, t);
    }
    hal_crit_exit(c);
}
