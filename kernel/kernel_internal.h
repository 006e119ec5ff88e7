/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the kernel share.
 *
 * Lock order, outer first: a wait lock (an object's, or pi_lock) > table lock > queue lock, timer lock > console lock.
 * Nobody holds two of one kind.  No lock is held across a switch.
 */
#ifndef KERNEL_INTERNAL_H
#define KERNEL_INTERNAL_H

#include "kernel/hart.h"
#include "kernel/hk.h"
#include "kernel/lock.h"
#include "kernel/task.h"
#include "kernel/world.h"

#define HK_PAGE 4096u

/* A HAL whose handlers or sanitizers want more of a task's stack says how much it must have at least. */
#ifndef HAL_STACK_MIN
#define HAL_STACK_MIN 0
#endif

/* ---- start.c ---- */
bool start_done(void);              /* harts run: before, the boot hart is alone */
void start_hart_up(void);           /* this hart's idle task runs.  Critical section */

/* ---- task.c ---- */
void task_init(void);
void task_hook_claimed(struct task *t);
void task_hook_died(struct task *t);
void task_hook_handover(uintptr_t word);
struct task *task_hook_pick(struct hart *h, bool idle);
/* A task that begins in entry(the task), inside a critical section.  It is READY, in no queue and not in the table.  NULL:
 * no memory. */
struct task *task_make(const char *name, size_t stack_size, void (*entry)(void *));
/* Ends the current task of `h` in a critical section: the caller switches away from it and never back. */
void task_end(struct hart *h, struct task *t);
/* Gives back an ended task that has left its hart.  Any context. */
void task_free(struct task *t);

/* ---- stack.c ---- */
void stack_mark(struct task *t);                /* writes the canary */
bool stack_ok(const struct task *t, uintptr_t sp);
void *stack_get(size_t size);                   /* whole pages, or NULL */
void stack_put(void *mem, size_t size);
bool stack_give_back(void);                     /* a kept one, to the pages; false: none is kept */

/* ---- sched.c: all of it in a critical section ---- */
void sched_after(struct hart *h);               /* what is left to do for the task that was switched away */
struct task *sched_next(struct hart *h);        /* takes a task for a hart that has none; NULL: there is none */
void sched_leave(struct hart *h, struct task *t, uint32_t to);  /* the current task's state as it leaves */
void sched_run(struct hart *h, struct task *next);      /* switches; back when the caller's task goes on */
void sched_run_trap(struct hart *h, struct task *next); /* the same from a trap of the current task */
void sched_turn(void);                          /* lets the tasks that are due run; from a task */
void sched_turn_trap(struct hart *h);           /* the same from its trap */
void sched_park(struct spinlock *lock, uint32_t bits);  /* task_park with further state bits; ends no critical section */
struct task *sched_take_idle(struct hart *h);

/* ---- queue.c: all of it in a critical section ---- */
void queue_put(struct task *t);                 /* a READY task, in no queue: chooses its hart, and tells it */
unsigned queue_put_here(struct hart *h, struct task *t);        /* in the queue of this hart, telling nobody; with which priority */
bool queue_remove(struct hart *h, struct task *t);      /* false: it is not in the queue of h */
struct task *queue_take(struct hart *h, struct hart *from, unsigned min_prio);  /* takes one to run on h */
bool queue_dispatch(struct hart *h, struct task *t);    /* READY -> RUNNING on h; false: it is claimed (K1) */
bool sched_kept_off(const struct task *t);      /* the gate is closed to it */
bool queue_above(struct hart *h, unsigned prio);        /* does one of higher priority stand in it that may run? */
struct hart *queue_set_prio(struct task *t, unsigned prio);     /* whose queue it stands in, if any */

/* ---- tick.c, timer.c: owner, in a critical section or handler ---- */
void tick_restart(struct hart *h);              /* another task runs, or the same begins a new slice */
void tick_update(struct hart *h);               /* arms the tick if it is wanted and not armed */
void tick_expire(struct hart *h, uint64_t now);
void timer_arm(struct hart *h);                 /* sets the machine's timer to the next deadline */
void timer_interrupt(void);

/* ---- idle.c ---- */
_Noreturn void idle_run(void *self);
bool hart_wake(struct hart *h);                 /* true: it slept, and was sent an IPI */

/* ---- wait.c: the one way to wait for an object ---- */
/* Enqueues the current task in q by priority, releases lock and critical section, and waits until wait_pop or the end of
 * time.  Returns what wait_pop said, or HK_ETIMEOUT. */
int wait_on(struct hk_wait *q, struct spinlock *lock, hal_crit_t c, uint64_t timeout_ns);
/* Its parts: into the queue, lock held; then the waiting, which releases the lock and comes back in the critical section. */
void wait_enter(struct hk_wait *q, struct spinlock *lock);
int wait_block(uint64_t timeout_ns);
/* Takes the first waiter out, or NULL.  Lock held.  The caller then must wait_wake it, best after it released the lock:
 * the woken task may free the object. */
struct task *wait_pop(struct hk_wait *q, int result);
void wait_wake(struct task *t);                 /* any context */
/* Takes all out that wait, and wakes them, some at a time.  Lock held; releases it, and does not look at the object after, and the
 * section. */
void wait_wake_all(struct hk_wait *q, struct spinlock *lock, hal_crit_t c, int result);
void wait_reorder(struct task *t);              /* its priority changed.  Lock held */

/* ---- mutex.c ---- */
void mutex_abandon(struct task *t);             /* t ends: what it owns goes to the next */

/* ---- world.c ---- */
void world_ipi(struct hart *h);                 /* handler: takes the requests */

/* ---- fault.c ---- */
void fault_hook(const struct hal_fault *f);
void fault_check_stack(struct hart *h);         /* trap exit: ends a task whose stack has overflowed */

/* ---- panic.c ---- */
bool panic_begun(void);
_Noreturn void panic_halt(void);                /* this hart stops because another one panics */
_Noreturn void panic_at(const struct hal_ctx *ctx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- console.c ---- */
void console_line(const char *line);            /* for hal_ctx_dump */
void console_flush(void);
void console_break_lock(void);                  /* panic: nobody else runs any more */

/* ---- mem.c ---- */
void mem_init(void);

#endif
