/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/*
 * The program drives the collector: nothing starts by itself, steps alone bring a cycle to its end beside tasks that leave no
 * hart idle, their budgets hold, and who waits for a mark that steps drive does not wait for steps.
 */
#include "gc/gc_internal.h"
#include "tap.h"

enum { NODE = HGC_KIND_FIRST, NODES = 6000, FILL = 6, ARENA = 8 << 20, BIG = 1 << 30 };
#include "lists.h"

static struct hgc_stats s;

/* Until more is in use than the trigger. */
static bool litter(void)
{
    do {
        for (unsigned i = 0; i < 100; i++)
            if (!hgc_alloc(HGC_LEAF, 256))
                return false;
        hgc_stats(&s);
    } while (s.heap_used <= s.heap_trigger);
    return true;
}

static unsigned cycles(void)
{
    hgc_stats(&s);
    return (unsigned)s.cycles;
}

/* Steps until there is nothing to do.  How many used their budget: others find nothing while another hart is at the last
 * of it. */
static unsigned steps(int64_t budget, unsigned how)
{
    unsigned n = 0;
    bool used;
    do
        n += used = hgc_step(budget, how) <= 0;
    while (used || hgc_marking() || !sweep_done());
    return n;
}

/* ---- what a call does -------------------------------------------------------------------------------------------- */

static void nothing_by_itself(void)
{
    ok(build() && litter(), "garbage above the trigger");
    is(cycles(), 0, "no cycle starts by itself");
    is(hgc_step(0, HGC_STEP_US), 0, "nor by a step without a budget");
    is(hgc_step(-5, HGC_STEP_US), -5, "or with less");
    is(hgc_step(100, 4), 100, "or for a wish that there is not");
    ok(hgc_step(INT64_MAX, 4) > BIG, "however long");
    ok(hgc_idle(hk_now()) && !hgc_marking(), "nor by idling until now, which says that there is work");
}

static void steps_alone(void)
{
    struct hgc_stats before;
    busy();
    hgc_stats(&before);
    unsigned n = steps(1, HGC_STEP_INSTRUCTIONS);
    is(cycles(), before.cycles + 1, "steps finish a cycle, with no hart idle");
    hk_printf("# %u steps of a piece; step %u us, workers %u + %u + %u us\n", n, (unsigned)(s.cpu_step_ns / 1000),
              (unsigned)(s.cpu_dedicated_ns / 1000), (unsigned)(s.cpu_fractional_ns / 1000), (unsigned)(s.cpu_idle_mark_ns / 1000));
    ok(n > 120 && n < 1000, "in pieces");
    is(s.cpu_dedicated_ns, 0, "workers have no share in it");
    ok(s.cpu_step_ns > 0, "steps mark");
    is(s.cycles_automatic, before.cycles_automatic + 1, "which was due");
    ok(s.heap_used < before.heap_used && s.free_bytes > before.free_bytes, "garbage is gone");
    ok(whole(), "the lists are there");
    busy_ends();
}

/* No step comes any more until the mark is over, or a block is left that only a step would take.  False: neither comes. */
static bool settles(void)
{
    uint64_t until = hk_now() + UINT64_C(20000000000);
    while (hgc_marking() && !markq_any() && hk_now() < until)
        hk_sleep(100000);
    return !hgc_marking() || markq_any();
}

/* Nobody but the steps marks, so one call without an end to its budget marks all there is.  On one hart it ends the mark,
 * too.  On others tasks leave their harts for the scan of their stacks, when the host lets them, so the call comes back, and
 * workers do that, end it, and need no step.  A worker that comes too late for a stack takes a block instead, and what that
 * leads to is left for another call: one of them a hart at most, where a piece a call would be a hundred. */
static void ends(void)
{
    unsigned n = cycles(), once = 0, more = 0, marking = 0;
    bool settled = true;
    busy();
    for (unsigned i = 0; i < 10 && settled; i++) {
        hgc_step(BIG, HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE);
        once += cycles() == n + i + 1 && !hgc_marking();
        while (hk_harts() > 1 && (settled = settles()) && hgc_marking()) {
            hgc_step(BIG, HGC_STEP_INSTRUCTIONS);
            more++;
        }
        steps(BIG, HGC_STEP_INSTRUCTIONS);
    }
    is(cycles(), n + 10, "one call begins one cycle");
    ok(once == 10 || hk_harts() > 1, "and ends it, unless another hart is at the last of it");
    ok(settled, "then it leaves nothing: the mark ends without a step, or a step finds something");
    ok(more <= 10 * hk_harts(), "which is seldom");
    hgc_step(1, HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE);
    while (hgc_marking())
        marking += hgc_step(1, HGC_STEP_INSTRUCTIONS) <= 0;
    busy_ends();
    steps(BIG, HGC_STEP_INSTRUCTIONS);
    hk_printf("# %u of 10 ended by one call, %u more calls; with a budget of 1, %u calls that mark\n", once, more,
              marking);
    ok(marking > 50, "with a small budget it marks a piece a call");
}

