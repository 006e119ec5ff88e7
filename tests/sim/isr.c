/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation in interrupt handlers.  A timer of each hart takes cells, links them, sometimes to an object of a root, and
 * hands them over; tasks get them, hang fresh objects on them that nothing else refers to, pass them on, and drop them, while
 * cycles begin and end.  Every object is counted as held from its birth on, as in handover.c.
 */
#include "gc/hgc.h"
#include "kernel/hart.h"
#include "kernel/hk.h"
#include "kernel/world.h"
#include "sim.h"
#include "truth.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, WORKERS = 3, SHELVES = 2, CHAIN = 2, MADE_MAX = 250, HARTS_MAX = 4 };
#define MAGIC 0xba70c0deu

struct node {
    uint32_t number, magic;
    hgc_ref(struct node) next;          /* its own */
    hgc_ref(struct node) fixed;         /* what `permanent` refers to */
};

static hgc_ref(struct node) shelf[SHELVES];
static hgc_ref(struct node) permanent;
static struct hgc_isr_queue *queue;
static int small, large;                /* reserves */
static struct hk_timer timer[HARTS_MAX];
static uint32_t shots[HARTS_MAX];       /* owner: the hart's timer */
static uint32_t made, firing;           /* atomic */

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static void check_one(const struct node *p)
{
    uint32_t number = p->number, magic = p->magic;
    if (magic != MAGIC || number >= truth_count() || truth_address(number) != (uintptr_t)p)
        sim_fail("I10: what was an object at %p holds %#x, %#x: it was freed or overwritten", (const void *)p, number, magic);
    if (hgc_size(p) == 0)
        sim_fail("I10: object %u at %p is held, and is not live", number, (const void *)p);
}

static unsigned check(const struct node *p)
{
    for (const struct node *q = p; q; q = hgc_get(q->next)) {
        check_one(q);
        if (hgc_get(q->fixed))
            check_one(hgc_get(q->fixed));
    }
    return p->number;
}

static struct node *born(struct node *p, size_t size)
{
    for (size_t i = 0; i < size / sizeof(uintptr_t); i++)
        if (((uintptr_t *)p)[i])
            sim_fail("a new object at %p is not zero", (void *)p);
    p->number = truth_new((uintptr_t)p, (unsigned)size, 0);
    p->magic = MAGIC;
    truth_hold(p->number);
    return p;
}

/* p's from now on. */
static void owned(struct node *p, struct node *next)
{
    truth_set(truth_slot(p->number, 0), (int)next->number);
    truth_drop(next->number);
}

static void drop(struct node *p)
{
    if (p)
        truth_drop(check(p));
}

/* ---- handlers ---------------------------------------------------------------------------------------------------- */

static struct node *take(int reserve)
{
    struct node *p = ld_rlx(&made) < MADE_MAX ? hgc_isr_new(reserve) : NULL;
    if (!p)
        return NULL;
    amo_add_rlx(&made, 1);
    born(p, HGC_CELL(reserve == small ? sizeof *p : 200));
    if (sim_choose(2))
        hgc_isr_set(&p->fixed, hgc_get(permanent));
    return p;
}

static void send(void)
{
    struct node *head = NULL;
    for (unsigned n = 1 + sim_choose(CHAIN); n > 0; n--) {
        struct node *p = take(sim_choose(3) ? small : large);
        if (!p)
            break;
        if (head) {
            hgc_isr_set(&p->next, head);
            owned(p, head);
        }
        head = p;
    }
    if (head && !hgc_isr_put(queue, head))
        truth_drop(head->number);
}

static void tick(void *arg)
{
    uintptr_t hart = (uintptr_t)arg;
    send();
    if (--shots[hart] > 0)
        hk_timer_start(&timer[hart], hk_now() + 1 + sim_choose(6000), tick, arg);
    else
        amo_add_rel(&firing, -1);       /* partner: run_workers */
}

static void start_timer(void *arg)
{
    shots[(uintptr_t)arg] = 2 + sim_choose(14);
    hk_timer_start(&timer[(uintptr_t)arg], hk_now() + sim_choose(6000), tick, arg);
}

