/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Specials: what an object has beside its contents.  A block whose objects have some has a table with the head of a list for
 * each cell; a block without costs one load.
 *
 * In a list: the finalizer first, if there is one; then weak references, ephemerons (of which the object is the key) and
 * cleanups in any order.  One lock guards all lists.  The bitmaps of a block that is concerned (it has a table, or holds
 * records) are swept under it, so who holds it sees a block either unswept, its marks whole, or swept.
 *
 * The sweep of a dead object, a bounded number of steps in each critical section, before the block's bitmaps change:
 *   - with a finalizer: weak references and ephemerons are cleared, cleanups put aside, one by one; last of all, in one
 *     section, the object is marked, its cleanups are put back and the finalizer is queued.  So whoever can see the object
 *     again finds its weak references cleared.
 *   - without: the same, but cleanups are queued.
 * Nobody adds to the list of a dead object meanwhile: nobody has it in hand.
 *
 * What is registered in a mark is shaded in the same section, so root jobs need to see only what was there at its start.
 */
#include "gc/gc_internal.h"

struct gc_special gc_special;

enum { BATCH = 16, TABLES_A_JOB = 32 };
#define SPECIAL_ID (GC_KIND_SPECIAL * HGC_CLASSES + (unsigned)HGC_CLASS(sizeof(struct special)))

/* A queued record keeps the queue behind it. */
static void trace(void *object, size_t size, struct hgc_visitor *v)
{
    struct special *s = object;
    (void)size;
    if (ld_rlx(&s->type) < SPECIAL_CLEANUP)
        return;
    hgc_visit(v, (void *)ld_rlx(&s->value));
    if (ld_rlx(&s->block) == NO_BLOCK) {
        hgc_visit(v, (void *)ld_rlx(&s->object));
        hgc_visit(v, ld_rlx(&s->next));
    }
}

void special_init(void)
{
    gc_kinds[GC_KIND_SPECIAL] = (struct kind_entry){.k = {.name = "special", .trace = trace}, .used = true};
}

struct special *special_new(void)
{
    return hgc_slow_new(SPECIAL_ID);
}

/* ---- lists; the lock is held ------------------------------------------------------------------------------------- */

static unsigned cell_of(const struct block *b, uintptr_t p)
{
    if (ld_rlx(&b->state) != BLOCK_SMALL)
        return 0;
    return (unsigned)((p - block_address(b)) / GRAIN) * gc_classes[b->class].inverse >> 20;
}

static size_t table_size(const struct block *b)
{
    unsigned cells = ld_rlx(&b->state) == BLOCK_SMALL ? gc_classes[b->class].cells : 1;
    return sizeof(struct special_table) + cells * sizeof(uint32_t);
}

static struct special_table *install(struct block *b, struct special_table *t)
{
    struct special_table *after = ld_rlx(&gc_special.tables);
    t->block = block_index(b);
    st_rlx(&t->next, after);
    if (after)
        st_rlx(&after->prev, t);
    st_rel(&gc_special.tables, t);      /* [L-mp.rel] */
    st_rel(&b->specials, special_ref(t));       /* [L-mp.rel] */
    gc_special.ntables++;
    return t;
}

static void drop(struct block *b, struct special_table *t)
{
    struct special_table *next = ld_rlx(&t->next), *prev = ld_rlx(&t->prev);
    if (next)
        st_rlx(&next->prev, prev);
    if (prev)
        st_rlx(&prev->next, next);
    else
        st_rlx(&gc_special.tables, next);
    st_rlx(&b->specials, 0);
    gc_special.ntables--;
}

static void set_first(struct special_table *t, unsigned cell, struct special *s)
{
    bool had = ld_rlx(&t->head[cell]) != 0;
    st_rel(&t->head[cell], special_ref(s));     /* [L-mp.rel] */
    if (s && !had) {
        bits_set(t->has, cell, cell + 1);
        t->count++;
    } else if (!s && had) {
        bits_clear(t->has, cell, cell + 1);
        t->count--;
    }
}

