/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a block that is being marked, and when the mark is over: gc/mark.c, gc/queue.c, gc/worker.c, gc/cycle.c,
 * gc/root.c.
 *
 * Worker  gc/worker.c worker_main: worker_pick, drain (root_job, markq_take, mark_block), cycle_try_end.  In it
 *         gc/mark.c mark_small, grey, enqueue; gc/cycle.c cycle_quiet and end; gc/root.c task_job and scan_claimed.
 *         Two workers.
 * Barrier a program's slow store (gc/barrier.c shade), which finds a white object at any time; a critical section.
 * Owner   the task whose stack is the one root job.  It runs, so it is asked to leave: it does, or it dies first.
 * Heap    object 2 (block 1) refers to 0, and 0 to 1 (both in block 0).  The stack holds 1, the barrier shades 2.
 * Shown   I8: a block is in one queue or has one owner.  I10: at the end all that was reached is marked and scanned.
 *         The mark ends: nobody is left waiting.
 * Left out: the queue's own words (a set of blocks here), large objects, how a claim is made (claim.pml), how the
 * world is stopped (world.pml: here one step, possible while nobody is in a critical section), how a hart that sleeps
 * learns that there is work (idle.pml).
 */
/* check: safety */
/* mutant: NO_LOOK | i10_holds | the owner leaves without a look after it cleared queued */
/* mutant: KEEP | i8_holds | the owner that finds more does not take queued back */
/* mutant: FLAG_FIRST | i10_holds | queued is set before the mark bit */
/* mutant: NO_FLAG | i8_holds | a block is pushed without a look at queued */
/* mutant: ACTIVE_LATE | i10_holds | a drain counts itself after it has taken */
/* mutant: QUEUES_ONLY | i10_holds | quiet does not ask who drains */
/* mutant: NO_JOBS | i10_holds | quiet does not ask for open root jobs */
/* mutant: NO_RETRY | i10_holds | the stop at the end does not look again */
/* mutant: PICK_WORK | invalid end state | a worker is picked only for work, not to end the mark */
/* mutant: DIES_SILENT | invalid end state | a task that dies does not close its job */

#define BLOCK_OF(o) ((o) / 2)
#define CELLS(b) ((b) == 0 -> 3 : 4)
#define NO_BLOCK 2

byte mark, scan;                        /* a bit for each object */
bit queued[2];
byte in_queue[2];                       /* how often the block is in a queue */
byte owners[2];                         /* ghost: scanners of the block */
byte draining;                          /* gc.active */
byte jobs_open = 1;
bit job_taken, claim_want, claimed, left, dead;
bit terminating;
bit off;                                /* the phase is OFF again */
bit crit;                               /* the program is in a critical section */

#define WORK (!job_taken || claimed || in_queue[0] > 0 || in_queue[1] > 0)
#ifdef QUEUES_ONLY
#define NOBODY (jobs_open == 0)
#elif defined(NO_JOBS)
#define NOBODY (draining == 0)
#else
#define NOBODY (draining == 0 && jobs_open == 0)
#endif

inline push(b)
{
    d_step {
        i8_holds = (in_queue[b] == 0 && owners[b] == 0); assert(i8_holds); i8_holds = 0;
        in_queue[b]++
    }
}

inline enqueue(b)
{
#ifdef NO_FLAG
    push(b);
#else
    d_step { was = queued[b]; queued[b] = 1 };
    if :: !was -> push(b) :: else fi;
#endif
    was = 0
}

/* inside: the block whose owner asks, or NO_BLOCK */
inline mark_in(o, inside)
{
#ifdef FLAG_FIRST
    if :: BLOCK_OF(o) != inside && !(mark & (1 << o)) -> enqueue(BLOCK_OF(o)) :: else fi;
    mark = mark | (1 << o);
#else
    d_step { was = mark >> o & 1; mark = mark | (1 << o) };
    if :: !was && BLOCK_OF(o) != inside -> enqueue(BLOCK_OF(o)) :: else fi;
#endif
    was = 0
}

inline own(b)
{
    d_step { i8_holds = (owners[b] == 0); assert(i8_holds); i8_holds = 0; owners[b]++ }
}

