/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping the world: kernel/world.c.
 *
 * Hart    one hart.  Its task stores into the heap (hal_seq.h HAL_SEQ_SET, a restartable sequence; gc/barrier.c
 *         hgc_slow_set, a critical section) and asks all harts (world_stop and world_start, or world_each_hart).  Its
 *         handler is world_ipi with stand_still and acknowledge.  Three harts; two of them ask.
 * Shown   I2: nobody waits for ever.  I3: no store by another hart while the world is stopped; each hart has done its
 *         share when ask_all returns.  I4: no store whose look saw another phase; no shade while the phase is OFF.
 * Left out: tasks that move, the timer and the watchdog, spurious ends of hal_wait, nested handlers.
 */
/* check: safety */
/* mutant: NO_REWIND | seen==phase | a sequence that was interrupted goes on where it was */
/* mutant: NO_LOOK_INSIDE | seen==phase | the slow store trusts the look of the fast path */
/* mutant: CRIT_OPEN | seen==phase | critical sections take interrupts */
/* mutant: NO_EPOCH | invalid end state | go is a flag that the next stop clears */
/* mutant: EPOCH_LATE | invalid end state | the epoch is read after the acknowledgement */
/* mutant: NO_LOOP | invalid end state | one interrupt takes one request */
/* mutant: NO_GO_IPI | invalid end state | world_start sends no IPI */
/* mutant: NO_ACK_IPI | invalid end state | the last to acknowledge sends no IPI */
/* mutant: ACK_FIRST | shares_done | a hart acknowledges before its share */
/* mutant: LOCK_CRITICAL | invalid end state | the world lock is waited for in a critical section */

#define N 3
mtype = { NOTHING, STOP, CALL };
mtype = { FREE, SEQUENCE, LOOKED, SLOW, INSIDE, SHADE, STORE, LOCK, ASK, STOPPED };

mtype request[N] = NOTHING;
bit ipi[N];                             /* pending in the interrupt controller; merges */
bit phase;                              /* hgc_phase: 0 OFF, 1 MARK */
byte ask_epoch, ask_initiator, pending, go;
bit world_lock;
byte asks_open = 3;                     /* ghost: asks that have not ended */
byte share[N];                          /* ghost: epoch of the last share done */
bit stopped;                            /* ghost: between the returns of world_stop and world_start */

#ifdef CRIT_OPEN
#define IN_CRIT (pc == ASK)
#elif defined(LOCK_CRITICAL)
#define IN_CRIT (pc == INSIDE || pc == SHADE || pc == STORE || pc == ASK || pc == LOCK)
#else
#define IN_CRIT (pc == INSIDE || pc == SHADE || pc == STORE || pc == ASK)
#endif

inline store()
{
    d_step {
        assert(seen == phase);
        assert(!stopped);
        pc = FREE; seen = 0;
    }
}

inline acknowledge()
{
    initiator = ask_initiator;
    d_step { pending--; last = (pending == 0) };
#ifndef NO_ACK_IPI
    if :: last -> ipi[initiator] = 1 :: else fi;
#endif
    d_step { last = 0; initiator = 0 }
}

inline stand_still()
{
    epoch = ask_epoch;
    acknowledge();
#ifdef EPOCH_LATE
    epoch = ask_epoch;
#endif
    do                                  /* in_stop: an IPI of a window leaves the request alone */
#ifdef NO_EPOCH
    :: go -> break
    :: !go -> ipi[id]; ipi[id] = 0
#else
    :: go == epoch -> break
    :: go != epoch -> ipi[id]; ipi[id] = 0
#endif
    od;
    epoch = 0
}

inline world_ipi()
{
    do
    :: d_step { request[id] != NOTHING -> taken = request[id]; request[id] = NOTHING };
#ifndef ACK_FIRST
        share[id] = ask_epoch;
#endif
        if
        :: taken == STOP -> stand_still()
        :: else -> acknowledge()
        fi;
#ifdef ACK_FIRST
        share[id] = ask_epoch;
#endif
        taken = NOTHING;
#ifdef NO_LOOP
        break
#endif
    :: request[id] == NOTHING -> break
    od
}

inline ask_all()
{
    d_step {
        assert(request[id] == NOTHING);
        ask_initiator = id; ask_epoch++; pending = N - 1;
#ifdef NO_EPOCH
        go = 0;
#endif
    }
    do                                  /* send */
    :: i < N -> if :: i != id -> request[i] = kind; ipi[i] = 1 :: else fi; i++
    :: else -> i = 0; break
    od;
    share[id] = ask_epoch;
    do                                  /* await_all */
    :: pending == 0 -> break
    :: pending != 0 -> ipi[id]; d_step { ipi[id] = 0; assert(request[id] == NOTHING) }
    od;
    atomic {
        shares_done = share[0] == ask_epoch && share[1] == ask_epoch && share[2] == ask_epoch;
        assert(shares_done);
        shares_done = 0;
        stopped = (kind == STOP)
    }
}

inline world_start()
{
    atomic { stopped = 0;
#ifdef NO_EPOCH
    go = 1 };
#else
    go = ask_epoch };
#endif
#ifndef NO_GO_IPI
    do
    :: i < N -> if :: i != id -> ipi[i] = 1 :: else fi; i++
    :: else -> i = 0; break
    od
#endif
}

proctype Hart(byte id; byte asks; byte sets)
{
    mtype pc = FREE, kind = NOTHING, taken = NOTHING;
    byte epoch, initiator, i;
    bit seen, last, shares_done;
    do
    :: d_step { ipi[id] && !IN_CRIT ->          /* a trap: the sequence is rewound before the hook runs */
            ipi[id] = 0;
#ifndef NO_REWIND
            if :: pc == LOOKED -> pc = SEQUENCE; seen = 0 :: else fi
#endif
        };
        world_ipi()

    :: d_step { pc == FREE && sets > 0 -> sets--; pc = SEQUENCE }
    :: d_step { pc == SEQUENCE -> seen = phase; if :: seen -> pc = SLOW :: else -> pc = LOOKED fi }
    :: pc == LOOKED -> store()
    :: pc == SLOW -> pc = INSIDE
#ifdef NO_LOOK_INSIDE
    :: pc == INSIDE -> pc = SHADE
#else
    :: d_step { pc == INSIDE -> seen = phase; pc = SHADE }
#endif
    :: d_step { pc == SHADE -> assert(!seen || seen == phase); pc = STORE }
    :: pc == STORE -> store()

    :: pc == FREE && asks > 0 -> asks--; if :: kind = STOP :: kind = CALL fi; pc = LOCK
    :: d_step { pc == LOCK && !world_lock -> world_lock = 1; pc = ASK }
    :: pc == ASK -> ask_all(); pc = STOPPED
    :: pc == STOPPED ->
        if
        :: kind == STOP -> phase = 1 - phase; world_start()
        :: else
        fi;
        atomic { kind = NOTHING; asks_open--; world_lock = 0; pc = FREE }

    :: pc == FREE && sets == 0 && asks_open == 0 -> break
    od
}

init {
    atomic { run Hart(0, 2, 0); run Hart(1, 1, 0); run Hart(2, 0, 1) }
}