/* At the front, but behind a finalizer. */
static void insert(struct special_table *t, unsigned cell, struct special *s)
{
    struct special *first = special_first(t, cell);
    bool second = first && ld_rlx(&first->type) == SPECIAL_FINALIZER;
    struct special *after = second ? ld_rlx(&first->next) : first;
    st_rlx(&s->next, after);
    st_rlx(&s->prev, second ? first : NULL);
    if (after)
        st_rlx(&after->prev, s);
    if (second)
        st_rel(&first->next, s);        /* [L-mp.rel] */
    else
        set_first(t, cell, s);
}

static void unlink(struct special_table *t, unsigned cell, struct special *s)
{
    struct special *next = ld_rlx(&s->next), *prev = ld_rlx(&s->prev);
    if (next)
        st_rlx(&next->prev, prev);
    if (prev)
        st_rlx(&prev->next, next);
    else
        set_first(t, cell, next);
}

/* ---- registering ------------------------------------------------------------------------------------------------- */

static void shade_all(struct special_table *t, struct special *s, const void *object, const void *value)
{
    if (!gc_is_on())
        return;
    mark_reference((uintptr_t)object);
    mark_reference((uintptr_t)t);
    mark_reference((uintptr_t)s);
    mark_reference((uintptr_t)value);
}

static int link_record(struct special_table *t, unsigned cell, struct special *s, enum special_type type, const void *p,
                       uintptr_t fn, const void *value)
{
    struct special *first = special_first(t, cell);
    bool again = type == SPECIAL_FINALIZER && first && ld_rlx(&first->type) == SPECIAL_FINALIZER;
    if (again) {
        if (ld_rlx(&first->fn))
            return HGC_EBUSY;
        s = first;                      /* it was taken back: its record serves again */
    }
    st_rlx(&s->block, t->block);
    st_rlx(&s->object, (uintptr_t)p);
    st_rlx(&s->value, (uintptr_t)value);
    st_rlx(&s->fn, type >= SPECIAL_CLEANUP ? fn : gc.sweep_cycle);
    st_rlx(&s->type, type);
    if (!again)
        insert(t, cell, s);
    shade_all(t, s, p, value);
    return HGC_OK;
}

int special_add(struct special *s, enum special_type type, const void *p, uintptr_t fn, const void *value)
{
    struct special_table *spare = NULL;
    for (;;) {
        struct object o;
        hal_crit_t c = spin_lock_crit(&gc_special.lock);
        if (!find_object((uintptr_t)p, &o) || (type == SPECIAL_FINALIZER && o.block->kind == GC_KIND_SPECIAL)) {
            spin_unlock_crit(&gc_special.lock, c);
            return HGC_EINVAL;
        }
        struct special_table *t = special_table_of(o.block);
        if (!t && spare)
            t = install(o.block, spare);
        if (t) {
            int r = link_record(t, o.cell, s, type, p, fn, value);
            spin_unlock_crit(&gc_special.lock, c);
            return r;
        }
        size_t size = table_size(o.block);
        spin_unlock_crit(&gc_special.lock, c);
        if (!(spare = hgc_alloc(HGC_LEAF, size)))
            return HGC_ENOMEM;
    }
}

/* ---- reading what does not keep its object ----------------------------------------------------------------------- */

/* While a mark runs all blocks are swept, and all that are dead were cleared.  Else the target's block may be unswept: then its
 * mark tells, under the lock.  What was linked since this sweep began refers to an object that outlives the sweep. */
uintptr_t special_target(struct special *s)
{
    uintptr_t p = ld_rlx(&s->object);
    if (!p || gc_is_on() || ld_rlx(&s->born) == gc.sweep_cycle)
        return p;
    struct block *b = &gc.blocks[hal_dependent(ld_rlx(&s->block))];
    if (ld_acq(&b->swept) == gc.sweep_cycle)    /* [L-mp.acq] */
        return ld_rlx(&s->object);
    spin_lock(&gc_special.lock);
    p = ld_rlx(&s->object);
    if (p && ld_rlx(&b->swept) != gc.sweep_cycle) {
        struct object o = {b, cell_of(b, p)};
        if (!object_marked(&o))
            p = 0;
    }
    spin_unlock(&gc_special.lock);
    return p;
}

