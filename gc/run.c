/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs: how a hart gets cells to bump through.
 *
 * I5  A hole of free cells becomes a run of exactly one hart: a block is taken off its partial list (or out of the free
 *     map) before it is looked at, and put back when the hole's `live` bits are set.
 * Taking a run, from reading the phase until the cursor stands in the hart, is one critical section: no stop falls into
 * it, so a run taken in a cycle is black as a whole and one taken before is blackened by run_blacken.
 * Order: zeroes, fence w,w, live and mark bits, fence w,w, then any publication of a pointer into the run.  Partners: the
 * fence r,r of find.c, and the address dependency of whoever follows the pointer.
 */
#include "gc/gc_internal.h"

/* ---- partial lists ----------------------------------------------------------------------------------------------- */

/* Under the list's lock: a list of an older sweep is empty. */
static void freshen(struct partial_list *l)
{
    if (l->cycle != gc.sweep_cycle) {
        st_rlx(&l->head, NO_BLOCK);
        st_rlx(&l->cycle, gc.sweep_cycle);
    }
}

void partial_push(struct block *b)
{
    struct partial_list *l = &gc.partial[b->kind * HGC_CLASSES + b->class];
    spin_lock(&l->lock);
    freshen(l);
    b->partial = l->head;
    st_rlx(&l->head, block_index(b));
    spin_unlock(&l->lock);
}

static struct block *partial_pop(unsigned id)
{
    struct partial_list *l = &gc.partial[id];
    spin_lock(&l->lock);
    freshen(l);
    struct block *b = l->head == NO_BLOCK ? NULL : &gc.blocks[l->head];
    if (b)
        st_rlx(&l->head, b->partial);
    spin_unlock(&l->lock);
    return b;
}

bool partial_any(unsigned id)
{
    return ld_rlx(&gc.partial[id].cycle) == gc.sweep_cycle && ld_rlx(&gc.partial[id].head) != NO_BLOCK;
}

/* ---- taking ------------------------------------------------------------------------------------------------------ */

static struct block *block_new(unsigned id)
{
    uint32_t i = free_take_one();
    if (i == NO_BLOCK)
        return NULL;
    struct block *b = &gc.blocks[i];
    memset(b->live, 0, sizeof(b->live));
    memset(b->mark, 0, sizeof(b->mark));
    memset(b->scan, 0, sizeof(b->scan));
    b->kind = (uint16_t)(id / HGC_CLASSES);
    b->class = (uint16_t)(id % HGC_CLASSES);
    st_rlx(&b->swept, gc.sweep_cycle);
    st_rel(&b->state, BLOCK_SMALL);     /* partner: find.c [L-mp.rel, L-sweep-new.rel] */
    return b;
}

/* Remembers that this hart has a run in slot `id`.  At most RUNS_HELD: one more retires the oldest, whose cells stay live
 * and unmarked until the next sweep. */
static void hold(struct gc_hart *g, unsigned id)
{
    uint32_t *map = &g->held_map[id / 32], bit = 1u << (id % 32);
    if (*map & bit)
        return;
    if (g->held_count == RUNS_HELD) {
        unsigned old = g->held[g->held_oldest];
        g->runs[old].cur = g->runs[old].lim = 0;
        g->held_map[old / 32] &= ~(1u << (old % 32));
        g->held[g->held_oldest] = (uint16_t)id;
        g->held_oldest = (g->held_oldest + 1) % RUNS_HELD;
    } else {
        g->held[g->held_count++] = (uint16_t)id;
    }
    *map |= bit;
}

void *run_take(unsigned id)
{
    hk_assert(hal_crit_held());
    struct gc_hart *g = gc_self();
    const struct class_entry *c = &gc_classes[id % HGC_CLASSES];
    struct block *b = partial_pop(id);
    if (!b && !(b = block_new(id)))
        return NULL;
    hk_assert(b->swept == gc.sweep_cycle && b->kind * HGC_CLASSES + b->class == id);

    unsigned from = bits_zero(b->live, 0, c->cells);
    hk_assert(from < c->cells);
    unsigned to = gc.cfg.stress ? from + 1 : bits_one(b->live, from, c->cells);
    uintptr_t start = block_address(b) + (uintptr_t)from * c->cell;
    size_t bytes = (size_t)(to - from) * c->cell;
    memset((void *)start, 0, bytes);
    fence_ww();                         /* zeroes before live: partner fence r,r in find.c [L-run-zero.ww] */
    bits_set(b->live, from, to);
    if (gc_is_on()) {
#ifndef HGC_FAULT_BLACK
        bits_set(b->mark, from, to);
#endif
        own_add(&g->black_bytes, bytes);
        assist_charge(bytes);
        if (gc.cfg.verify)
            verify_run_end(start + bytes, c->cell);
    }
    fence_ww();                         /* bits before any pointer into the run [L-publish.ww], [L-relay.ww] */
    if (bits_zero(b->live, to, c->cells) < c->cells)
        partial_push(b);

    hold(g, id);
    g->runs[id].lim = start + bytes;
    g->runs[id].cur = start + c->cell;
    own_add(&g->alloc_cells[b->class], to - from);
    gc_count_used(bytes);
    return newborn(start);
}

void run_blacken(struct gc_hart *g)
{
    for (unsigned i = 0; i < g->held_count; i++) {
        struct run *r = &g->runs[g->held[i]];
        if (r->cur >= r->lim)
            continue;
        struct block *b = &gc.blocks[(r->cur - gc.base) >> HGC_BLOCK_SHIFT];
        unsigned cell = gc_classes[b->class].cell;
        unsigned from = (unsigned)(r->cur - block_address(b)) / cell;
        bits_set(b->mark, from, from + (unsigned)(r->lim - r->cur) / cell);
        own_add(&g->black_bytes, r->lim - r->cur);
    }
}
