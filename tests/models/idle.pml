/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping and waking: kernel/idle.c.
 *
 * Hart    an idle hart: idle_run with take_or_sleep and hal_wait, until it has found a task; then it stays with that,
 *         and wakes one more if there is more in the queues (kernel/sched.c set_current).
 * Waker   kernel/queue.c queue_put and kernel/idle.c hart_wake: puts a task in a run queue, wakes one hart.
 * Leaver  kernel/sched.c sched_leave and sched_run: a hart that puts the task that it leaves in the run queue while
 *         `busy` is still 1, wakes one hart (set_current), and clears `busy` later (hal_switch).
 * Memory  the store buffers: the two stores that the two full fences are for take effect some time later, at the
 *         latest in the fence.  So a missing fence shows although Spin knows only one order of memory.
 * Shown   No task waits while a hart sleeps; K3: what was passed over is looked at again.
 * Left out: the choice of a hart and the kick of a hart that does not sleep (kernel/queue.c choose, tell), devices,
 * the timer, spurious ends of hal_wait.  Work of the mark queues wakes by the same code (gc/queue.c markq_push), but
 * there the second wake of set_current is missing: see NO_CHAIN.
 */
/* check: safety */
/* mutant: NO_FENCE_IDLE | invalid end state | no fence between asleep and the look for work */
/* mutant: NO_FENCE_WAKE | invalid end state | no fence between the work and the look at asleep */
/* mutant: LOOK_FIRST | invalid end state | the hart looks for work, then says that it is asleep */
/* mutant: OPEN_WAIT | invalid end state | interrupts are taken between the look and hal_wait */
/* mutant: NO_CHAIN | invalid end state | a hart that takes a task does not wake another one for the rest */
/* mutant: SLEEP_PASSED | invalid end state | a hart that passed over a task sleeps */

#define HARTS 2
mtype = { NONE, BUSY, SAVED };          /* a piece of work: none, its context not saved yet, ready to be taken */

mtype work[2] = NONE;
bit asleep[HARTS], ipi[HARTS];
bit asleep_buffered[HARTS];             /* a store of 1 that others do not see yet */
mtype work_buffered[2] = NONE;
byte found;                             /* pieces that harts have found */

#define STORE_ASLEEP asleep_buffered[id] = 1
#ifdef NO_FENCE_IDLE
#define FENCE_IDLE true
#else
#define FENCE_IDLE !asleep_buffered[id]
#endif
#ifdef NO_FENCE_WAKE
#define FENCE_WAKE true
#else
#define FENCE_WAKE work_buffered[id] == NONE
#endif

inline look()
{
    d_step {
        passed_over = 0;
        if
        :: work[0] == SAVED -> work[0] = NONE; took = 1
        :: work[0] != SAVED && work[1] == SAVED -> work[1] = NONE; took = 1
        :: else -> passed_over = (work[0] == BUSY || work[1] == BUSY)
        fi
    }
}

inline hart_wake_one()
{
    do
    :: i == HARTS -> break
    :: i < HARTS && !asleep[i] -> i++
    :: i < HARTS && asleep[i] ->
        d_step { won = asleep[i]; asleep[i] = 0 };
        if :: won -> ipi[i] = 1; break :: else -> i++ fi
    od
}

proctype Hart(byte id)
{
    bit took, passed_over, won;
    byte i;
    do
    ::
#ifdef LOOK_FIRST
        look();
        STORE_ASLEEP;
        FENCE_IDLE;
#else
        STORE_ASLEEP;
        FENCE_IDLE;
        look();
#endif
#ifdef OPEN_WAIT
        if :: ipi[id] -> ipi[id] = 0 :: true fi;
#endif
#ifdef SLEEP_PASSED
        if :: !took -> ipi[id] :: else fi;          /* hal_wait */
#else
        if :: !took && !passed_over -> ipi[id] :: else fi;
#endif
        d_step { passed_over = 0; asleep_buffered[id] = 0; asleep[id] = 0 };
        ipi[id] = 0;                                /* interrupts are taken */
        if :: took -> break :: else fi
    od;
    found++;
#ifndef NO_CHAIN
    if :: work[0] != NONE || work[1] != NONE -> hart_wake_one() :: else fi;
#endif
    found == 2
}

proctype Waker(byte id)
{
    byte i;
    bit won;
    work_buffered[id] = SAVED;
    FENCE_WAKE;
    hart_wake_one()
}

proctype Leaver(byte id)
{
    byte i;
    bit won;
    work_buffered[id] = BUSY;
    FENCE_WAKE;
    hart_wake_one();
    work_buffered[id] == NONE;
    work[id] = SAVED
}

proctype Memory()
{
end:
    do
    :: d_step { asleep_buffered[0] -> asleep_buffered[0] = 0; asleep[0] = 1 }
    :: d_step { asleep_buffered[1] -> asleep_buffered[1] = 0; asleep[1] = 1 }
    :: d_step { work_buffered[0] != NONE -> work[0] = work_buffered[0]; work_buffered[0] = NONE }
    :: d_step { work_buffered[1] != NONE -> work[1] = work_buffered[1]; work_buffered[1] = NONE }
    od
}

init {
    atomic { run Hart(0); run Hart(1); run Waker(0); run Leaver(1); run Memory() }
}