/* As hgc.h has it.  A budget that is used up by a cycle's last piece must not make the next call begin another one: with these that
 * happens in each cycle, or every few. */
static void whole_cycles(void)
{
    static const int64_t budgets[] = {1, 220, 230, 440, 5000};
    enum { N = sizeof(budgets) / sizeof(budgets[0]), TIMES = 4, CALLS = 3000 };
    unsigned most = 0, wrong = 0;
    void *volatile large = hgc_alloc(HGC_LEAF, 5 * HGC_BLOCK);
    busy();                             /* nobody else ends a cycle between two calls */
    for (unsigned i = 0; i < 2 * N * TIMES && !wrong; i++) {
        unsigned n = cycles(), calls = 0;
        while (hgc_step(budgets[i % N], HGC_STEP_CYCLE | (i / N % 2 ? HGC_STEP_US : HGC_STEP_INSTRUCTIONS)) <= 0 && calls < CALLS)
            calls++;
        steps(BIG, HGC_STEP_INSTRUCTIONS);
        wrong += cycles() != n + 1;
        most = calls > most ? calls : most;
    }
    busy_ends();
    hk_printf("# at most %u steps\n", most);
    is(wrong, 0, "steps that want a cycle, until one says that there is no more, do one cycle");
    ok(most < CALLS, "and come to an end");
    ok(large != NULL, "with a large object");
}

static void not_due(void)
{
    unsigned n = cycles();
    is(hgc_step(1000, HGC_STEP_INSTRUCTIONS), 1000, "where none is due a step does nothing");
    ok(!hgc_idle(hk_now() + 1000000000), "and there is nothing to idle with");
    is(cycles(), n, "no cycle");
    ok(hgc_step(BIG, HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE) < BIG, "unless it shall begin one");
    steps(BIG, HGC_STEP_INSTRUCTIONS);
    is(cycles(), n + 1, "one");
    ok(s.cycles_forced > 0, "which counts as forced");
    ok(sweep_done(), "and is swept");
}

/* In time, beside tasks that want the harts. */
static void budgets(void)
{
    int64_t least = 0, left;
    bool honest = true;
    unsigned n = cycles(), calls = 0;
    busy();
    do {
        uint64_t begin = hk_now();
        left = hgc_step(300, calls == 0 ? HGC_STEP_CYCLE : 0);
        int64_t took = (int64_t)(hk_now() - begin) / 1000;
        honest &= left <= 300 && 300 - left <= took + 1;
        if (left < least)
            least = left;
        calls++;
    } while (left <= 0 || hgc_marking() || !sweep_done());
    busy_ends();
    hk_printf("# %u steps of 300 us, the longest %lld us\n", calls, (long long)(300 - least));
    is(cycles(), n + 1, "a cycle in steps of time");
    ok(honest, "each returns what is left of it");
}

static void idling(void)
{
    unsigned n = cycles();
    ok(litter() && !hgc_marking(), "garbage again");
    bool more = true;
    while (more || hgc_marking() || !sweep_done())
        more = hgc_idle(hk_now() + 100000);
    is(cycles(), n + 1, "a main loop that idles collects");
    ok(!hgc_idle(hk_now() + 100000), "and may sleep when all is done");
}

/* ---- beside others ----------------------------------------------------------------------------------------------- */

static void waits(void *arg)
{
    *(int *)arg = hgc_collect(HGC_WAIT);
}

/* Who waits may look at its event so late that it is the next cycle's but one: so none that begins meanwhile is left to steps. */
static void who_waits_late(void)
{
    unsigned n = cycles();
    ok(litter(), "there is something to collect");
    amo_add_rlx(&gc.waiters, 1);        /* as a task that is about to wait */
    while (cycles() == n)
        hgc_step(1, HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE);
    is(ld_rlx(&gc.stepped), 0, "workers have their share in a mark that begins while a task waits");
    amo_add_rlx(&gc.waiters, -1);
    cycle_wait(ld_rlx(&gc.cycle));
    sweep_finish();
    is(ld_rlx(&gc.waiters), 0, "nobody waits any more");
}

