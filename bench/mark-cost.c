/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 */
/* seconds: 120 */
/* mem: 64M */
/* qemu: -icount shift=4,sleep=off */
/*
 * What marking costs: instructions for each object that is marked, by the shape of the heap.  QEMU's clock is made of
 * instructions (16 ns each), so a time is a number of them.  The marks are stopped ones: the worker has its hart for itself.
 *
 *   list       nodes of 64 bytes with two references, in the order in which they were allocated
 *   random     the same, references to anywhere
 *   records    a node and a payload without references (gc-load): 320 bytes, and 1 KiB
 *   ambiguous  objects of 64 bytes, one word a reference, three small numbers
 *   traced     nodes with a trace function
 *   array      large objects of nothing but references to small leaves
 */
#include "gc/gc_internal.h"
#include "tests/image/tap.h"

enum { ARENA = 16 << 20, NODE = HGC_KIND_FIRST, TRACED, REFS, NS_PER_INSN = 16, LISTS = 32, ARRAY = 8192 };

struct node {
    hgc_ref(struct node) next;
    hgc_ref(void) other;
    uintptr_t fill[6];
};

struct array {
    hgc_ref(void) at[ARRAY];
};

static hgc_ref(struct node) list[LISTS];
static hgc_ref(struct array) array[LISTS];

/* ---- the shapes -------------------------------------------------------------------------------------------------- */

static uint32_t random_state;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (unsigned)(((uint64_t)random_state * n) >> 32);
}

static void push(unsigned i, struct node *n)
{
    hgc_set(&n->next, hgc_get(list[i % LISTS]));
    hgc_set(&list[i % LISTS], n);
}

static void nodes(unsigned count, unsigned kind)
{
    for (unsigned i = 0; i < count; i++) {
        struct node *n = hgc_alloc(kind, sizeof(*n));
        hgc_set(&n->other, hgc_get(list[(i + 1) % LISTS]));
        push(i, n);
    }
}

static void ordered(unsigned count)
{
    nodes(count, NODE);
}

static void traced(unsigned count)
{
    nodes(count, TRACED);
}

/* A directory keeps them all in reach while they are linked. */
static void at_random(unsigned count)
{
    struct array *all[8] = {NULL};
    unsigned arrays = (count + ARRAY - 1) / ARRAY;
    for (unsigned i = 0; i < arrays; i++)
        all[i] = hgc_alloc(REFS, sizeof(struct array));
    for (unsigned i = 0; i < count; i++)
        hgc_set(&all[i / ARRAY]->at[i % ARRAY], hgc_alloc(NODE, sizeof(struct node)));
    struct node *root = hgc_get(all[0]->at[0]);
    for (unsigned i = 0; i < count; i++) {
        struct node *n = hgc_get(all[i / ARRAY]->at[i % ARRAY]);
        unsigned a = random_below(count), b = random_below(count);
        hgc_set(&n->next, hgc_get(all[a / ARRAY]->at[a % ARRAY]));
        hgc_set(&n->other, hgc_get(all[b / ARRAY]->at[b % ARRAY]));
    }
    hgc_set(&list[0], root);
}

static void records(unsigned count, size_t payload)
{
    for (unsigned i = 0; i < count; i++) {
        struct node *n = hgc_alloc(NODE, sizeof(*n));
        push(i, n);
        hgc_set(&n->other, hgc_alloc(HGC_LEAF, payload));
    }
}

static void records_320(unsigned count)
{
    records(count, 256);
}

static void records_1024(unsigned count)
{
    records(count, 960);
}

static void ambiguous(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct node *n = hgc_alloc(HGC_AMBIGUOUS, sizeof(*n));
        n->fill[0] = i, n->fill[1] = i * 5, n->fill[2] = i * 16;
        push(i, n);
    }
}

static void arrays(unsigned count)
{
    for (unsigned i = 0; i < count; i += ARRAY) {
        struct array *a = hgc_alloc(REFS, sizeof(*a));
        hgc_set(&array[i / ARRAY], a);
        for (unsigned j = 0; j < ARRAY; j++)
            hgc_set(&a->at[j], hgc_alloc(HGC_LEAF, 32));
    }
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

struct shape {
    const char *name;
    void (*build)(unsigned count);
    unsigned count;
};

static void build(void *arg)
{
    const struct shape *s = arg;
    s->build(s->count);
}

/* Objects and visits of blocks by marks so far, and the time of dedicated workers. */
struct figures { uint64_t objects, visits, ns; };

static struct figures figures(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    uint64_t visits = 0;
    for (unsigned i = 0; i < hk_harts(); i++)
        visits += gc_of(hal_hart(i))->scanned;
    return (struct figures){s.objects_marked, visits, s.cpu_dedicated_ns};
}

static void measure(struct shape *s)
{
    struct task *t;
    for (unsigned i = 0; i < LISTS; i++) {
        hgc_set(&list[i], NULL);
        hgc_set(&array[i], NULL);
    }
    hgc_collect(HGC_FORCE);
    hk_task_create(&t, NULL, build, s);         /* a stack of its own, so that no stale word keeps what was dropped */
    hk_task_join(t, NULL);
    struct figures a = figures();
    hgc_collect(HGC_FORCE);
    struct figures b = figures();
    unsigned objects = (unsigned)(b.objects - a.objects), insns = (unsigned)((b.ns - a.ns) / NS_PER_INSN);
    hk_printf("# mark-cost: %s: %u objects, %u visits of blocks, %u instructions, %u for each object\n", s->name, objects,
              (unsigned)(b.visits - a.visits), insns, insns / (objects ? objects : 1));
    ok(objects >= s->count / 2, s->name);
}

static void trace_node(void *object, size_t size, struct hgc_visitor *v)
{
    struct node *n = object;
    (void)size;
    v->visit(v, hgc_get(n->next));
    v->visit(v, hgc_get(n->other));
}

int app_main(void)
{
    static const uint32_t map[1] = {HGC_MAP(struct node, next) | HGC_MAP(struct node, other)}, one[1] = {1};
    static const struct hgc_kind node = {.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = map};
    static const struct hgc_kind with_trace = {.name = "traced", .trace = trace_node};
    static const struct hgc_kind refs = {.name = "references", .words = 1, .map = one};
    static struct shape shapes[] = {
        {"list", ordered, 50000}, {"random", at_random, 50000}, {"records of 320", records_320, 20000},
        {"records of 1024", records_1024, 8000}, {"ambiguous", ambiguous, 50000}, {"traced", traced, 50000},
        {"array", arrays, 10 * ARRAY},
    };
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .period_ns = HGC_PERIOD_OFF};
    is(hgc_init(&config) | hgc_kind(NODE, &node) | hgc_kind(TRACED, &with_trace) | hgc_kind(REFS, &refs)
       | hgc_root_add(list, sizeof(list)) | hgc_root_add(array, sizeof(array)), HGC_OK, "the heap starts");
    hgc_set_auto(false);
    for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        measure(&shapes[i]);
    return tap_end();
}
