/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small heap that runs full, again and again: several tasks fail at once, wait for the cycle that runs or share a
 * collection, ask the program's handler, get NULL, let something go and try again.
 *
 * What is held stays whole.  NULL is right only when memory is really in use: a small object fits as long as one block
 * is free, so what counts is blocks in which something is held, the runs that harts keep, and a few for stale words on
 * stacks.
 */
#include "gc/hgc.h"
#include "kernel/hk.h"
#include "sim.h"
#include "workload.h"

enum { ROWS = 3, HELD = 64, STALE = 6, ROOM = 20, HEAP = 64 * 1024, LARGE_MAX = 3 * 1024 };
#define TRUTH HAL_NO_SANITIZE __attribute__((noinline))

/* Three words of each object tell its number: the first, the last, and one between. */
struct thing {
    uintptr_t word[1];
};

struct facts {
    struct { uintptr_t at; size_t size; uintptr_t number; } held[HELD];
    uintptr_t numbers;
    unsigned taken;             /* blocks, counting one for each small object, since the start */
    unsigned nulls, ooms[ROWS];
    const void *task[ROWS];
};
_Static_assert(sizeof(struct facts) <= SIM_TRUTH_BYTES, "sim_truth has too little memory");

static struct facts *facts(void)
{
    return sim_truth();
}

/* Each row its own part; the last is ballast, so that schedules are short. */
static hgc_ref(struct thing) held[HELD];
static void *arena;
static unsigned rows, blocks, failures;         /* after so many, tasks end: each costs collections */
static bool with_oom, with_large, injecting;    /* the schedule's choice */

/* ---- the truth --------------------------------------------------------------------------------------------------- */

TRUTH static uintptr_t truth_hold_new(unsigned i, uintptr_t at, size_t size)
{
    struct facts *f = facts();
    for (unsigned k = 0; k < HELD; k++)
        if (f->held[k].at && at < f->held[k].at + f->held[k].size && f->held[k].at < at + size)
            sim_fail("I5, I10: object %lu at %#lx is held, and its memory was handed out again at %#lx",
                     (unsigned long)f->held[k].number, (unsigned long)f->held[k].at, (unsigned long)at);
    f->held[i].at = at;
    f->held[i].size = size;
    f->held[i].number = ++f->numbers;
    f->taken += (unsigned)((size + HGC_BLOCK - 1) / HGC_BLOCK);
    return f->held[i].number;
}

TRUTH static void truth_gone(unsigned i) { facts()->held[i].at = 0; }
TRUTH static uintptr_t truth_at(unsigned i) { return facts()->held[i].at; }
TRUTH static uintptr_t truth_number(unsigned i) { return facts()->held[i].number; }
TRUTH static void truth_task(unsigned row) { facts()->task[row] = hk_task_self(); }

/* Blocks in which something is held. */
TRUTH static unsigned occupied(void)
{
    const struct facts *f = facts();
    bool seen[256] = {0};
    unsigned n = 0;
    for (unsigned i = 0; i < HELD; i++)
        if (f->held[i].at)
            for (uintptr_t b = f->held[i].at / HGC_BLOCK; b <= (f->held[i].at + f->held[i].size - 1) / HGC_BLOCK; b++) {
                n += !seen[b % 256];
                seen[b % 256] = true;
            }
    return n;
}

struct before {
    unsigned occupied, taken, ooms;
};

TRUTH static struct before look(unsigned row)
{
    return (struct before){occupied(), facts()->taken, facts()->ooms[row]};
}

/* The allocation that began at `b` has returned NULL, or not. */
TRUTH static void judge(unsigned row, size_t size, const struct before *b, bool got)
{
    struct facts *f = facts();
    unsigned asked = f->ooms[row] - b->ooms;
    f->nulls += !got;
    if (asked > 1)
        sim_fail("one allocation called the handler %u times", asked);
    if (got || injecting)
        return;
    if (with_oom && asked != 1)
        sim_fail("NULL, and the handler was not called");
    /* What others took meanwhile counts twice: a new run, and one that gave up its place in the hart's list. */
    unsigned in_use = b->occupied + 2 * (f->taken - b->taken + rows) + hk_harts() * HGC_RUNS_HELD + STALE;
    if (size <= HGC_SMALL_MAX && in_use < blocks)
        sim_fail("NULL for %zu bytes, with %u blocks of %u in use and %u taken meanwhile", size, b->occupied, blocks,
                 f->taken - b->taken);
}

TRUTH static unsigned row_of_handler(void)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (facts()->task[i] == hk_task_self()) {
            facts()->ooms[i]++;
            return i;
        }
    sim_fail("the handler was called in a task that allocates nothing");
}

