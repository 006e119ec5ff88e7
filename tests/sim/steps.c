/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that drives the collector, beside tasks that leave no hart idle: steps of the smallest budget bring each cycle to
 * its end in a bounded number of calls, whatever roles the harts have and get meanwhile.  Others allocate, move the ends of
 * lists about, and now and then wait for a collection while nobody steps.  All of the lists must be there after each cycle.
 */
#include "gc/gc_internal.h"
#include "sim.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, NODES = 48, LISTS = 6, CALLS = 4000, BUSY_MAX = 6, MOVERS = 2 };
#define MAGIC 0x57e90000u
#define TRUTH HAL_NO_SANITIZE __attribute__((noinline))

struct node {
    uintptr_t magic;            /* MAGIC + its number */
    hgc_ref(struct node) next, unused;
};
static hgc_ref(struct node) list[LISTS];
static uint32_t over;                   /* atomic */
static unsigned nodes, steppers;
static bool roles_change;

/* ---- the heap ---------------------------------------------------------------------------------------------------- */

/* Addresses that the collector must not see. */
TRUTH static uintptr_t *at(unsigned i) { return (uintptr_t *)sim_truth() + i; }

TRUTH static void check_all(void)
{
    for (unsigned i = 0; i < nodes; i++) {
        const struct node *p = (const struct node *)*at(i);
        if (hgc_size(p) == 0 || p->magic != MAGIC + i)
            sim_fail("I10: object %u at %p is held, and is gone", i, (const void *)p);
    }
}

static __attribute__((noinline)) void build(void)
{
    for (unsigned i = 0; i < nodes; i++) {
        unsigned l = sim_choose(LISTS);
        struct node *p = hgc_alloc(sim_choose(8) ? NODE : HGC_AMBIGUOUS, sizeof *p + 48 * sim_choose(6));
        if (!p)
            sim_fail("no memory for an object");
        p->magic = MAGIC + i;
        *at(i) = (uintptr_t)p;
        hgc_set(&p->next, hgc_get(list[l]));
        hgc_set(&list[l], p);
    }
}

static void start(void)
{
    static const uint32_t map[1] = {HGC_MAP(struct node, next) | HGC_MAP(struct node, unused)};
    struct hgc_config config = {.size = 64 * 1024, .base = hk_mem_alloc(64 * 1024), .no_auto = true, .min_trigger = 8192};
    config.verify = sim_choose(2);
    config.trace = sim_choose(4) == 0;
    config.period_ns = HGC_PERIOD_OFF;
    config.stoptheworld = sim_choose(8) == 0 ? 1 + sim_choose(2) : 0;
    workload_roles(&config);
    if (hgc_init(&config) | hgc_kind(NODE, &(struct hgc_kind){.name = "node", .words = 3, .map = map})
        | hgc_root_add(list, sizeof list))
        sim_fail("the heap does not start");
}

/* ---- beside the steps -------------------------------------------------------------------------------------------- */

/* The lists of one mover change their places, each held by its stack alone for a moment. */
static __attribute__((noinline)) void swap_lists(unsigned self)
{
    unsigned a = sim_choose(LISTS / MOVERS) * MOVERS + self, b = sim_choose(LISTS / MOVERS) * MOVERS + self;
    struct node *p = hgc_get(list[a]), *q = hgc_get(list[b]);
    hgc_set(&list[a], NULL);
    hgc_set(&list[b], p);
    hgc_set(&list[a], a == b ? p : q);
}

static void change_role(void)
{
    unsigned hart = sim_choose(hk_harts());
    enum hgc_role role = (enum hgc_role)sim_choose(3);
    int r = hgc_hart_role(hart, role);
    if (r < 0 && (r != HGC_EINVAL || role != HGC_ROLE_FREE))
        sim_fail("hart %u does not get role %d: %d", hart, role, r);
}

