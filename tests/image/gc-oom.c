/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */ /* host-variants: plain tsan arm64 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/* Running out of memory: it is told by NULL after a bounded number of objects and a call of the handler, nothing that is
 * reachable is lost, tasks that fail together share collections, and what is dropped comes back.  The heap is 1 MiB;
 * gc-oom-small.c has 64 KiB, the least. */
#include "gc/hgc.h"
#include "tap.h"

#ifndef OOM_ARENA
#define OOM_ARENA (1u << 20)
#endif

enum {
    NODE = HGC_KIND_FIRST,
    TASKS = 16, TURNS = 2,
    BIG = OOM_ARENA / 8,
    SCENE = 24,                 /* objects of the scenario that is run with each of its allocations failing */
};
#define MAGIC ((uintptr_t)0x6f6f6du)

struct node {
    hgc_ref(struct node) next;
    uintptr_t id;               /* (2 * number + 1) ^ MAGIC */
};

static struct { hgc_ref(struct node) list[TASKS]; } root;
static uint32_t wrong, called, nulls;
static size_t told;                 /* atomic */
static bool gives;              /* the handler drops list 0 */

static void oom(size_t size)
{
    amo_add_rlx(&called, 1);
    st_rlx(&told, size);
    if (gives)
        hgc_set(&root.list[0], NULL);
}

static struct hgc_stats stats(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    return s;
}

/* Puts a node in front of a list.  False: no memory. */
static bool push(unsigned list, unsigned kind, size_t size, uintptr_t id)
{
    struct node *p = hgc_alloc(kind, size);
    if (!p)
        return false;
    for (size_t i = 0; i < hgc_size(p) / sizeof(uintptr_t); i++)
        if (((uintptr_t *)p)[i]) {
            hk_printf("# %p of %u bytes is not zeroed: word %u is %lx\n", (void *)p, (unsigned)size, (unsigned)i,
                      (unsigned long)((uintptr_t *)p)[i]);
            amo_add_rlx(&wrong, 1);
            break;
        }
    p->id = (id * 2 + 1) ^ MAGIC;
    for (size_t i = 2; i < size / sizeof(uintptr_t); i++)
        ((uintptr_t *)p)[i] = ~id;
    hgc_set(&p->next, hgc_get(root.list[list]));
    hgc_set(&root.list[list], p);
    return true;
}

/* The list is there, whole: numbers n - 1 to 0. */
static void check(unsigned list, size_t size, uintptr_t n)
{
    for (struct node *p = hgc_get(root.list[list]); p; p = hgc_get(p->next)) {
        if (n-- == 0 || p->id != ((n * 2 + 1) ^ MAGIC)) {
            hk_printf("# list %u: %p has %lx, not number %lu\n", list, (void *)p, (unsigned long)p->id, (unsigned long)n);
            amo_add_rlx(&wrong, 1);
            return;
        }
        for (size_t i = 2; i < size / sizeof(uintptr_t); i++)
            if (((uintptr_t *)p)[i] != ~n)
                amo_add_rlx(&wrong, 1);
    }
    if (n)
        amo_add_rlx(&wrong, 1);
}

static uintptr_t fill(unsigned list, size_t size)
{
    uintptr_t n = 0;
    while (n <= OOM_ARENA / size && push(list, NODE, size, n))
        n++;
    return n;
}

static void drop(unsigned list)
{
    hgc_set(&root.list[list], NULL);
}

struct filling { size_t size; uintptr_t n; };

static void fills(void *arg)
{
    struct filling *f = arg;
    f->n = fill(0, f->size);
    check(0, f->size, f->n);
}

static void in_task(void (*fn)(void *), void *arg)
{
    struct task *t;
    if (hk_task_create(&t, NULL, fn, arg) != HK_OK || hk_task_join(t, NULL) != HK_OK)
        amo_add_rlx(&wrong, 1);
}

/* ---- one task ---------------------------------------------------------------------------------------------------- */

/* Each hart may keep runs of free cells that the failing one cannot reach. */
static uintptr_t lost_to_runs(size_t size)
{
    return 64 * HGC_BLOCK / size * (hk_harts() > 1);
}

