/* SPDX-License-Identifier: Apache-2.0 */
/* One hart, a P as Go has them: who runs on it, its run queue, its timers, and room for the collector's part. */
#ifndef KERNEL_HART_H
#define KERNEL_HART_H

#include "hal/hal.h"
#include "kernel/config.h"
#include "kernel/lock.h"

enum { HK_PRIOS = 4 };          /* background, normal, high, urgent */

struct hart {
    struct hal_hart hal;        /* first: the trap entry finds it at 0(tp) */

    unsigned index;             /* 0 .. harts - 1; constant */
    struct task *current;       /* atomic: owner writes, others may peek */
    struct task *idle;          /* runs when nothing else can; constant */
    struct task *left;          /* owner: a task that was switched away and about which something is still to be done:
                                   see sched_after */

    struct spinlock queue_lock;
    struct task *queue_head[HK_PRIOS], *queue_tail[HK_PRIOS];   /* queue_lock */
    uint32_t queued;            /* atomic: tasks in the queues; written under queue_lock, as the next */
    uint32_t queued_at[HK_PRIOS];       /* atomic: in each */

    struct spinlock timer_lock;
    struct hk_timer *timers;    /* timer_lock: sorted by deadline */
    struct hk_timer *timer_running;     /* atomic: whose function runs on this hart now */
    uint64_t slice_end;         /* owner: when the running task's slice ends; UINT64_MAX: no tick armed */
    uint64_t alarm;             /* owner: a deadline of the kernel's own (the watchdog of a stop) */
    uint64_t armed;             /* owner: what the machine's timer is set to */

    uint32_t running_prio;      /* atomic: 1 + priority of the current task, 0 in idle.  Decides whether it is told of a new task */
    uint32_t ticking;           /* atomic: a tick is armed; see tick.c */
    uint32_t resched;           /* atomic: look for another task at the next chance */
    uint32_t asleep;            /* atomic: in the idle loop, must be sent an IPI to see work; see idle.c */
    uint32_t kept_free;         /* atomic: the pick hook has nothing for it, so it is no helper; written as it likes */
    bool passed_over;           /* owner: a look at the queues passed over a task whose context was not saved yet (K3) */
    uint32_t pin;               /* owner: depth of pinned sections of the current task */

    uint32_t request;           /* atomic: what an initiator asks of this hart; see world.c */
    uint32_t in_stop;           /* owner: 1 + reason of the stop in whose wait it stands, so that an IPI does not nest it */
    uint32_t stop_seen;         /* atomic: the last stop or handshake epoch this hart acknowledged */

    uint32_t switches;          /* owner; others peek: context switches */
    uint32_t steals;            /* owner; others peek: tasks taken from other harts' queues */
    uint32_t idle_us;           /* atomic: time asleep; owner writes; wraps after 71 minutes of it */
    uint64_t idle_ns;           /* owner; others peek (torn on RV32: a figure, not a fact) */

    _Alignas(HART_GC_OFFSET) unsigned char gc[HART_GC_SIZE];    /* the collector's struct gc_hart */
};
_Static_assert(offsetof(struct hart, gc) == HART_GC_OFFSET, "struct hart: the kernel's part outgrew HART_GC_OFFSET");
_Static_assert(offsetof(struct hart, hal) == 0, "the trap entry wants struct hal_hart at offset 0");

/* Pinned section: the current task is not switched away; its hart still takes interrupts and can be stopped.  Nests.
 * Ending the outermost one lets a switch that was due happen.  Task context, outside critical sections. */
void hart_pin(void);
void hart_unpin(void);
/* Is a switch due on this hart?  Pinned: read between pieces of long work. */
bool hart_resched_due(void);

/* Makes a hart that sleeps in its idle loop look for work; any context.  The caller has published the work. */
void hart_wake_one(void);
/* The same for work that only the pick hook finds: none that is kept free is woken for it. */
void hart_wake_helper(void);
/* Is a hart that is not kept free in its idle loop?  A hint: it may find work, or be sent some, at once.  Any context. */
bool hart_any_idle(void);
/* Makes hart `index` run its scheduler soon (at its next trap exit).  Any context. */
void hart_kick(unsigned index);
/* Time that hart `index` has slept.  Any context; a figure: on 32-bit machines it may be read half old. */
uint64_t hart_idle_ns(unsigned index);
/* Hands the tasks in this hart's run queue to other harts (those that may run elsewhere), and forgets that a switch was
 * due: for a task that goes on although others want its hart.  Pinned. */
void hart_shed(void);
/* Do tasks wait in this hart's queue?  Pinned. */
bool hart_others_wait(void);
/* From here on until its next switch the hart counts as one with nothing to do: any task that becomes ready is told to it,
 * and hart_resched_due says so.  For work that only fills idle time.  Pinned. */
void hart_gives_way(void);
/* While closed only tasks of the system (bound ones, and those configured so) run; the others leave their harts at the next
 * trap or yield, and wait.  The caller makes every hart look.  Any context, a stop included. */
void sched_gate(bool closed);
bool sched_gated(void);
/* One of them runs nevertheless, until it is told off again.  The task does not end meanwhile.  Task. */
void sched_let_run(struct task *t, bool on);
/* While on, every hart that runs a task and is not kept free gets its tick, wanted or not, so that the pick hook is asked
 * each time.  Any context, a stop included. */
void sched_ticks(bool on);

#endif
