/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/* qemu: -icount shift=4,sleep=off */
/*
 * Whose time marking takes.  On one hart that is busy a quarter of it, in turns that a program hardly notices; where other
 * harts have nothing to do, nothing of a busy one's.  QEMU counts instructions here, so a time is a number of them.
 */
#include "gc/gc_internal.h"
#include "tap.h"
#include "turns.h"

enum { NODE = HGC_KIND_FIRST, NODES = 30000, LISTS = 16, ARENA = 8 << 20, CYCLES = 8, HARTS = 8 };

#ifndef LONGEST_US                      /* of a worker's turn: 100 us and what is begun then */
#define LONGEST_US 300
#endif

struct node { hgc_ref(struct node) next; uintptr_t fill[6]; };

static hgc_ref(struct node) list[LISTS];
static uint32_t over;                   /* atomic */
static uint32_t longest_us;             /* atomic: between two turns of a task's loop in a mark */

static bool build(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct node *p = hgc_new(NODE, sizeof(*p));
        if (!p)
            return false;
        hgc_set(&p->next, hgc_get(list[i % LISTS]));
        hgc_set(&list[i % LISTS], p);
    }
    return true;
}

static void busy(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over)) {
        uint32_t cycle = hgc_cycle();
        bool marking = hgc_marking();
        uint64_t last = hk_now();               /* after: main may have begun the mark in between, and swept before that */
        for (unsigned i = 0; i < 500; i++)
            __asm__ volatile("");
        uint64_t now = hk_now();
        uint32_t us = (uint32_t)((now - last) / 1000);
        marking = marking && hgc_marking() && hgc_cycle() == cycle;     /* as it ends main runs, and sweeps before the next */
        if (marking && us > ld_rlx(&longest_us))
            st_rlx(&longest_us, us);
    }
}

static uint64_t workers_us(unsigned from, unsigned to)
{
    uint64_t us = 0;
    for (unsigned i = from; i < to; i++) {
        const struct gc_hart *g = gc_of(hal_hart(i));
        us += ld_rlx(&g->mode_us[WORKER_DEDICATED]) + ld_rlx(&g->mode_us[WORKER_FRACTIONAL]) + ld_rlx(&g->mode_us[WORKER_IDLE]);
    }
    return us;
}

static struct task *start_busy(void)
{
    struct task *t;
    st_rlx(&over, 0);
    hk_task_create(&t, &(struct hk_task_config){.hart_plus_1 = 1}, busy, NULL);
    return t;
}

/* The time that marking lasted, in microseconds. */
static uint64_t cycles(void)
{
    struct hgc_stats before, after;
    hk_sleep(1000000);
    st_rlx(&longest_us, 0);
    hgc_stats(&before);
    for (unsigned i = 0; i < CYCLES; i++)
        hgc_collect(HGC_WAIT);
    hgc_stats(&after);
    st_rlx(&over, 1);
    return (after.mark_wall_ns - before.mark_wall_ns) / 1000;
}

/* What busy tasks on more harts leave of their time to workers is a matter of virtual time: the simulator's `quarter`. */
static void all_busy(void)
{
    struct task *t = start_busy();
    uint64_t before = workers_us(0, 1), wall = cycles();
    uint32_t permille = (uint32_t)((workers_us(0, 1) - before) * 1000 / wall);
    hk_task_join(t, NULL);
    hk_printf("# a worker had %u/1000 of the time, the task waited %u us at most\n", permille, longest_us);
    ok(permille >= 220 && permille <= 280, "the worker has a quarter of the time");
    ok(longest_us < LONGEST_US, "in short turns");
}

static void one_busy(void)
{
    struct task *t = start_busy();
    uint64_t own = workers_us(0, 1), others = workers_us(1, hk_harts());
    cycles();
    own = workers_us(0, 1) - own;
    others = workers_us(1, hk_harts()) - others;
    hk_task_join(t, NULL);
    hk_printf("# one hart busy: its worker had %u us, the others' %u us\n", (unsigned)own, (unsigned)others);
    ok(own * 50 < others, "hardly a worker runs where a task is busy and other harts are not");
    ok(others > 0, "those mark");
}

/* ---- who wakes up ------------------------------------------------------------------------------------------------ */

static uint32_t woken;                  /* atomic: how often a task has come to run in a mark */
static uint32_t latest_us;              /* atomic: the latest that one did, on one hart */
static uint32_t overtaken;              /* atomic: the most others that did so while one slept or waited */

static void sleeps(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over)) {
        bool marking = hgc_marking();
        uint64_t due = hk_now() + LONGEST_US * 1000;
        uint32_t before = ld_rlx(&woken);
        hk_sleep(LONGEST_US * 1000);
        uint32_t us = (uint32_t)((hk_now() - due) / 1000), others = ld_rlx(&woken) - before;
        if (!marking && !hgc_marking())
            continue;
        amo_add_rlx(&woken, 1);
        if (us > ld_rlx(&latest_us))
            st_rlx(&latest_us, us);
        if (others > ld_rlx(&overtaken))
            st_rlx(&overtaken, others);
    }
}

/* Every hart marks, and has a task of its own that wakes up now and then: no worker keeps it off its hart, a dedicated one
 * neither, which cannot hand it to others.  A mark takes ten times as long as this may, or a hundred.  On several harts one
 * that waits for a lock may have a long turn, while all timers have come and none ends it: there others' tasks are the clock. */
static void who_wakes_up(void)
{
    struct task *t[HARTS];
    st_rlx(&over, 0);
    for (unsigned i = 0; i < hk_harts(); i++)
        hk_task_create(&t[i], &(struct hk_task_config){.hart_plus_1 = (int)i + 1}, sleeps, NULL);
    uint64_t wall = cycles();
    for (unsigned i = 0; i < hk_harts(); i++)
        hk_task_join(t[i], NULL);
    hk_printf("# marks of %u us, in which tasks woke up %u times, %u us late at most, overtaken by %u\n",
              (unsigned)(wall / CYCLES), woken, latest_us, overtaken);
    ok(woken > 10 * CYCLES, "tasks wake up while their harts mark");
    ok(hk_harts() > 1 || latest_us < 16 * LONGEST_US, "the worker does not keep one waiting");
    ok(overtaken < 20 * hk_harts(), "nor one of many harts");
}

/* The collector's own tasks too have nothing to do any more. */
static void nobody_wakes_up(void)
{
    hgc_collect(HGC_WAIT);
    hk_sleep(1000000);
    uint64_t asleep = hart_idle_ns(0), begin = hk_now();
    hk_sleep(100000000);
    uint32_t permille = (uint32_t)((hart_idle_ns(0) - asleep) * 1000 / (hk_now() - begin));
    hk_printf("# of 100 ms in which nothing is to be done, the hart sleeps %u/1000\n", permille);
    ok(permille >= 990, "a hart sleeps between cycles");
}

int app_main(void)
{
    static const uint32_t first[1] = {1};
    static const struct hgc_kind node = {.name = "node", .words = 8, .map = first};
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .no_auto = true, .period_ns = HGC_PERIOD_OFF};
    ok(hgc_init(&config) == HGC_OK && hgc_kind(NODE, &node) == HGC_OK && hgc_root_add(list, sizeof list) == HGC_OK, "the heap starts");
    ok(build(), "with something to mark");
    if (hk_harts() > 1)
        start_turns();
    if (hk_harts() == 1)
        all_busy();
    else
        one_busy();
    who_wakes_up();
    if (hk_harts() == 1)
        nobody_wakes_up();
    return tap_end();
}
