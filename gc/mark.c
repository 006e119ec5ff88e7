/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marking.  Who sets a mark bit swaps the block's `queued`; who finds it clear puts the block in a queue.  Who takes a
 * block from a queue owns it: it scans mark & ~scan until there is nothing grey, swaps `queued` off and looks once more;
 * if something is grey it swaps `queued` on again, goes on as owner if it was off, and leaves if it was on.  Or it puts the block
 * back with `queued` as it is, and who takes it next is the owner.
 *
 * Why no mark is lost: a marker's or of `mark` precedes its swap of `queued` (release).  If it saw 1, the owner's swap to
 * 0 comes after it and acquires it, and the look that follows sees the bit.  Hence both swaps are acquire and release,
 * and there is never a plain look at `queued`.
 *
 * Mark, queued and push are one critical section, or part of a drain, which gc.active counts as holding work.
 */
#include "gc/find.h"

/* ---- one object to grey ------------------------------------------------------------------------------------------ */

static void enqueue(struct block *b)
{
    if (amo_swap_ar(&b->queued, 1) == 0)    /* [L-queued.rel, L-queued-owner.acq] */
        markq_push(b);
}

/* Who follows references.  In a loop without calls all of it stays in registers. */
struct marker {
    struct hgc_visitor v;               /* for trace functions */
    uintptr_t base, bytes;              /* of the arena, and its blocks: as in gc */
    struct block *blocks;
    const struct block *inside;         /* the block that the caller owns, whose own references need no queue */
    uintptr_t objects, grey, leaves;    /* marked, and not told to the hart yet: objects, their bytes */
};

static inline struct marker marker(const struct block *inside)
{
    return (struct marker){.base = gc.base, .bytes = gc.bytes, .blocks = gc.blocks, .inside = inside};
}

static inline void tell(const struct marker *m)
{
    struct gc_hart *g = gc_self();
    own_add(&g->marked_objects, m->objects);
    own_add(&g->marked_bytes, m->grey + m->leaves);
    own_add(&g->leaf_bytes, m->leaves);         /* nothing will scan them */
}

static inline bool is_followed(const struct block *b)
{
    return !is_leaf(b->kind) || special_any(b);
}

static inline void count(struct marker *m, const struct block *b, size_t size)
{
    m->objects++;
    if (is_leaf(b->kind))
        m->leaves += size;
    else
        m->grey += size;
}

/* Sets the bit; true if this call set it. */
static bool grey(struct marker *m, const struct object *o)
{
    uintptr_t *word = &o->block->mark[o->cell / WORD_BITS], bit = (uintptr_t)1 << (o->cell % WORD_BITS);
    if ((ld_rlx(word) & bit) || (amo_or_rlx(word, bit) & bit))
        return false;
    count(m, o->block, object_size(o));
    return true;
}

/* p's block has no small cells. */
static __attribute__((noinline)) bool mark_large_at(uintptr_t p)
{
    struct object o;
    struct marker m = {.objects = 0};
    if (!find_object(p, &o) || !grey(&m, &o))
        return false;
    tell(&m);
    if (is_followed(o.block))
        enqueue(o.block);
    return true;
}

/* Marks the object of p; true if this call did.  It is not read here, so no order is needed but the descriptor's (I6). */
static inline __attribute__((always_inline)) bool mark_in(struct marker *m, uintptr_t p)
{
    uintptr_t off = p - m->base;
    if (off >= m->bytes)
        return false;
    struct block *b = &m->blocks[off >> HGC_BLOCK_SHIFT];
    if (ld_acq(&b->state) != BLOCK_SMALL)       /* [L-mp.acq] */
        return mark_large_at(p);
    const struct class_entry *c = &gc_classes[b->class];
    unsigned cell = cell_at(c, off), w = cell / WORD_BITS;
    uintptr_t bit = (uintptr_t)1 << (cell % WORD_BITS);
    if (!(ld_rlx(&b->live[w]) & ~ld_rlx(&b->mark[w]) & bit) || (amo_or_rlx(&b->mark[w], bit) & bit))
        return false;
    count(m, b, c->cell);
    if (b != m->inside && is_followed(b))
        enqueue(b);
    return true;
}

static __attribute__((noinline)) bool mark_at(struct marker *m, uintptr_t p)
{
    return mark_in(m, p);
}

bool mark_reference(uintptr_t p)
{
    struct marker m = marker(NULL);
    bool was_white = mark_at(&m, p);
    if (m.objects)
        tell(&m);
    return was_white;
}

/* One past the end of an object is a legal pointer: on a boundary the neighbour is marked, too. */
static void mark_ambiguous(struct marker *m, uintptr_t word)
{
    if (word - m->base > m->bytes)
        return;
    mark_at(m, word);
    if (word % GRAIN == 0)
        mark_at(m, word - 1);
}

void mark_word(uintptr_t word)
{
    if (word - gc.base > gc.bytes)
        return;
    struct marker m = marker(NULL);
    mark_ambiguous(&m, word);
    if (m.objects)
        tell(&m);
}

