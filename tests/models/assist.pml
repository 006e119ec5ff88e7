/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assists: gc/assist.c, with the end of a mark in gc/cycle.c and the drains of gc/worker.c.
 *
 * Task     runs into debt while marking is on: takes from the pool (take_from_pool), marks (mark_for), and where there is
 *          nothing to mark waits (wait_for_pay).  Now and then it shades something, so there is work again.
 * Worker   marks, gives credit (assist_credit), parks when nothing is left; who finds it quiet ends the mark: the stop, then
 *          assist_end with the world running.  It is chosen while there is work, or when its hart is asked (`kick`).
 * Cycle    begins two cycles: one may begin while assist_end of the one before still releases.
 * Shown    nobody waits for ever, in the queue or for the end of the mark; nobody waits while the pool holds something and no
 *          one is about to hand it out; each unit of work is given once, and in its own cycle; who is let go by a payment
 *          has been paid all.
 * Left out: how the world is stopped (world.pml), how work is found and that the mark ends not too early (mark.pml), the
 *          limiter, priorities.  One waiter is paid in a section, where the code pays four.
 */
/* check: safety */
/* also: -DCYCLES=1 -DDEBTS=1 -DTWO_WORKERS | one cycle, two workers */
/* also: -DCYCLES=1 -DDEBTS=2 | one cycle, two debts a task */
/* mutant: NO_LOOK | nobody_forgotten | who gives credit does not look at the queue */
/* mutant: LOOK_FIRST | nobody_forgotten | who gives credit looks at the queue before it adds to the pool */
/* mutant: NO_OWN_LOOK | nobody_forgotten | who waits does not look at the pool once it is queued */
/* mutant: POOL_FIRST | nobody_forgotten | who waits looks at the pool before it is queued */
/* mutant: ONE_BATCH | nobody_forgotten | who gives credit pays one section's worth of waiters and leaves */
/* mutant: LEAVES_QUEUE | nobody_forgotten | who gets a part of what it owes leaves the queue for a moment */
/* mutant: LOSES_REST | all_is_given | what is left of a payment does not go back to the pool */
/* mutant: PAYS_TWICE | all_is_given | the pool is read for a payment, and emptied afterwards */
/* mutant: LATE_CREDIT | credit_in_time | a worker gives credit after it has left its drain */
/* mutant: PHASE_OUTSIDE | invalid end state | who waits looks at the phase before its critical section */
/* mutant: NO_END | invalid end state | the end of a mark lets nobody go */
/* mutant: END_FIRST | invalid end state | who waits is let go before the phase is off */
/* mutant: ONE_RELEASED | invalid end state | the end of a mark lets one section's worth of waiters go */
/* mutant: NO_KICK | invalid end state | a task that had the last work tells no worker */

#ifdef LATE_CREDIT
#define TWO_WORKERS
#endif
#define TASKS 2
#ifndef CYCLES
#define CYCLES 2
#define DEBTS 1                         /* of each task */
#endif

bit phase, over;
byte cycle, work, drains, extra = 1;
bit kick, terminating;
bit locked;                             /* the queue's lock; its holder is in a critical section, so no stop then */
byte pool;
byte queue[TASKS], queued;              /* in order */
byte owed[TASKS];
bit posted[TASKS];                      /* the semaphore of who waits */
byte given, paid;                       /* ghosts, of this cycle: put into the pool; taken out of it */
byte payers;                            /* ghost: who has added to the pool and has not looked yet, or pays */

#define QUIET (!work && !drains)

inline lock() { d_step { !locked -> locked = 1 } }
inline unlock() { locked = 0 }

inline dequeue(who)
{
    who = queue[0];
    queue[0] = queue[1];
    queue[1] = 0;
    queued--
}

inline enqueue(who)
{
    queue[queued] = who;
    queued++
}

/* Lock held. */
inline pay_some()
{
#ifdef PAYS_TWICE
    have = pool;
#else
    d_step { have = pool; pool = 0 };
#endif
    d_step {
        if
        :: have && queued ->
            dequeue(who);
            if
            :: owed[who] <= have ->
                have = have - owed[who]; paid = paid + owed[who]; owed[who] = 0; posted[who] = 1;
                who = 0
            :: else ->
                owed[who] = owed[who] - have; paid = paid + have; have = 0;
#ifdef LEAVES_QUEUE
                part = 1
#else
                enqueue(who);
                who = 0
#endif
            fi
        :: else
        fi
    };
#ifdef LEAVES_QUEUE
    if :: part -> d_step { enqueue(who); part = 0; who = 0 } :: else fi;
#endif
    d_step {
#ifdef PAYS_TWICE
        pool = have;
#elif !defined(LOSES_REST)
        pool = pool + have;
#endif
        more = (have && queued);
        have = 0
    }
}

