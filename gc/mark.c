/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marking.  Who sets a mark bit swaps the block's `queued`; who finds it clear puts the block in a queue.  Who takes a
 * block from a queue owns it: it scans mark & ~scan until there is nothing grey, swaps `queued` off and looks once more;
 * if something is grey it swaps `queued` on again, goes on as owner if it was off, and leaves if it was on.
 *
 * Why no mark is lost: a marker's or of `mark` precedes its swap of `queued` (release).  If it saw 1, the owner's swap to
 * 0 comes after it and acquires it, and the look that follows sees the bit.  Hence both swaps are acquire and release,
 * and there is never a plain look at `queued`.
 *
 * Mark, queued and push are one critical section, or part of a drain, which gc.active counts as holding work.
 */
#include "gc/gc_internal.h"

/* ---- one object to grey ------------------------------------------------------------------------------------------ */

static void enqueue(struct block *b)
{
    if (amo_swap_ar(&b->queued, 1) == 0)    /* [L-queued.rel, L-queued-owner.acq] */
        markq_push(b);
}

/* Sets the bit; true if this call set it. */
static bool grey(const struct object *o)
{
    struct block *b = o->block;
    uintptr_t *word = &b->mark[o->cell / WORD_BITS], bit = (uintptr_t)1 << (o->cell % WORD_BITS);
    if ((ld_rlx(word) & bit) || (amo_or_rlx(word, bit) & bit))
        return false;
    struct gc_hart *g = gc_self();
    size_t size = object_size(o);
    own_add(&g->marked_objects, 1);
    own_add(&g->marked_bytes, size);
    if (is_leaf(b->kind))
        own_add(&g->leaf_bytes, size);       /* nothing will scan it */
    return true;
}

/* `inside`: the block that the caller owns, whose own references need no queue. */
static bool mark_in(uintptr_t p, const struct block *inside)
{
    struct object o;
    if (!find_object(p, &o) || !grey(&o))
        return false;
    if (o.block != inside && (!is_leaf(o.block->kind) || special_any(o.block)))
        enqueue(o.block);
    return true;
}

bool mark_reference(uintptr_t p)
{
    return mark_in(p, NULL);
}

static void mark_ambiguous(uintptr_t word, const struct block *inside)
{
    if (word - gc.base > gc.bytes)
        return;
    mark_in(word, inside);
    if (word % GRAIN == 0)
        mark_in(word - 1, inside);      /* one past the end of its neighbour */
}

void mark_word(uintptr_t word)
{
    mark_ambiguous(word, NULL);
}

/* Whether its owner has set the `scan` bit already, sets it now, or is about to look once more before it leaves: it sees the
 * bit cleared, or what was stored before. */
void mark_again(uintptr_t p)
{
    struct object o;
    if (!find_object(p, &o) || is_leaf(o.block->kind))
        return;
    grey(&o);
    if (ld_rlx(&o.block->state) == BLOCK_SMALL)
        /* [L-touch.rel, L-weakly.rel] */
        amo_and_rel(&o.block->scan[o.cell / WORD_BITS], ~((uintptr_t)1 << (o.cell % WORD_BITS)));
    else
        amo_swap_rel(&o.block->large.cursor, 0);        /* [L-touch-large.rel, L-weakly.rel] */
    enqueue(o.block);
}

/* ---- the references of an object --------------------------------------------------------------------------------- */

struct scan {
    struct hgc_visitor v;
    const struct block *inside;
};

static void visit(struct hgc_visitor *v, void *reference)
{
    if (reference)
        mark_in((uintptr_t)reference, ((struct scan *)v)->inside);
}

static void visit_ambiguous(struct hgc_visitor *v, void *word)
{
    mark_ambiguous((uintptr_t)word, ((struct scan *)v)->inside);
}

static void visit_weakly(struct hgc_visitor *v, void *reference);

static void look_up_ephemerons(const struct object *o, const struct block *inside)
{
    struct scan s = {{visit, visit_weakly}, inside};
    if (special_any(o->block))
        own_add(&gc_self()->looked_up, ephemeron_values(o, object_marked, &s.v));
}

/* Scanned first, so to say, then marked: nobody finds it grey.  If somebody else has marked it in between, it is grey for his
 * sake, or touched, and our scan bit would hide that: it is made grey again. */
static void visit_weakly(struct hgc_visitor *v, void *reference)
{
    struct object o;
    bool ours;
    (void)v;
    if (!find_object((uintptr_t)reference, &o) || object_marked(&o))
        return;
    if (ld_rlx(&o.block->state) == BLOCK_SMALL) {
        uintptr_t bit = (uintptr_t)1 << (o.cell % WORD_BITS);
        ours = !(amo_or_ar(&o.block->scan[o.cell / WORD_BITS], bit) & bit);     /* [L-weakly.acq] */
    } else {
        ours = amo_swap_ar(&o.block->large.cursor, object_size(&o)) != object_size(&o);     /* [L-weakly.acq] */
    }
    if (grey(&o))
        look_up_ephemerons(&o, NULL);
    else if (ours)
        mark_again((uintptr_t)reference);
}

static void trace_map(const struct hgc_kind *k, uintptr_t start, uintptr_t from, uintptr_t to, struct hgc_visitor *v)
{
    unsigned i = (unsigned)((from - start) / WORD % k->words);
    for (uintptr_t p = from; p < to; p += WORD) {
        if (k->map[i / 32] >> (i % 32) & 1)
            v->visit(v, ld_rlx((void **)p));
        if (++i == k->words)
            i = 0;
    }
}

