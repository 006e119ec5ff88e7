/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/* Objects of every size class and kind, and large ones: zeroed, of the size that the table says, kept with their content
 * while something reaches them, gone when nothing does.  Each is numbered, and each word that is no reference is a
 * function of that number, so that an object that was lost, overlapped or overwritten is noticed. */
#include "gc/hgc.h"
#include "tap.h"
#include "wipe.h"

enum {
    MAP = HGC_KIND_FIRST, LONG_MAP, TRACE, KINDS, TABLE = KINDS,
    LONG = 48,                  /* words of the long map's period: more than one word of map */
    STRAYS = 2,                 /* objects that a dead register or an unused place on a stack may keep */
    COPIES = 2, ROUNDS = 3, MAX = 1024,
    ARENA = 32 << 20,
};
#define MAGIC ((uintptr_t)0x6f626a65u)
#define NOINLINE __attribute__((noinline))

/* A collected table, because it is precise: a word of a root on a boundary would keep the neighbour too. */
struct table {
    hgc_ref(uintptr_t) object[MAX];
};
static hgc_ref(struct table) root;
static size_t sizes[MAX];       /* asked for */
static unsigned kinds[MAX];
static uintptr_t hidden[2 * MAX];       /* ~address of each object, and of what it refers to */
static unsigned objects;
static uint32_t wrong, failed;

static const size_t large_sizes[] = { HGC_SMALL_MAX + 1, HGC_BLOCK - 8, HGC_BLOCK, HGC_BLOCK + 1, 3 * HGC_BLOCK, 65536 + 8,
                                      (1 << 20) - 1, (3 << 20) + 8 };
enum { LARGE = sizeof(large_sizes) / sizeof(large_sizes[0]) };

/* ---- what stands in an object ------------------------------------------------------------------------------------ */

/* Which words of an object are references: from the fourth on, so that the smallest hold only their number. */
static bool is_reference(unsigned kind, size_t i)
{
    switch (kind) {
    case HGC_AMBIGUOUS: return i >= 2 && i % 5 == 2;
    case MAP:           return i % 3 == 2;
    case LONG_MAP:      return i % LONG == 3 || i % LONG == 33 || i % LONG == 47;
    case TRACE:         return i % 4 == 3;
    default:            return false;
    }
}

static void trace(void *object, size_t size, struct hgc_visitor *v)
{
    void **word = object;
    for (size_t i = 3; i < size / sizeof(*word); i += 4)
        hgc_visit(v, ld_rlx(&word[i]));
}

static uintptr_t pattern(uintptr_t id, size_t i)
{
    return (id * 2654435761u ^ (i + 1) * 40503u) | 1;  /* odd */
}

static size_t words_of(size_t size)
{
    return size / sizeof(uintptr_t);
}

/* The word with the last reference, or 0. */
static size_t last_reference(unsigned kind, size_t words)
{
    while (words-- > 2)
        if (is_reference(kind, words))
            return words;
    return 0;
}

static void fill(uintptr_t *p, unsigned kind, size_t size, uintptr_t id)
{
    for (size_t i = 0; i < words_of(size); i++)
        if (i < 2 || !is_reference(kind, i))
            p[i] = i == 0 ? MAGIC ^ id : i == 1 ? id : pattern(id, i);
}

static bool intact(const uintptr_t *p, unsigned kind, size_t size, uintptr_t id)
{
    if (words_of(size) >= 1 && p[0] != (MAGIC ^ id))
        return false;
    if (words_of(size) >= 2 && p[1] != id)
        return false;
    for (size_t i = 2; i < words_of(size); i++)
        if (!is_reference(kind, i) && p[i] != pattern(id, i))
            return false;
    return true;
}

static bool zeroed(const uintptr_t *p)
{
    for (size_t i = 0; i < words_of(hgc_size(p)); i++)
        if (p[i])
            return false;
    return true;
}

/* ---- making and checking them ------------------------------------------------------------------------------------ */

static uintptr_t *make(unsigned kind, size_t size, uintptr_t id)
{
    uintptr_t *p = hgc_alloc(kind, size);
    if (!p) {
        amo_add_rlx(&failed, 1);
        return NULL;
    }
    if (!zeroed(p))
        amo_add_rlx(&wrong, 1);
    fill(p, kind, size, id);
    return p;
}

