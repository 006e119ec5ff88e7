/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The write barrier against a cycle that begins and ends: gc/barrier.c, gc/cycle.c, gc/root.c, gc/run.c.
 *
 * Task    a task that runs: loads, moves, allocates (gc/run.c run_take; cells of a run), and stores by HAL_SEQ_SET
 *         and gc/barrier.c hgc_slow_set with shade.  Two registers are its stack.  One task and three objects, or two
 *         tasks that store into each other's objects.
 * Cycle   gc/cycle.c begin with prepare (gc/run.c run_blacken), gc/root.c scan_claimed for each task once, at any
 *         time; gc/mark.c scan_small one object at a time; cycle.c end with its last look.
 * Shown   I4, and I10: when the phase goes to OFF, what is reachable from the tasks is marked.
 * Left out: how the world is stopped (world.pml: here a stop is one step, when no task is in a critical section), who
 * marks and how (mark.pml), the sweep, root ranges, moves between tasks but through objects (I11).
 */
/* check: safety */
/* also: -DTASKS=2 -DOBJECTS=2 | two tasks that share objects */
/* mutant: NO_DELETION | i10_holds | what a store overwrites is not shaded */
/* mutant: NO_INSERTION | i10_holds | what a store writes is not shaded */
/* mutant: NO_BLACK | i10_holds | a run taken while marking is white */
/* mutant: NO_BLACKEN | i10_holds | a run held when the mark begins stays white */
/* mutant: NO_REWIND | i4_holds | a stop between look and store does not take the sequence back */
/* mutant: NO_LOOK_INSIDE | i4_holds | the slow store trusts the look of the fast path */

#ifndef TASKS
#define TASKS 1
#endif
#ifndef OBJECTS
#define OBJECTS 3
#endif
#define NIL OBJECTS
#define BIT(o) (1 << (o))
#define IS(map, o) ((map) >> (o) & 1)
mtype = { RUN, SEQUENCE, LOOKED, SLOW, INSIDE, SHADED, STORE };

byte field[OBJECTS] = NIL;              /* the one reference of each object */
byte mark, scan;                        /* bitmaps, as in struct block */
byte live;                              /* handed out to a task */
byte held[TASKS] = NIL;                 /* the one cell left in the run of the task's hart */
byte reg[TASKS * 2] = NIL;
mtype pc[TASKS] = RUN;
bit phase;                              /* 0 OFF, 1 MARK */
bit over;                               /* the cycle has been */
bit seen[TASKS];                        /* stack scanned: gc_seen */

#define R0 reg[2 * id]
#define R1 reg[2 * id + 1]
#define CRIT(t) (pc[t] == INSIDE || pc[t] == SHADED || pc[t] == STORE)
#define USED(o) (IS(live, o) || held[0] == (o) || held[TASKS - 1] == (o))
#ifdef NO_REWIND
#define REWIND(t) skip
#else
#define REWIND(t) if :: pc[t] == LOOKED -> pc[t] = SEQUENCE :: else fi
#endif

inline shade(o)
{
    i4_holds = phase; assert(i4_holds); i4_holds = 0;
    if :: (o) != NIL -> mark = mark | BIT(o) :: else fi
}