/* Those elements that begin in [from, to), offsets in the object.  What is left at its end is no element. */
static void trace_elements(const struct hgc_kind *k, const struct object *o, uintptr_t from, uintptr_t to, struct hgc_visitor *v)
{
    uintptr_t each = k->words * WORD, whole = object_size(o) / each * each;
    from = (from + each - 1) / each * each;
    to = (to + each - 1) / each * each;
    if (to > whole)
        to = whole;
    if (from < to)
        k->trace((void *)(object_start(o) + from), to - from, v);
}

/* The program stores what it likes into these, also with ordinary stores while they are looked at. */
HAL_NO_SANITIZE static void trace_ambiguous(uintptr_t from, uintptr_t to, struct hgc_visitor *v)
{
    for (uintptr_t p = from; p < to; p += WORD)
        v->visit(v, *(void *const volatile *)p);
}

void object_trace(const struct object *o, uintptr_t from, uintptr_t to, struct hgc_visitor *v)
{
    unsigned kind = o->block->kind;
    if (is_leaf(kind))
        return;
    if (kind == HGC_AMBIGUOUS) {
        trace_ambiguous(from, to, v);
        return;
    }
    const struct hgc_kind *k = &gc_kinds[kind].k;
    uintptr_t start = object_start(o);
    if (!k->trace)
        trace_map(k, start, from, to, v);
    else if (k->words)
        trace_elements(k, o, from - start, to - start, v);
    else if (from == start)
        k->trace((void *)start, object_size(o), v);
}

static void scan_object(const struct object *o, uintptr_t from, uintptr_t to)
{
    bool ambiguous = o->block->kind == HGC_AMBIGUOUS;
    struct scan s = {{ambiguous ? visit_ambiguous : visit, visit_weakly}, o->block};
    object_trace(o, from, to, &s.v);
    if (from == object_start(o))
        look_up_ephemerons(o, o->block);
}

void mark_children(const struct object *o)
{
    struct scan s = {{o->block->kind == HGC_AMBIGUOUS ? visit_ambiguous : visit, visit_weakly}, NULL};
    uintptr_t start = object_start(o);
    object_trace(o, start, start + object_size(o), &s.v);
}

void mark_own_stacks(struct task *t)
{
    struct scan s = {{visit, visit_weakly}, NULL};
    task_trace_own(t, &s.v);
}

/* ---- the grey objects of a block --------------------------------------------------------------------------------- */

static bool scan_small(struct block *b)
{
    bool any = false;
    uintptr_t base = block_address(b);
    unsigned cell_bytes = gc_classes[b->class].cell;
    uintptr_t bytes = 0;
    for (unsigned w = 0; w < BIT_WORDS; w++) {
        uintptr_t todo = ld_rlx(&b->mark[w]) & ~ld_rlx(&b->scan[w]) & ld_rlx(&b->live[w]);
        if (!todo)
            continue;
        any = true;
        /* [L-run-zero.rr] */
        fence_rr();                     /* bits before the zeroes of a new run; partner: fence w,w in run.c */
        amo_or_ar(&b->scan[w], todo);   /* before the objects are read; partner: mark_again [L-touch.acq] */
        for (; todo; todo &= todo - 1) {
            struct object o = {b, w * WORD_BITS + bits_lowest(todo)};
            uintptr_t start = base + (uintptr_t)o.cell * cell_bytes;
            scan_object(&o, start, start + cell_bytes);
            bytes += cell_bytes;
        }
    }
    own_add(&gc_self()->scan_heap, bytes);
    return any;
}

static bool grey_left(const struct block *b)
{
    for (unsigned w = 0; w < BIT_WORDS; w++)
        if (ld_rlx(&b->mark[w]) & ~ld_rlx(&b->scan[w]) & ld_rlx(&b->live[w]))
            return true;
    return false;
}

static void mark_small(struct block *b)
{
    for (;;) {
        while (scan_small(b)) {
        }
        amo_swap_ar(&b->queued, 0);     /* [L-queued.acq, L-queued-owner.rel] */
        if (!grey_left(b) || amo_swap_ar(&b->queued, 1) != 0)       /* [L-queued-owner.acq] */
            return;
    }
}

/* No slice is left to claim.  False: hgc_touch has reset the cursor meanwhile, and the caller owns the block again. */
static bool leave_large(struct block *b, uintptr_t size)
{
    amo_swap_ar(&b->queued, 0);         /* [L-queued.acq, L-queued-owner.rel] */
    return ld_rlx(&b->large.cursor) >= size || amo_swap_ar(&b->queued, 1) != 0;     /* [L-queued-owner.acq] */
}

/* A large object is scanned in slices from a cursor.  A worker claims a slice and, if more remain, puts the block back
 * before it scans (`queued` stays on), so that others can help. */
static void mark_large(struct block *b)
{
    uintptr_t size = b->large.blocks_or_head << HGC_BLOCK_SHIFT, start = block_address(b);
    const struct hgc_kind *k = &gc_kinds[b->kind].k;
    uintptr_t step = k->trace && !k->words ? size : HGC_SLICE;
    struct object o = {b, 0};
    for (;;) {
        uintptr_t at = ld_rlx(&b->large.cursor);
        if (at >= size) {
            if (leave_large(b, size))
                return;
            continue;
        }
        uintptr_t end = size - at > step ? at + step : size;
        if (!cas_full(&b->large.cursor, at, end))       /* partner: mark_again [L-touch-large.acq] */
            continue;
        if (end < size || !leave_large(b, size))
            markq_push(b);
        scan_object(&o, start + at, start + end);
        own_add(&gc_self()->scan_heap, end - at);
        return;
    }
}

void mark_block(struct block *b)
{
    hk_assert(gc_is_on());              /* who holds a block counts in gc.active: no mark ends meanwhile */
    own_add(&gc_self()->scanned, 1);
    if (ld_rlx(&b->state) == BLOCK_SMALL)
        mark_small(b);
    else
        mark_large(b);
}
