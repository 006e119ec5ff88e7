/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weak references against marking, its end and the sweep: gc/weak.c, special_target, special_revive and special_sweep of
 * gc/special.c, end of gc/cycle.c, sweep_one of gc/sweep.c.
 *
 * Task     reads weak references (hgc_weak_get), loads, stores into a root with the barrier, drops, makes a weak reference to
 *          what it holds, takes what a finalizer is queued for.  One register is its stack, one more what it reads.
 * Cycle    mark: root and stack once, grey objects; when quiet the stop with the last look; then the sweep of the one
 *          block that all objects are in: a step for each weak reference, the bitmaps last.  Two cycles.
 * Shown    I10.  What a task holds is not freed: nothing is given after it was decided dead.  What can be reached is never said
 *          to be dead.  Nobody sees an object that has been finalized by a weak reference.  The mark ends: no end
 *          fails more than twice; a read that waits lets it end.
 * Left out: how the world is stopped (world.pml), who marks (mark.pml), more blocks, cleanups, ephemerons.
 */
/* check: safety */
/* also: -DFINALIZER | object 2 has a finalizer */
/* also: -DTABLE_LATE | the first registration in the block comes while it is swept */
/* mutant: NO_SHADE | i10_holds | a read while marking does not shade */
/* mutant: SPLIT | held_is_live | look and shade are two critical sections: the mark ends in between */
/* mutant: NO_RETRY | i10_holds | the end does not look again in the stop */
/* mutant: NEVER_WAITS | end_succeeds | reads of unmarked objects go on after two failed ends */
/* mutant: WAITS_INSIDE | invalid end state | a read waits for the end of the mark in its critical section */
/* mutant: NO_LOOK_UP | held_is_live | a read between mark and sweep does not look at the mark bit */
/* mutant: NO_LOCK | told_right | it looks without the lock: the sweep has cleared the marks */
/* mutant: NO_BORN | told_right | the mark bit decides for what was registered since the sweep began, too */
/* mutant: BITS_FIRST | held_is_live | a block counts as swept before its weak references are cleared */
/* mutant: QUEUED_FIRST | final_is_hidden | a finalizer is queued before weak references to its object are cleared */

#ifdef NO_BORN
#define TABLE_LATE
#endif
#ifdef QUEUED_FIRST
#define FINALIZER
#endif
#define OBJECTS 3
#define NIL OBJECTS
#define BIT(o) (1 << (o))
#define ALL (BIT(OBJECTS) - 1)
#define IS(map, o) ((map) >> (o) & 1)
#define GREY (mark & ~scan & ALL)

byte field[OBJECTS] = NIL;              /* the one reference of each object */
byte live = ALL, mark, scan;            /* bitmaps of the block */
byte weak[OBJECTS] = NIL;               /* what each weak reference refers to: its own number, or nothing */
byte born[OBJECTS];                     /* the sweep in which it was made */
byte root = NIL, reg[2] = NIL;
byte final = NIL, finalized;            /* a queue of finalizers with one place; ghost: bitmap of those that were in it */
bit table;                              /* the block has a table of specials, so it is swept under the lock */
bit phase, over, locked, inside;        /* inside: the task is in a critical section: no stop */
byte cycle, sweep = 1, swept = 1;       /* cycles begun; the cycle that sweeps; the one whose sweep the block has had */
byte failed;                            /* ends of this mark */

inline shade(o)
{
    if :: (o) != NIL -> mark = mark | BIT(o) :: else fi
}

/* What tasks can get at without weak references. */
inline reach(into)
{
    into = BIT(root) | BIT(reg[0]) | BIT(reg[1]) | BIT(final);
    i = 0;
    do
    :: i < OBJECTS ->
        o = 0;
        do :: o < OBJECTS -> if :: IS(into, o) -> into = into | BIT(field[o]) :: else fi; o++ :: else -> break od;
        i++
    :: else -> break
    od;
    into = into & ALL;
    i = 0; o = 0
}

