/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 */
/* seconds: 120 */
/* mem: 128M */
/* qemu: -icount shift=4,sleep=off */
/* count: section1<=30000 section2<=60000 section3<=130000 section6<=40000 section7<=600000 irqoff<=5000 */
/*
 * What steps of 20,000 instructions by the estimate of gc/step.c cost on heaps of several shapes, run under the counting plugin.
 * The sections are steps that mark (1 to 5, by the heap's shape: the budget and a block's visit, where nothing is ambiguous), that
 * sweep (6), and that begin or end a cycle (7: one of them has a slice of 32 KiB of references).
 */
#include "gc/hgc.h"
#include "hal_mark.h"
#include "tap.h"

enum { LINK = HGC_KIND_FIRST, DENSE, OBJECTS = 8000, ARENA = 16 << 20, BUDGET = 20000, FIELDS = 8, SHAPES = 5 };

struct item { hgc_ref(struct item) field[FIELDS]; };
struct table { hgc_ref(struct item) slot[OBJECTS]; };

static hgc_ref(struct item) list;
static hgc_ref(struct table) table;

static struct table *new_table(void)
{
    struct table *t = hgc_alloc(HGC_AMBIGUOUS, sizeof(*t));
    hgc_set(&table, t);
    return t;
}

static unsigned cycles(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    return (unsigned)s.cycles;
}

/* One word of 8 refers on; the objects lie in the order of the list. */
static void links(void)
{
    for (unsigned i = 0; i < OBJECTS; i++) {
        struct item *p = hgc_alloc(LINK, sizeof(*p));
        hgc_set(&p->field[0], hgc_get(list));
        hgc_set(&list, p);
    }
}

/* Every word refers, to objects all over the heap. */
static void dense(unsigned kind)
{
    unsigned x = 1;
    struct table *t = new_table();
    for (unsigned i = 0; i < OBJECTS; i++)
        hgc_set(&t->slot[i], (struct item *)hgc_alloc(kind, sizeof(struct item)));
    for (unsigned i = 0; i < OBJECTS; i++)
        for (unsigned k = 0; k < FIELDS; k++) {
            x = x * 1103515245 + 12345;
            hgc_set(&hgc_get(t->slot[i])->field[k], hgc_get(t->slot[(x >> 12) % OBJECTS]));
        }
    hgc_set(&list, hgc_get(t->slot[0]));
    hgc_set(&table, NULL);
}

static void leaves(size_t size)
{
    struct table *t = new_table();
    for (unsigned i = 0; i < OBJECTS; i++)
        hgc_set(&t->slot[i], (struct item *)hgc_alloc(HGC_LEAF, size));
}

#define STEP(shape)                                                                                                  \
    do {                                                                                                             \
        bool marked = hgc_marking();                                                                                 \
        unsigned before = cycles();                                                                                  \
        HAL_MARK(HAL_MARK_SECTION(shape));                                                                           \
        HAL_MARK(HAL_MARK_SECTION(6));                                                                               \
        HAL_MARK(HAL_MARK_SECTION(7));                                                                               \
        left = hgc_step(BUDGET, how);                                                                                \
        if (marked != hgc_marking() || before != cycles())                                                           \
            HAL_MARK(HAL_MARK_SECTION_END(7));                                                                       \
        else if (marked)                                                                                             \
            HAL_MARK(HAL_MARK_SECTION_END(shape));                                                                   \
        else                                                                                                         \
            HAL_MARK(HAL_MARK_SECTION_END(6));                                                                       \
        if (marked && hgc_marking())                                                                                 \
            estimate += BUDGET - left;                                                                               \
        steps++;                                                                                                     \
    } while (0)

/* A cycle of steps, with the section's number as a constant; `least`: it takes more of them. */
#define CYCLE(shape, least)                                                                                           \
    do {                                                                                                             \
        int64_t left, estimate = 0;                                                                                  \
        unsigned how = HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE, steps = 0;                                            \
        do                                                                                                           \
            STEP(shape);                                                                                             \
        while (left <= 0);                                                                                           \
        ok(steps > (least), "a cycle in steps");                                                                       \
        hk_printf("# shape %u: %u steps, those that mark are estimated at %lld\n", shape, steps, (long long)estimate);    \
    } while (0)

static void forget(void)
{
    hgc_set(&list, NULL);
    hgc_set(&table, NULL);
    hgc_collect(HGC_WAIT);
}

int app_main(void)
{
    static const uint32_t first = 1, all = 1;
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .no_auto = true, .period_ns = HGC_PERIOD_OFF };
    int error = hgc_init(&config) | hgc_kind(LINK, &(struct hgc_kind){ .name = "link", .words = 8, .map = &first })
        | hgc_kind(DENSE, &(struct hgc_kind){ .name = "dense", .words = 1, .map = &all })
        | hgc_root_add(&list, sizeof(list)) | hgc_root_add(&table, sizeof(table));
    is(error, HGC_OK, "the heap starts");
    links();
    CYCLE(1, 5);
    forget();
    dense(DENSE);
    CYCLE(2, 5);
    forget();
    dense(HGC_AMBIGUOUS);
    CYCLE(3, 5);
    forget();
    leaves(16);
    CYCLE(4, 1);                        /* all of them in few blocks: one table to mark, and the blocks to sweep */
    forget();
    leaves(1000);
    CYCLE(5, 5);
    return tap_end();
}