static void fill_and_recover(size_t size)
{
    uintptr_t least = UINTPTR_MAX, most = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        struct filling f = { size, 0 };
        uint32_t before = ld_rlx(&called);
        uint64_t failed = stats().allocs_failed;
        in_task(fills, &f);
        /* After the handler the task may go on where another hart had cells left: then it is called once more. */
        uint32_t calls = ld_rlx(&called) - before;
        if (calls < 1 || calls > 1 + hk_harts() || ld_rlx(&told) < size || ld_rlx(&told) > size + size / 2
            || stats().allocs_failed != failed + 1) {
            hk_printf("# %u calls of the handler, told %u, %u failures\n", (unsigned)calls, (unsigned)ld_rlx(&told),
                      (unsigned)(stats().allocs_failed - failed));
            amo_add_rlx(&wrong, 1);
        }
        drop(0);
        least = f.n < least ? f.n : least;
        most = f.n > most ? f.n : most;
    }
    hk_printf("# %u bytes: %u to %u objects\n", (unsigned)size, (unsigned)least, (unsigned)most);
    uint64_t heap = stats().heap_size;
    size_t room = size <= HGC_SMALL_MAX ? HGC_CELL(size) : size;
    ok(most * size <= heap && (most + lost_to_runs(size)) * room + 2 * HGC_BLOCK >= heap - heap / 4,
       "the heap takes what it has room for, then NULL");
    ok(least + lost_to_runs(size) + 2 * HGC_BLOCK / size >= most, "as many after it was dropped");
    is(ld_rlx(&wrong), 0, "the handler is called, and nothing is lost");
}

static void gives_back(void *arg)
{
    (void)arg;
    uintptr_t n = fill(0, 48);
    drop(0);
    gives = true;
    uintptr_t more = 0;
    uint32_t before = ld_rlx(&called);
    while (more < 10 * n && ld_rlx(&called) < before + 2) {
        if (!push(0, NODE, 48, more++))
            amo_add_rlx(&nulls, 1);
    }
    gives = false;
    drop(0);
    is(ld_rlx(&nulls), 0, "an allocation is saved by a handler that drops something");
    is(ld_rlx(&called), before + 2, "which is called each time");
}

/* ---- several ----------------------------------------------------------------------------------------------------- */

static struct hk_event go;
static unsigned tasks;
static uint32_t fails;

/* Fills its list with the others until nothing is left, a few times; in between everybody's share comes back. */
static void competes(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    size_t size = 16 + me % 4 * 32;
    hk_event_wait(&go, HK_FOREVER);
    for (int turn = 0; turn < TURNS; turn++) {
        uintptr_t n = 0;
        while (n <= OOM_ARENA / 16 && push(me, NODE, size, n))
            n++;
        amo_add_rlx(&fails, 1);
        for (int again = 0; again < 2; again++)
            if (push(me, NODE, size, n))
                n++;
            else
                amo_add_rlx(&fails, 1);
        check(me, size, n);
        drop(me);
        hk_yield();
    }
}

static void together(void)
{
    struct task *t[TASKS];
    bool good = true;
    tasks = 2 * hk_harts() < TASKS ? 2 * hk_harts() : TASKS;
    uint64_t before = stats().cycles, failed = stats().allocs_failed;
    for (uintptr_t i = 0; i < tasks; i++)
        good &= hk_task_create(&t[i], NULL, competes, (void *)i) == HK_OK;
    hk_event_set(&go);
    for (unsigned i = 0; i < tasks; i++)
        good &= hk_task_join(t[i], NULL) == HK_OK;
    ok(good, "tasks that run out together all end");
    uint64_t cycles = stats().cycles - before;
    hk_printf("# %u tasks, %u failures, %u cycles\n", tasks, (unsigned)fails, (unsigned)cycles);
    is(stats().allocs_failed - failed, ld_rlx(&fails), "each failure is counted");
    is(ld_rlx(&wrong), 0, "nothing of theirs is lost");
}

/* All at once, with the heap full: two collections a failure at most, and fewer as they share them. */
static struct hk_event full;

static void fails_once(void *arg)
{
    (void)arg;
    hk_event_wait(&full, HK_FOREVER);
    if (!hgc_alloc(HGC_LEAF, BIG))
        amo_add_rlx(&fails, 1);
}

static void shared(void *arg)
{
    (void)arg;
    struct task *t[TASKS];
    uintptr_t n = fill(0, 64);
    for (unsigned i = 0; i < TASKS; i++)
        hk_task_create(&t[i], NULL, fails_once, NULL);
    st_rlx(&fails, 0);
    uint64_t before = stats().cycles;
    hk_event_set(&full);
    for (unsigned i = 0; i < TASKS; i++)
        hk_task_join(t[i], NULL);
    uint64_t cycles = stats().cycles - before;
    is(ld_rlx(&fails), TASKS, "all fail that ask for too much");
    ok(cycles < TASKS, "and share their collections");
    hk_printf("# %u failures, %u cycles\n", TASKS, (unsigned)cycles);
    check(0, 64, n);
    drop(0);
}

/* ---- large objects ----------------------------------------------------------------------------------------------- */

