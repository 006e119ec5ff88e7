/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of every shape, each the only way to what it refers to: large ones of many slices, with maps whose period divides
 * no slice, held by their start, by a pointer into any of their blocks, or by their end, which may be the arena's.  One task
 * moves references about in them while a cycle runs; after it, all must be there.
 *
 * And blocks that are half free after a sweep: what was freed can be allocated again without another cycle.
 */
#include "gc/hgc.h"
#include "kernel/hk.h"
#include "sim.h"
#include "workload.h"

enum { MAPPED = HGC_KIND_FIRST, TRACED, CHILDREN = 12, BLOCKS_MAX = 5, CELLS = 128, PERIODS = 3 };
#define MAGIC 0x51a9e500u
#define TRUTH HAL_NO_SANITIZE __attribute__((noinline))

struct child {
    uintptr_t magic;            /* MAGIC + its number */
};
struct shape {
    hgc_ref(struct child) word[1];
};

/* Addresses that the collector must not see. */
struct facts {
    uintptr_t at[CHILDREN], shape;
    unsigned where[CHILDREN];   /* index of the word that refers to it */
};
_Static_assert(sizeof(struct facts) <= SIM_TRUTH_BYTES, "sim_truth has too little memory");

static struct facts *facts(void)
{
    return sim_truth();
}

static hgc_ref(struct shape) holder;
static unsigned children, words, kind, period;
/* Periods of 3, 5 and 7 words. */
static const uint32_t maps[PERIODS] = {4, 9, 0x48};
static const unsigned periods[PERIODS] = {3, 5, 7};

/* ---- the truth --------------------------------------------------------------------------------------------------- */

TRUTH static void truth_child(unsigned i, uintptr_t at, unsigned where)
{
    facts()->at[i] = at;
    facts()->where[i] = where;
}

TRUTH static void truth_shape(uintptr_t at) { facts()->shape = at; }
TRUTH static unsigned where(unsigned i) { return facts()->where[i]; }
TRUTH static bool taken(unsigned w, unsigned below)
{
    for (unsigned i = 0; i < below; i++)
        if (facts()->where[i] == w)
            return true;
    return false;
}

TRUTH static void exchanged(unsigned i, unsigned k)
{
    unsigned w = facts()->where[i];
    facts()->where[i] = facts()->where[k];
    facts()->where[k] = w;
}

/* ---- one shape --------------------------------------------------------------------------------------------------- */

/* May this word refer to something? */
static bool is_slot(unsigned w)
{
    return kind != MAPPED || (maps[period] >> w % periods[period] & 1);
}

/* The word at or before w that may. */
static unsigned slot_at(unsigned w)
{
    while (w > 0 && !is_slot(w))
        w--;
    return is_slot(w) ? w : period == 0 ? 2 : period == 1 ? 0 : 3;
}

/* Borders of slices and of blocks first, then anywhere. */
static unsigned some_slot(unsigned i)
{
    unsigned slice = HGC_SLICE / sizeof(uintptr_t), at = sim_choose(words / slice) * slice;
    switch (i % 4) {
    case 0:  return slot_at(at + slice - 1);
    case 1:  return slot_at(at + slice / 2);
    case 2:  return slot_at(at + sim_choose(periods[period]));
    default: return slot_at(sim_choose(words));
    }
}

static void trace(void *object, size_t size, struct hgc_visitor *v)
{
    struct shape *s = object;
    for (size_t i = 0; i < size / sizeof(uintptr_t); i++)
        hgc_visit(v, hgc_get(s->word[i]));
}

static void check(const struct child *p, unsigned i)
{
    if (p->magic != MAGIC + i || hgc_size(p) == 0)
        sim_fail("I10: child %u at %p holds %#lx, size %zu: it was freed or overwritten", i, (const void *)p,
                 (unsigned long)p->magic, hgc_size(p));
}

static __attribute__((noinline)) void fill(void)
{
    struct shape *s = hgc_get(holder);
    for (unsigned i = 0; i < children; i++) {
        unsigned w;
        for (unsigned n = 0; taken(w = some_slot(n < 8 ? i : 3), i); n++)
            ;
        struct child *p = hgc_alloc(sim_choose(2) ? HGC_LEAF : HGC_AMBIGUOUS, 16 + 16 * sim_choose(4));
        if (!p)
            sim_fail("no memory for a child");
        p->magic = MAGIC + i;
        truth_child(i, (uintptr_t)p, w);
        hgc_set(&s->word[w], p);
    }
}

TRUTH static struct shape *shape(void) { return (struct shape *)facts()->shape; }

/* One by one they change places, and each is on this stack alone for a moment. */
static __attribute__((noinline)) void move(void)
{
    struct shape *s = shape();
    unsigned i = sim_choose(children), k = sim_choose(children), wi = where(i), wk = where(k);
    struct child *p = hgc_get(s->word[wi]), *q = hgc_get(s->word[wk]);
    check(p, i);
    check(q, k);
    hgc_set(&s->word[wi], NULL);
    hgc_set(&s->word[wk], p);
    hgc_set(&s->word[wi], i == k ? p : q);
    if (i != k)
        exchanged(i, k);
}