static void mover(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    while (!ld_rlx(&over)) {
        swap_lists(self);
        if (sim_choose(4) == 0)
            (void)!hgc_alloc(HGC_LEAF, 16 + sim_choose(600));   /* NULL: others took what a collection gained */
        if (roles_change && sim_choose(5) == 0)
            change_role();
        if (sim_choose(4) == 0)
            hk_yield();
    }
}

/* ---- the steps --------------------------------------------------------------------------------------------------- */

/* One call.  True: there is nothing to do any more. */
static bool call(void)
{
    switch (sim_choose(4)) {
    case 0:
        return !hgc_idle(hk_now() + sim_choose(3) * 1000);
    case 1:
        return hgc_step(1, HGC_STEP_US | HGC_STEP_CYCLE) > 0;
    default:
        return hgc_step(1 + sim_choose(2) * 3000, HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE) > 0;
    }
}

/* Until cycle `n` is over. */
static void drive(uint32_t n)
{
    unsigned calls = 0;
    while ((int32_t)(ld_rlx(&gc.finished) - n) < 0) {
        if (call())
            hk_yield();                 /* the rest is in others' hands: they need harts */
        if (calls++ == CALLS)
            sim_fail("%u steps do not bring cycle %u to its end", calls, n);
    }
}

/* Of all the tasks that may have asked for one, each gets one that began later. */
static void collect(uint32_t n)
{
    if (hgc_collect(HGC_WAIT) != HGC_OK || (int32_t)(ld_rlx(&gc.finished) - n) < 0)
        sim_fail("a collection has ended before cycle %u", n);
}

static void stepper(void *arg)
{
    (void)arg;
    for (unsigned i = 2 + sim_choose(2); i > 0; i--) {
        uint32_t n = ld_rlx(&gc.cycle) + 1;
        for (unsigned some = sim_choose(20); sim_choose(3) == 0 && some > 0; some--)
            call();
        if (sim_choose(4) == 0)
            collect(n);                 /* in the middle of a mark, perhaps, that nobody drives any more */
        else
            drive(n);
        check_all();
    }
}

/* Waits for each mark that it meets; whoever drives it may be through with it, and with the next one, before this one really waits. */
static void waiter(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over)) {
        hgc_wait_mark();
        hk_yield();
    }
}

static void create(struct task **t, const struct hk_task_config *config, void (*fn)(void *), uintptr_t arg)
{
    if (hk_task_create(t, config, fn, (void *)arg) != HK_OK)
        sim_fail("no memory for a task");
}

int steps(void)
{
    static const struct hk_task_config high = {.prio = HK_HIGH, .set_prio = true};
    struct task *s[2], *b[BUSY_MAX], *m[MOVERS], *w = NULL;
    unsigned idle = sim_choose(3) == 0, nbusy = idle ? 0 : hk_harts() + sim_choose(2), movers = sim_choose(MOVERS + 1);
    nodes = 8 + sim_choose(NODES - 8);
    steppers = 1 + sim_choose(2);
    roles_change = sim_choose(2);
    start();
    build();
    for (unsigned i = 0; i < nbusy; i++)
        create(&b[i], NULL, workload_busy, (uintptr_t)&over);
    for (unsigned i = 0; i < movers; i++)
        create(&m[i], NULL, mover, i);
    if (sim_choose(4) == 0)
        create(&w, NULL, waiter, 0);
    for (unsigned i = 0; i < steppers; i++)
        create(&s[i], sim_choose(2) ? &high : NULL, stepper, i);
    for (unsigned i = 0; i < steppers; i++)
        hk_task_join(s[i], NULL);
    st_rlx(&over, 1);
    for (unsigned i = 0; i < nbusy; i++)
        hk_task_join(b[i], NULL);
    for (unsigned i = 0; i < movers; i++)
        hk_task_join(m[i], NULL);
    if (w)
        hk_task_join(w, NULL);
    hgc_collect(HGC_WAIT);
    check_all();
    return 0;
}