typedef hgc_ref(uintptr_t) slot;

/* The last reference of an object is the only one to a leaf with its own number. */
static NOINLINE void add(unsigned i)
{
    uintptr_t *p = make(kinds[i], sizes[i], i), *child;
    size_t at = last_reference(kinds[i], words_of(sizes[i]));
    if (!p)
        return;
    hgc_set(&hgc_get(root)->object[i], p);
    hidden[i] = ~(uintptr_t)p;
    hidden[MAX + i] = 0;
    if (at && (child = make(HGC_LEAF, 40, MAX + i))) {
        hgc_set((slot *)&p[at], child);
        hidden[MAX + i] = ~(uintptr_t)child;
    }
}

static NOINLINE void check(unsigned i)
{
    uintptr_t *p = hgc_get(hgc_get(root)->object[i]);
    size_t at = last_reference(kinds[i], words_of(sizes[i]));
    if (!p || !intact(p, kinds[i], sizes[i], i))
        amo_add_rlx(&wrong, 1);
    else if (at && !intact(hgc_get(*(slot *)&p[at]), HGC_LEAF, 40, MAX + i))
        amo_add_rlx(&wrong, 1);
}

/* What handles objects runs in a task of its own, whose stack is gone afterwards: nothing but the roots holds them. */
static void builds(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < objects; i++)
        add(i);
}

static void litters(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < objects; i++)
        if (sizes[i] <= 65536)
            make(kinds[i], sizes[i], 3 * MAX);
}

struct part {
    unsigned from, step;
    uint32_t count, bytes;      /* of those that were found */
};

static void checks(void *arg)
{
    for (unsigned i = 0; i < objects; i += ((struct part *)arg)->step)
        check(i);
}

static void drops(void *arg)
{
    struct part *part = arg;
    for (unsigned i = part->from; i < objects; i += part->step)
        hgc_set(&hgc_get(root)->object[i], NULL);
}

/* How many of the objects that were made last exist.  The place of one that was freed may be in a run: live, and zeroed; or be
 * another's. */
static void finds(void *arg)
{
    struct part *part = arg;
    for (unsigned i = part->from; i < objects; i += part->step) {
        const uintptr_t *p = (const uintptr_t *)~hidden[i];
        size_t size = words_of(sizes[i]) && p[0] != (MAGIC ^ i) ? 0 : hgc_size(p);
        part->count += size != 0;
        part->bytes += (uint32_t)size;
    }
}

/* What should be gone: names some. */
static void finds_strays(void *arg)
{
    struct part *part = arg;
    unsigned shown = 0;
    finds(part);
    for (unsigned i = part->from; i < objects && part->count && shown < 3; i += part->step)
        if (hgc_size((void *)~hidden[i])) {
            hk_printf("# there: object %u of kind %u, %u bytes\n", i, kinds[i], (unsigned)sizes[i]);
            shown++;
        }
}

struct call {
    void (*fn)(void *arg);
    void *arg;
};

/* The next task of this hart inherits registers that no switch saves. */
static void calls(void *arg)
{
    struct call *call = arg;
    call->fn(call->arg);
    wipe();
}

static void in_task(void (*fn)(void *), void *arg)
{
    struct task *t;
    if (hk_task_create(&t, NULL, calls, &(struct call){ fn, arg }) != HK_OK || hk_task_join(t, NULL) != HK_OK)
        amo_add_rlx(&failed, 1);
}

/* Smallest and largest size of each class, for each kind; then the large ones. */
static void choose(void)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (size_t size = 1, last; size <= HGC_SMALL_MAX; size = last + 1) {
            last = HGC_CELL(size);
            for (unsigned n = 0; n < 2 * COPIES; n++) {
                sizes[objects] = n % 2 ? last : size;
                kinds[objects++] = kind;
            }
        }
        for (unsigned n = 0; n < LARGE; n++) {
            sizes[objects] = large_sizes[n];
            kinds[objects++] = kind;
        }
    }
    hk_assert(objects <= MAX);
}

/* ---- the rounds -------------------------------------------------------------------------------------------------- */

static uint64_t used(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    return s.heap_used;
}