proctype Task(byte id)
{
    bit nil, look, i4_holds;
    byte o;
    do
    :: d_step { pc[id] == RUN && !over && R0 != NIL && R1 != field[R0] -> R1 = field[R0] }
    :: d_step { pc[id] == RUN && !over && R0 != R1 -> o = R0; R0 = R1; R1 = o; o = 0 }
#if TASKS == 1
    :: d_step { pc[id] == RUN && !over && R0 != NIL && R1 != R0 -> R1 = R0 }
#endif
    :: d_step { pc[id] == RUN && !over && R1 != NIL -> R1 = NIL }
    :: atomic { pc[id] == RUN && !over && held[id] == NIL ->        /* run_take: the first free cell */
        d_step {
            do :: o < OBJECTS && USED(o) -> o++ :: else -> break od;
            if
            :: o < OBJECTS ->
                held[id] = o;
#ifndef NO_BLACK
                if :: phase -> mark = mark | BIT(o) :: else fi
#endif
            :: else
            fi;
            o = 0
        } }
    :: d_step { pc[id] == RUN && !over && held[id] != NIL && R0 == NIL ->
            R0 = held[id]; live = live | BIT(held[id]); held[id] = NIL }

    :: pc[id] == RUN && !over && R0 != NIL -> atomic { if :: nil = 0 :: nil = 1 fi; pc[id] = SEQUENCE }
    :: d_step { pc[id] == SEQUENCE -> look = phase; if :: look -> pc[id] = SLOW :: else -> pc[id] = LOOKED fi }
    :: d_step { pc[id] == LOOKED ->
            i4_holds = !phase; assert(i4_holds); i4_holds = 0;
            field[R0] = (nil -> NIL : R1); nil = 0; pc[id] = RUN }
    :: pc[id] == SLOW -> pc[id] = INSIDE
    :: d_step { pc[id] == INSIDE ->
#ifndef NO_LOOK_INSIDE
            look = phase;
#endif
            if
            :: look ->
#ifndef NO_DELETION
                shade(field[R0]);
#endif
                pc[id] = SHADED
            :: else -> pc[id] = STORE
            fi }
    :: d_step { pc[id] == SHADED ->
#ifndef NO_INSERTION
            if :: !nil -> shade(R1) :: else fi;
#endif
            pc[id] = STORE }
    :: d_step { pc[id] == STORE -> field[R0] = (nil -> NIL : R1); nil = 0; look = 0; pc[id] = RUN }
    :: pc[id] == RUN && over -> break
    od
}

#define GREY (mark & ~scan & (BIT(OBJECTS) - 1))
#define NO_CRIT (!CRIT(0) && !CRIT(TASKS - 1))

inline scan_claimed(t)
{
    d_step { !seen[t] && !CRIT(t) ->
        REWIND(t);
        if :: reg[2 * t] != NIL -> mark = mark | BIT(reg[2 * t]) :: else fi;
        if :: reg[2 * t + 1] != NIL -> mark = mark | BIT(reg[2 * t + 1]) :: else fi;
        seen[t] = 1 }
}

inline blacken(t)
{
#ifndef NO_BLACKEN
    if :: held[t] != NIL -> mark = mark | BIT(held[t]) :: else fi
#else
    skip
#endif
}

inline check_i10()
{
    reach = BIT(reg[0]) | BIT(reg[1]) | BIT(reg[2 * TASKS - 2]) | BIT(reg[2 * TASKS - 1]);
    pass = 0;
    do
    :: pass < OBJECTS ->
        o = 0;
        do :: o < OBJECTS -> if :: IS(reach, o) -> reach = reach | BIT(field[o]) :: else fi; o++ :: else -> break od;
        pass++
    :: else -> break
    od;
    i10_holds = ((reach & ~mark & (BIT(OBJECTS) - 1)) == 0);
    assert(i10_holds);
    i10_holds = 0; reach = 0; pass = 0; o = 0
}

proctype Cycle()
{
    byte o, to, reach, pass;
    bit i10_holds;
    d_step { NO_CRIT -> REWIND(0); REWIND(TASKS - 1); blacken(0); blacken(TASKS - 1); phase = 1 };
    do
    :: scan_claimed(0)
#if TASKS > 1
    :: scan_claimed(1)
#endif
    :: d_step { GREY -> do :: !IS(GREY, o) -> o++ :: else -> break od; scan = scan | BIT(o) };
        to = field[o];
        d_step { if :: to != NIL -> mark = mark | BIT(to) :: else fi; o = 0; to = 0 }
    :: seen[0] && seen[TASKS - 1] && !GREY ->
        d_step { NO_CRIT -> REWIND(0); REWIND(TASKS - 1);
            if :: !GREY -> check_i10(); phase = 0; over = 1 :: else fi };
        if :: over -> break :: else fi
    od
}

init {
    atomic {
        live = 3; field[0] = 1; reg[0] = 0; reg[2 * TASKS - 2] = 0;
        run Task(0);
#if TASKS > 1
        run Task(1);
#endif
        run Cycle()
    }
}
