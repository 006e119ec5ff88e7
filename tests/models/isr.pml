/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation in interrupt handlers against a cycle that begins and ends: gc/isr.c, gc/cycle.c.
 *
 * Handler   a handler of hart 0: takes a cell or two (hgc_isr_new), stores into the first (hgc_isr_set), hands it over
 *           (hgc_isr_put).  It also runs while its hart is stopped, and then the phase changes under it.
 * Refiller  the task of hart 0 that refills the reserve (put_away), with one register.
 * Task      a task of hart 1: hgc_isr_get, new objects, loads, stores with the barrier.
 * Cycle     world_stop hart by hart, each with its share (isr_prepare), in any order; phase; start hart by hart; roots,
 *           queue, stacks and grey objects in any order; the second stop; phase.
 * Shown     I10 and the invariant of the reserve: at the end of the mark all that is reachable, and all in the reserve
 *           and in the handler's hands, is marked.
 * Left out: how a stop works (world.pml), that the barrier is one step (barrier.pml), which blocks are queued (mark.pml),
 * the sweep, more than one reserve, what a handler reads.
 */
/* check: safety */
/* mutant: NO_PREPARE | i10_holds | the reserve is white when the mark begins */
/* mutant: BLACK | i10_holds | the reserve is marked, but never looked at */
/* mutant: NO_REFILL_SHADE | i10_holds | a white cell moves from a stack that was not scanned yet to the reserve */
/* mutant: NO_GET_SHADE | i10_holds | what a task takes out of a queue is not shaded */
/* mutant: NEW_WHITE | i10_holds | cells taken while marking are white */
/* mutant: OPEN | i10_holds | taking and handing over are not one critical section */
/* mutant: TAKEN_OUT | i10_holds | a handler refers to what a task takes out of a root meanwhile */

#define OBJECTS 4
#define NIL OBJECTS
#define BIT(o) (1 << (o))
#define ALL (BIT(OBJECTS) - 1)
#define IS(map, o) ((map) >> (o) & 1)

byte field[OBJECTS] = NIL;              /* the one reference of each object */
byte mark, scan;                        /* bitmaps */
byte used;                              /* was handed out once: an object is not used again */
byte reserve;                           /* bitmap: cells in the reserve of hart 0 */
byte root = NIL, queue = NIL;           /* a registered root, and a queue with one place */
byte hand[2] = NIL;                     /* the handler's cells */
byte fill = NIL, reg[2] = NIL;          /* the stacks of refiller and task */
bit busy;                               /* a handler runs */
bit stopped[2];
bit preparing;                          /* hart 0 is in the trap of the first stop */
bit phase, over;

inline shade(o)
{
    if :: (o) != NIL -> mark = mark | BIT(o) :: else fi
}

/* A new object; while marking it is black.  There may be none. */
inline alloc(into)
{
    o = 0;
    do :: o < OBJECTS && IS(used, o) -> o++ :: else -> break od;
    if
    :: o < OBJECTS ->
        used = used | BIT(o);
#ifndef NEW_WHITE
        if :: phase -> mark = mark | BIT(o); scan = scan | BIT(o) :: else fi;
#endif
        into = o
    :: else
    fi;
    o = 0
}

inline take(into)
{
    o = 0;
    do :: !IS(reserve, o) -> o++ :: else -> break od;
    reserve = reserve & ~BIT(o);
    into = o;
    o = 0
}

proctype Handler()
{
    byte o, x = NIL;
    do
    :: d_step { reserve && !over -> busy = 1; take(hand[0]) };
        if
        :: skip
        :: x = root; field[hand[0]] = x; x = NIL
        :: d_step { reserve -> take(hand[1]) }; field[hand[0]] = hand[1]
        fi;
        d_step {
            if :: queue == NIL -> queue = hand[0] :: else fi;
            hand[0] = NIL; hand[1] = NIL; busy = 0
        }
    :: over -> break
    od
}

#ifdef OPEN
#define IN_SECTION 0
#else
#define IN_SECTION busy
#endif
#define RUNS(h) (!stopped[h] && !over)
#define RUNS0 (RUNS(0) && !busy && !preparing)

proctype Refiller()
{
    byte o;
    do
    :: d_step { RUNS0 && fill == NIL && used != ALL -> alloc(fill) }
    :: d_step { RUNS0 && fill != NIL ->
#ifndef NO_REFILL_SHADE
            if :: phase -> shade(fill) :: else fi;
#endif
            reserve = reserve | BIT(fill); fill = NIL }
    :: over -> break
    od
}

#ifdef TAKEN_OUT
#define ROOT_FREE 1
#else
#define ROOT_FREE !busy
#endif

