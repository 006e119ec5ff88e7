/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Harts that are kept free, where nobody looks for work: a task on one of them makes work, or ends the last there was, or keeps
 * the hart free that is just ending the mark.  It does so at a moment that it knows from the collector's words, when nearly
 * everybody sleeps, and then computes and asks nobody, or ends.  Others must see to the mark's end: a wake-up that is lost shows
 * when all others sleep, or all do (tests/sim/main.c).
 */
#include "gc/gc_internal.h"
#include "sim.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, NODES = 4, WEAK = 4, TURNS = 3000, KEEPS_FREE = 4, JOBS = 6 };

struct node { hgc_ref(struct node) to[WEAK]; };

static hgc_ref(struct node) list[NODES];
static hgc_ref(struct hgc_weak) weak[WEAK];
static struct node *plain[1];           /* a root without a barrier, in some schedules: then each end is tried twice */
static uint32_t runs;                   /* atomic: the task of this cycle does */

/* Objects that nothing but weak references leads to, each in a block of its own; the first leads to all others.  So
 * few that the mark queue does not overflow: that would wake somebody. */
static __attribute__((noinline)) void lay(void)
{
    struct node *first = hgc_alloc(NODE, sizeof *first);
    for (unsigned i = 0; i < WEAK; i++) {
        struct node *p = i ? hgc_alloc(NODE, sizeof *p + 64 * i) : first;
        if (first && i)
            hgc_set(&first->to[i], p);
        hgc_set(&weak[i], p ? hgc_weak_new(p) : NULL);
    }
}

static void read_weak(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        struct hgc_weak *w = hgc_get(weak[i]);
        struct node *p = w ? hgc_weak_get(w) : NULL;
        if (p)
            hgc_set(&list[i % NODES], p);
    }
}

static void turn(void)
{
    static uint32_t turns;              /* atomic: each turn changes something, so that it is no loop of waiting */
    amo_add_rlx(&turns, 1);
}

/* All other harts sleep, and what this one reads from here on is not older than that. */
static bool alone(void)
{
    if (!sim_alone())
        return false;
    fence_full();
    return sim_alone();
}

/* Nobody is at the mark, and nobody is about to be: a wake-up was lost, even if some tick will find that out. */
static void compute(void)
{
    while (hgc_marking()) {
        turn();
        if (alone() && gc_is_on() && ld_rlx(&gc.jobs_open) == 0 && sim_alone())
            sim_fail("a task computes on a hart that is kept free, all other harts sleep, and the mark has not ended: a wake-up was lost");
    }
}

static void until_marking(void)
{
    st_rlx(&runs, 1);
    for (unsigned n = 0; n < TURNS && !hgc_marking(); n++)
        turn();
}

/* Its stack was scanned, and need not be again. */
static void until_scanned(void)
{
    const struct task *self = task_self();
    until_marking();
    for (unsigned n = 0; n < TURNS && hgc_marking() && ld_rlx(&self->gc_seen) != ld_rlx(&gc.cycle); n++)
        turn();
}

/* ---- what the task does ------------------------------------------------------------------------------------------- */

/* Pushes several blocks in a row: its queue is not empty when the next comes.  It leaves them there. */
static void pushes(void *arg)
{
    (void)arg;
    until_scanned();
    read_weak(0, sim_choose(3) ? 1 : WEAK);
    for (unsigned n = sim_choose(3); n > 0; n--)
        hgc_step(1, HGC_STEP_INSTRUCTIONS);
    compute();
}

/* Again and again makes objects grey that were scanned, in one section each time: while it is counted as being at the mark, nobody
 * tries to end that, and who has taken one of the blocks sleeps when it sees no other. */
static void touches(void *arg)
{
    (void)arg;
    until_marking();
    read_weak(0, 1);
    struct node *first = hgc_get(list[0]);
    drain_enter();
    for (unsigned n = 20; n > 0 && first && gc_is_on(); n--) {
        hgc_store_t section = hgc_store_begin();
        for (unsigned i = 1; i < WEAK; i++)
            hgc_touch(hgc_get(first->to[i]));
        hgc_store_end(section);
        for (unsigned k = sim_choose(400); k > 0 && !sim_alone(); k--)
            turn();
        if (alone() && gc_is_on() && markq_any() && sim_alone())
            sim_fail("a hart that is kept free has pushed blocks, and all other harts sleep: a wake-up was lost");
    }
    drain_leave();
    compute();
}

/* Is at the mark when all others have left it and sleep, and leaves. */
static void leave_last(void)
{
    until_scanned();
    drain_enter();
    for (unsigned k = 400; k > 0 && !sim_alone(); k--)
        turn();
    drain_leave();
}

/* Does nothing but leave: in a collection that stops tasks it would be kept off its hart right then. */
static void leaves_last(void *arg)
{
    (void)arg;
    leave_last();
    compute();
}

/* The first from `hart` on that is kept free, or is not. */
static unsigned hart_from(unsigned hart, bool kept_free)
{
    unsigned n = hk_harts();
    while (!ld_rlx(&hal_hart(hart % n)->kept_free) == kept_free)
        hart++;
    return hart % n;
}