/* Whether its owner has set the `scan` bit already, sets it now, or is about to look once more before it leaves: it sees the
 * bit cleared, or what was stored before. */
void mark_again(uintptr_t p)
{
    struct object o;
    if (!find_object(p, &o))
        return;
    mark_reference(p);
    if (is_leaf(o.block->kind))
        return;
    if (ld_rlx(&o.block->state) == BLOCK_SMALL)
        /* [L-touch.rel, L-weakly.rel] */
        amo_and_rel(&o.block->scan[o.cell / WORD_BITS], ~((uintptr_t)1 << (o.cell % WORD_BITS)));
    else
        amo_swap_rel(&o.block->large.cursor, 0);        /* [L-touch-large.rel, L-weakly.rel] */
    enqueue(o.block);
}

/* ---- the references of an object --------------------------------------------------------------------------------- */

static void visit(struct hgc_visitor *v, void *reference)
{
    mark_at((struct marker *)v, (uintptr_t)reference);
}

static void look_up_ephemerons(struct marker *m, const struct object *o)
{
    if (special_any(o->block))
        own_add(&gc_self()->looked_up, ephemeron_values(o, object_marked, &m->v));
}

/* Scanned first, so to say, then marked: nobody finds it grey.  If somebody else has marked it in between, it is grey for his
 * sake, or touched, and our scan bit would hide that: it is made grey again. */
