/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* harts: 1 2 4 8 */
/* seconds: 120 */
/* mem: 128M */
/* Shapes that a marker can fail at: a list of a million nodes, wide arrays, circles, pointers to the inside and one past
 * the end that are the only ones, and hostile words that look like pointers.  Every node has a magic number and its own. */
#include "gc/gc_internal.h"
#include "tap.h"

enum {
    NODE = HGC_KIND_FIRST, TABLE,
    MILLION = 1000000, STRIPE = 32768,   /* so many of one size, then of the next: verify mode goes round the blocks */
    WIDE = 100000,
    RINGS = 500, RING = 7,
    EDGES = 8, ZERO_RANGES = 12, ZERO_WORDS = 8192,
    HOSTILE = 2048,
    ARENA = 80 << 20,
};
#define MAGIC ((uintptr_t)0x67726170u)
#define NOINLINE __attribute__((noinline))

struct node {
    hgc_ref(struct node) next;
    uintptr_t id;               /* (2 * number + 1) ^ MAGIC */
};
struct table {
    hgc_ref(struct node) node[1];
};

static struct {
    hgc_ref(struct node) node;
    hgc_ref(struct table) table;
} root;
static struct { hgc_ref(void) word[EDGES]; } edge_root;
static uintptr_t zeroes[ZERO_RANGES][ZERO_WORDS];       /* roots that take a while, between the first ones and the stacks */
static uintptr_t hostile_root[HOSTILE];
static char *arena;
static uintptr_t hidden[RINGS * RING];
static uint32_t wrong, failed;

static struct node *fresh(size_t size, uintptr_t id)
{
    struct node *p = hgc_alloc(NODE, size);
    if (!p) {
        amo_add_rlx(&failed, 1);
        return NULL;
    }
    if (hgc_get(p->next) || p->id)
        amo_add_rlx(&wrong, 1);
    p->id = (id * 2 + 1) ^ MAGIC;
    return p;
}

static bool good(const struct node *p, uintptr_t id)
{
    return p && hgc_size(p) && p->id == ((id * 2 + 1) ^ MAGIC);
}

static void check(const struct node *p, uintptr_t id)
{
    if (!good(p, id))
        amo_add_rlx(&wrong, 1);
}

static void in_task(void (*fn)(void *), void *arg)
{
    struct task *t;
    struct hk_task_config config = { .stack_size = 64 << 10 };
    if (hk_task_create(&t, &config, fn, arg) != HK_OK || hk_task_join(t, NULL) != HK_OK)
        amo_add_rlx(&failed, 1);
}

/* Garbage with other numbers, so that what was freed wrongly is overwritten. */
static NOINLINE void litter(void)
{
    for (unsigned i = 0; i < 20000; i++)
        fresh(16 + i % 10 * 16, ~(uintptr_t)i);
    for (unsigned i = 0; i < 20; i++) {
        uintptr_t *p = hgc_alloc(HGC_LEAF, HGC_BLOCK * (i % 4 + 1));
        if (p)
            p[0] = p[1] = MAGIC;
    }
}

static uint64_t live(void)
{
    struct hgc_stats s;
    hgc_collect(HGC_WAIT);
    hgc_collect(HGC_WAIT);
    hgc_stats(&s);
    return s.heap_live;
}

/* In a task of its own: in a mark the barrier reads what it overwrites, and a stale word of main's stack would hold it. */
static void forgets(void *arg)
{
    (void)arg;
    hgc_clear(&root, sizeof root);
}

/* Nothing was lost so far, and the parts that were dropped went: what the harts' runs hold is all there is. */
static void empty_again(const char *what)
{
    in_task(forgets, NULL);
    uint64_t left = live();
    ok(left <= (uint64_t)hk_harts() * 64 * HGC_BLOCK + (64 << 10), what);
    is(ld_rlx(&wrong) + ld_rlx(&failed), 0, "nothing was lost");
}

/* ---- deep -------------------------------------------------------------------------------------------------------- */

static void deep_builds(void *arg)
{
    (void)arg;
    struct node *last = fresh(16, 0);
    hgc_set(&root.node, last);
    for (uintptr_t i = 1; i < MILLION && last; i++) {
        struct node *p = fresh(16 + i / STRIPE % 3 * 16, i);
        if (!p)
            return;
        hgc_set(&last->next, p);
        last = p;
    }
}

static void deep_checks(void *arg)
{
    (void)arg;
    uintptr_t n = 0;
    for (struct node *p = hgc_get(root.node); p; p = hgc_get(p->next))
        check(p, n++);
    if (n != MILLION)
        amo_add_rlx(&wrong, 1);
}

