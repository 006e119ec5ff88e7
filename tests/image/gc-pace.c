/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 120 */
/* qemu: -icount shift=4,sleep=off */
/* Pacing: percent and limit take effect when they are changed, the levels of pressure come in order and before an
 * allocation fails, the limiter ends a thrashing that gains nothing, a cycle starts when time has passed, and the sweep
 * keeps up with allocation where no background task helps it.
 *
 * QEMU counts instructions, so a time is a number of them.  By the host's clock the heap came more or less beyond its
 * limit, by what else the host did, and now and then near the bound. */
#include "gc/gc_internal.h"
#include "tap.h"
#include "turns.h"

enum {
    ARENA = 4 << 20, NODE = HGC_KIND_FIRST,
    SIZE = 256,
    PERIOD_MS = 100,
    LEVELS = HGC_PRESSURE_LAST + 1,
};
#define MS UINT64_C(1000000)

struct node {
    hgc_ref(struct node) next;
};

static struct { hgc_ref(struct node) list, other; } root;

static struct hgc_stats stats(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    return s;
}

static bool push(size_t size)
{
    struct node *p = hgc_alloc(NODE, size);
    if (!p)
        return false;
    hgc_set(&p->next, hgc_get(root.list));
    hgc_set(&root.list, p);
    return true;
}

static void grow(size_t bytes)
{
    for (size_t n = 0; n < bytes; n += SIZE)
        push(SIZE);
}

/* Garbage.  Returns how many allocations failed. */
static unsigned churn(size_t bytes)
{
    unsigned failed = 0;
    for (size_t n = 0; n < bytes; n += SIZE)
        failed += hgc_alloc(HGC_LEAF, SIZE) == NULL;
    return failed;
}

static bool near(uint64_t a, uint64_t b, uint64_t slack)
{
    return a <= b + slack && b <= a + slack;
}

/* ---- the program is told ----------------------------------------------------------------------------------------- */

static unsigned told[LEVELS], told_twice, disorder;
static uint32_t told_cycle[LEVELS];
static bool lets_go;