TRUTH static void count_null(void) { facts()->nulls++; }
TRUTH static unsigned nulls(void) { return facts()->nulls; }

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static unsigned part(void)
{
    return (HELD - 1) / rows;
}

static uintptr_t *word_of(struct thing *p, size_t size, unsigned which)
{
    size_t n = size / sizeof(uintptr_t);
    return &p->word[which == 0 ? 0 : which == 1 ? n / 2 : n - 1];
}

static void check(unsigned i)
{
    struct thing *p = hgc_get(held[i]);
    if ((uintptr_t)p != truth_at(i))
        sim_fail("a root holds %p, and %#lx was stored", (void *)p, (unsigned long)truth_at(i));
    if (!p)
        return;
    size_t size = hgc_size(p);
    if (size == 0)
        sim_fail("I10: object %lu at %p is held, and is not live", (unsigned long)truth_number(i), (void *)p);
    for (unsigned k = 0; k < 3; k++)
        if (*word_of(p, size, k) != truth_number(i))
            sim_fail("I10: object %lu at %p holds %#lx: it was freed or overwritten", (unsigned long)truth_number(i),
                     (void *)p, (unsigned long)*word_of(p, size, k));
}

static void let_go(unsigned i)
{
    check(i);
    truth_gone(i);
    hgc_set(&held[i], NULL);
}

static size_t some_size(void)
{
    static const uint16_t sizes[8] = {16, 200, 330, 496, 496, 512, 512, 512};
    if (with_large && sim_choose(4) == 0)
        return HGC_SMALL_MAX + 1 + sim_choose(LARGE_MAX - HGC_SMALL_MAX);
    return sizes[sim_choose(8)];
}

