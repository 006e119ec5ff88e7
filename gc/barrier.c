/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The write barrier's slow path and the stores built on it.
 *
 * Deletion half: the value that a store overwrites is shaded, so no object that was reachable when the cycle began is lost.
 * Insertion half: the value that it stores is shaded, so a stack that was not scanned yet cannot hide a white object in a
 * black one.  Shades and store are one critical section in which the phase is read again: the fast path's look may be
 * older than a stop (I4).
 */
#include "gc/gc_internal.h"

/* May this slot hold a pointer one past the end of its object?  Roots and ambiguous objects may; what a precise field holds
 * points to or into its object. */
static bool is_ambiguous(const uintptr_t *slot)
{
    uintptr_t off = (uintptr_t)slot - gc.base;
    return off >= gc.bytes || gc.blocks[off >> HGC_BLOCK_SHIFT].kind == HGC_AMBIGUOUS;
}

static void shade(uintptr_t p, bool ambiguous)
{
    if (mark_reference(p))
        own_add(&gc_self()->shades, 1);
    if (ambiguous && p % GRAIN == 0)
        mark_reference(p - 1);
}

/* Critical section. */
static void store(uintptr_t *slot, uintptr_t value)
{
    if (gc_is_on()) {
        bool ambiguous = is_ambiguous(slot);
#ifndef HGC_FAULT_DELETION
        shade(ld_rlx(slot), ambiguous);
#endif
#ifndef HGC_FAULT_INSERTION
        shade(value, ambiguous);
#endif
    }
    st_rlx(slot, value);
}

/* The slot is probed outside, so that a bad one ends only this task (a fault in a critical section is a panic). */
void hgc_slow_set(void **slot, void *value)
{
    hal_probe((uintptr_t *)slot);
    hal_crit_t c = hal_crit_enter();
    if (gc_is_on())
        own_add(&gc_self()->slow_sets, 1);
    store((uintptr_t *)slot, (uintptr_t)value);
    hal_crit_exit(c);
}

void barrier_shade(const uintptr_t *slot, uintptr_t was, uintptr_t is)
{
    bool both = is_ambiguous(slot);
    shade(was, both);
    shade(is, both);
}

/* Where the piece from `from` on ends.  Its first and its last word are probed: what leads nowhere does not lie between them. */
static size_t piece_end(size_t from, size_t n)
{
    return n - from > BARRIER_PIECE ? from + BARRIER_PIECE : n;
}

void hgc_copy(void *dst, const void *src, size_t bytes)
{
    uintptr_t *d = dst;
    const uintptr_t *s = src;
    size_t n = bytes / WORD;
    bool down = d > s && d < s + n;     /* overlapping: the last word first */
    hk_assert((uintptr_t)dst % WORD == 0 && (uintptr_t)src % WORD == 0 && bytes % WORD == 0);
    for (size_t done = 0; done < n;) {
        size_t end = piece_end(done, n), low = down ? n - end : done, high = down ? n - 1 - done : end - 1;
        hal_probe(&d[low]);
        hal_probe(&d[high]);
        (void)ld_rlx(&s[low]);
        (void)ld_rlx(&s[high]);
        hal_crit_t c = hal_crit_enter();
        for (; done < end; done++) {
            size_t at = down ? n - 1 - done : done;
            store(&d[at], ld_rlx(&s[at]));
        }
        hal_crit_exit(c);
    }
}

void hgc_clear(void *dst, size_t bytes)
{
    uintptr_t *d = dst;
    size_t n = bytes / WORD;
    hk_assert((uintptr_t)dst % WORD == 0 && bytes % WORD == 0);
    for (size_t done = 0; done < n;) {
        size_t end = piece_end(done, n);
        hal_probe(&d[done]);
        hal_probe(&d[end - 1]);
        hal_crit_t c = hal_crit_enter();
        for (; done < end; done++)
            store(&d[done], 0);
        hal_crit_exit(c);
    }
}