static void pressure(enum hgc_pressure level, size_t live, size_t limit)
{
    uint32_t now = ld_rlx(&gc.finished) + 1;
    told_twice += told_cycle[level] == now;
    told_cycle[level] = now;
    disorder += level > 0 && now - told_cycle[level - 1] > 1;   /* a cycle may end between two */
    disorder += !told[level] && level == HGC_PRESSURE_SOFT && live <= limit - limit / 4;
    told[level]++;
    if (level == HGC_PRESSURE_LAST && lets_go)
        hgc_set(&root.list, NULL);
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

static void percent(void)
{
    grow(1 << 20);
    hgc_collect(HGC_WAIT);
    uint64_t live = stats().heap_live, slack = 128 * 1024;
    ok(near(stats().heap_goal, 2 * live, slack), "the goal is twice what is live");
    is(hgc_set_percent(10), 100, "percent is changed");
    ok(near(stats().heap_goal, live + live / 10, slack), "and the goal follows at once");
    uint64_t before = stats().cycles;
    churn(8 << 20);
    uint64_t often = stats().cycles - before;
    is(hgc_set_percent(300), 10, "and again");
    churn(1 << 20);
    before = stats().cycles;
    churn(8 << 20);
    uint64_t seldom = stats().cycles - before;
    hk_printf("# %u cycles at 10, %u at 300\n", (unsigned)often, (unsigned)seldom);
    ok(often > seldom + seldom / 4, "cycles get fewer with a higher one");
    is(hgc_set_percent(HGC_PERCENT_OFF), 300, "off");
    ok(stats().heap_goal == stats().heap_limit, "leaves the limit as goal");
    is(hgc_set_percent(100000) == HGC_PERCENT_OFF && hgc_set_percent(0) == 10000 && hgc_set_percent(0) == 100, 1,
       "what is too much counts as the most, 0 as the default");
}

/* The most that is in use while the program allocates, as a part of the limit in 1/1000. */
static unsigned most_of(size_t tight)
{
    uint64_t most = 0, before = stats().cycles;
    for (int n = 0; n < 500; n++) {
        churn(16 * SIZE);
        if (stats().heap_used > most)
            most = stats().heap_used;
    }
    hk_printf("# limit %u KiB, at most %u KiB\n", (unsigned)(tight >> 10), (unsigned)(most >> 10));
    return stats().cycles > before ? (unsigned)(most * 1000 / tight) : 0;
}

static uint32_t occupied, released;             /* atomic */
static void occupy(void *arg)
{
    (void)arg;
    amo_add_rlx(&occupied, 1);
    while (!ld_rlx(&released)) {
    }
}

/* On hart 0, while all others are busy: no worker gets a turn there. */
static void churn_alone(void *most)
{
    struct task *t[TURN_HARTS];
    for (unsigned i = 1; i < hk_harts(); i++)
        hk_task_create(&t[i], &(struct hk_task_config){.set_prio = true, .prio = HK_URGENT, .hart_plus_1 = (int)i + 1}, occupy, NULL);
    while (ld_rlx(&occupied) < hk_harts() - 1)
        hk_sleep(MS);
    *(unsigned *)most = most_of((size_t)stats().heap_limit);
    st_rlx(&released, 1);
    for (unsigned i = 1; i < hk_harts(); i++)
        hk_task_join(t[i], NULL);
}

static void limit(void)
{
    hgc_set_percent(400);
    hgc_collect(HGC_WAIT);
    size_t heap = (size_t)stats().heap_size, tight = heap / 2;
    is(hgc_set_limit(tight), heap - heap / 8, "the limit is changed");
    is(stats().heap_limit, tight, "and told");
    ok(stats().heap_goal <= tight, "the goal stays below it");
    unsigned most = most_of(tight), alone = 0;
    struct task *t;
    hk_task_create(&t, &(struct hk_task_config){.hart_plus_1 = 1}, churn_alone, &alone);
    hk_task_join(t, NULL);
    ok(most && most <= 1125, "and so does the heap, nearly");
    ok(alone && alone <= 1125, "also where no other hart has time to mark");
    is(hgc_set_limit(2 * ARENA), tight, "a limit above the heap");
    is(hgc_set_limit(0), heap, "is the heap");
    is(stats().heap_limit, heap - heap / 8, "0 is the default");
    hgc_set_percent(0);
}

/* ---- pressure ---------------------------------------------------------------------------------------------------- */

static unsigned fill(void)
{
    unsigned n = 0;
    while (n < ARENA / SIZE && push(SIZE))
        n++;
    return n;
}

static void levels(void *arg)
{
    (void)arg;
    unsigned at[LEVELS] = {0}, n = 0;
    memset(told, 0, sizeof(told));
    while (n < ARENA / SIZE && !told[HGC_PRESSURE_LAST] && push(SIZE)) {
        if (++n % (ARENA / SIZE / 16) == 0)
            hgc_collect(HGC_WAIT);      /* it is told after a cycle, which would come when time lets it */
        for (unsigned i = 0; i < LEVELS; i++)
            if (told[i] && !at[i])
                at[i] = n;
    }
    hk_printf("# soft after %u, hard after %u, last after %u objects of %u\n", at[0], at[1], n, ARENA / SIZE);
    ok(at[0] && at[1] && told[HGC_PRESSURE_LAST], "every level is told");
    ok(at[0] <= at[1] && at[1] <= n && at[0] < n - n / 64, "in order, the first long before the last");
    hgc_set(&root.list, NULL);
    hgc_collect(HGC_WAIT);

    gc.limiter.fill = gc.limiter.capacity;      /* nor does it matter that the limiter limits: it is let go, and gained */
    lets_go = true;
    uint64_t failed = stats().allocs_failed;
    unsigned before = told[HGC_PRESSURE_LAST], most = 2 * ARENA / SIZE;
    for (n = 0; n < most && told[HGC_PRESSURE_LAST] < before + 2 && push(SIZE); n++) {
    }
    ok(told[HGC_PRESSURE_LAST] == before + 2 && stats().allocs_failed == failed, "what the last level lets go saves it");
    lets_go = false;
    before = told[HGC_PRESSURE_LAST];
    fill();
    ok(told[HGC_PRESSURE_LAST] > before && stats().allocs_failed == failed + 1, "else it fails, after it was told");
    hgc_set(&root.list, NULL);
    hgc_collect(HGC_WAIT);
    hgc_set_auto(false);                /* no cycle in between */
    pace_tell(HGC_PRESSURE_HARD);
    ok(!pace_tell(HGC_PRESSURE_HARD), "who was told is not told again");
    hgc_set_auto(true);
    ok(told_twice <= 1, "no level twice in a cycle");
    is(disorder, 0, "none without those below it");
}

static uint32_t thrash_failed;
static uint64_t thrash_end;

static void thrasher(void *arg)
{
    (void)arg;
    while (!ld_rlx(&thrash_failed) && hk_now() < thrash_end)
        if (churn(16 * SIZE))
            st_rlx(&thrash_failed, 1);
}

/* More is live than the limit allows, so no cycle is due; nobody but those who are refused can find that the program has had its
 * share of the time. */
static void recovers(void)
{
    bool again = false;
    hgc_collect(HGC_WAIT);
    hgc_set_limit((size_t)(stats().heap_live - stats().heap_live / 100));
    gc.limiter.fill = gc.limiter.capacity;
    gc.limiter.limiting = true;
    st_rlx(&gc.limiting, 1);
    st_rlx(&gc.chances, ~0u);
    uint64_t since = hk_now();
    while (!again && hk_now() - since < 10000 * MS) {
        for (uint64_t until = hk_now() + 5 * MS; hk_now() < until;) {
        }
        again = churn(64 * SIZE) == 0;
    }
    ok(again, "once the program has had its share of the time, allocations are tried again");
}

/* The limit is all but live: each cycle gains next to nothing.  The limiter's second of each hart is cut short. */
static void thrash(void *arg)
{
    (void)arg;
    struct task *t[64];
    grow(2 << 20);
    hgc_collect(HGC_WAIT);
    gc.limiter = (struct limiter){.capacity = hk_harts() * 20 * MS};    /* levels() has filled it */
    st_rlx(&gc.limiting, 0);
    memset(told, 0, sizeof(told));
    uint64_t cycles = stats().cycles;
    hgc_set_limit((size_t)(stats().heap_live + stats().heap_live / 100));
    uint64_t since = hk_now();
    thrash_end = since + 60000 * MS;
    for (unsigned i = 0; i < hk_harts(); i++)
        hk_task_create(&t[i], NULL, thrasher, NULL);
    for (unsigned i = 0; i < hk_harts(); i++)
        hk_task_join(t[i], NULL);
    hk_printf("# failed after %u ms, %u KiB used of %u\n", (unsigned)((hk_now() - since) / MS),
              (unsigned)(stats().heap_used >> 10), (unsigned)(stats().heap_size >> 10));
    ok(ld_rlx(&thrash_failed) && stats().blocks_free > 0, "the limiter fails an allocation though there are free blocks");
    ok(told[HGC_PRESSURE_HARD] && told[HGC_PRESSURE_LAST], "and it was told before");
    ok(stats().limiter_last_cycle >= cycles && stats().limiter_last_cycle <= stats().cycles + 1, "the cycle is known");
    recovers();
    hgc_set_limit(0);
    is(churn(1 << 20), 0, "a higher limit ends that at once");
    hgc_set(&root.list, NULL);
    hgc_collect(HGC_WAIT);
    gc.limiter.capacity = hk_harts() * LIMITER_NS_PER_HART;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static void period(void)
{
    uint64_t before = stats().cycles, since = hk_now();
    for (hk_sleep(6 * PERIOD_MS * MS); stats().cycles < before + 2 && hk_now() - since < 20000 * MS;)
        hk_sleep(PERIOD_MS * MS);       /* the sweeper may be held up, which begins it */
    uint64_t n = stats().cycles - before, periods = (hk_now() - since) / (PERIOD_MS * MS);
    hk_printf("# %u cycles in %u periods\n", (unsigned)n, (unsigned)periods);
    ok(n >= 2 && n <= periods + 1, "a cycle starts when none has for the period");
    hgc_set_auto(false);
    hgc_collect(HGC_WAIT);
    before = stats().cycles;
    hk_sleep(3 * PERIOD_MS * MS);
    is(stats().cycles, before, "not while automatic cycles are off");
    hgc_set_auto(true);
    since = hk_now();
    for (int i = 0; i < 10; i++) {
        hk_sleep(PERIOD_MS / 2 * MS);
        hgc_collect(HGC_WAIT);
    }
    periods = (hk_now() - since) / (PERIOD_MS * MS);        /* 5, and what the collections took */
    ok(stats().cycles - before <= 10 + 2 * (periods - 4), "nor when others have started");
    while (!hk_timer_cancel(&gc.period_timer))      /* it would disturb what follows */
        hk_yield();
}

/* ---- the sweep --------------------------------------------------------------------------------------------------- */

static uint32_t stop;

static void busy(void *arg)
{
    (void)arg;
    while (!ld_rlx(&stop)) {
    }
}

/* Every hart always has a task of normal priority, so the sweeper does not come to run. */
static void sweeping(void *arg)
{
    (void)arg;
    struct task *t[64];
    unsigned tasks = hk_harts();
    grow(1 << 20);                      /* so that there is room from the mark to the trigger */
    for (unsigned i = 0; i < tasks; i++)
        hk_task_create(&t[i], NULL, busy, NULL);
    uint32_t early = 0, late = 0, gone = 0, turns = 0;
    uint64_t before = stats().cycles, since = hk_now();
    uint32_t seen = ld_rlx(&gc.finished), first = UINT32_MAX;
    while (stats().cycles < before + 8 && hk_now() - since < 40000 * MS) {
        churn(4 * SIZE);
        if (hgc_marking())
            continue;
        uint32_t next = ld_rlx(&gc.sweep_next);
        if (seen != ld_rlx(&gc.finished)) {
            seen = ld_rlx(&gc.finished);
            turns++;
            first = next;
            early += first < gc.nblocks / 2;
        }
        uintptr_t used = ld_rlx(&gc.used), trigger = ld_rlx(&gc.trigger);
        uintptr_t room = trigger - ld_rlx(&gc.sweep_from);      /* a 16th of it is kept free of sweeping */
        if (first < gc.nblocks / 2 && room > 256 * 1024 && used <= trigger && used + 8 * SIZE + HGC_BLOCK > trigger) {
            gone++;
            late += next < gc.nblocks;
        }
    }
    st_rlx(&stop, 1);
    for (unsigned i = 0; i < tasks; i++)
        hk_task_join(t[i], NULL);
    hk_printf("# %u cycles, %u with a sweep to see, %u looks near the trigger, %u of them too early\n", (unsigned)turns,
              (unsigned)early, (unsigned)gone, (unsigned)late);
    ok(turns >= 7 && early >= 2, "the first allocation after a cycle does not sweep it all");
    ok(gone > 0 && late == 0, "all is swept before the trigger");
    hgc_set(&root.list, NULL);
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static void in_task(void (*fn)(void *))
{
    struct task *t;
    hk_task_create(&t, NULL, fn, NULL);
    hk_task_join(t, NULL);
}

int app_main(void)
{
    static const uint32_t map[1] = { HGC_MAP(struct node, next) };
    static const struct hgc_kind node = { .name = "node", .words = SIZE / sizeof(void *), .map = map };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .pressure = pressure,
                                 .period_ns = PERIOD_MS * MS };
    struct hgc_config wrong = config;
    wrong.limit = ARENA + 1;
    is(hgc_init(&wrong), HGC_EINVAL, "a limit above the arena is refused");
    wrong = config;
    wrong.period_ns = 999999;
    is(hgc_init(&wrong), HGC_EINVAL, "so is a period below a millisecond");
    is(hgc_init(&config) | hgc_kind(NODE, &node) | hgc_root_add(&root, sizeof(root)), HGC_OK, "the heap starts");
    start_turns();
    period();
    percent();
    limit();
    hgc_set(&root.list, NULL);
    is(stats().limiter_last_cycle, 0, "the limiter was never on");
    in_task(levels);
    in_task(thrash);
    in_task(sweeping);
    hk_printf("# %u cycles, %u ms\n", (unsigned)stats().cycles, (unsigned)(hk_now() / MS));
    return tap_end();
}