/* Leaves, and the hart that is called to end the mark is kept free before it comes to that. */
static void leaves_and_keeps_free(void *arg)
{
    (void)arg;
    leave_last();
    unsigned called = hart_from(hk_hart(), false);
    bool was_kept = hgc_hart_role(called, HGC_ROLE_FREE) == HGC_ROLE_NORMAL;
    compute();
    if (was_kept)
        hgc_hart_role(called, HGC_ROLE_NORMAL);
}

static bool last_job(void)
{
    if (ld_rlx(&gc.jobs_open) != 1 || root_any() || markq_any())
        return false;
    for (unsigned i = 0; i < hk_harts(); i++)
        if (i != hal_self()->index && !ld_rlx(&hal_hart(i)->asleep))
            return false;
    return true;
}

/* Its own stack is the last that the mark waits for, and all others sleep; and before it takes the interrupt that asks for the
 * stack it has ended. */
static void dies(void *arg)
{
    (void)arg;
    until_marking();
    hal_crit_t c = hal_crit_enter();
    for (unsigned n = 0; n < TURNS && ld_rlx(&gc.jobs_open) && !last_job(); n++)
        turn();
    hal_crit_exit(c);
}

static __attribute__((noinline)) uintptr_t hidden_one(void)
{
    return ~(uintptr_t)hgc_alloc(NODE, sizeof(struct node));
}

/* An object that no scan has met appears in a plain root when that has been looked at for the last time, so that the end of the
 * mark fails; and the hart that is ending it is kept free meanwhile. */
static void keeps_free(void *arg)
{
    uintptr_t hidden = hidden_one();
    uint32_t ending = 0;
    (void)arg;
    workload_forget();
    until_marking();
    for (unsigned n = 0; n < TURNS && hgc_marking() && !(ld_rlx(&gc.jobs_again) && ld_rlx(&gc.jobs_open) == 0); n++)
        turn();
    hal_plain_store(&plain[0], (struct node *)~hidden);
    for (unsigned n = 0; n < TURNS && hgc_marking() && !(ending = ld_rlx(&gc.terminating)); n++)
        turn();
    if (ending)
        hgc_hart_role(ending - 1, HGC_ROLE_FREE);
    compute();
    hal_plain_store(&plain[0], (struct node *)NULL);
    if (ending)
        hgc_hart_role(ending - 1, HGC_ROLE_NORMAL);
}

/* ---- cycles ------------------------------------------------------------------------------------------------------- */

/* Bound to a hart that is kept free: what it waits for wakes no other hart, which would look for work then. */
static void drive(void *arg)
{
    static void (*const jobs[JOBS])(void *) = {pushes, touches, dies, leaves_last, keeps_free,
                                                leaves_and_keeps_free};
    for (unsigned k = 1 + sim_choose(3); k > 0; k--) {
        struct hk_task_config config = {.hart_plus_1 = 1 + (int)hart_from(hk_hart() + 1, true)};
        struct task *t;
        lay();
        workload_forget();
        st_rlx(&runs, 0);
        if (hk_task_create(&t, &config, jobs[(uintptr_t)arg], NULL) != HK_OK)
            sim_fail("no memory for a task");
        for (unsigned n = config.hart_plus_1 == 1 + (int)hk_hart() ? TURNS : 0; n < TURNS && !ld_rlx(&runs); n++)
            turn();
        hgc_collect(HGC_START);
        read_weak(0, sim_choose(2));
        hk_task_join(t, NULL);
        cycle_wait(ld_rlx(&gc.cycle));
    }
}

int kept(void)
{
    static const uint32_t map[1] = {HGC_MAP(struct node, to) * 0xf};
    struct hgc_config config = {.size = 64 * 1024, .base = hk_mem_alloc(64 * 1024), .no_auto = true,
                                .period_ns = HGC_PERIOD_OFF};
    unsigned n = hk_harts(), job = sim_choose(JOBS);
    unsigned one = sim_choose(n);
    uint64_t normal = UINT64_C(1) << one;
    /* From there on a job keeps one of those that mark free, too. */
    if (n > 2 && (job >= KEEPS_FREE || sim_choose(2)))
        normal |= UINT64_C(1) << (one + 1 + sim_choose(n - 1)) % n;
    config.free_harts = ((UINT64_C(1) << n) - 1) & ~normal;
    if (hgc_init(&config) | hgc_kind(NODE, &(struct hgc_kind){.name = "node", .words = WEAK, .map = map})
        | hgc_root_add(list, sizeof list) | hgc_root_add(weak, sizeof weak))
        sim_fail("the heap does not start");
    if (job == KEEPS_FREE || sim_choose(2))
        hgc_root_add_plain(plain, sizeof plain);
    for (unsigned i = sim_choose(NODES); i > 0; i--)
        hgc_set(&list[i], hgc_alloc(NODE, sizeof(struct node)));
    struct task *driver;
    struct hk_task_config bound = {.hart_plus_1 = 1 + (int)hart_from(sim_choose(n), true)};
    if (hk_task_create(&driver, &bound, drive, (void *)(uintptr_t)job) != HK_OK)
        sim_fail("no memory for a task");
    hk_task_join(driver, NULL);
    return 0;
}
