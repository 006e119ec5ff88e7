/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a cycle with roots that are stored to without a barrier: gc/unbarriered.c, gc/cycle.c end, hgc_touch.
 *
 * Task    loads, moves, stores to plain roots with no barrier, and to objects in a section of its own: the store, then
 *         a touch, and no shade of what it overwrites.  Two registers are its stack.
 * Cycle   a look at each plain root and at the stack, in any order, one step each; the objects one at a time; when it is
 *         quiet the looks once more; then the stop with the last look, and what comes of it.
 * Shown   I10: when the phase goes to OFF, what is reachable from roots and stack is marked.  The last failure ends it.  Two
 *         objects are too few for three failures, so that part is searched with one attempt; it is also what happens at
 *         any failure where the stopped look leads to little.
 * Left out: how the world is stopped and who marks (world.pml, mark.pml); allocation (black, barrier.pml).
 */
/* check: safety */
/* also: -DATTEMPTS=1 | the first failure is finished in the stop */
/* mutant: NO_STOPPED_LOOK | i10_holds | the stop looks at nothing again */
/* mutant: NO_STACK | i10_holds | the stop looks at plain roots alone */
/* mutant: NO_ROOTS | i10_holds | the stop looks at the stack alone */
/* mutant: NO_RETRY | i10_holds | what the stop found is not followed */
/* mutant: LAST_DROPS | i10_holds | the last failure ends the cycle with what is grey */
/* mutant: NO_TOUCH | i10_holds | a section stores without a touch */
/* mutant: TOUCH_FIRST | i10_holds | a section touches before it stores, and is left open */

#ifndef OBJECTS
#define OBJECTS 2
#endif
#ifdef LAST_DROPS
#define ATTEMPTS 1
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 3
#endif
#define NIL OBJECTS
#define BIT(o) (1 << (o))
#define ALL (BIT(OBJECTS) - 1)
#define IS(map, o) ((map) >> (o) & 1)
#define GREY (mark & ~scan & ALL)

byte field[OBJECTS] = NIL;              /* the one reference of each object */
byte mark, scan;
byte reg[2] = NIL, plain[2] = NIL;
bit phase, over;
bit inside;                             /* the task is in a section: no stop */

inline touch(x)
{
#ifndef NO_TOUCH
    if :: phase -> mark = mark | BIT(x); scan = scan & ~BIT(x) :: else fi
#else
    skip
#endif
}

proctype Task()
{
    byte o;
    do
    :: d_step { !over && reg[0] != NIL && reg[1] != field[reg[0]] -> reg[1] = field[reg[0]] }
    :: d_step { !over && reg[0] != reg[1] -> o = reg[0]; reg[0] = reg[1]; reg[1] = o; o = 0 }
    :: d_step { !over && reg[1] != NIL -> reg[1] = NIL }
    :: d_step { !over && reg[1] != plain[0] -> reg[1] = plain[0] }
    :: d_step { !over && reg[1] != plain[1] -> reg[1] = plain[1] }
    :: d_step { !over && plain[0] != reg[1] -> plain[0] = reg[1] }
    :: d_step { !over && plain[1] != reg[1] -> plain[1] = reg[1] }
    :: !over && reg[0] != NIL && field[reg[0]] != reg[1] ->
#ifdef TOUCH_FIRST
        d_step { touch(reg[0]) };
        d_step { field[reg[0]] = reg[1] }
#else
        inside = 1;
        d_step { field[reg[0]] = reg[1] };
        d_step { touch(reg[0]); inside = 0 }
#endif
    :: over -> break
    od
}

inline look(x)
{
    if :: (x) != NIL -> mark = mark | BIT(x) :: else fi
}

inline look_at_all()
{
    skip;
#ifndef NO_STOPPED_LOOK
#ifndef NO_STACK
    look(reg[0]); look(reg[1]);
#endif
#ifndef NO_ROOTS
    look(plain[0]); look(plain[1])
#endif
#endif
}

inline check_i10()
{
    reach = (BIT(reg[0]) | BIT(reg[1]) | BIT(plain[0]) | BIT(plain[1]));
    pass = 0;
    do
    :: pass < OBJECTS ->
        o = 0;
        do :: o < OBJECTS -> if :: IS(reach, o) -> reach = reach | BIT(field[o]) :: else fi; o++ :: else -> break od;
        pass++
    :: else -> break
    od;
    i10_holds = ((reach & ~mark & ALL) == 0);
    assert(i10_holds);
    i10_holds = 0; reach = 0; pass = 0; o = 0
}

proctype Cycle()
{
    byte o, to, reach, pass, failed, seen;      /* seen: bits of plain[0], plain[1], stack */
    bit looked, i10_holds;
    d_step { !inside -> phase = 1 };
    do
    :: d_step { !(seen & 1) -> look(plain[0]); seen = seen | 1 }
    :: d_step { !(seen & 2) -> look(plain[1]); seen = seen | 2 }
    :: d_step { !(seen & 4) && !inside -> look(reg[0]); look(reg[1]); seen = seen | 4 }
    :: d_step { GREY -> do :: !IS(GREY, o) -> o++ :: else -> break od; scan = scan | BIT(o) };
        to = field[o];
        d_step { look(to); o = 0; to = 0 }
    :: d_step { seen == 7 && !GREY && !looked -> looked = 1; seen = 0 }
    :: d_step { seen == 7 && !GREY && looked && !inside ->
            look_at_all();
#ifdef NO_RETRY
            over = 1;
#else
            if
            :: GREY ->
                looked = 0;
                failed++;
                if
                :: failed == ATTEMPTS ->
#ifndef LAST_DROPS
                    do
                    :: GREY -> o = 0; do :: !IS(GREY, o) -> o++ :: else -> break od; scan = scan | BIT(o); look(field[o])
                    :: else -> break
                    od;
#endif
                    over = 1
                :: else
                fi;
                o = 0
            :: else -> over = 1
            fi;
#endif
            if :: over -> check_i10(); phase = 0 :: else fi
        }
        if :: over -> break :: else fi
    od
}

init {
    atomic {
        field[0] = 1; plain[1] = 0;
        run Task();
        run Cycle()
    }
}
