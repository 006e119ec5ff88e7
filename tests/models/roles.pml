/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Harts kept free of marking: gc/worker.c, with markq_push of gc/queue.c, mark of gc/step.c and kernel/idle.c.
 *
 * Hart    an idle hart, 0 or 1: take_or_sleep, with worker_pick as the pick hook, and the worker, which drains, tries to end the
 *         mark and parks.  Hart 0 is never kept free.
 * Task    runs on hart 2, which is kept free: pushes blocks (its barrier), and marks (a step).
 * Role    hgc_hart_role: hart 1 is kept free, or no more, at any moment.
 * Memory  the store buffers: a block that the task pushed, and a role, are seen by other harts some time later, at the latest in
 *         a full fence of the hart that stored them, or in a stop.
 * Shown   The mark ends: nobody sleeps for ever while there is something to mark or the end to be tried.  It ends with nothing
 *         left.  A hart that is kept free takes one block at most.
 * Left out: how a hart falls asleep (idle.pml), who owns a block (mark.pml), root jobs, claims, cycles that steps begin.  With BUSY
 *         hart 0 runs tasks without end, so it asks for its worker on a tick alone, and needs a share for it; hart 1 is given to
 *         marking until it is kept free.
 */
/* check: safety */
/* also: -DBUSY | hart 0 busy, hart 1 given to marking */
/* mutant: NO_CALL_LEAVE | invalid end state | a worker whose hart was kept free meanwhile calls nobody */
/* mutant: NO_CALL_STEP | invalid end state | who was the last to mark, on a hart that is kept free, calls nobody */
/* mutant: NO_WAKE_PUSH | invalid end state | a push onto a queue that is not empty wakes nobody, on a free hart either */
/* mutant: NO_ROLE_WAKE | invalid end state | a wake-up that was spent on a hart before it was kept free goes to no other */
/* mutant: WAKES_FREE | invalid end state | a wake-up for mark work goes to a hart that is kept free */
/* mutant: TAKES_ON | was_free | a drain goes on although its hart is kept free */
/* mutant: NO_SHARES | invalid end state | when the hart given to marking is kept free, the shares are not dealt out again */

#ifdef NO_SHARES
#define BUSY
#endif
#define HARTS 3
#define TASK 2                          /* the program's hart */
#define PUSHES 1
#define CHANGES 1

bit mark = 1;
byte queued = 1;                        /* blocks in queues that all see */
byte pushed;                            /* by the task, and seen by its hart alone */
bit kept_free[HARTS];
byte role_of, role_new;                 /* a role that others do not see yet: of hart role_of - 1 */
bit asleep[HARTS], ipi[HARTS];
byte drains, terminating;
byte shares;                            /* dedicated workers that are missing */
byte extra = 1;                         /* blocks that marking still finds */

#define ANY(h) (queued || (h == TASK && pushed))
#define QUIET(h) (!ANY(h) && drains == 0)

inline fence(h) { d_step { if :: h == TASK -> queued = queued + pushed; pushed = 0 :: else fi } }

inline role_seen() { d_step { if :: role_of -> kept_free[role_of - 1] = role_new; role_of = 0; role_new = 0 :: else fi } }

#ifdef WAKES_FREE
#define MAY_WAKE(h, self, which) (h != self && asleep[h])
#else
#define MAY_WAKE(h, self, which) (h != self && asleep[h] && kept_free[h] == which)
#endif

/* wake_among: one that sleeps of those that are (not) kept free. */
inline wake_among(self, which)
{
    if
    :: MAY_WAKE(1, self, which) -> asleep[1] = 0; ipi[1] = 1; woken = 1
    :: !MAY_WAKE(1, self, which) && MAY_WAKE(0, self, which) -> asleep[0] = 0; ipi[0] = 1; woken = 1
    :: else -> woken = 0
    fi
}

inline wake_helper(self)
{
    fence(self);
    d_step { wake_among(self, 0); woken = 0 }
}

inline wake_one(self)
{
    fence(self);
    d_step {
        wake_among(self, 0);
        if :: !woken -> wake_among(self, 1) :: else fi;
        woken = 0
    }
}

/* worker_call: the first from here on that is not kept free. */
inline call(self)
{
    d_step { if :: self == 1 && !kept_free[1] -> ipi[1] = 1 :: else -> ipi[0] = 1 fi }
}

#ifdef NO_WAKE_PUSH
#define PUSH_WAKES(h) (queued + pushed == 0)
#else
#define PUSH_WAKES(h) (queued + pushed == 0 || kept_free[h])
#endif

/* Takes a block, if there is one; the swap orders what this hart stored.  It may lead to another block: markq_push.  Another
 * hart's queue is as good as its own here, but for whether it is empty. */