static void round_of(uint64_t empty)
{
    struct part all = { 0, 1, 0, 0 }, even = { 0, 2, 0, 0 }, odd = { 1, 2, 0, 0 }, dropped = odd, strays = all;
    in_task(builds, NULL);
    uint64_t full = used();
    for (int i = 0; i < 3; i++) {
        hgc_collect(HGC_WAIT);
        in_task(litters, NULL);
        in_task(checks, &all);
    }
    in_task(drops, &odd);
    hgc_collect(HGC_WAIT);
    hgc_collect(HGC_WAIT);
    in_task(finds_strays, &dropped);
    ok(dropped.count <= STRAYS, "what nothing reaches is gone after two cycles");
    in_task(finds, &even);
    is(even.count, (objects + 1) / 2, "and what something reaches is there");
    in_task(litters, NULL);
    in_task(checks, &even);
    in_task(drops, &all);
    hgc_collect(HGC_WAIT);
    hgc_collect(HGC_WAIT);
    in_task(finds_strays, &strays);
    ok(strays.count <= STRAYS, "so too when all are dropped");
    /* A hart keeps a run of each of up to 64 kinds and classes. */
    uint64_t left = used(), slack = (uint64_t)hk_harts() * 64 * HGC_BLOCK + strays.bytes;
    ok(left <= empty + slack && left < full, "the heap is as empty as it was, but for strays");
    hk_printf("# used: %u KiB full, %u KiB dropped, %u KiB of it strays\n", (unsigned)(full >> 10), (unsigned)(left >> 10),
              (unsigned)(strays.bytes >> 10));
    is(ld_rlx(&wrong), 0, "all were zeroed, and kept their content");
    is(ld_rlx(&failed), 0, "no allocation failed");
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

static NOINLINE bool size_is(unsigned kind, size_t size)
{
    size_t room = size <= HGC_SMALL_MAX ? HGC_CELL(size) : (size + HGC_BLOCK - 1) & ~(HGC_BLOCK - 1);
    char *p = hgc_alloc(kind, size);
    return p && room >= size && hgc_size(p) == room && hgc_size(p + room / 2) == room && hgc_size(p + room - 1) == room
        && (uintptr_t)p % HGC_GRAIN == 0;
}

static void sizes_are_right(void)
{
    bool good = true;
    for (size_t size = 0; size <= HGC_SMALL_MAX; size++)
        good &= size_is(HGC_LEAF, size);
    ok(good, "each small object has its class's room, from its first to its last byte");
    good = true;
    for (unsigned n = 0; n < LARGE; n++)
        good &= size_is(HGC_AMBIGUOUS, large_sizes[n]);
    ok(good, "a large one has whole blocks");
    int local;
    ok(!hgc_size(NULL) && !hgc_size(&local) && !hgc_size(&root) && !hgc_size((void *)UINTPTR_MAX), "nothing else has a size");
}

/* Constant sizes and kinds take the inline path. */
static void inline_sizes(void)
{
    bool good = true;
    for (int i = 0; i < 600; i++) {
        void *p = hgc_new(HGC_LEAF, 0), *q = hgc_new(HGC_LEAF, 17), *r = hgc_new(TRACE, 257), *s = hgc_new(MAP, 1024);
        good &= p && q && r && s && hgc_size(p) == HGC_CELL(0) && hgc_size(q) == HGC_CELL(17) && hgc_size(r) == HGC_CELL(257)
             && hgc_size(s) == HGC_CELL(1024) && zeroed(p) && zeroed(q) && zeroed(r) && zeroed(s);
    }
    ok(good, "inline allocation gives the same");
    ok(!hgc_alloc(HGC_KINDS, 16) && !hgc_alloc(TABLE + 1, 16) && !hgc_alloc(HGC_LEAF, SIZE_MAX), "bad kinds and sizes give NULL");
}

/* Per mille of a block that is lost when it holds only objects of `size` bytes, its own tail included. */
struct link { hgc_ref(struct link) word[4]; };

/* More cells in a block than a word has bits, each object the only way to the next. */
static void chains(void *arg)
{
    enum { LINKS = 1000 };
    (void)arg;
    for (unsigned kind = HGC_AMBIGUOUS; kind < KINDS; kind++) {
        unsigned at = (unsigned)last_reference(kind, 4), n = 0;
        struct link *last = hgc_alloc(kind, sizeof(*last)), *p;
        hgc_set(&hgc_get(root)->object[0], (uintptr_t *)last);
        for (; last && n < LINKS && (p = hgc_alloc(kind, sizeof(*p))); n++, last = p)
            hgc_set(&last->word[at], p);
        hgc_collect(HGC_WAIT);
        for (p = (struct link *)hgc_get(hgc_get(root)->object[0]); p; p = hgc_get(p->word[at]), n--)
            ;
        is(n, -1u, "a chain of small objects is there");
        hgc_set(&hgc_get(root)->object[0], NULL);
    }
}

static unsigned waste(size_t size)
{
    size_t cells = size <= HGC_SMALL_MAX ? HGC_BLOCK / HGC_CELL(size) : 1;
    return (unsigned)((HGC_BLOCK - cells * size) * 1000 / HGC_BLOCK);
}

static void waste_table(void)
{
    unsigned middle = 0, upper = 0;
    hk_printf("# class  sizes      cell cells waste, per mille: least, most\n");
    for (size_t size = HGC_GRAIN, last; size <= HGC_SMALL_MAX; size = last + HGC_GRAIN) {
        last = HGC_CELL(size);
        hk_printf("# %5u %5u-%-5u %4u %5u %5u %5u\n", (unsigned)HGC_CLASS(size), (unsigned)size, (unsigned)last,
                  (unsigned)last, (unsigned)(HGC_BLOCK / last), waste(last), waste(size));
        for (size_t s = size; s <= last; s += HGC_GRAIN) {
            if (s >= HGC_BLOCK / 32 && s <= HGC_BLOCK / 7 && waste(s) > middle)
                middle = waste(s);
            if (s > HGC_BLOCK / 7 && waste(s) > upper)
                upper = waste(s);
        }
    }
    hk_printf("# most: %u per mille from 128 to 585 bytes, %u to half a block, %u above (at 4 KiB blocks)\n", middle, upper,
              waste(HGC_SMALL_MAX + 1));
    ok(middle <= 125, "an eighth at most is lost from 1/32 to 1/7 of a block");
    ok(upper <= 334, "a third at most up to half a block");
    ok(waste(HGC_SMALL_MAX + HGC_GRAIN) < 500, "less than half above");
}

static void start_heap(void)
{
    static const uint32_t all = 1, map = 1u << 2, long_map[2] = { 1u << 3, 1u << 1 | 1u << 15 };
    static const struct hgc_kind map_kind = { .name = "map", .words = 3, .map = &map },
        long_kind = { .name = "long map", .words = LONG, .map = long_map }, trace_kind = { .name = "trace", .trace = trace },
        table_kind = { .name = "table", .words = 1, .map = &all };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true };
    int error = hgc_init(&config);
    error |= hgc_kind(MAP, &map_kind) | hgc_kind(LONG_MAP, &long_kind) | hgc_kind(TRACE, &trace_kind)
           | hgc_kind(TABLE, &table_kind);
    error |= hgc_root_add(&root, sizeof(root));
    is(error, HGC_OK, "the heap starts");
    /* Large objects are taken from the top down, so the leaf lies just before the table: what the root's word, on the
     * boundary, keeps beside the table is this. */
    hgc_set(&root, hgc_alloc(TABLE, sizeof(struct table)));
    char *before = hgc_alloc(HGC_LEAF, HGC_BLOCK);
    ok(before && before + HGC_BLOCK == (char *)hgc_get(root), "a table to hold the objects, and a leaf before it");
}

int app_main(void)
{
    start_heap();
    waste_table();
    choose();
    hgc_collect(HGC_WAIT);
    uint64_t empty = used();
    for (int i = 0; i < ROUNDS; i++)
        round_of(empty);
    sizes_are_right();
    inline_sizes();
    in_task(chains, NULL);
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.verified == s.cycles, "each cycle was verified");
    hk_printf("# %u objects of %u kinds, %u cycles, %u ms\n", objects, KINDS, (unsigned)s.cycles,
              (unsigned)(hk_now() / 1000000));
    return tap_end();
}
