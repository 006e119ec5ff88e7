/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time trigger.  A cycle begins when none has for the period: the sweeper starts it where a hart has nothing else to
 * do, a task that allocates where none has, a step where the program drives.  None begins earlier, whoever asks for others
 * meanwhile, and by itself none while automatic cycles are off.
 */
#include "gc/gc_internal.h"
#include "sim.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, ARENA = 128 * 1024, LISTS = 4, ASKERS_MAX = 3, PERIODS = 60, BIG = 1 << 30 };
#define MS UINT64_C(1000000)

struct node {
    hgc_ref(struct node) next, unused;
};

static hgc_ref(struct node) list[LISTS];
static uint32_t over;                   /* atomic */
static uint32_t timed_cycles;           /* atomic: those that began for the time's sake */
static uint32_t period_ms;              /* constant */

/* Called in the stop that begins a cycle, when the pacer has noted the time. */
static void begins(void *arg)
{
    static uint32_t before;             /* world stopped */
    uint32_t now = ld_rlx(&gc.last_ms);
    bool by_time = !gc.forced_now && gc.times.used_start <= gc.times.trigger;
    (void)arg;
    if (by_time && now - before < period_ms)
        sim_fail("a cycle begins for the time's sake %u ms after the one before, not %u", (unsigned)(now - before),
                 (unsigned)period_ms);
    before = now;
    amo_add_rlx(&timed_cycles, by_time);
}

static void start(bool busy)
{
    static const uint32_t map[1] = {3};
    period_ms = busy ? 1 : 1 + sim_choose(4);
    struct hgc_config config = {.size = ARENA, .base = hk_mem_alloc(ARENA), .period_ns = period_ms * MS,
                                .percent = HGC_PERCENT_OFF};
    config.verify = sim_choose(4) == 0;
    config.stoptheworld = sim_choose(8) == 0 ? 1 + sim_choose(2) : 0;
    if (config.verify && config.stoptheworld)
        config.period_ns = (period_ms *= 8) * MS;       /* such a cycle takes three: the program would hardly get on */
    if (sim_choose(4) == 0)
        workload_roles(&config);
    if (hgc_init(&config) | hgc_kind(NODE, &(struct hgc_kind){.name = "node", .words = 2, .map = map})
        | hgc_root_add(list, sizeof list) | hgc_pool_add(begins, NULL))
        sim_fail("the heap does not start");
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static void grow(unsigned l)
{
    struct node *p = hgc_alloc(NODE, 32 + 32 * sim_choose(4));
    if (!p)
        sim_fail("an allocation fails");
    hgc_set(&p->next, sim_choose(8) ? hgc_get(list[l]) : NULL);
    hgc_set(&list[l], p);
}

/* Wants cycles of its own, and goes on allocating. */
static void asker(void *arg)
{
    unsigned l = (unsigned)(uintptr_t)arg;
    for (unsigned n = 2 + sim_choose(6); n > 0; n--) {
        switch (sim_choose(4)) {
        case 0:  hk_sleep(sim_choose(2 * period_ms) * MS); break;
        case 1:  hgc_collect((enum hgc_mode)(HGC_START + sim_choose(4))); break;
        case 2:  hk_yield(); break;
        default: grow(l); break;
        }
    }
}

static void create(struct task **t, void (*fn)(void *), void *arg)
{
    if (hk_task_create(t, NULL, fn, arg) != HK_OK)
        sim_fail("no memory for a task");
}

static void askers(void)
{
    struct task *t[ASKERS_MAX];
    unsigned n = sim_choose(ASKERS_MAX + 1);
    for (unsigned i = 0; i < n; i++)
        create(&t[i], asker, (void *)(uintptr_t)i);
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
}

/* ---- what must come ---------------------------------------------------------------------------------------------- */

/* All other harts sleep, or none does, and this task allocates. */
static void comes(bool busy)
{
    uint32_t n = ld_rlx(&timed_cycles);
    uint64_t until = hk_now() + PERIODS * period_ms * MS;
    while (ld_rlx(&timed_cycles) == n) {
        if (hk_now() > until)
            sim_fail("no cycle begins in %u periods", PERIODS);
        if (!busy)
            hk_sleep(period_ms * MS);
        else if (pace_period_due())
            grow(LISTS - 1);
    }
}

static void computes_beside(void)
{
    struct task *t[HK_MAX_HARTS + 1];
    unsigned n = hk_harts() + 1;
    st_rlx(&over, 0);
    for (unsigned i = 0; i < n; i++)
        create(&t[i], workload_busy, &over);
    comes(true);
    st_rlx(&over, 1);
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
}

/* Once a collection that began later is over, nobody is about to begin one for what was due before. */
static void comes_not(void)
{
    hgc_set_auto(false);
    hgc_collect(HGC_WAIT);
    uint32_t n = ld_rlx(&timed_cycles), cycle = ld_rlx(&gc.cycle);
    uint64_t until = hk_now() + PERIODS * period_ms * MS;
    while (!pace_period_due() && hk_now() < until)
        hk_sleep(period_ms * MS / 2);
    for (unsigned i = sim_choose(8); i > 0; i--)
        grow(LISTS - 1);
    hk_sleep(sim_choose(3) * period_ms * MS);
    if (ld_rlx(&timed_cycles) != n || ld_rlx(&gc.cycle) != cycle)
        sim_fail("a cycle begins by itself while automatic ones are off");
    if (sim_choose(2)) {
        hgc_step(BIG, HGC_STEP_INSTRUCTIONS);
        if (ld_rlx(&timed_cycles) == n)
            sim_fail("a step begins no cycle though the period is over");
        hgc_collect(HGC_WAIT);          /* steps drive it: on busy harts it lasts as long as nobody calls another */
    }
    hgc_set_auto(true);
}

int timed(void)
{
    bool busy = sim_choose(4) == 0;
    start(busy);
    for (unsigned n = 1 + sim_choose(2); n > 0; n--) {
        askers();
        if (sim_choose(2))
            comes_not();
        else if (busy)
            computes_beside();
        else
            comes(false);
    }
    workload_shades();
    return 0;
}