inline piece(h)
{
    d_step {
        if :: h == TASK -> queued = queued + pushed; pushed = 0 :: else fi;
        if
        :: queued && extra ->
            extra--; queued--;
            wakes = PUSH_WAKES(h);
            if :: h == TASK -> pushed++ :: else -> queued++ fi
        :: queued && !extra -> queued--
        :: else
        fi
    };
    if :: wakes -> wakes = 0; wake_helper(h) :: else fi
}

/* The last look decides, in the stop, where all that was stored is seen. */
inline try_end(h)
{
    if
    :: QUIET(h) ->
        d_step { wins = (terminating == 0); if :: wins -> terminating = 1 + h :: else fi };
        if
        :: wins ->
            d_step {
                queued = queued + pushed;
                pushed = 0;
                if :: queued == 0 && drains == 0 -> mark = 0 :: else fi
            };
            d_step { terminating = 0; wins = 0 }
        :: else
        fi
    :: else
    fi
}

/* One round of worker_main. */
inline worker(h)
{
    d_step { drains++; goes_on = !kept_free[h] };
    do
    :: !goes_on || !ANY(h) -> break
    :: else ->
        piece(h);
#ifndef TAKES_ON
        goes_on = !kept_free[h]
#else
        assert(!was_free);      /* it takes one block at most */
        was_free = kept_free[h]
#endif
    od;
    goes_on = 0;                        /* no d_step, which a break may not lead into */
    d_step { drains--; was_free = 0 };
    try_end(h);
#ifndef NO_CALL_LEAVE
    if :: kept_free[h] -> call(h) :: else fi;
#endif
}

/* worker_pick */
inline pick(h)
{
    d_step {
        free_work = (terminating != 1 + h && kept_free[h] && ANY(h));
        found = (terminating == 1 + h || (!kept_free[h] && (ANY(h) || (terminating == 0 && QUIET(h)))))
    };
    if :: free_work -> free_work = 0; wake_helper(h) :: else fi
}

proctype Hart(byte id)
{
    bit woken, wakes, wins, found, free_work, passes_on, goes_on, was_free;
    do
    :: !mark -> break
    :: mark ->
        asleep[id] = 1;
        pick(id);
        if
        :: found ->
            found = 0;
            d_step { passes_on = !asleep[id]; asleep[id] = 0 };
            if :: passes_on -> passes_on = 0; wake_one(id) :: else fi;
            worker(id)
        :: else ->
            (ipi[id] || !mark);         /* hal_wait */
            d_step { asleep[id] = 0; ipi[id] = 0 }
        fi
    od
}

/* Hart 0 with tasks that never let it idle: a tick asks worker_pick. */
proctype Busy()
{
    bit woken, wakes, wins, goes_on, was_free;
    do
    :: !mark -> break
    :: mark && terminating == 0 && QUIET(0) -> worker(0)
    :: mark && ANY(0) && shares -> shares--; worker(0); shares++
    od
}

/* Its hart is kept free. */
proctype Task()
{
    byte pushes = PUSHES, steps = 1;
    bit woken, wakes;
    do
    :: mark && pushes ->
        d_step { pushes--; wakes = PUSH_WAKES(TASK); pushed++ };
        if :: wakes -> wakes = 0; wake_helper(TASK) :: else fi
    :: mark && steps ->
        steps--;
        d_step { drains++; queued = queued + pushed; pushed = 0 };
        piece(TASK);
        d_step { drains--; queued = queued + pushed; pushed = 0 };
#ifndef NO_CALL_STEP
        if :: mark && QUIET(TASK) -> call(TASK) :: else fi
#endif
    :: break
    od
}

/* hgc_hart_role.  It runs on a hart that never sleeps. */
proctype Role()
{
    byte changes = CHANGES;
    bit woken, to;
    do
    :: changes && mark ->
        changes--;
        d_step { to = !kept_free[1]; role_of = 1 + 1; role_new = to };
#ifndef NO_SHARES
        shares = to;
#endif
#ifdef NO_ROLE_WAKE
        role_seen();
#else
        role_seen();                    /* the fence of hart_wake_helper */
        d_step { wake_among(HARTS, 0); woken = 0 };
#endif
        ipi[1] = 1                      /* hart_kick: it looks again */
    :: break
    od
}

proctype Memory()
{
end:
    do
    :: pushed -> fence(TASK)
    :: role_of -> role_seen()
    od
}

init {
    atomic {
        kept_free[TASK] = 1;
#ifdef BUSY
        run Busy();
#else
        run Hart(0);
        run Task();
#endif
        run Hart(1);
        run Role();
        run Memory()
    }
}