static void deep(void)
{
    in_task(deep_builds, NULL);
    hgc_collect(HGC_WAIT);
    litter();
    in_task(deep_checks, NULL);
    hgc_collect(HGC_WAIT);
    in_task(deep_checks, NULL);
    is(ld_rlx(&wrong) + ld_rlx(&failed), 0, "a list of a million nodes stays");
    empty_again("and goes as a whole");
}

/* ---- wide -------------------------------------------------------------------------------------------------------- */

static void wide_builds(void *arg)
{
    (void)arg;
    struct table *t = hgc_alloc(TABLE, WIDE * sizeof(void *));
    if (!t)
        return;
    hgc_set(&root.table, t);
    for (uintptr_t i = 0; i < WIDE; i++)
        hgc_set(&t->node[i], fresh(16 + i % 5 * 16, i));
}

static void wide_checks(void *arg)
{
    (void)arg;
    struct table *t = hgc_get(root.table);
    for (uintptr_t i = 0; i < WIDE; i++)
        check(hgc_get(t->node[i]), i);
}

/* While marking runs, references are moved from the end of the array that is scanned last to the one scanned first. */
static void wide_turns(void *arg)
{
    (void)arg;
    struct table *t = hgc_get(root.table);
    hgc_collect(HGC_START);
    for (uintptr_t i = 0; i < WIDE / 2; i++) {
        struct node *p = hgc_get(t->node[i]), *q = hgc_get(t->node[WIDE - 1 - i]);
        hgc_set(&t->node[WIDE - 1 - i], NULL);
        hgc_set(&t->node[i], q);
        hgc_set(&t->node[WIDE - 1 - i], p);
    }
}

static void wide(void)
{
    in_task(wide_builds, NULL);
    for (int i = 0; i < 2; i++) {
        in_task(wide_turns, NULL);
        in_task(wide_turns, NULL);
        hgc_collect(HGC_WAIT);
        litter();
        in_task(wide_checks, NULL);
    }
    is(ld_rlx(&wrong) + ld_rlx(&failed), 0, "an array of 100,000 references keeps all");
    empty_again("and lets them go");
}

/* ---- circles ----------------------------------------------------------------------------------------------------- */

/* Ring i holds on to ring i - 1 too, and the first node to itself: hidden[] finds all of them. */
static void rings_build(void *arg)
{
    (void)arg;
    struct table *t = hgc_alloc(TABLE, RINGS * sizeof(void *));
    if (!t)
        return;
    hgc_set(&root.table, t);
    for (uintptr_t i = 0; i < RINGS; i++) {
        struct node *first = fresh(48, i * RING), *last = first;
        hgc_set(&t->node[i], first);
        hidden[i * RING] = ~(uintptr_t)first;
        for (uintptr_t k = 1; k < (i % RING) + 1; k++) {
            struct node *p = fresh(16 + k * 16, i * RING + k);
            hidden[i * RING + k] = ~(uintptr_t)p;
            hgc_set(&last->next, p);
            last = p;
        }
        hgc_set(&last->next, first);
    }
}

static void rings_check(void *arg)
{
    (void)arg;
    for (uintptr_t i = 0; i < RINGS; i++) {
        struct node *p = hgc_get(hgc_get(root.table)->node[i]), *first = p;
        for (uintptr_t k = 0; k < (i % RING) + 1; k++) {
            check(p, i * RING + k);
            p = hgc_get(p->next);
        }
        if (p != first)
            amo_add_rlx(&wrong, 1);
    }
}

static void rings(void)
{
    in_task(rings_build, NULL);
    hgc_collect(HGC_WAIT);
    litter();
    in_task(rings_check, NULL);
    is(ld_rlx(&wrong) + ld_rlx(&failed), 0, "circles stay while one node is reached");
    hgc_set(&root.table, NULL);
    hgc_collect(HGC_WAIT);
    hgc_collect(HGC_WAIT);
    unsigned there = 0;
    for (unsigned i = 0; i < RINGS * RING; i++)
        there += hidden[i] && hgc_size((void *)~hidden[i]);
    if (!ok(there <= 3 * RING, "and go when none is"))      /* a dead register may keep one or another */
        hk_printf("# %u nodes are there\n", there);
}

/* ---- edges ------------------------------------------------------------------------------------------------------- */

/* Sizes that fill their cell, so that one past the end is the neighbour's first byte (or the block's tail); and blocks. */
static const size_t edge_sizes[EDGES] = { 16, 48, 256, 576, 2048, HGC_BLOCK, 3 * HGC_BLOCK, 65536 };

