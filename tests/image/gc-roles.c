/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 120 */
/*
 * Harts given to marking, and harts kept free of it: who marks where, in all modes, beside tasks that leave no hart idle and
 * with all harts asleep; that every mark ends whatever roles change meanwhile; and which roles are refused.
 */
#include "gc/gc_internal.h"
#include "tap.h"

enum { NODE = HGC_KIND_FIRST, NODES = 20000, FILL = 2, ARENA = 8 << 20, CYCLES = 5, CHANGES = 120 };
#include "lists.h"

static uint32_t ticked, turns;  /* atomic */

static uint64_t worker_ns(unsigned hart)
{
    struct hgc_hart_stats s;
    hgc_hart_stats(hart, &s);
    return s.worker_ns;
}

static uint64_t all_worker_ns(void)
{
    uint64_t ns = 0;
    for (unsigned i = 0; i < hk_harts(); i++)
        ns += worker_ns(i);
    return ns;
}

static bool collect(enum hgc_mode mode, unsigned n)
{
    bool good = true;
    while (n-- > 0)
        good &= hgc_collect(mode) == HGC_OK;
    return good;
}

/* ---- which there are --------------------------------------------------------------------------------------------- */

static void refused(void)
{
    unsigned n = hk_harts();
    is(hgc_hart_role(n, HGC_ROLE_MARK), HGC_EINVAL, "there is no such hart");
    is(hgc_hart_role(0, (enum hgc_role)3), HGC_EINVAL, "nor such a role");
    bool good = true;
    for (unsigned i = 1; i < n; i++)
        good &= hgc_hart_role(i, HGC_ROLE_FREE) == HGC_ROLE_NORMAL;
    ok(good, "all but one are kept free");
    is(hgc_hart_role(0, HGC_ROLE_FREE), HGC_EINVAL, "the last one is not");
    is(hgc_hart_role(0, HGC_ROLE_MARK), HGC_ROLE_NORMAL, "it is given to marking instead");
    is(hgc_hart_role(0, HGC_ROLE_FREE), HGC_EINVAL, "and then is not kept free either");
    ok(collect(HGC_WAIT, 2), "collections");
    is(hgc_hart_role(0, HGC_ROLE_NORMAL), HGC_ROLE_MARK, "all are as before");
    for (unsigned i = 1; i < n; i++)
        good &= hgc_hart_role(i, HGC_ROLE_NORMAL) == HGC_ROLE_FREE;
    ok(good, "one after the other");
}

/* ---- kept free --------------------------------------------------------------------------------------------------- */

static void sees_ticks(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over)) {
        hal_crit_t c = hal_crit_enter();
        if (gc_is_on()) {
            own_add(&turns, 1);
            own_add(&ticked, ld_rlx(&hal_self()->ticking) && !ld_rlx(&hal_self()->queued));
        }
        hal_crit_exit(c);
    }
}

static uint32_t switches_from(unsigned hart)
{
    uint32_t sum = 0;
    for (; hart < hk_harts(); hart++)
        sum += ld_rlx(&hal_hart(hart)->switches);
    return sum;
}

/* `from`: harts from there on are kept free. */
static void nobody_marks_there(unsigned from)
{
    static const struct { enum hgc_mode mode; const char *text; } modes[] = {
        { HGC_WAIT, "concurrent marks leave the free harts alone" },
        { HGC_FORCE, "marks of a stopped world too" },
        { HGC_FORCE_BLOCK, "and those with a stopped sweep" } };
    unsigned n = hk_harts();
    for (unsigned i = from; i < n; i++)
        hgc_hart_role(i, HGC_ROLE_FREE);
    hgc_collect(HGC_WAIT);              /* a worker's last piece is over */
    for (unsigned m = 0; m < 3; m++) {
        uint64_t all = all_worker_ns(), ns[HK_MAX_HARTS];
        bool good = true;
        for (unsigned i = from; i < n; i++)
            ns[i] = worker_ns(i);
        busy();
        good &= collect(modes[m].mode, CYCLES);
        busy_ends();
        uint32_t switches = switches_from(from);
        good &= collect(modes[m].mode, CYCLES);
        switches = switches_from(from) - switches;
        for (unsigned i = from; i < n; i++)
            good &= worker_ns(i) == ns[i];
        ok(good, modes[m].text);
        ok(all_worker_ns() > all, "while others mark");
        ok(switches < 40 * CYCLES * (n - from), "and they sleep, if nobody wants them");
        hk_printf("# %u switches on %u free harts in %u cycles\n", (unsigned)switches, n - from, CYCLES);
    }
    for (unsigned i = from; i < n; i++)
        hgc_hart_role(i, HGC_ROLE_NORMAL);
}

