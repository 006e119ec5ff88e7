/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims against dispatch, park, wake and exit: kernel/claim.c, kernel/sched.c, kernel/queue.c, gc/root.c.
 *
 * Hart    two harts.  kernel/queue.c queue_take and queue_dispatch; kernel/sched.c sched_turn with successor,
 *         sched_park, sched_leave, sched_run (hal_switch clears `busy`), sched_after; kernel/task.c task_end.  The task on it:
 *         gc/root.c scan_own with kernel/claim.c task_claim_take_back.
 * Waker   kernel/sched.c make_ready (task_ready): whatever parks is woken.
 * Worker  gc/root.c task_job with passed_over, root_claimed, root_died, scan_claimed: kernel/claim.c task_claim_leave and
 *         task_unclaim.
 * Shown   K1, K2, K3; a claimed task does not run; each wish has one answer; no task is lost.
 * Left out: priorities, the choice of a hart, sleep (idle.pml), preemption (as sched_turn), bound tasks, the task
 * table.
 */
/* check: safety */
/* mutant: CLAIM_UNSAVED | k2_holds | a claimer does not wait for busy */
/* mutant: RUN_UNSAVED | k2_holds | a dispatcher does not look at busy */
/* mutant: WAIT_BUSY | invalid end state | a dispatcher waits for busy instead of passing over */
/* mutant: RUN_CLAIMED | k2_holds | a dispatcher does not look at the claim */
/* mutant: NO_KICK_WAKE | invalid end state | a wake-up of a claimed task is forgotten */
/* mutant: NO_KICK_RUN | invalid end state | a dispatch of a claimed task is forgotten */
/* mutant: UNCLAIM_FORGETS | invalid end state | who releases the claim does not look for a kick */
/* mutant: WISH_MISSED | invalid end state | the wish is read before the state is written, not with it */
/* mutant: DIES_SILENT | invalid end state | a task that ends does not answer the wish */
/* mutant: WISH_KEPT | invalid end state | a task that scanned itself answers a wish, and leaves it standing */
/* mutant: OWN_SILENT | invalid end state | a task that scanned itself takes a wish back, and does not answer it */

#ifndef TASKS
#define TASKS 2
#endif
#define HARTS 2
#define NONE TASKS
mtype = { PARKED, READY, RUNNING, DEAD };

mtype state[TASKS] = READY;             /* with the next three, one atomic word */
bit claim[TASKS], kick[TASKS], want[TASKS];
bit busy[TASKS];
bit in_queue[TASKS] = 1;
bit saved[TASKS] = 1;                   /* ghost: ctx holds the whole context */
bit scanning[TASKS];                    /* ghost */
bit listed[TASKS];                      /* gc.claimed */
bit seen[TASKS];                        /* gc_seen: it has scanned itself */
byte answers[TASKS];                    /* ghost: how often the root job was closed */
byte dead;

inline queue_put(t)
{
    d_step { assert(!in_queue[t] && state[t] == READY); in_queue[t] = 1 }
}

/* In the option of an `if`: takes task t out of the queue, if it may, and dispatches it. */
inline take(t)
{
#ifdef WAIT_BUSY
    d_step { in_queue[t] -> in_queue[t] = 0 };
    !busy[t];
#elif defined(RUN_UNSAVED)
    d_step { in_queue[t] -> in_queue[t] = 0 };
#else
    d_step { in_queue[t] && !busy[t] -> in_queue[t] = 0 };
#endif
    atomic {                            /* queue_dispatch */
        if
#ifndef RUN_CLAIMED
        :: claim[t] ->
#ifndef NO_KICK_RUN
            kick[t] = 1
#else
            skip
#endif
#endif
        :: else -> state[t] = RUNNING; next = t
        fi
    };
    if :: next == t -> busy[t] = 1 :: else fi
}

inline resume()
{
    d_step {
        if
        :: next != NONE ->
            k2_holds = saved[next] && !scanning[next]; assert(k2_holds); k2_holds = 0;
            saved[next] = 0
        :: else
        fi;
        current = next; next = NONE
    }
}

