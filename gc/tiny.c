/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tiny objects: leaves of half a grain or less, several in one cell of the smallest class.
 *
 * Each hart has one such cell, [cur, lim) of which is free, and zero since the cell's run was taken.  While marking is on the
 * cell is marked: at the start of the cycle, with the hart's runs, or as it comes into the hart.  So a tiny object is black
 * when it is born, like any other.  Nothing but its pointers keeps the cell once it is full or given up.
 *
 * Invariant, between two critical sections: cur < lim, or both are 0.  The end of a full cell is the start of its neighbour, and read
 * by a later call it would be on a stack, where it looks like a reference to that one.
 */
#include "gc/gc_internal.h"

enum { TINY_MAX = GRAIN / 2 };

static uintptr_t aligned(uintptr_t at, size_t size)
{
    size_t to = size % 8 == 0 ? 8 : size % 4 == 0 ? 4 : size % 2 == 0 ? 2 : 1;
    return (at + to - 1) & ~(uintptr_t)(to - 1);
}

/* NULL: it has not so much left.  No address beyond the cell is computed: on a stack it would keep the neighbour. */
static void *cut(struct run *r, size_t size)
{
    uintptr_t at = aligned(r->cur, size);
    if (r->lim - at < size)
        return NULL;
    *r = at + size < r->lim ? (struct run){at + size, r->lim} : (struct run){0, 0};
    own_add(&gc_self()->tiny_made, 1);
    return newborn(at);
}

/* The rest of a new cell is the hart's, unless what the hart has by now is more. */
static void keep(uintptr_t cell, size_t used)
{
    hal_crit_t c = hal_crit_enter();
    struct run *r = &gc_self()->tiny;
    own_add(&gc_self()->tiny_made, 1);
    if (r->lim - r->cur < GRAIN - used) {
        if (gc_is_on())
            mark_reference(cell);       /* a cycle may have begun since it was taken */
        *r = (struct run){cell + used, cell + GRAIN};
    }
    hal_crit_exit(c);
}

void *hgc_new_tiny(size_t size)
{
    if (size > TINY_MAX)
        return hgc_alloc(HGC_LEAF, size);
    if (size == 0)
        size = 1;
    hal_crit_t c = hal_crit_enter();
    void *p = cut(&gc_self()->tiny, size);
    hal_crit_exit(c);
    if (p || !(p = hgc_alloc(HGC_LEAF, GRAIN)))
        return p;
    keep((uintptr_t)p, size);
    return p;
}

void tiny_blacken(struct gc_hart *g)
{
    hk_assert(g->tiny.cur < g->tiny.lim || (g->tiny.cur == 0 && g->tiny.lim == 0));
    if (g->tiny.cur == 0)
        return;
    struct object o;
    if (find_object(g->tiny.cur, &o)) {
        bits_set(o.block->mark, o.cell, o.cell + 1);
        own_add(&g->black_bytes, GRAIN);
    }
}