/* Takes a cell and lets it go, for as long as the figures are read at the schedule's end: reserves are filled meanwhile. */
static void late(void *arg)
{
    struct node *p = hgc_isr_new(sim_choose(2) ? small : large);
    (void)p;
    if (--shots[(uintptr_t)arg] > 0)
        hk_timer_start(&timer[(uintptr_t)arg], hk_now() + 1 + sim_choose(3000), late, arg);
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static struct node *receive(uint64_t timeout_ns)
{
    void *cell;
    if (hgc_isr_get(queue, &cell, timeout_ns) != HGC_OK)
        return NULL;
    check(cell);
    return cell;
}

/* A fresh object at the end of p's chain, which alone refers to it. */
static __attribute__((noinline)) void hang(struct node *p)
{
    while (hgc_get(p->next))
        p = hgc_get(p->next);
    if (amo_add_rlx(&made, 1) >= MADE_MAX)
        return;
    struct node *q = hgc_new(NODE, sizeof *q);
    if (!q)
        return;
    born(q, HGC_CELL(sizeof *q));
    fence_ww();
    hgc_set(&p->next, q);
    owned(p, q);
}

/* p goes on the shelf, and what lay there is taken: each shelf has one task at a time. */
static struct hk_mutex shelf_lock;
static __attribute__((noinline)) struct node *exchange(struct node *p)
{
    unsigned i = sim_choose(SHELVES);
    hk_mutex_lock(&shelf_lock);
    struct node *q = hgc_get(shelf[i]);
    hgc_set(&shelf[i], p);
    hk_mutex_unlock(&shelf_lock);
    if (q)
        check(q);
    return q;
}

static __attribute__((noinline)) struct node *step(struct node *p)
{
    switch (sim_choose(8)) {
    case 0: case 1: case 2:
        if (p)
            hang(p);
        return p ? p : receive(sim_choose(2) ? 0 : 1 + sim_choose(6000));
    case 3: case 4:
        return exchange(p);
    case 5:
        hgc_collect(sim_choose(4) ? HGC_START : HGC_WAIT);
        return p;
    case 6:
        drop(p);
        return NULL;
    default:
        if (sim_choose(2))
            hk_sleep(1 + sim_choose(5000));
        return p;
    }
}

static void worker(void *arg)
{
    (void)arg;
    struct node *p = NULL;
    for (unsigned n = 10 + sim_choose(30); n > 0; n--) {
        p = step(p);
        if (sim_choose(2))
            workload_forget();
        if (p)
            check(p);
    }
    drop(p);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void run_workers(void)
{
    struct task *t[WORKERS];
    unsigned n = 1 + sim_choose(WORKERS);
    st_rlx(&firing, hk_harts());
    workload_on_each_hart(start_timer);
    for (unsigned i = 0; i < n; i++)
        if (hk_task_create(&t[i], NULL, worker, NULL) != HK_OK)
            sim_fail("no memory for a task");
    workload_shades();
    for (unsigned k = sim_choose(4); k > 0; k--) {
        hk_sleep(1 + sim_choose(20000));
        hgc_collect(HGC_START);
        world_stop(WORLD_OTHER, NULL, NULL);    /* beside the collector's own, and those of its gate */
        world_start();
    }
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
    while (ld_acq(&firing) != 0)        /* partner: tick */
        hk_sleep(2000);
}

/* The last ones must still be whole. */
static __attribute__((noinline)) void collect_all(void)
{
    struct node *p;
    if (sim_choose(2))
        hgc_collect(HGC_WAIT);
    while ((p = receive(0)))
        drop(p);
    for (unsigned i = 0; i < SHELVES; i++) {
        drop(hgc_get(shelf[i]));
        hgc_set(&shelf[i], NULL);
    }
}

int isr(void)
{
    static const uint32_t map[1] = {HGC_MAP(struct node, next) | HGC_MAP(struct node, fixed)};
    truth_start();
    workload_heap_stopped(96 * 1024, 3);
    hgc_kind(NODE, &(struct hgc_kind){.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = map});
    hgc_root_add(shelf, sizeof shelf);
    hgc_root_add(&permanent, sizeof permanent);
    hgc_set(&permanent, born(hgc_new(NODE, sizeof(struct node)), HGC_CELL(sizeof(struct node))));
    small = hgc_isr_reserve(NODE, sizeof(struct node), 1 + sim_choose(6));
    large = hgc_isr_reserve(sim_choose(2) ? NODE : HGC_AMBIGUOUS, 200, 1 + sim_choose(3));
    queue = hgc_isr_queue_new(1 + sim_choose(8));
    if (small < 0 || large < 0 || !queue)
        sim_fail("no reserve or no queue");
    run_workers();
    collect_all();
    if (sim_choose(2)) {
        hart_pin();
        shots[hk_hart()] = 1 + sim_choose(40);
        hk_timer_start(&timer[hk_hart()], hk_now(), late, (void *)(uintptr_t)hk_hart());
        hart_unpin();
    }
    return 0;
}