static void a_task_alone(void)
{
    struct task *t;
    unsigned last = hk_harts() - 1;
    hgc_hart_role(last, HGC_ROLE_FREE);
    st_rlx(&over, 0);
    hk_task_create(&t, &(struct hk_task_config){.hart_plus_1 = (int)last + 1}, sees_ticks, NULL);
    uint32_t switches = ld_rlx(&hal_hart(last)->switches), cycles = ld_rlx(&gc.cycle);
    for (unsigned i = 0; i < 100 && (i < 10 || ld_rlx(&turns) < 1000); i++)
        hgc_collect(HGC_WAIT);
    switches = ld_rlx(&hal_hart(last)->switches) - switches;
    cycles = ld_rlx(&gc.cycle) - cycles;
    st_rlx(&over, 1);
    hk_task_join(t, NULL);
    hk_printf("# turns %u, of which with a tick for no other task %u; %u switches in %u cycles\n", (unsigned)ld_rlx(&turns),
              (unsigned)ld_rlx(&ticked), (unsigned)switches, (unsigned)cycles);
    ok(switches < 20 * cycles, "a free hart does not switch to and fro");
    ok(ld_rlx(&turns) > 0, "a task on a free hart runs in marks");
    ok(ld_rlx(&ticked) < ld_rlx(&turns) / 2, "without a tick");       /* one that another task needed may still be armed */
    hgc_hart_role(last, HGC_ROLE_NORMAL);
}

static void litters(void *arg)
{
    for (unsigned i = 0; i < 50000; i++)
        if (!hgc_new(NODE, sizeof(struct node)))
            own_add((uint32_t *)arg, 1);
}

/* Tasks there pay for what they allocate as elsewhere. */
static void allocates_there(void)
{
    struct task *t[2];
    struct hgc_stats s;
    uint32_t failed[2] = { 0, 0 };
    hgc_hart_role(0, HGC_ROLE_FREE);
    hgc_set_auto(true);
    for (unsigned i = 0; i < 2; i++)
        hk_task_create(&t[i], &(struct hk_task_config){.hart_plus_1 = 1}, litters, &failed[i]);
    for (unsigned i = 0; i < 2; i++)
        hk_task_join(t[i], NULL);
    hgc_set_auto(false);
    hgc_stats(&s);
    is(failed[0] + failed[1], 0, "tasks on a free hart that allocate get their memory");
    ok(s.cycles_automatic > 0, "and begin cycles, which others mark");
    hgc_hart_role(0, HGC_ROLE_NORMAL);
}

/* ---- given to marking -------------------------------------------------------------------------------------------- */

static uint64_t shares_ns(unsigned hart)
{
    struct hgc_hart_stats s;
    hgc_hart_stats(hart, &s);
    return s.dedicated_ns + s.fractional_ns;
}

static void given(void)
{
    unsigned n = hk_harts(), last = n - 1;
    uint64_t there = shares_ns(last), others = 0;
    struct task *bound;
    hgc_hart_role(last, HGC_ROLE_MARK);
    hgc_collect(HGC_WAIT);
    for (unsigned i = 0; i < last; i++)
        others += shares_ns(i);
    busy();
    hk_task_create(&bound, &(struct hk_task_config){.hart_plus_1 = (int)n}, spin, NULL);
    ok(collect(HGC_WAIT, CYCLES), "cycles with a hart that is given to marking, and tasks that want it");
    busy_ends();
    hk_task_join(bound, NULL);
    for (unsigned i = 0; i < last; i++)
        others -= shares_ns(i);
    ok(shares_ns(last) > there, "it marks");
    if (n <= 4)
        is(others, 0, "and is the quarter");
    hgc_hart_role(last, HGC_ROLE_NORMAL);
}

/* ---- while it runs ----------------------------------------------------------------------------------------------- */

static void changes(void)
{
    unsigned n = hk_harts(), x = 1, good = 0;
    bool load = false;
    for (unsigned i = 0; i < CHANGES; i++) {
        if (i % 30 == 0) {
            load ? busy_ends() : busy();
            load = !load;
        }
        hgc_collect(HGC_START);
        for (unsigned k = 0; k < 4; k++) {
            x = x * 1103515245 + 12345;
            hgc_hart_role((x >> 16) % n, (enum hgc_role)((x >> 20) % 3));
        }
        cycle_wait(ld_rlx(&gc.cycle));
        good++;
    }
    if (load)
        busy_ends();
    is(good, CHANGES, "each mark ends, whatever roles change");
    ok(whole(), "the lists are there");
}

int app_main(void)
{
    static const uint32_t map = HGC_MAP(struct node, next);
    static const struct hgc_kind node = { .name = "node", .words = 4, .map = &map };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .no_auto = true, .period_ns = HGC_PERIOD_OFF };
    is(hgc_init(&config) | hgc_kind(NODE, &node) | hgc_root_add(list, sizeof(list)), HGC_OK, "the heap starts");
    ok(build(), "with something to mark");
    refused();
    if (hk_harts() > 1) {
        nobody_marks_there(hk_harts() - 1);
        nobody_marks_there(1);
        a_task_alone();
        allocates_there();
        given();
    }
    changes();
    return tap_end();
}
