/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks that allocate as fast as they can while little can be marked at a time: the live objects are few chains through many
 * blocks, so who owes finds nothing to mark, waits, and is paid, or let go by the end of the mark.  Some tasks only compute, so
 * that workers have to be chosen; others sleep, so that there are idle ones, or have a higher priority.
 *
 * Or a task holds each mark open when nothing is left to mark: then who allocates waits before the heap has outgrown its goal.
 *
 * The collector asserts what holds as each mark ends (assist_check; all seats of workers given back).  Here: no allocation
 * fails, every task gets to its end, and a task that waits in vain is one that does not.
 */
#include "gc/gc_internal.h"
#include "sim.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, CHAINS_MAX = 3, TASKS_MAX = 10, COMPUTERS = 4, ARENA = 160 * 1024, TIGHT = 64 * 1024,
       GROWTH = 1500 };

struct node { hgc_ref(struct node) next; hgc_ref(void) payload; };

static hgc_ref(struct node) chain[CHAINS_MAX];
static uint32_t over;                   /* atomic */
static bool tight;      /* constant: a heap where tasks take from each other what a collection freed; one size, so no waste */

static struct node *make(size_t size)
{
    struct node *p = hgc_alloc(NODE, size);
    if (!p)
        sim_fail("an allocation failed with %u of %u bytes live, %u in use", (unsigned)ld_rlx(&gc.live), (unsigned)gc.bytes,
                 (unsigned)ld_rlx(&gc.used));
    return p;
}

/* Neighbours in a chain lie in different blocks: sizes take turns. */
static void build(unsigned chains, unsigned nodes)
{
    for (unsigned i = 0; i < nodes; i++) {
        struct node *p = hgc_alloc(NODE, tight ? 256 : 64 + 64 * (i / chains % 4));
        if (!p)
            sim_fail("no memory for an object");
        hgc_set(&p->next, hgc_get(chain[i % chains]));
        hgc_set(&chain[i % chains], p);
        if (!tight && i < chains)       /* the chain's end; marked in one go, last: so much credit pays many */
            hgc_set(&p->payload, hgc_alloc(HGC_LEAF, 16000));
    }
}

static void litters(void *arg)
{
    unsigned i = (unsigned)(uintptr_t)arg;
    for (unsigned n = 20 + sim_choose(60); n > 0; n--) {
        struct node *p = make(tight || i % 2 ? 256 : 64 + 64 * sim_choose(2));
        if (sim_choose(16) == 0)
            hgc_set(&chain[sim_choose(CHAINS_MAX)], hgc_get(chain[sim_choose(CHAINS_MAX)]));     /* some work for barriers */
        if (sim_choose(32) == 0)
            hgc_collect(HGC_START);
        (void)p;
    }
}

static void computes(void *arg)
{
    (void)arg;
    while (!ld_acq(&over))
        ;
}

static void sleeps(void *arg)
{
    (void)arg;
    while (!ld_acq(&over))
        hk_sleep(100000 + sim_choose(100000));   /* not in step with anything */
}

/* As where a host is too slow: the limiter limits, so nobody assists. */
static void limit(void)
{
    gc.limiter.fill = gc.limiter.capacity;
    gc.limiter.limiting = true;
    st_rlx(&gc.limiting, 1);
}

/* ---- a mark that is held open ------------------------------------------------------------------------------------ */

/* In the drain, as who has all that is left to mark, until the other one waits, or is over. */
static void holds(void *arg)
{
    struct task *grows = arg;
    while (!ld_acq(&over)) {
        drain_enter();
        while (gc_is_on() && !task_waits_for(grows) && !ld_acq(&over))
            ;
        drain_leave();
        worker_call_if_quiet();
        hk_yield();
    }
}

static void grows(void *arg)
{
    (void)arg;
    uint32_t limited = 0;               /* the last cycle in which nobody had to assist */
    for (unsigned n = GROWTH; n > 0; n--) {
        (void)make(64);
        uintptr_t goal = ld_rlx(&gc.goal), used = ld_rlx(&gc.used);
        if (pace_limiting())
            limited = hgc_cycle();
        if (gc_is_on() && used > 2 * goal && limited != hgc_cycle())
            sim_fail("a mark runs, %u bytes are in use, and the goal is %u", (unsigned)used, (unsigned)goal);
    }
    st_rel(&over, 1);
}

static void held_open(void)
{
    struct task *t[2];
    if (hk_task_create(&t[0], NULL, grows, NULL) != HK_OK || hk_task_create(&t[1], NULL, holds, t[0]) != HK_OK)
        sim_fail("no memory for a task");
    hk_task_join(t[1], NULL);
    hk_task_join(t[0], NULL);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void start(size_t size)
{
    static const uint32_t map[1] = {3};
    static const struct hgc_kind node = {.name = "node", .words = 2, .map = map};
    struct hgc_config config = {.base = hk_mem_alloc(size), .size = size, .period_ns = HGC_PERIOD_OFF,
                                .verify = sim_choose(4) == 0, .percent = sim_choose(2) ? 20 + 40 * sim_choose(3) : 1,
                                .min_trigger = 8192};
    if (hgc_init(&config) | hgc_kind(NODE, &node) | hgc_root_add(chain, sizeof chain))
        sim_fail("the heap does not start");
}

int assists(void)
{
    struct task *t[TASKS_MAX], *other[COMPUTERS];
    unsigned n = 1 + sim_choose(TASKS_MAX), chains = 1 + sim_choose(CHAINS_MAX), others = sim_choose(3) ? sim_choose(3) : COMPUTERS;
    if (hk_harts() > 1 && sim_choose(8) == 0) {
        tight = true;                   /* no leaves: so what workers have in the pool is less than a goal */
        start(ARENA);
        build(chains, 80);
        held_open();
        return 0;
    }
    tight = sim_choose(4) == 0;
    start(tight ? TIGHT : ARENA);
    build(chains, tight ? 150 : 40 + sim_choose(120));
    if (tight && sim_choose(2))
        limit();
    for (unsigned i = 0; i < others; i++)
        if (hk_task_create(&other[i], &(struct hk_task_config){.set_prio = true, .prio = i == 1 ? HK_HIGH : HK_NORMAL},
                           i == 1 ? sleeps : computes, NULL) != HK_OK)
            sim_fail("no memory for a task");
    for (unsigned i = 0; i < n; i++)
        if (hk_task_create(&t[i], &(struct hk_task_config){.set_prio = true, .prio = HK_NORMAL + (sim_choose(6) == 0)}, litters,
                           (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
    if (!tight)                         /* it takes three blocks for good */
        workload_shades();
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
    st_rel(&over, 1);
    for (unsigned i = 0; i < others; i++)
        hk_task_join(other[i], NULL);
    return 0;
}