static void large(void *arg)
{
    unsigned most = 0, least = 99;
    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        unsigned n = 0;
        while (n < 99 && push(0, NODE, BIG - 64, n))
            n++;
        check(0, BIG - 64, n);
        drop(0);
        most = n > most ? n : most;
        least = n < least ? n : least;
    }
    hk_printf("# %u bytes: %u to %u objects\n", (unsigned)BIG - 64, least, most);
    /* The first turn may find the list of the scene before held by a stale word of a stack: stacks are ambiguous. */
    ok(most >= 3 && most <= 8, "large objects fill the heap, and fill it again");
}

static void too_large(void *arg)
{
    (void)arg;
    uint64_t failed = stats().allocs_failed;
    ok(!hgc_alloc(HGC_LEAF, stats().heap_size) || stats().blocks_free == 0, "the whole arena is too much, or just enough");
    ok(!hgc_alloc(HGC_LEAF, OOM_ARENA) && !hgc_alloc(NODE, SIZE_MAX) && !hgc_alloc(NODE, SIZE_MAX - HGC_BLOCK),
       "more is refused");
    ok(stats().allocs_failed >= failed + 3, "and counted");
    uintptr_t n = fill(0, 32);
    ok(!hgc_alloc(HGC_LEAF, BIG), "a large object fails where small ones are");
    check(0, 32, n);
    drop(0);
    ok(push(0, NODE, BIG, 0), "and is there once they are dropped");
    check(0, BIG, 1);
    drop(0);
}

/* ---- each slow allocation fails in turn -------------------------------------------------------------------------- */

static size_t scene_size(unsigned i)
{
    return i % 8 == 7 ? HGC_SMALL_MAX + 32 : 16 + i % 8 * 112;
}

/* Objects of different sizes in one list; those that fail are left out.  Returns how many failed. */
static unsigned scene(void)
{
    unsigned n = 0, failed = 0;
    for (unsigned i = 0; i < SCENE; i++)
        if (push(1, NODE, scene_size(i), i)) {
            n++;
        } else {
            failed++;
            if (push(1, NODE, scene_size(i), i))        /* the next succeeds */
                n++;
        }
    uintptr_t last = SCENE;
    unsigned there = 0;
    for (struct node *p = hgc_get(root.list[1]); p; p = hgc_get(p->next), there++) {
        uintptr_t id = (p->id ^ MAGIC) / 2;
        if (id >= last || ((uintptr_t *)p)[scene_size((unsigned)id) / sizeof(uintptr_t) - 1] != (id % 8 ? ~id : p->id))
            amo_add_rlx(&wrong, 1);
        last = id;
    }
    if (there != n)
        amo_add_rlx(&wrong, 1);
    drop(1);
    return failed;
}

static void each_fails(void *arg)
{
    unsigned n = 0, failed;
    (void)arg;
    do {
        hgc_collect(HGC_WAIT);
        uint64_t before = stats().allocs_failed;
        hgc_fail_alloc(++n, 1);
        failed = scene();
        hgc_fail_alloc(0, 0);
        if (failed > 1 || stats().allocs_failed != before + failed)
            amo_add_rlx(&wrong, 1);
    } while (failed && n < 2 * SCENE);
    hk_printf("# %u slow allocations, each failed once\n", n - 1);
    ok(n > SCENE / 8 && n < 2 * SCENE, "each slow allocation fails in turn");
    hgc_fail_alloc(2, 3);
    failed = scene();
    ok(failed >= 2 && failed <= 3, "so do several");
    hgc_fail_alloc(0, 0);
    is(scene(), 0, "and none afterwards");
    is(ld_rlx(&wrong), 0, "nothing is lost");
}

int app_main(void)
{
    static const uint32_t first[32] = { 1 };
    static const struct hgc_kind node = { .name = "node", .words = 1024, .map = first };
    struct hgc_config config = { .base = hk_mem_alloc(OOM_ARENA), .size = OOM_ARENA, .oom = oom, .verify = true };
    int error = hgc_init(&config) | hgc_kind(NODE, &node) | hgc_root_add(&root, sizeof(root));
    is(error, HGC_OK, "the heap starts");
    static const size_t sizes[] = { 16, 48, 256, 1024, HGC_SMALL_MAX, 2 * HGC_BLOCK };
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        fill_and_recover(sizes[i]);
    in_task(gives_back, NULL);
    together();
    in_task(shared, NULL);
    in_task(large, NULL);
    in_task(too_large, NULL);
    in_task(each_fails, NULL);
    struct hgc_stats s = stats();
    ok(s.verified == s.cycles, "each cycle was verified");
    hk_printf("# %u cycles, %u ms\n", (unsigned)s.cycles, (unsigned)(hk_now() / 1000000));
    return tap_end();
}