/* How it is held from now on: by a pointer into some block of it, or to its end. */
static __attribute__((noinline)) void hold_otherwise(void)
{
    uintptr_t p = (uintptr_t)shape();
    size_t size = words * sizeof(uintptr_t);
    switch (sim_choose(4)) {
    case 0:  break;
    case 1:  p += size; break;
    case 2:  p += size - 1 - sim_choose(100); break;
    default: p += HGC_BLOCK * sim_choose((unsigned)(size / HGC_BLOCK)) + sim_choose(HGC_BLOCK); break;
    }
    hgc_set(&holder, (void *)p);
}

static __attribute__((noinline)) void check_all(void)
{
    struct shape *s = shape();
    if (hgc_size(s) != words * sizeof(uintptr_t))
        sim_fail("I10: the shape at %p is held, and is not live", (void *)s);
    for (unsigned i = 0; i < children; i++)
        check(hgc_get(s->word[where(i)]), i);
}

static __attribute__((noinline)) void make_shape(void)
{
    size_t size = HGC_BLOCK * (1 + sim_choose(BLOCKS_MAX));
    kind = sim_choose(4) == 0 ? TRACED : sim_choose(2) ? HGC_AMBIGUOUS : MAPPED;
    words = (unsigned)(size / sizeof(uintptr_t));
    children = 4 + sim_choose(CHILDREN - 4);
    void *p = hgc_alloc(kind, size - sim_choose(100));
    if (!p)
        sim_fail("no memory for a shape");
    truth_shape((uintptr_t)p);
    hgc_set(&holder, p);
}

static void one_shape(void)
{
    make_shape();
    fill();
    for (unsigned n = 1 + sim_choose(2); n > 0; n--) {
        hold_otherwise();
        hgc_collect(HGC_START);
        for (unsigned k = 0; k < 8 && hgc_marking(); k++)
            move();
        hgc_collect(HGC_WAIT);
        check_all();
    }
}

/* ---- half of it goes --------------------------------------------------------------------------------------------- */

/* They are held by precise references: a root would hold the neighbour below each too. */
static __attribute__((noinline)) unsigned fill_cells(size_t size, unsigned most)
{
    struct shape *s = hgc_get(holder);
    unsigned n = 0;
    for (unsigned i = 0; i < CELLS && n < most; i++) {
        if (hgc_get(s->word[i]))
            continue;
        struct child *p = hgc_alloc(HGC_LEAF, size);
        if (!p)
            break;
        hgc_set(&s->word[i], p);
        n++;
    }
    return n;
}

static void half_goes(void)
{
    struct hgc_stats before, after;
    size_t size = HGC_BLOCK / 2 - 16 * sim_choose(3);
    hgc_set(&holder, hgc_alloc(TRACED, CELLS * sizeof(uintptr_t)));
    unsigned n = fill_cells(size, CELLS), gone = 0;
    hgc_stats(&before);
    if (before.heap_used < n * size)
        sim_fail("%u objects of %zu bytes are held, and only %lu bytes are in use", n, size,
                 (unsigned long)before.heap_used);
    for (unsigned i = sim_choose(2); i < n; i += 2, gone++)
        hgc_set(&hgc_get(holder)->word[i], NULL);
    hgc_collect(HGC_WAIT);
    hgc_stats(&before);
    unsigned room = (unsigned)before.blocks_free * 2 + gone, slack = 2 * hk_harts() + 4;
    unsigned got = fill_cells(size, room - slack);      /* less rests of runs, and what stale words on stacks hold */
    hgc_stats(&after);
    if (got < room - slack && (got < gone || after.cycles != before.cycles))
        sim_fail("%u of %u cells were freed and %lu blocks are free, but after %u more cells it took %lu more cycles", gone, n,
                 (unsigned long)before.blocks_free, got, (unsigned long)(after.cycles - before.cycles));
}

int shapes(void)
{
    struct hgc_config c = {.size = 96 * 1024, .no_auto = true};
    c.base = hk_mem_alloc(c.size);
    c.verify = sim_choose(4) == 0;
    if (!c.base || hgc_init(&c) != HGC_OK)
        sim_fail("hgc_init failed");
    period = sim_choose(PERIODS);
    hgc_kind(MAPPED, &(struct hgc_kind){.name = "mapped", .words = periods[period], .map = &maps[period]});
    hgc_kind(TRACED, &(struct hgc_kind){.name = "traced", .trace = trace});
    hgc_root_add(&holder, sizeof holder);
    if (sim_choose(4) == 0)
        half_goes();
    else
        one_shape();
    return 0;
}
