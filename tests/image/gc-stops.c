/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 4 */
/* seconds: 240 */
/* mem: 256M */
/* count: stop<=20000 stop0<=20000 stop1<=20000 stop2<=20000 irqoff<=5000 */
/*
 * How long the world stands still, in instructions: run under the counting plugin (tools/tap-image, tools/stop-table).
 * NMIB MiB of small objects live; 8 tasks with deep stacks allocate, store and wait while cycles follow each other, at
 * least 100 stops of each kind.  The figures begin anew when the heap stands.
 */
#include "gc/hgc.h"
#include "hal_mark.h"
#include "kernel/world.h"
#include "tap.h"

#ifndef NMIB
#define NMIB 1
#endif
#ifndef NSTOPS
#define NSTOPS 100
#endif

enum {
    TASKS = 8, DEPTH = 40, FRAME = 24,     /* words: 40 frames of 200 bytes and more */
    SIZES = 4,
    SPREAD = 512,
    SMALL = HGC_KIND_FIRST, TABLE,
};

#define LIVE  ((size_t)NMIB << 20)
#define ARENA (LIVE * 2 + ((size_t)4 << 20))

/* Objects of 16, 32, 48 and 64 bytes; all of one kind, whose first word refers on. */
struct small {
    hgc_ref(struct small) next;
    uintptr_t word[];
};
struct table {
    hgc_ref(struct small) list[SPREAD];
};

static hgc_ref(struct table) root;
static uint32_t over, failed, turns[TASKS];

static struct small *small_new(unsigned sort)
{
    struct small *p;
    switch (sort % SIZES) {
    case 0:  p = hgc_new(SMALL, 16); break;
    case 1:  p = hgc_new(SMALL, 32); break;
    case 2:  p = hgc_new(SMALL, 48); break;
    default: p = hgc_new(SMALL, 64); break;
    }
    if (!p)
        amo_add_rlx(&failed, 1);
    return p;
}

/* SPREAD lists side by side, so that neighbours in a list are no neighbours in memory. */
static bool build(void)
{
    struct table *t = hgc_alloc(TABLE, sizeof(struct table));
    if (!t)
        return false;
    hgc_set(&root, t);
    unsigned i = 0;
    for (size_t bytes = 0; bytes < LIVE; bytes += (i++ % SIZES + 1) * 16) {
        struct small *p = small_new(i);
        if (!p)
            return false;
        hgc_set(&p->next, hgc_get(t->list[i % SPREAD]));
        hgc_set(&t->list[i % SPREAD], p);
    }
    return true;
}

/* At the bottom of a deep stack: garbage, stores between reachable objects, waiting. */
static void work(uintptr_t me, struct small *const *held)
{
    struct table *t = hgc_get(root);
    for (uint32_t i = 0; !ld_rlx(&over); i++) {
        struct small *p = small_new(i);
        if (!p)
            return;
        unsigned at = (unsigned)(me * (SPREAD / TASKS) + i % (SPREAD / TASKS));
        struct small *first = hgc_get(t->list[at]);
        hgc_set(&p->next, held[i % FRAME]);
        hgc_set(&t->list[at], NULL);    /* hidden for a moment */
        if (i % 256 == 0)
            hk_yield();
        hgc_set(&t->list[at], first);
        own_add(&turns[me], 1);
        if (i % 1024 == 0)
            hk_sleep(100000);
    }
}

static __attribute__((noinline)) void deep(uintptr_t me, unsigned depth)
{
    struct small *held[FRAME];
    for (unsigned i = 0; i < FRAME; i++)
        held[i] = hgc_get(hgc_get(root)->list[(me * FRAME + depth + i) % SPREAD]);
    if (depth)
        deep(me, depth - 1);
    else
        work(me, held);
    __asm__ volatile("" : : "r"(held) : "memory");      /* the frame stays until here */
}

static void mutate(void *arg)
{
    deep((uintptr_t)arg, DEPTH);
}

static bool stopped_enough(const uint64_t *before)
{
    return world_times.stops[WORLD_MARK_START] - before[WORLD_MARK_START] >= NSTOPS
        && world_times.stops[WORLD_MARK_TERM] - before[WORLD_MARK_TERM] >= NSTOPS
        && world_times.stops[WORLD_HANDSHAKE] - before[WORLD_HANDSHAKE] >= NSTOPS;
}

static void run(void)
{
    struct task *t[TASKS];
    uint64_t before[WORLD_REASONS];
    bool good = true;
    for (uintptr_t i = 0; i < TASKS; i++)
        good &= hk_task_create(&t[i], NULL, mutate, (void *)i) == HK_OK;
    hk_sleep(20000000);                 /* all are deep */
    for (int i = 0; i < WORLD_REASONS; i++)
        before[i] = world_times.stops[i];
    HAL_MARK(HAL_MARK_RESET);
    while (!stopped_enough(before))
        good &= hgc_collect(HGC_WAIT) == HGC_OK;
    st_rlx(&over, 1);
    for (int i = 0; i < TASKS; i++)
        good &= hk_task_join(t[i], NULL) == HK_OK;
    ok(good, "tasks worked while cycles ran");
    for (int i = 0; i < WORLD_OTHER; i++)
        hk_printf("# stops of kind %d: %u\n", i, (unsigned)(world_times.stops[i] - before[i]));
}

static void start_heap(void)
{
    static const uint32_t first[32] = { 1 }, all = 1;      /* the first word of 1024: of each small object */
    static const struct hgc_kind kinds[] = {
        { .name = "small", .words = 1024, .map = first },
        { .name = "table", .words = 1, .map = &all } };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA };
    int error = hgc_init(&config);
    error |= hgc_kind(SMALL, &kinds[0]) | hgc_kind(TABLE, &kinds[1]);
    error |= hgc_root_add(&root, sizeof(root));
    is(error, HGC_OK, "the heap starts");
}

int app_main(void)
{
    struct hgc_stats s;
    start_heap();
    if (!ok(build(), "the heap is built"))
        return tap_end();
    run();
    hgc_stats(&s);
    unsigned worked = 0;
    for (int i = 0; i < TASKS; i++)
        worked += turns[i] > 0;
    is(worked, TASKS, "each task got on");
    is(failed, 0, "no allocation fails");
    ok(s.heap_live >= LIVE, "the heap is as large as it should be");
    hk_printf("# %u MiB, %u cycles, longest pause %u us\n", NMIB, (unsigned)s.cycles, (unsigned)(s.pause_max_ns / 1000));
    return tap_end();
}
