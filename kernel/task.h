/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task as the kernel and the collector see it.
 *
 * State is one atomic word: a task_state and some bits.
 *   TASK_PARKED   waits; somebody must task_ready() it
 *   TASK_READY    in a run queue (or about to be put there by whoever made it ready or releases the claim)
 *   TASK_RUNNING  the current task of a hart
 *   TASK_DEAD     ended; its result waits for a join
 *   TASK_CLAIM    the collector reads its stack: it must not run.  A claimed task is in no hart.
 *   TASK_KICK     somebody made it ready, or wanted to dispatch it, while it was claimed: whoever releases the claim
 *                 puts it in a run queue
 *   TASK_WANT     only with RUNNING: it shall be claimed as it leaves its hart.  Leaving turns it into TASK_CLAIM in the
 *                 same compare-and-swap, so a wish can neither be missed nor be answered twice.
 *   TASK_WAIT     only with PARKED: it waits in wait.c, and only wait.c ends that
 * K1: a wake-up, dispatch or exit of a claimed task never waits; whoever releases the claim finishes it.
 * K2: `ctx` may be read or resumed only when `busy` is 0 (read with acquire); hal_switch clears it with release.
 * K3: a dispatcher passes over a task whose `busy` is still 1; it never waits for it.  (Two harts that leave two tasks
 *     which each has just made ready would wait for each other for ever.)  So who waits for busy, waits briefly.
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include "hal/hal.h"
#include "kernel/hart.h"
#include "kernel/hk.h"

enum task_state { TASK_FREE, TASK_PARKED, TASK_READY, TASK_RUNNING, TASK_DEAD };
enum { TASK_STATE_MASK = 7, TASK_CLAIM = 8, TASK_KICK = 16, TASK_WANT = 32, TASK_WAIT = 64 };

struct hk_mutex;

enum { HK_STACK_CANARY_BYTES = 2 * sizeof(uintptr_t) };     /* at stack_lo, see stack.c */

struct task {
    struct hal_ctx ctx;         /* see K2 */
    uint32_t state;             /* atomic */
    uint32_t busy;              /* atomic: 1 from dispatch until ctx is saved again */
    uint32_t claim_want;        /* in hooks.claimed and hooks.died: 1 if task_claim_leave is answered by this call */

    struct task *next, *prev;   /* links of the run queue that it is in; that queue's lock */
    struct hart *queue;         /* atomic: whose run queue it is in, or NULL; written under that queue's lock */
    unsigned queue_prio;        /* the priority that it is queued by; that queue's lock */
    unsigned hart;              /* atomic: where it ran last; written by the dispatching hart */
    int affinity;               /* hart it must run on, or -1; constant */
    uint32_t prio;              /* atomic: effective priority (inheritance); written under pi_lock, see mutex.c */
    uint32_t base_prio;         /* constant */
    bool bound;                 /* constant: made by task_create_bound */
    bool system;                /* constant: runs also while the gate is closed */
    uint32_t runs_on;           /* atomic: it does so for now; see sched_let_run */
    bool no_stack_roots;        /* constant: its stack holds no reference (idle tasks, mark workers) */

    char name[20];
    uintptr_t stack_lo, stack_hi;       /* usable stack, the guard left out; constant */
    void (*fn)(void *arg);
    uintptr_t arg;              /* barriered root until the task has started */
    uintptr_t result;           /* barriered root until joined */
    bool exited_by_fault;

    unsigned slot;              /* index in the task table; table lock */
    uint32_t gc_paid_cycle;     /* the collector's, itself: the cycle of the balance */
    intptr_t gc_balance;        /* the collector's, itself: bytes it may take before it must pay */
    uint32_t gc_seen;           /* the collector's: cycle in which its stack was scanned, or that it was born in */
    struct task *gc_next;       /* the collector's: list of claimed tasks to scan */
    void *gc_stacks;            /* the collector's, atomic: struct hgc_stacks, or NULL; see stacks.c */
    void *gc_entered;           /* a runtime's, atomic: those that it has entered, or NULL; see gc/stacks.h */
    uint32_t gc_stacks_only;    /* the collector's, itself: 1: its C stack may be passed over when it waits; 2: it waits so */
    uint32_t gc_left_out;       /* the collector's: cycle in which its C stack was passed over for that */
    bool gc_exempt;             /* the collector's, itself: see hgc_exempt */
    uint32_t gc_leaked;         /* the collector's, atomic: the cycle that found that it waits for ever; see leak.c */

    struct hk_mutex *held;      /* mutexes it owns; itself only */
    struct hk_mutex *contended; /* those of them that others wait for; pi_lock */
    struct hk_mutex *waits_for; /* the one it waits for; pi_lock */

    struct task *wait_next, *wait_prev; /* links of the queue that it waits in; wait_lock, as the next three */
    struct hk_wait *wait_queue; /* atomic: NULL: it does not wait, or no longer */
    uint32_t wait_timed;        /* atomic: it waits for a time at most; itself, before it waits */
    int wait_result;
    uintptr_t wait_value;       /* the word that a channel passes */
    struct spinlock *wait_lock; /* what guards wait_queue; itself, before it waits */