static void visit_weakly(struct hgc_visitor *v, void *reference)
{
    struct object o;
    struct marker *m = (struct marker *)v;
    bool ours;
    if (!find_object((uintptr_t)reference, &o) || object_marked(&o))
        return;
    if (ld_rlx(&o.block->state) == BLOCK_SMALL) {
        uintptr_t bit = (uintptr_t)1 << (o.cell % WORD_BITS);
        ours = !(amo_or_ar(&o.block->scan[o.cell / WORD_BITS], bit) & bit);     /* [L-weakly.acq] */
    } else {
        ours = amo_swap_ar(&o.block->large.cursor, object_size(&o)) != object_size(&o);     /* [L-weakly.acq] */
    }
    if (grey(m, &o))
        look_up_ephemerons(m, &o);
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
static void trace_elements(const struct hgc_kind *k, uintptr_t start, uintptr_t size, uintptr_t from, uintptr_t to,
                           struct hgc_visitor *v)
{
    uintptr_t each = k->words * WORD, whole = size / each * each;
    from = (from + each - 1) / each * each;
    to = (to + each - 1) / each * each;
    if (to > whole)
        to = whole;
    if (from < to)
        k->trace((void *)(start + from), to - from, v);
}

/* The program stores what it likes into these, also with ordinary stores while they are looked at. */
HAL_NO_SANITIZE static void trace_ambiguous(uintptr_t from, uintptr_t to, struct hgc_visitor *v)
{
    for (uintptr_t p = from; p < to; p += WORD)
        v->visit(v, *(void *const volatile *)p);
}

/* Of the object of this kind from `start` on, neither a leaf nor ambiguous, the part [from, to). */
static void trace_part(unsigned kind, uintptr_t start, uintptr_t size, uintptr_t from, uintptr_t to, struct hgc_visitor *v)
{
    const struct hgc_kind *k = &gc_kinds[kind].k;
    if (!k->trace)
        trace_map(k, start, from, to, v);
    else if (k->words)
        trace_elements(k, start, size, from - start, to - start, v);
    else if (from == start)
        k->trace((void *)start, size, v);
}

void object_trace(const struct object *o, uintptr_t from, uintptr_t to, struct hgc_visitor *v)
{
    unsigned kind = o->block->kind;
    if (is_leaf(kind))
        return;
    if (kind == HGC_AMBIGUOUS)
        trace_ambiguous(from, to, v);
    else
        trace_part(kind, object_start(o), object_size(o), from, to, v);
}

/* As trace_ambiguous, with words outside of the arena put aside first. */
HAL_NO_SANITIZE static void follow_ambiguous(struct marker *m, uintptr_t from, uintptr_t to)
{
    uintptr_t base = m->base, bytes = m->bytes;
    for (uintptr_t p = from; p < to; p += WORD) {
        uintptr_t word = *(const volatile uintptr_t *)p;
        if (word - base <= bytes)
            mark_ambiguous(m, word);
    }
}

/* The part [from, to) of an object, as in trace_part. */
static void follow(struct marker *m, unsigned kind, uintptr_t start, uintptr_t size, uintptr_t from, uintptr_t to)
{
    m->v = (struct hgc_visitor){visit, visit_weakly};
    if (kind == HGC_AMBIGUOUS)
        follow_ambiguous(m, from, to);
    else if (!is_leaf(kind))
        trace_part(kind, start, size, from, to, &m->v);
}

void mark_children(const struct object *o)
{
    struct marker m = marker(NULL);
    uintptr_t start = object_start(o), size = object_size(o);
    follow(&m, o->block->kind, start, size, start, start + size);
    tell(&m);
}

void mark_own_stacks(struct task *t)
{
    struct marker m = marker(NULL);
    m.v = (struct hgc_visitor){visit, visit_weakly};
    task_trace_own(t, &m.v);
    tell(&m);
}

/* ---- the grey objects of a block --------------------------------------------------------------------------------- */

/* The references in a cell of so many bytes, a bit for each word; 0: it has more words, or its kind no map, or specials are asked. */
static uintptr_t pattern_of(const struct block *b, unsigned bytes)
{
    unsigned words = bytes / WORD;
    return words > WORD_BITS || special_any(b) ? 0 : gc_kinds[b->kind].pattern & ~(uintptr_t)0 >> (WORD_BITS - words);
}

/* Most objects have a map and are small: then `pattern` has a bit for each reference.  `at`: of the first cell of `todo`.  A
 * function of its own, for the sake of the registers. */
static __attribute__((noinline)) void scan_patterns(struct block *b, uintptr_t at, uintptr_t bytes, uintptr_t todo,
                                                    uintptr_t pattern)
{
    struct marker m = marker(b);
    for (; todo; todo &= todo - 1) {
        uintptr_t p = at + bits_lowest(todo) * bytes;
        for (uintptr_t refs = pattern; refs; refs >>= 1, p += WORD)
            if (refs & 1)
                mark_in(&m, ld_rlx((uintptr_t *)p));
    }
    tell(&m);
}

static void scan_cells(struct block *b, unsigned cell, uintptr_t at, unsigned bytes, uintptr_t todo)
{
    struct marker m = marker(b);
    for (; todo; todo &= todo - 1) {
        unsigned i = bits_lowest(todo);
        uintptr_t start = at + i * bytes;
        follow(&m, b->kind, start, bytes, start, start + bytes);
        look_up_ephemerons(&m, &(struct object){b, cell + i});
    }
    tell(&m);
}

/* Grey cells, `most` bytes and one more at most of each word of bits, until so much is done.  Returns how many bytes. */
static uintptr_t scan_small(struct block *b, uintptr_t most)
{
    const struct class_entry *c = &gc_classes[b->class];
    uintptr_t pattern = pattern_of(b, c->cell);
    uintptr_t at = block_address(b), bytes = 0;
    for (unsigned w = 0; w * WORD_BITS < c->cells; w++, at += WORD_BITS * c->cell) {
        uintptr_t todo = ld_rlx(&b->mark[w]) & ~ld_rlx(&b->scan[w]) & ld_rlx(&b->live[w]);
        if (!todo)
            continue;
        if (most < HGC_BLOCK)
            todo = bits_first(todo, most / c->cell + 1);
        /* [L-run-zero.rr] */
        fence_rr();                     /* bits before the zeroes of a new run; partner: fence w,w in run.c */
        amo_or_ar(&b->scan[w], todo);   /* before the objects are read; partner: mark_again [L-touch.acq] */
        if (pattern)
            scan_patterns(b, at, c->cell, todo, pattern);
        else
            scan_cells(b, w * WORD_BITS, at, c->cell, todo);
        bytes += bits_count(todo) * c->cell;
        if (bytes >= most)
            break;
    }
    own_add(&gc_self()->scan_heap, bytes);
    return bytes;
}

static bool grey_left(const struct block *b)
{
    for (unsigned w = 0; w < BIT_WORDS; w++)
        if (ld_rlx(&b->mark[w]) & ~ld_rlx(&b->scan[w]) & ld_rlx(&b->live[w]))
            return true;
    return false;
}

/* Ends soon after so much is done, three times that at most, or one object; who finds more puts the block back, whose owner it is
 * still.  Where patterns serve a whole block is soon done. */
static void mark_small(struct block *b, uintptr_t most)
{
    if (most < HGC_BLOCK && pattern_of(b, gc_classes[b->class].cell))
        most = HGC_BLOCK;
    for (;;) {
        uintptr_t n, done = 0;
        while ((n = scan_small(b, most)) != 0 && (done += n) < most) {
        }
        if (n && grey_left(b)) {
            markq_push(b);
            return;
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
static void mark_large(struct block *b, uintptr_t most)
{
    uintptr_t size = b->large.blocks_or_head << HGC_BLOCK_SHIFT, start = block_address(b);
    const struct hgc_kind *k = &gc_kinds[b->kind].k;
    uintptr_t step = k->trace && !k->words ? size : most;
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
        struct marker m = marker(b);
        follow(&m, b->kind, start, size, start + at, start + end);
        if (at == 0)
            look_up_ephemerons(&m, &o);
        tell(&m);
        own_add(&gc_self()->scan_heap, end - at);
        return;
    }
}

void mark_block(struct block *b, uintptr_t most)
{
    hk_assert(gc_is_on());              /* who holds a block counts in gc.active: no mark ends meanwhile */
    own_add(&gc_self()->scanned, 1);
    if (ld_rlx(&b->state) == BLOCK_SMALL)
        mark_small(b, most);
    else
        mark_large(b, most);
}