/* Where the only pointer points: `which` 0 start, 1 the second byte, 2 the middle, 3 the last byte, 4 one past the end. */
static size_t edge_offset(size_t size, unsigned which)
{
    return which < 2 ? which : which == 2 ? size / 2 : which == 3 ? size - 1 : size;
}

/* In a frame of its own, and no object has a pointer to its start anywhere after it returned. */
static NOINLINE uintptr_t edge_object(unsigned i, unsigned which)
{
    return (uintptr_t)fresh(edge_sizes[i], i) + edge_offset(edge_sizes[i], which);
}

static NOINLINE void edges_wipe(void)
{
    volatile uintptr_t frame[256] = { 0 };
    (void)frame;
}

static NOINLINE void edges_check(void *const volatile *word, unsigned which)
{
    for (unsigned i = 0; i < EDGES; i++)
        check((struct node *)((uintptr_t)word[i] - edge_offset(edge_sizes[i], which)), i);
}

static NOINLINE void edges_in_root_make(unsigned which)
{
    for (unsigned i = 0; i < EDGES; i++)
        hgc_set(&edge_root.word[i], (void *)edge_object(i, which));
}

static NOINLINE void edges_on_stack(unsigned which)
{
    void *volatile word[EDGES];
    for (unsigned i = 0; i < EDGES; i++)
        word[i] = (void *)edge_object(i, which);
    edges_wipe();
    hgc_collect(HGC_WAIT);
    litter();
    hgc_collect(HGC_WAIT);
    litter();
    edges_check(word, which);
}

static void edges_run(void *arg)
{
    unsigned which = (unsigned)(uintptr_t)arg;
    edges_on_stack(which);
    edges_in_root_make(which);
    edges_wipe();
    hgc_collect(HGC_WAIT);
    litter();
    hgc_collect(HGC_WAIT);
    litter();
    edges_check((void *const *)&edge_root, which);
    hgc_clear(&edge_root, sizeof(edge_root));
}

static void edges(void)
{
    static const char *const names[] = { "to the start", "to the second byte", "to the middle", "to the last byte",
                                         "one past the end" };
    for (uintptr_t which = 0; which < 5; which++) {
        uint32_t before = ld_rlx(&wrong);
        in_task(edges_run, (void *)which);
        if (!ok(ld_rlx(&wrong) == before, names[which]))
            hk_printf("# lost objects: %u\n", (unsigned)(ld_rlx(&wrong) - before));
    }
}

/* The arena's last block: large objects are taken from the top down. */
static void last_block(void *arg)
{
    void *volatile end = (char *)hgc_alloc(HGC_LEAF, HGC_BLOCK) + HGC_BLOCK;
    (void)arg;
    ((volatile uintptr_t *)((char *)end - HGC_BLOCK))[1] = MAGIC;
    edges_wipe();
    ok((uintptr_t)end == gc.base + gc.bytes && hgc_size(end) == 0, "the first large object lies at the arena's end");
    hgc_collect(HGC_WAIT);
    litter();
    hgc_collect(HGC_WAIT);
    ok(hgc_size((char *)end - 1) == HGC_BLOCK && ((uintptr_t *)((char *)end - HGC_BLOCK))[1] == MAGIC,
       "one past the arena's end keeps its last object");
}

/* As the mark begins, objects of which only one past the end is known go from a stack that was not scanned into a root that
 * was; only the barrier can tell. */
static NOINLINE void edges_move(unsigned which, unsigned delay)
{
    void *volatile word[EDGES];
    for (unsigned i = 0; i < EDGES; i++)
        word[i] = (void *)edge_object(i, which);
    edges_wipe();
    hgc_collect(HGC_START);
    for (volatile unsigned n = 20 * (delay % 64); n; n--)
        ;
    for (unsigned i = 0; i < EDGES; i++) {
        hgc_set(&edge_root.word[i], word[i]);
        word[i] = NULL;
    }
}

static void edges_through_barrier(void *arg)
{
    (void)arg;
    for (unsigned n = 0; n < 40; n++) {
        hgc_collect(HGC_WAIT);
        edges_move(n % 5, n * 7);
        edges_wipe();
        while (hgc_marking())
            hk_yield();
        litter();
        edges_check((void *const *)&edge_root, n % 5);
        hgc_clear(&edge_root, sizeof(edge_root));
    }
}

/* ---- hostile words ----------------------------------------------------------------------------------------------- */

static uint32_t random_state = 0x9e3779b9u;