/* special_target of the weak reference to `n`. */
inline target()
{
    d_step { p = weak[n]; on = phase };
    if
    :: p == NIL || on -> skip
#ifndef NO_BORN
    :: p != NIL && !on && born[n] == sweep -> skip
#endif
    :: else ->
#ifndef NO_LOOK_UP
        if
        :: swept == sweep -> p = weak[n]
        :: else ->
#ifdef NO_LOCK
            p = weak[n];
            if :: p != NIL && swept != sweep -> if :: !IS(mark, p) -> p = NIL :: else fi :: else fi
#else
            d_step { !locked -> locked = 1 };
            p = weak[n];
            if :: p != NIL && swept != sweep -> if :: !IS(mark, p) -> p = NIL :: else fi :: else fi;
            locked = 0
#endif
        fi
#else
        skip
#endif
    fi;
    on = 0
}

#ifdef NEVER_WAITS
#define REFUSED 0
#else
#define REFUSED (failed >= 2 && !IS(mark, p))
#endif

inline read_weak()
{
    do
    ::  inside = 1;
        target();
#ifdef SPLIT
        inside = 0;
        inside = 1;
#endif
        d_step {
            wait = 0;
            if
            :: phase && p != NIL ->
                if
                :: REFUSED -> wait = 1; p = NIL
#ifdef NO_SHADE
                :: else
#else
                :: else -> shade(p)
#endif
                fi
            :: else
            fi;
            if :: !wait -> check_read() :: else fi;
#ifdef WAITS_INSIDE
            if :: !wait -> inside = 0 :: else fi
#else
            inside = 0
#endif
        }
        if
        :: wait -> d_step { !phase -> wait = 0; inside = 0 }
        :: else -> break
        fi
    od
}

/* p is what the read gives. */
inline check_read()
{
    if
    :: p != NIL ->
        final_is_hidden = !IS(finalized, p);
        assert(final_is_hidden);
        reg[1] = p
    :: else ->
        reach(seen);
        told_right = (!IS(seen, n) || !IS(made, n) || IS(finalized, n));
        assert(told_right)
    fi;
    final_is_hidden = 0; told_right = 0; seen = 0; p = 0
}

/* Of what reg[0] holds. */
inline make_weak()
{
    d_step { !locked && !inside -> locked = 1; inside = 1 };
    d_step {
        n = reg[0];
        table = 1;
        weak[n] = n; born[n] = sweep; made = made | BIT(n);
        if :: phase -> shade(n) :: else fi;
        n = 0; locked = 0; inside = 0
    }
}

proctype Task()
{
    byte n, p, o, i, seen, reads = 4;
#ifdef TABLE_LATE
    byte made;                          /* ghost: bitmap of the weak references that were made */
#else
    byte made = ALL;
#endif
    bit wait, on, told_right, final_is_hidden;
    do
    :: !over && reads ->
        reads--;
        if :: n = 0 :: n = 1 :: n = 2 fi;
        read_weak();
        n = 0
    :: d_step { !over && reg[1] != NIL && root != reg[1] ->
            if :: phase -> shade(root); shade(reg[1]) :: else fi;
            root = reg[1] }
    :: d_step { !over && root != NIL ->
            if :: phase -> shade(root) :: else fi;
            root = NIL }
    :: d_step { !over && reg[1] != NIL -> reg[0] = reg[1]; reg[1] = NIL }
    :: d_step { !over && reg[0] != NIL -> reg[0] = NIL }
    :: d_step { !over && reg[0] != NIL && field[reg[0]] != NIL -> reg[1] = field[reg[0]] }
#ifdef FINALIZER
    :: d_step { !over && final != NIL ->
            if :: phase -> shade(final) :: else fi;
            reg[1] = final; final = NIL }
#endif
#ifdef TABLE_LATE
    :: !over && reg[0] != NIL && !IS(made, reg[0]) -> make_weak()
#endif
    :: over -> break
    od
}