/* A mark is begun, and the steps stop: another task waits for it. */
static void who_waits_is_not_forgotten(void)
{
    struct task *t;
    static int r = 1;
    unsigned n = cycles();
    busy();
    hgc_step(1, HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE);
    ok(hgc_marking(), "a mark is begun, and no step comes any more");
    hk_task_create(&t, NULL, waits, &r);
    hk_task_join(t, NULL);
    busy_ends();
    is(r, HGC_OK, "a task that waits for it gets its collection");
    is(cycles(), n + 2, "after the mark that ran");
    ok(s.cpu_dedicated_ns + s.cpu_fractional_ns > 0, "by workers, which had no share before");
}

static void many_litter(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over))
        if (!hgc_alloc(HGC_LEAF, 256))
            return;
}

/* Tasks allocate much more than the heap has, with nothing but steps. */
static void keeps_up(void)
{
    struct task *t[4];
    unsigned n = cycles();
    uint64_t failed = s.allocs_failed, since = hk_now();
    st_rlx(&over, 0);
    for (unsigned i = 0; i < 4; i++)
        hk_task_create(&t[i], NULL, many_litter, NULL);
    while (cycles() < n + 4 && hk_now() - since < 20000000000)
        if (hgc_step(50000, HGC_STEP_INSTRUCTIONS) > 0)
            hk_yield();
    st_rlx(&over, 1);
    for (unsigned i = 0; i < 4; i++)
        hk_task_join(t[i], NULL);
    steps(BIG, HGC_STEP_INSTRUCTIONS);
    ok(cycles() >= n + 4, "cycles beside tasks that allocate");
    is(s.allocs_failed, failed, "no allocation fails");
    ok(whole(), "the lists are there");
}

/* What the timer of the period does. */
static void time_is_due(void)
{
    steps(BIG, HGC_STEP_INSTRUCTIONS);
    unsigned n = cycles();
    st_rlx(&gc.last_ms, gc.last_ms - (uint32_t)(gc.cfg.period_ns / 1000000));
    st_rlx(&gc.period_due, 1);
    hk_event_set(&gc.sweep_wake);
    hk_sleep(50000000);
    is(cycles(), n, "the period is over, and nothing begins");
    steps(1000000, HGC_STEP_INSTRUCTIONS);
    is(cycles(), n + 1, "and the next step begins a cycle");
}

static void stopped_modes(void)
{
    for (gc.cfg.stoptheworld = 1; gc.cfg.stoptheworld <= 2; gc.cfg.stoptheworld++) {
        unsigned n = cycles();
        busy();
        int64_t left = hgc_step(1, HGC_STEP_CYCLE);
        hk_printf("# mode %u: one step took %lld us\n", gc.cfg.stoptheworld, (long long)(1 - left));
        busy_ends();
        is(cycles(), n + 1, "in a stopped mode the step that begins a cycle comes back after its mark");
        steps(1000, HGC_STEP_INSTRUCTIONS);
    }
    gc.cfg.stoptheworld = 0;
}

/* The step itself works, and what it cannot do another hart's worker does. */
static void on_a_free_hart(void *arg)
{
    (void)arg;
    unsigned n = cycles();
    busy();
    for (unsigned i = 0; i < 5; i++) {
        hgc_step(1, HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE);
        steps(1000, HGC_STEP_INSTRUCTIONS);
    }
    busy_ends();
    is(cycles(), n + 5, "steps work on a hart that is kept free");
}

static void roles(void)
{
    struct task *t;
    if (hk_harts() == 1)
        return;
    is(hgc_hart_role(0, HGC_ROLE_FREE), HGC_ROLE_NORMAL, "hart 0 is kept free");
    hk_task_create(&t, &(struct hk_task_config){.hart_plus_1 = 1}, on_a_free_hart, NULL);
    hk_task_join(t, NULL);
    is(hgc_hart_role(0, HGC_ROLE_NORMAL), HGC_ROLE_FREE, "and is not any more");
}

int app_main(void)
{
    static const uint32_t map = HGC_MAP(struct node, next);
    static const struct hgc_kind node = { .name = "node", .words = 8, .map = &map };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .no_auto = true, .period_ns = HGC_PERIOD_OFF };
    is(hgc_init(&config) | hgc_kind(NODE, &node) | hgc_root_add(list, sizeof(list)), HGC_OK, "the heap starts");
    nothing_by_itself();
    steps_alone();
    whole_cycles();
    not_due();
    ends();
    budgets();
    idling();
    who_waits_late();
    who_waits_is_not_forgotten();
    keeps_up();
    stopped_modes();
    roles();
    time_is_due();
    return tap_end();
}