proctype Task()
{
    byte o;
    do
    :: d_step { RUNS(1) && queue != NIL && reg[0] == NIL ->
            reg[0] = queue;
#ifndef NO_GET_SHADE
            if :: phase -> shade(queue) :: else fi;
#endif
            queue = NIL }
    :: d_step { RUNS(1) && reg[1] == NIL && used != ALL -> alloc(reg[1]) }
    :: d_step { RUNS(1) && reg[0] != NIL && reg[1] != reg[0] && field[reg[0]] != reg[1] ->
            if :: phase -> shade(field[reg[0]]); shade(reg[1]) :: else fi;
            field[reg[0]] = reg[1] }
    :: d_step { RUNS(1) && reg[0] != NIL && field[reg[0]] != NIL && reg[1] == NIL -> reg[1] = field[reg[0]] }
    :: d_step { RUNS(1) && reg[0] != NIL -> reg[0] = NIL }
    :: d_step { RUNS(1) && reg[1] != NIL -> reg[1] = NIL }
    :: d_step { RUNS(1) && root != NIL && ROOT_FREE ->
            if :: phase -> shade(root) :: else fi;
            root = NIL }
    :: over -> break
    od
}

#ifdef NO_PREPARE
#define UNPREPARED 0
#else
#define UNPREPARED (reserve & ~mark & ALL)
#endif

/* One cell of the reserve; handlers run between two. */
inline prepare()
{
    do :: !IS(UNPREPARED, o) -> o++ :: else -> break od;
    mark = mark | BIT(o);
#ifdef BLACK
    scan = scan | BIT(o);
#endif
    o = 0
}

#define GREY (mark & ~scan & ALL)
#define DONE (seen == 15 && !GREY)
#define ADD(o) reach = reach | BIT(o)

inline check_i10()
{
    reach = reserve;
    ADD(root); ADD(queue); ADD(hand[0]); ADD(hand[1]); ADD(fill); ADD(reg[0]); ADD(reg[1]);
    pass = 0;
    do
    :: pass < OBJECTS ->
        o = 0;
        do :: o < OBJECTS -> if :: IS(reach, o) -> ADD(field[o]) :: else fi; o++ :: else -> break od;
        pass++
    :: else -> break
    od;
    i10_holds = ((reach & ~mark & ALL) == 0);
    assert(i10_holds);
    i10_holds = 0; reach = 0; pass = 0; o = 0
}

proctype Cycle()
{
    byte o, reach, pass, seen;
    bit i10_holds;
    do
    :: d_step { !preparing && !IN_SECTION -> preparing = 1 }
    :: d_step { preparing && !stopped[0] && !IN_SECTION && UNPREPARED -> prepare() }
    :: d_step { preparing && !stopped[0] && !IN_SECTION && !UNPREPARED -> stopped[0] = 1 }
    :: d_step { !stopped[1] -> stopped[1] = 1 }
    :: stopped[0] && stopped[1] -> break
    od;
    phase = 1;
    preparing = 0;
    do
    :: d_step { stopped[0] && !IN_SECTION -> stopped[0] = 0 }
    :: d_step { stopped[1] -> stopped[1] = 0 }
    :: d_step { !stopped[1] && !(seen & 1) -> shade(root); seen = seen | 1 }        /* a worker of hart 1 marks */
    :: d_step { !stopped[1] && !(seen & 2) -> shade(queue); seen = seen | 2 }
    :: d_step { !stopped[1] && !(seen & 4) -> shade(reg[0]); shade(reg[1]); seen = seen | 4 }
    :: d_step { !stopped[1] && !(seen & 8) && (stopped[0] || !busy) -> shade(fill); seen = seen | 8 }
    :: d_step { !stopped[1] && GREY ->
            do :: !IS(GREY, o) -> o++ :: else -> break od;
            scan = scan | BIT(o); shade(field[o]); o = 0 }
    :: !stopped[0] && !stopped[1] && DONE -> break
    od;
    do
    :: d_step { !stopped[0] && !IN_SECTION -> stopped[0] = 1 }
    :: d_step { !stopped[1] -> stopped[1] = 1 }
    :: d_step { stopped[0] && stopped[1] && !DONE -> stopped[0] = 0; stopped[1] = 0 }
    :: d_step { GREY && !stopped[1] ->
            do :: !IS(GREY, o) -> o++ :: else -> break od;
            scan = scan | BIT(o); shade(field[o]); o = 0 }
    :: d_step { stopped[0] && stopped[1] && DONE -> check_i10(); phase = 0 } -> break
    od;
    over = 1
}

init {
    atomic {
        used = 7; root = 0; reserve = 6;
        run Handler(); run Refiller(); run Task(); run Cycle()
    }
}