/* Allocates and holds it in place i.  False: NULL. */
static __attribute__((noinline)) bool take(unsigned row, unsigned i, size_t size)
{
    struct before b = look(row);
    struct thing *p = hgc_alloc(sim_choose(2) ? HGC_LEAF : HGC_AMBIGUOUS, size);
    uintptr_t number = p ? truth_hold_new(i, (uintptr_t)p, hgc_size(p)) : 0;
    judge(row, size, &b, p != NULL);
    if (!p)
        return false;
    for (unsigned k = 0; k < 3; k++)
        if (*word_of(p, hgc_size(p), k) != 0)
            sim_fail("a new object at %p is not zero", (void *)p);
    for (unsigned k = 0; k < 3; k++)
        *word_of(p, hgc_size(p), k) = number;
    hgc_set(&held[i], p);
    return true;
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static void let_some_go(unsigned row, unsigned in)
{
    for (unsigned i = row * part(); i < (row + 1) * part(); i++)
        if (truth_at(i) && sim_choose(4) < in)
            let_go(i);
}

static uint32_t told[HGC_PRESSURE_LAST + 1];    /* atomic */
static uint32_t oom_called;                     /* atomic */

static void on_pressure(enum hgc_pressure level, size_t live, size_t limit)
{
    if ((unsigned)level > HGC_PRESSURE_LAST || live > HEAP || limit > HEAP)
        sim_fail("pressure of no level, or beyond the heap");
    amo_add_rlx(&told[level], 1);
    if (sim_choose(4) == 0)
        hk_yield();
}

static void on_oom(size_t size)
{
    unsigned row = row_of_handler();
    if (size == 0)
        sim_fail("the handler was not told the size");
    st_rlx(&oom_called, 1);
    if (sim_choose(2))
        let_some_go(row, 1 + sim_choose(3));
}

/* Until NULL, or until the row has no place. */
static void fill(unsigned row)
{
    unsigned failed = 0;
    for (unsigned i = row * part(); i < (row + 1) * part() && failed == 0 && nulls() < failures; i++) {
        if (truth_at(i))
            continue;
        failed += !take(row, i, some_size());
        if (injecting && sim_choose(16) == 0)
            hgc_fail_alloc(1 + sim_choose(4), 1 + sim_choose(3));
        if (sim_choose(32) == 0)
            hk_yield();
    }
}

/* Asks for the size of any place, whose block may be given back or taken meanwhile. */
static void ask_for_sizes(void)
{
    for (unsigned k = 0; k < 4; k++)
        if (hgc_size((char *)arena + 8 * sim_choose(HEAP / 8)) > HEAP)
            sim_fail("an object larger than the heap");
}

/* Takes and lets go, one for one: garbage all the time. */
static void churn(unsigned row, unsigned n)
{
    while (n-- > 0 && nulls() < failures) {
        unsigned i = row * part() + sim_choose(part());
        ask_for_sizes();
        if (truth_at(i))
            let_go(i);
        take(row, i, some_size());
    }
}

static void work(unsigned row)
{
    truth_task(row);
    for (unsigned n = 1 + (sim_choose(4) == 0); n > 0; n--) {
        fill(row);
        if (sim_choose(8) == 0) {
            if (hgc_alloc(HGC_LEAF, 1 << 20) || hgc_alloc(HGC_KINDS, 16))
                sim_fail("an allocation that cannot be succeeded");
            count_null();
            count_null();
        }
        let_some_go(row, 1 + sim_choose(4));
        churn(row, sim_choose(6));
    }
    for (unsigned i = row * part(); i < (row + 1) * part(); i++)
        check(i);
}

/* Settings change under all that. */
static void tune(void)
{
    hgc_set_percent(sim_choose(6) ? 20 + 40 * sim_choose(5) : HGC_PERCENT_OFF);
    hgc_set_limit(sim_choose(2) ? 0 : HEAP / 2 + HEAP / 16 * sim_choose(8));
}

static void worker(void *arg)
{
    if (sim_choose(4) == 0)
        tune();
    work((unsigned)(uintptr_t)arg);
}

/* ---- from outside ------------------------------------------------------------------------------------------------ */

static void start_heap(void)
{
    struct hgc_stats s;
    struct hgc_config c = {.size = HEAP, .base = hk_mem_alloc(HEAP), .oom = with_oom ? on_oom : NULL,
                           .pressure = with_oom ? on_pressure : NULL, .period_ns = HGC_PERIOD_OFF};
    arena = c.base;
    c.verify = sim_choose(4) == 0;
    c.stress = sim_choose(16) == 0 ? 20 + sim_choose(20) : 0;
    c.percent = 20 + 40 * sim_choose(5);
    c.no_auto = sim_choose(2);
    if (!c.base || hgc_init(&c) != HGC_OK)
        sim_fail("hgc_init failed");
    hgc_root_add(held, sizeof held);
    hgc_stats(&s);
    blocks = (unsigned)(s.heap_size / HGC_BLOCK);
}

static void run_workers(void)
{
    struct task *t[ROWS];
    for (unsigned i = 0; i < rows; i++) {
        struct hk_task_config c = {.set_prio = sim_choose(3) == 0, .prio = (enum hk_prio)sim_choose(4)};
        if (hk_task_create(&t[i], &c, worker, (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
    }
    for (unsigned i = 0; i < rows; i++)
        hk_task_join(t[i], NULL);
}

/* All but about ROOM blocks. */
static __attribute__((noinline)) void take_ballast(void)
{
    unsigned room = ROOM + sim_choose(12);
    if (blocks < room || !take(0, HELD - 1, (blocks - room) * HGC_BLOCK))
        sim_fail("no memory for the ballast");
}

/* Nothing is held any more, nobody else is there: all sizes can be had again. */
static void works_again(void)
{
    truth_task(0);
    for (unsigned i = 0; i < HELD; i++)
        if (truth_at(i))
            let_go(i);
    if (!take(0, 0, 2 * HGC_BLOCK - 8) || !take(0, 1, HGC_SMALL_MAX) || !take(0, 2, 16) || !take(0, 3, 200))
        sim_fail("the heap is empty, and an allocation returned NULL");
}

/* The n-th slow allocation from now, and so many after it: large ones are all slow. */
static void told_to_fail(void)
{
    unsigned n = 1 + sim_choose(2), count = 1 + sim_choose(2);
    injecting = true;
    hgc_fail_alloc(n, count);
    for (unsigned i = 1; i < n + count + 2; i++) {
        if (take(0, 4, 2 * HGC_BLOCK - 8) != (i < n || i >= n + count))
            sim_fail("allocation %u of those of which %u to %u shall fail did otherwise", i, n, n + count - 1);
        if (truth_at(4))
            let_go(4);
    }
}

int full(void)
{
    struct hgc_stats s;
    rows = 1 + sim_choose(ROWS);
    failures = 1 + sim_choose(2);
    with_oom = sim_choose(3) == 0;
    with_large = sim_choose(2);
    start_heap();
    take_ballast();
    injecting = sim_choose(4) == 0;
    run_workers();
    hgc_fail_alloc(0, 0);
    hgc_set_limit(0);
    injecting = false;
    works_again();
    told_to_fail();
    hgc_stats(&s);
    if (oom_called && !told[HGC_PRESSURE_LAST])     /* not there and then: another task may be about to tell it */
        sim_fail("an allocation was about to fail, and the last level of pressure was never told");
    if (s.allocs_failed != nulls())
        sim_fail("%u allocations returned NULL, and the collector counts %lu", nulls(), (unsigned long)s.allocs_failed);
    return 0;
}