bool special_revive(uintptr_t p)
{
    struct object o;
    if (!gc_is_on() || !find_object(p, &o))
        return true;
    if (gc_special.failed_ends >= 2 && !object_marked(&o)) {
        if (gc.cfg.verify)
            verify_refused(p);
        return false;
    }
    if (mark_reference(p)) {
        own_add(&gc_self()->shades, 1);
        if (gc.cfg.verify)
            verify_revived(p);
    }
    return true;
}

/* ---- a cycle ----------------------------------------------------------------------------------------------------- */

void special_begin(void)
{
    gc_special.failed_ends = 0;
    gc_special.cursor = gc_special.tables;
    for (unsigned i = 0; i < HGC_POOLS; i++)
        if (gc_special.pools[i].clear)
            gc_special.pools[i].clear(gc_special.pools[i].arg);
}

void special_retry(void)
{
    gc_special.failed_ends++;
}

uint32_t special_jobs(void)
{
    gc_special.jobs = 1 + (gc_special.ntables + TABLES_A_JOB - 1) / TABLES_A_JOB;
    return gc_special.jobs;
}

/* What an object with a finalizer refers to is a root; the object is not.  With one that was taken back it may be in a circle. */
static void mark_list(struct special *s)
{
    for (; s; s = special_next(s)) {
        uint32_t type = ld_rlx(&s->type);
        struct object o;
        if (type >= SPECIAL_CLEANUP)
            mark_reference((uintptr_t)s);
        if (type == SPECIAL_FINALIZER && ld_rlx(&s->fn) && find_object(ld_rlx(&s->object), &o))
            mark_children(&o);
    }
}

static void mark_table(struct special_table *t)
{
    mark_reference((uintptr_t)t);
    for (unsigned cell = 0; (cell = bits_one(t->has, cell, CELLS_MAX)) < CELLS_MAX; cell++)
        mark_list(special_first(t, cell));
}

static void mark_tables(void)
{
    hal_crit_t c = spin_lock_crit(&gc_special.lock);
    struct special_table *t = gc_special.cursor, *end = t;
    for (unsigned i = 0; i < TABLES_A_JOB && end; i++)
        end = ld_rlx(&end->next);
    gc_special.cursor = end;
    spin_unlock_crit(&gc_special.lock, c);
    for (; t != end; t = ld_rlx(&t->next))
        mark_table(t);
}

void special_mark_pins(void)
{
    for (unsigned i = 0; i < HGC_PINS; i++)
        mark_reference(ld_rlx(&gc_special.pins[i]));
}

void special_job(uint32_t i)
{
    if (i == 0) {
        mark_reference((uintptr_t)ld_rlx(&gc_special.queue));
        special_mark_pins();
    } else {
        mark_tables();
    }
    amo_add_rel(&gc.jobs_open, -1);     /* [L-countdown.rel] */
}

/* ---- the sweep --------------------------------------------------------------------------------------------------- */

void special_sweep_lock(void)
{
    spin_lock(&gc_special.lock);
}

void special_sweep_unlock(void)
{
    spin_unlock(&gc_special.lock);
}

/* A finalizer that was taken back is a record of nothing. */
static void clear(struct special *s)
{
    own_add(&gc_special.cleared, ld_rlx(&s->type) != SPECIAL_FINALIZER);
    st_rlx(&s->object, 0);
    st_rlx(&s->value, 0);
    st_rlx(&s->type, SPECIAL_NONE);
}

static void put_aside(struct special *finalizer, struct special *s)
{
    struct special *aside = ld_rlx(&finalizer->prev);
    st_rlx(&s->next, aside);
    st_rlx(&s->prev, NULL);
    if (aside)
        st_rlx(&aside->prev, s);
    st_rlx(&finalizer->prev, s);
}