inline sched_leave(to)
{
#ifdef WISH_MISSED
    wanted = want[current];
    d_step {
#else
    d_step {
        wanted = want[current];
#endif
        assert(state[current] == RUNNING && !claim[current]);
        state[current] = to;
        want[current] = 0;
        if
        :: wanted && to != DEAD -> claim[current] = 1; kick[current] = (to == READY)
        :: else
        fi
    };
    if
    :: to == READY && !wanted -> queue_put(current)
#ifdef DIES_SILENT
    :: to == DEAD -> dead++
#else
    :: to == DEAD -> d_step { if :: wanted -> answers[current]++ :: else fi; dead++ }
#endif
    :: else
    fi
}

/* Saves, clears busy, goes on in `next`, and hands a claimed task over. */
inline switch()
{
    saved[current] = 1;
    d_step { busy[current] = 0; left = current; current = NONE };
    if :: wanted && state[left] != DEAD -> listed[left] = 1 :: else fi;
    d_step { left = NONE; wanted = 0 };
    resume()
}

inline sched_next()
{
    if
    :: take(0)
#if TASKS > 1
    :: take(1)
#endif
    :: true                             /* or finds none */
    fi
}

/* Pinned: it does not leave in between. */
inline scan_own()
{
    seen[current] = 1;
    d_step {
        wanted = want[current];
#ifndef WISH_KEPT
        want[current] = 0
#endif
    };
#ifndef OWN_SILENT
    d_step { if :: wanted -> answers[current]++ :: else fi; wanted = 0 }
#else
    wanted = 0
#endif
}

proctype Hart()
{
    byte current = NONE, next = NONE, left = NONE;
    bit wanted, k2_holds;
    do
    :: current == NONE -> if :: take(0)
#if TASKS > 1
        :: take(1)
#endif
        :: dead == TASKS -> break
        fi;
        resume()
    :: current != NONE ->
        if
        :: sched_next();                /* sched_turn: chooses first */
            if
            :: next != NONE || want[current] -> sched_leave(READY); switch()
            :: else
            fi
        :: sched_leave(PARKED); sched_next(); switch()
        :: sched_leave(DEAD); sched_next(); switch()
        :: !seen[current] -> scan_own()
        fi
    od
}

proctype Waker(byte t)
{
    bit queue;
    do
    :: d_step { state[t] == PARKED ->
            queue = !claim[t];
#ifndef NO_KICK_WAKE
            kick[t] = claim[t];
#endif
            state[t] = READY };
        if :: queue -> queue_put(t) :: else fi;
        queue = 0
    :: state[t] == DEAD -> break
    od
}

inline scan_claimed(t)
{
    d_step {
        k2_holds = claim[t] && saved[t] && state[t] != RUNNING && state[t] != DEAD; assert(k2_holds); k2_holds = 0;
        scanning[t] = 1
    };
    d_step {                            /* task_unclaim */
        scanning[t] = 0;
        kicked = kick[t]; kick[t] = 0; claim[t] = 0
    };
#ifndef UNCLAIM_FORGETS
    if :: kicked -> queue_put(t) :: else fi;
#endif
    d_step { kicked = 0; answers[t]++ }
}

inline task_job(t)
{
    over = seen[t];
    d_step {                            /* task_claim, and if it runs task_claim_leave */
        if
        :: over || state[t] == DEAD -> answers[t]++; over = 0
        :: state[t] == RUNNING -> want[t] = 1
        :: else -> claim[t] = 1; got = 1
        fi
    };
    if
    :: got ->
#ifndef CLAIM_UNSAVED
        !busy[t];
#endif
        scan_claimed(t); got = 0
    :: else
    fi
}

proctype Worker()
{
    bit got, kicked, over, k2_holds;
    byte jobs;
    do
    :: jobs < TASKS -> task_job(jobs); jobs++
    :: d_step { listed[0] -> listed[0] = 0 }; scan_claimed(0)
#if TASKS > 1
    :: d_step { listed[1] -> listed[1] = 0 }; scan_claimed(1)
#endif
    :: jobs == TASKS && answers[0] > 0 && answers[TASKS - 1] > 0 -> break
    od;
    dead == TASKS;
    assert(answers[0] == 1 && answers[TASKS - 1] == 1)
}

init {
    atomic {
        run Hart(); run Hart(); run Worker(); run Waker(0);
#if TASKS > 1
        run Waker(1)
#endif
    }
}