inline check_i10()
{
    reach(seen);
    i10_holds = ((seen & ~mark) == 0);
    assert(i10_holds);
    i10_holds = 0; seen = 0
}

inline set_bits()
{
#ifdef TABLE_LATE
    dead = live & ~mark;                /* without a table the steps are seen one by one */
    live = mark;
    mark = 0; scan = 0;
    swept = sweep;
#else
    dead = live & ~mark; live = mark;
    mark = 0;
    d_step { scan = 0; swept = sweep };
#endif
    d_step {
        reach(seen);
        held_is_live = ((seen & dead) == 0);
        assert(held_is_live);
        held_is_live = 0; seen = 0; dead = 0
    }
}

#define DEAD(o) (IS(live, o) && !IS(mark, o))

inline resurrect()
{
    mark = mark | BIT(2); finalized = BIT(2); final = 2
}

/* One section after the other; between two of them the block is unswept. */
inline sweep_block()
{
    under_lock = table;
    if
    :: under_lock ->
#ifdef BITS_FIRST
        d_step { !locked -> locked = 1 };
        dead = live & ~mark;
        swept = sweep;
        locked = 0;
#endif
#ifdef QUEUED_FIRST
        d_step { !locked -> if :: DEAD(2) && !finalized -> resurrect() :: else fi };
#endif
        do
        :: d_step { !locked && DEAD(k) && weak[k] == k -> locked = 1 };
            weak[k] = NIL;
            locked = 0;
            k++
        :: !locked && !(DEAD(k) && weak[k] == k) && k < OBJECTS -> k++
        :: k == OBJECTS -> break
        od;
        k = 0;
        d_step { !locked -> locked = 1 };
#if defined(FINALIZER) && !defined(QUEUED_FIRST)
        if :: d_step { DEAD(2) && !finalized -> resurrect() } :: else fi;
#endif
        set_bits();
        locked = 0
    :: else -> set_bits()
    fi;
    under_lock = 0
}

inline do_mark()
{
    do
    :: d_step { !(looked & 1) -> shade(root); shade(final); looked = looked | 1 }
    :: d_step { !(looked & 2) && !inside -> shade(reg[0]); shade(reg[1]); looked = looked | 2 }
#ifdef FINALIZER
    :: d_step { !(looked & 4) -> if :: !finalized -> shade(field[2]) :: else fi; looked = looked | 4 }
#else
    :: d_step { !(looked & 4) -> looked = looked | 4 }
#endif
    :: d_step { GREY -> k = 0; do :: !IS(GREY, k) -> k++ :: else -> break od; scan = scan | BIT(k); shade(field[k]); k = 0 }
    :: looked == 7 && !GREY ->
        d_step {                        /* the stop */
            !inside && !locked ->
            if
#ifndef NO_RETRY
            :: GREY ->
                failed++;
                end_succeeds = (failed <= 2);
                assert(end_succeeds);
                end_succeeds = 0
#endif
            :: else ->
                check_i10();
                phase = 0; sweep = cycle
            fi
        }
        if :: !phase -> break :: else fi
    od;
    looked = 0
}

proctype Cycle()
{
    byte o, i, k, seen, dead, looked;
    bit i10_holds, held_is_live, end_succeeds, under_lock;
    do
    :: cycle < 3 ->
        d_step { !inside && !locked -> cycle++; phase = 1; failed = 0 };
        do_mark();
        sweep_block()
    :: else -> over = 1; break
    od
}

init {
    atomic {
        cycle = 1;
#ifdef TABLE_LATE
        reg[0] = 0;
#else
        table = 1;
        weak[0] = 0; weak[1] = 1; weak[2] = 2;
        reg[0] = 0;
#endif
        field[1] = 0;
        run Task();
        run Cycle()
    }
}