inline mark_small()
{
    own(b);
    do
    :: todo = mark & ~scan & CELLS(b);
        if
        :: todo ->                      /* scan_small */
            scan = scan | todo;
            if :: todo & 1 -> mark_in(1, b) :: else fi;
            if :: todo & 4 -> mark_in(0, b) :: else fi
        :: else ->
            owners[b]--;
            queued[b] = 0;
#ifdef NO_LOOK
            break
#else
            if
            :: mark & ~scan & CELLS(b) ->
#ifdef KEEP
                queued[b] = 1;
#else
                d_step { was = queued[b]; queued[b] = 1 };
                if :: was -> was = 0; break :: else fi;
#endif
                own(b)
            :: else -> break
            fi
#endif
        fi
    od;
    todo = 0; b = 0
}

inline scan_claimed()
{
    mark_in(1, NO_BLOCK);
    jobs_open--
}

inline task_job()
{
    if
    :: atomic { dead -> jobs_open-- }
    :: atomic { left && !dead -> skip }; scan_claimed()
    :: atomic { !left && !dead -> claim_want = 1 }
    fi
}

#ifdef ACTIVE_LATE
#define COUNT if :: !counted -> draining++; counted = 1 :: else fi
#else
#define COUNT skip
#endif

inline drain()
{
#ifndef ACTIVE_LATE
    draining++;
#endif
    do
    :: atomic { !off && claimed -> claimed = 0 }; COUNT; scan_claimed()
    :: atomic { !off && !claimed && !job_taken -> job_taken = 1 }; COUNT; task_job()
    :: atomic { !off && in_queue[0] > 0 -> in_queue[0]--; b = 0 }; COUNT; mark_small()
    :: atomic { !off && in_queue[1] > 0 -> in_queue[1]--; b = 1 }; COUNT; mark_small()
    :: off || !WORK -> COUNT; break
    od;
#ifdef ACTIVE_LATE
    counted = 0;
#endif
    draining--
}

inline cycle_quiet()
{
    quiet = 0;
    if
    :: !WORK ->
        if :: NOBODY -> if :: !WORK -> quiet = 1 :: else fi :: else fi
    :: else
    fi
}

inline finish()
{
    i10_holds = (mark & ~scan) == 0 && (!(mark & 4) || (mark & 1)) && (!(mark & 1) || (mark & 2)) &&
        (dead || (mark & 2));
    assert(i10_holds);
    i10_holds = 0;
    off = 1
}

inline cycle_try_end()
{
    cycle_quiet();
    if
    :: quiet -> d_step { won = !terminating; terminating = 1 }
    :: else
    fi;
    if
    :: won ->
        if :: !off -> cycle_quiet() :: else -> quiet = 0 fi;
        if
        :: quiet ->
            !crit;                      /* world_each_hart */
            cycle_quiet();
            if
            :: quiet ->
                atomic { !crit ->       /* world_stop */
#ifdef NO_RETRY
                    finish()
#else
                    if :: !WORK && NOBODY -> finish() :: else fi
#endif
                }
            :: else
            fi
        :: else
        fi;
        terminating = 0
    :: else
    fi;
    d_step { quiet = 0; won = 0 }
}

proctype Worker()
{
    byte todo, b;
    bit was, quiet, won, i8_holds, i10_holds;
#ifdef ACTIVE_LATE
    bit counted;
#endif
    do
    :: off -> break
#ifdef PICK_WORK
    :: !off && WORK ->
#else
    :: !off && (WORK || (!terminating && NOBODY)) ->
#endif
        drain();
        cycle_try_end()
    od
}

proctype Barrier()
{
    bit was, i8_holds;
    atomic { if :: off :: !off -> crit = 1 fi };
    if
    :: crit -> mark_in(2, NO_BLOCK); crit = 0
    :: else
    fi
}

proctype Owner()
{
    if
    :: atomic { claim_want -> claim_want = 0; left = 1; claimed = 1 }
    :: atomic { !claim_want -> left = 1 }
#ifdef DIES_SILENT
    :: atomic { dead = 1 }
#else
    :: atomic { dead = 1; if :: claim_want -> jobs_open-- :: else fi }
#endif
    fi
}

init {
    atomic { run Worker(); run Worker(); run Barrier(); run Owner() }
}