    struct hk_event done;       /* set as it ends */
    uint32_t joined;            /* atomic: somebody joins it, or it is detached */
    bool detached;              /* constant */
    void *mem;                  /* the allocation that holds stack and task; constant */
    size_t mem_size;
    void *reent;                /* the C library's state of this task, or NULL; itself only */
    /* NULL, or what gives `reent` back as the task ends; itself only.  fault: in its trap, a critical section, after its
     * mutexes went on; else in the task, which may wait and still owns them. */
    void (*reent_end)(struct task *t, bool fault);
};

/* ---- what the collector uses ------------------------------------------------------------------------------------ */

/* Hooks that the collector registers before other tasks exist.  All may be NULL. */
struct task_hooks {
    /* Scheduler of hart `h` looks for a task, in a critical section: the hart's mark worker if it should run now, else
     * NULL.  Called first with idle = false before the run queues are looked at, then with idle = true when the hart
     * would otherwise go idle.  The task returned is parked or new, bound to this hart, and is dispatched at once; or it
     * is the current task: then that goes on.  The answer is dropped while that task waits for something of the kernel's
     * (a mutex), or has only just parked itself: the hook is asked again. */
    struct task *(*pick)(struct hart *h, bool idle);
    /* A reference may pass from one task to another by `word` (a start argument, a result), I11.  In the critical
     * section in which it passes. */
    void (*handover)(uintptr_t word);
    /* `t` was linked into the task table; same critical section, table lock held: it may not call what is below. */
    void (*born)(struct task *t);
    /* `t` left its hart after task_claim_leave and is claimed now (context saved, K2 holds).  Critical section of the
     * hart that it left, perhaps in a handler. */
    void (*claimed)(struct task *t);
    /* `t` ends: critical section, in the task or in the trap that ended it.  Claims already fail.  t->claim_want: a
     * task_claim_leave was waiting for it, and this is its answer. */
    void (*died)(struct task *t);
};
/* Copies *hooks.  Once. */
void task_hooks_set(const struct task_hooks *hooks);

/* One more than the highest slot in use, to iterate over all tasks.  Any context. */
unsigned task_slots(void);
/* The task in a slot, or NULL.  It can go away at any time unless the world is stopped or it is claimed. */
struct task *task_at(unsigned slot);
/* The same with the table locked, so that it cannot go away: unlock after it, even if it is NULL.  Critical section. */
struct task *task_lock_slot(unsigned slot);
void task_unlock_slot(void);
/* The two words of the task in `slot` that are roots, read while it cannot go away.  False: no such task.  Any. */
bool task_words(unsigned slot, uintptr_t *arg, uintptr_t *result);

/* What `t` waits for without a limit of time, by the address of its queue in a mutex, semaphore, event or channel; 0: it does
 * not wait so, or no longer.  With the table locked, or the world stopped. */
uintptr_t task_waits_for(const struct task *t);

/* Bytes of stacks in use, and of those of ended tasks that are kept for new ones.  Any context; a figure. */
void task_stacks(size_t *used, size_t *spare);

enum task_claim {
    TASK_CLAIMED,               /* yours: the context is saved, it does not run until task_unclaim */
    TASK_ON_HART,               /* it runs; ask with task_claim_leave */
    TASK_NONE                   /* no such task, or dead, or one without roots on its stack, or claimed (or wanted) by
                                   somebody else already */
};
/* Tries to claim the task in `slot`; *t is set when TASK_CLAIMED or TASK_ON_HART.  Task context, pinned. */
enum task_claim task_claim(unsigned slot, struct task **t);
/* Asks that the task in `slot` be claimed as it leaves its hart, and makes it leave soon; `claimed` is called then, or
 * `died`, or neither if the task takes the wish back.  If it has left already it is claimed on the spot (TASK_CLAIMED).  Task context, pinned. */
enum task_claim task_claim_leave(unsigned slot, struct task **t);
/* The calling task has done itself what somebody wants to claim it for.  True: somebody did, and gets no answer: the caller gives it.
 * Pinned. */
bool task_claim_take_back(void);
/* Releases a claim and finishes what was held back (K1).  Pinned, or in a critical section. */
void task_unclaim(struct task *t);

/* A task for one hart, in no run queue while it is parked by task_park: only the pick hook dispatches it then.  (When it
 * is preempted, or wakes from waiting for a mutex, it is in the queue of its hart like any other.)  It runs fn(arg) and
 * parks itself with task_park.  NULL: no memory.  start(), or task. */
struct task *task_create_bound(const char *name, unsigned hart, void (*fn)(void *), void *arg);
/* Parks the current task until task_ready (or the pick hook, for a bound task).  `lock`, held, is released once the
 * state says parked; c is what spin_lock_crit returned.  lock may be NULL: then c is hal_crit_enter's. */
void task_park(struct spinlock *lock, hal_crit_t c);
/* Makes a task parked by task_park ready.  Any context.  Returns false if it was not parked. */
bool task_ready(struct task *t);
/* The current task. Task context (the answer stays true as long as the caller runs). */
struct task *task_self(void);
/* In a task, outside pinned and critical sections and handlers: where waiting is allowed? */
bool task_may_wait(void);

#endif