static uint32_t random_word(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Powers of two and their neighbours around the arena's ends; descriptors; devices; the arena at random; anything. */
static uintptr_t hostile_word(unsigned i)
{
    static const uintptr_t devices[] = { 0x02000000, 0x0200bff8, 0x0c000000, 0x10000000, 0x00100000, 0x80000000 };
    uintptr_t base = (uintptr_t)arena, end = base + ARENA, power = (uintptr_t)1 << (i / 8 % (8 * sizeof(uintptr_t)));
    switch (i % 8) {
    case 0:  return base + power;
    case 1:  return base - power;
    case 2:  return end + power;
    case 3:  return end - power;
    case 4:  return i % 16 < 8 ? power : (uintptr_t)0 - power;
    case 5:  return base + i * 64;                      /* descriptors and bitmaps lie first */
    case 6:  return i % 32 < 16 ? base + random_word() % ARENA : base + (random_word() % (ARENA / 4096)) * 4096;
    default: return i % 16 < 8 ? devices[i / 16 % 6] + i : ((uintptr_t)random_word() << 16 << 16) ^ random_word();
    }
}

static void hostile_fill(uintptr_t *word)
{
    for (unsigned i = 0; i < HOSTILE; i++)
        word[i] = hostile_word(i);
}

/* The words stand there before the cycle begins: one that appears later, out of nothing, on a stack that was scanned would
 * be no fault of the collector's, but verify mode could not tell.  The barrier gets them too. */
static void hostile_run(void *arg)
{
    uintptr_t word[HOSTILE];
    (void)arg;
    hgc_set_auto(false);
    for (int n = 0; n < 4; n++) {
        hgc_collect(HGC_WAIT);
        hostile_fill(word);
        uintptr_t *object = hgc_alloc(HGC_AMBIGUOUS, sizeof(word)), *small = hgc_alloc(HGC_AMBIGUOUS, 1024);
        if (!object || !small)
            return;
        hgc_copy(small, word + n * 128, 1024);
        hgc_copy(object, word, sizeof(word));
        hgc_collect(HGC_START);
        litter();
        hgc_copy(hostile_root, word, sizeof(word));     /* often while marking runs */
        hgc_clear(object, sizeof(word));
        hgc_copy(object, hostile_root, sizeof(word));
        hgc_collect(HGC_WAIT);
        for (unsigned i = 0; i < HOSTILE; i++)
            if (object[i] != word[i] || hgc_size((void *)word[i]) > ARENA)
                amo_add_rlx(&wrong, 1);
        litter();
        __asm__ volatile("" : : "r"(word), "r"(small) : "memory");
    }
    hgc_set_auto(true);
}

static void hostile(void)
{
    in_task(rings_build, NULL);         /* something that they could hit */
    in_task(hostile_run, NULL);
    in_task(rings_check, NULL);
    is(ld_rlx(&wrong) + ld_rlx(&failed), 0, "hostile words do no harm");
    hgc_clear(hostile_root, sizeof(hostile_root));
    empty_again("and retain nothing once they are gone");
}

static void start_heap(void)
{
    static const uint32_t first[32] = { 1 }, all = 1;
    static const struct hgc_kind node = { .name = "node", .words = 1024, .map = first },
        table = { .name = "table", .words = 1, .map = &all };
    arena = hk_mem_alloc(ARENA);
    struct hgc_config config = { .base = arena, .size = ARENA, .verify = true };
    int error = hgc_init(&config);
    error |= hgc_kind(NODE, &node) | hgc_kind(TABLE, &table) | hgc_root_add(&root, sizeof(root))
           | hgc_root_add(&edge_root, sizeof(edge_root)) | hgc_root_add(hostile_root, sizeof(hostile_root));
    for (unsigned i = 0; i < ZERO_RANGES; i++)
        error |= hgc_root_add(zeroes[i], sizeof(zeroes[i]));
    is(error, HGC_OK, "the heap starts");
}

/* In milliseconds: in the third second after reset a time in nanoseconds looks like an address of the arena, and stands on the stack. */
static unsigned now_ms(void)
{
    return (unsigned)(hk_now() / 1000000);
}

static void timed(void (*fn)(void), const char *name)
{
    unsigned begin = now_ms();
    fn();
    hk_printf("# %s: %u ms\n", name, now_ms() - begin);
}

static void barrier(void)
{
    in_task(edges_through_barrier, NULL);
    is(ld_rlx(&wrong), 0, "so too where only the barrier sees it");
}

int app_main(void)
{
    start_heap();
    in_task(last_block, NULL);
    timed(wide, "wide");
    timed(rings, "rings");
    timed(edges, "edges");
    timed(hostile, "hostile");
    timed(deep, "deep");
    timed(barrier, "barrier");
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.verified == s.cycles, "each cycle was verified");
    hk_printf("# %u cycles, longest pause %u us\n", (unsigned)s.cycles, (unsigned)(s.pause_max_ns / 1000));
    return tap_end();
}