static void resurrect(struct block *b, struct special_table *t, unsigned cell, struct special *finalizer)
{
    struct object o = {b, cell};
    set_first(t, cell, ld_rlx(&finalizer->prev));
    bits_set(b->mark, cell, cell + 1);  /* the phase is OFF, but the block is in this sweeper's hands */
    gc_count_used(object_size(&o));
    finalizer_queue(finalizer);
}

/* One step for the dead object of this cell. */
static void sweep_one(struct block *b, struct special_table *t, unsigned cell)
{
    struct special *first = special_first(t, cell);
    hk_assert(first);                   /* `has` says so */
    bool finalizer = ld_rlx(&first->type) == SPECIAL_FINALIZER && ld_rlx(&first->fn);
    struct special *s = finalizer ? ld_rlx(&first->next) : first;
    if (!s) {
        resurrect(b, t, cell, first);
        return;
    }
    unlink(t, cell, s);
    if (ld_rlx(&s->type) != SPECIAL_CLEANUP) {
        clear(s);
    } else if (finalizer) {
        put_aside(first, s);
    } else {
        st_rlx(&s->object, 0);
        finalizer_queue(s);
    }
}

/* Dead cells in word w: live and not marked. */
static uintptr_t dead(const struct block *b, unsigned w)
{
    uintptr_t live = ld_rlx(&b->state) == BLOCK_SMALL ? ld_rlx(&b->live[w]) : w == 0;
    return live & ~ld_rlx(&b->mark[w]);
}

static bool sweep_lists(struct block *b, struct special_table *t, unsigned *left)
{
    for (unsigned w = 0; w < BIT_WORDS; w++) {
        uintptr_t todo;
        while ((todo = dead(b, w) & ld_rlx(&t->has[w]))) {
            if ((*left)-- == 0)
                return true;
            sweep_one(b, t, w * WORD_BITS + bits_lowest(todo));
        }
    }
    return false;
}

/* A weak reference or ephemeron that nobody holds leaves the list of its object. */
static bool sweep_records(struct block *b, unsigned *left)
{
    const struct class_entry *c = &gc_classes[b->class];
    uintptr_t at = block_address(b), todo = 0;
    for (unsigned cell = 0; cell < c->cells; cell++, at += c->cell, todo >>= 1) {
        if (cell % WORD_BITS == 0)
            todo = dead(b, cell / WORD_BITS);
        struct special *s = (struct special *)at;
        if (!(todo & 1) || (ld_rlx(&s->type) != SPECIAL_WEAK && ld_rlx(&s->type) != SPECIAL_EPHEMERON))
            continue;
        if ((*left)-- == 0)
            return true;
        struct block *of = &gc.blocks[ld_rlx(&s->block)];
        struct special_table *t = special_table_of(of);
        hk_assert(t);
        unlink(t, cell_of(of, ld_rlx(&s->object)), s);
        st_rlx(&s->type, SPECIAL_NONE);
    }
    return false;
}

bool special_sweep(struct block *b)
{
    unsigned left = BATCH;
    struct special_table *t = special_table_of(b);
    if (t && sweep_lists(b, t, &left))
        return true;
    if (b->kind == GC_KIND_SPECIAL && sweep_records(b, &left))
        return true;
    if (t && !t->count)
        drop(b, t);
    return false;
}

void hgc_special_stats(struct hgc_special_stats *s)
{
    s->finalizers = ld_rlx(&gc_special.finalizers);
    s->cleanups = ld_rlx(&gc_special.cleanups);
    s->pending = ld_rlx(&gc_special.pending);
    s->cleared = ld_rlx(&gc_special.cleared);
    s->looked_up = 0;
    for (unsigned i = 0; i < hal_hart_count(); i++)
        s->looked_up += ld_rlx(&gc_of(hal_hart(i))->looked_up);
}