inline pay_queue()
{
    do
    :: lock(); pay_some();
        unlock();
#ifdef ONE_BATCH
        break
#else
        if :: more -> more = 0 :: else -> break fi
#endif
    od;
    more = 0
}

/* For what was marked in cycle `since`. */
inline credit()
{
#ifdef LOOK_FIRST
    more = (queued != 0);
#endif
    d_step {
        credit_in_time = (since == cycle && phase);
        assert(credit_in_time);
        credit_in_time = 0; since = 0;
        pool = pool + done; given = given + done; done = 0; payers++
    };
#ifdef NO_LOOK
    payers--
#else
    if
#ifdef LOOK_FIRST
    :: more -> more = 0; pay_queue(); payers--
#else
    :: queued -> pay_queue(); payers--
#endif
    :: else -> payers--
    fi
#endif
}

inline assist_end()
{
    do
    :: lock();
        d_step {
            if :: queued -> dequeue(who); posted[who] = 1; who = 0 :: else fi;
            more = (queued != 0)
        };
        unlock();
#ifdef ONE_RELEASED
        break
#else
        if :: more -> more = 0 :: else -> break fi
#endif
    od;
    more = 0
}

inline end()
{
#ifdef END_FIRST
    assist_end();
#endif
    atomic { !locked -> if :: phase && QUIET -> phase = 0; ended = 1 :: else fi };
#if !defined(NO_END) && !defined(END_FIRST)
    if :: ended -> assist_end() :: else fi;
#endif
    ended = 0
}

proctype Worker()
{
    byte have, who, since, done;
    bit more, ended, part, credit_in_time;
    do
    :: d_step { phase && (work || kick) -> kick = 0; drains++ };
        do
        :: d_step { work -> work--; done++; since = cycle }
#ifndef LATE_CREDIT
        :: done -> credit()
#endif
        :: !work && !done -> break
#ifdef LATE_CREDIT
        :: !work -> break
#endif
        od;
        drains--;
#ifdef LATE_CREDIT
        if :: done -> credit() :: else fi;
#endif
        do                              /* its hart looks again when it has parked */
        :: d_step { phase && QUIET && !terminating -> terminating = 1 }; end(); terminating = 0
        :: else -> break
        od
    :: over -> break
    od
}

inline take_from_pool()
{
    d_step {
        if
        :: pool >= debt -> pool = pool - debt; paid = paid + debt; debt = 0
        :: else -> debt = debt - pool; paid = paid + pool; pool = 0
        fi
    }
}

inline mark_for()
{
    drains++;
    do
    :: d_step { phase && debt && work -> work--; debt-- }
    :: d_step { else -> dry = (debt && !work) } -> break
    od;
    drains--;
#ifndef NO_KICK
    if :: phase && QUIET -> kick = 1 :: else fi
#endif
}

inline wait_for_pay()
{
#ifdef PHASE_OUTSIDE
    on = phase;
    lock();
#else
    lock();
    on = phase;
#endif
#ifdef POOL_FIRST
    if :: on -> owed[id] = debt; debt = 0; pay_some(); d_step { enqueue(id) } :: else -> debt = 0 fi;
#else
    if
    :: on ->
        d_step { owed[id] = debt; debt = 0; enqueue(id) };
#ifndef NO_OWN_LOOK
        pay_some()
#endif
    :: else -> debt = 0
    fi;
#endif
    more = 0;
    unlock();
    if :: on -> d_step { posted[id] -> posted[id] = 0; owed[id] = 0; on = 0 } :: else fi
}

proctype Task(byte id)
{
    byte debts = DEBTS, debt, have, who;
    bit more, dry, part, on;
    do
    :: phase && debts ->
        debts--;
        if :: debt = 1 :: debt = 2 fi;
        take_from_pool();
        do
        :: phase && debt -> mark_for(); if :: dry -> dry = 0; wait_for_pay() :: else fi
        :: else -> debt = 0; break
        od
    :: d_step { phase && extra -> extra--; work++ }
    :: over -> break
    od
}

proctype Cycle()
{
    do
    :: cycle < CYCLES ->
        d_step { !phase && !locked -> cycle++; phase = 1; work = 2; pool = 0; given = 0; paid = 0; kick = 1 };
        !phase
    :: else -> over = 1; break
    od
}

/* May look at any moment. */
proctype Monitor()
{
    bit nobody_forgotten, all_is_given;
    do
    :: atomic { phase && queued && pool && !locked && !payers -> assert(nobody_forgotten) }
    :: atomic { !locked && pool + paid != given -> assert(all_is_given) }
    :: over -> break
    od
}

init {
    atomic {
        run Cycle(); run Worker();
#ifdef TWO_WORKERS
        run Worker();
#endif
        run Task(0); run Task(1); run Monitor()
    }
}
