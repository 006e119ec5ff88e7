/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* harts: 1 2 4 8 */
/* seconds: 120 */
/*
 * Allocation in interrupt handlers.  On each hart a timer's handler takes cells, which must be zero, fills them, and hands
 * them over; tasks check every word, hang fresh objects on them that nothing else refers to, keep them on a shelf for a while,
 * and check again.  Each cycle is verified.  Then the world is stopped for longer than the timers' period: handlers go on.
 * Last, a reserve runs dry, says so, and recovers.
 */
#include "gc/gc_internal.h"
#include "kernel/hart.h"
#include "kernel/world.h"
#include "tap.h"
#include "wipe.h"

enum {
    MSG = HGC_KIND_FIRST, NOTE, SHELF,
    TAKERS = 2, SHELVED = 24, SPINNERS = 2,
    MSGS = 20, BODIES = 24, TINY = 8, ROOM = 64,        /* cells a hart, places in the queue */
    CYCLES = 60, BODY = 5, ARENA = 2 << 20, HARTS = 8,
};
#define MAGIC ((uintptr_t)0x69737221u)
#define PERIOD 250000u          /* ns */

struct note {                   /* what a task hangs on a message */
    uintptr_t number;
    hgc_ref(struct note) next;
};
struct body {                   /* a leaf, of the same handler as its message */
    uintptr_t word[BODY];
};
struct msg {
    uintptr_t hart, number;
    hgc_ref(struct body) body;
    hgc_ref(struct note) shared;        /* what a root always refers to */
    hgc_ref(struct note) note;
};
struct shelf {
    hgc_ref(struct msg) at[SHELVED];
};

static struct {
    hgc_ref(struct note) shared;
    hgc_ref(struct shelf) shelf[TAKERS];
} root;
static struct hgc_isr_queue *queue;
static int msgs, bodies, tiny;
static struct hk_timer timer[HARTS];
static uintptr_t sent[HARTS], seen_from[HARTS];         /* seen_from: atomic */
static uint32_t dirty, wrong, failed, full, empty, stopped_sends, ticks, put, got, over, quiet, last_ones;  /* atomic */

/* ---- handlers ---------------------------------------------------------------------------------------------------- */

static void expect_zero(const void *cell, size_t bytes)
{
    const uintptr_t *w = cell;
    for (size_t i = 0; i < bytes / sizeof *w; i++)
        if (ld_rlx(&w[i]))
            amo_add_rlx(&dirty, 1);
}

static uintptr_t word_of(uintptr_t hart, uintptr_t number, unsigned i)
{
    return (number * 64 + hart * 8 + i) ^ MAGIC;
}

static void send(uintptr_t hart)
{
    struct msg *m = hgc_isr_new(msgs);
    struct body *b = hgc_isr_new(bodies);
    if (!m || !b) {
        amo_add_rlx(&empty, 1);
        return;
    }
    expect_zero(m, sizeof *m);
    expect_zero(b, sizeof *b);
    m->hart = hart;
    m->number = sent[hart];
    for (unsigned i = 0; i < BODY; i++)
        b->word[i] = word_of(hart, sent[hart], i);
    hgc_isr_set(&m->body, b);
    hgc_isr_set(&m->shared, hgc_get(root.shared));
    if (hgc_isr_put(queue, m)) {
        sent[hart]++;
        amo_add_rlx(&put, 1);
        if (world_stopped())
            amo_add_rlx(&stopped_sends, 1);
    } else {
        amo_add_rlx(&full, 1);
    }
}

static void tick(void *arg)
{
    uintptr_t hart = (uintptr_t)arg;
    send(hart);
    if (hart % 2)
        send(hart);
    amo_add_rlx(&ticks, 1);
    if (!ld_rlx(&quiet))
        hk_timer_start(&timer[hart], hk_now() + PERIOD, tick, arg);
    else
        amo_add_rel(&last_ones, 1);     /* partner: taker */
}

static void start_timer(void *arg)
{
    hk_timer_start(&timer[(uintptr_t)arg], hk_now(), tick, arg);
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void check(const struct msg *m, uintptr_t note)
{
    const struct body *b = hgc_get(m->body);
    const struct note *n = hgc_get(m->note), *s = hgc_get(m->shared);
    bool good = hgc_size(m) && hgc_size(b) && m->hart < hk_harts() && s == hgc_get(root.shared) && s->number == MAGIC;
    for (unsigned i = 0; good && i < BODY; i++)
        good = b->word[i] == word_of(m->hart, m->number, i);
    if (good && note)
        good = n && hgc_get(n->next) && n->number == m->number * 2 + 1 && hgc_get(n->next)->number == m->number * 2;
    if (!good)
        amo_add_rlx(&wrong, 1);
}

static struct note *note_new(uintptr_t number, struct note *next)
{
    struct note *n = hgc_new(NOTE, sizeof *n);
    if (!n) {
        amo_add_rlx(&failed, 1);
        return NULL;
    }
    n->number = number;
    hgc_set(&n->next, next);
    return n;
}

/* Gets one, hangs two notes on it, and puts it in the place of an older one. */
static __attribute__((noinline)) bool take(unsigned me, unsigned at)
{
    void *cell;
    if (hgc_isr_get(queue, &cell, 5000000) != HGC_OK)
        return false;
    struct msg *m = cell;
    check(m, 0);
    hgc_set(&m->note, note_new(m->number * 2 + 1, note_new(m->number * 2, NULL)));
    amo_add_rlx(&seen_from[m->hart % HARTS], 1);
    amo_add_rlx(&got, 1);
    struct shelf *s = hgc_get(root.shelf[me]);
    struct msg *old = hgc_get(s->at[at % SHELVED]);
    if (old)
        check(old, 1);
    hgc_set(&s->at[at % SHELVED], m);
    return true;
}

static void taker(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    for (unsigned at = 0; ;) {
        bool last = ld_acq(&last_ones) == hk_harts();   /* no handler sends any more */
        bool any = take(me, at);
        at += any;
        wipe();
        if (!any && last)
            return;
    }
}

/* Garbage. */
static void spinner(void *arg)
{
    for (uintptr_t i = (uintptr_t)arg; !ld_rlx(&over); i++) {
        note_new(i, NULL);
        wipe();
        if (i % 64 == 0)
            hk_sleep(500000);
    }
}

/* ---- what is shown ----------------------------------------------------------------------------------------------- */

/* For some periods of the timers, and until so many have come: they may be late.  There is room in the queue as it
 * begins. */
static void stop_for_some_ticks(void)
{
    do
        hk_sleep(PERIOD);
    while (ld_rlx(&put) - ld_rlx(&got) > ROOM / 2);
    world_stop(WORLD_OTHER, NULL, NULL);
    uint32_t before = ld_rlx(&ticks);
    uint64_t begin = hk_now();
    while (hk_now() - begin < 4 * PERIOD || (ld_rlx(&ticks) - before < hk_harts() && hk_now() - begin < HK_WATCHDOG_NS))
        ;
    world_start();
}

static void cycles(void)
{
    struct task *t[TAKERS + SPINNERS], *start;
    for (uintptr_t i = 0; i < TAKERS + SPINNERS; i++)
        if (hk_task_create(&t[i], NULL, i < TAKERS ? taker : spinner, (void *)i) != HK_OK)
            amo_add_rlx(&failed, 1);
    for (uintptr_t h = 0; h < hk_harts(); h++) {
        struct hk_task_config there = {.hart_plus_1 = 1 + (int)h};
        if (hk_task_create(&start, &there, start_timer, (void *)h) != HK_OK || hk_task_join(start, NULL) != HK_OK)
            amo_add_rlx(&failed, 1);
    }
    for (int i = 0; i < CYCLES; i++)
        hgc_collect(HGC_WAIT);
    for (int i = 0; i < 20; i++)
        stop_for_some_ticks();
    st_rlx(&over, 1);
    hk_sleep(10 * PERIOD);
    st_rlx(&quiet, 1);
    for (int i = 0; i < TAKERS + SPINNERS; i++)
        hk_task_join(t[i], NULL);
    for (int i = 0; i < 2; i++)
        hgc_collect(HGC_WAIT);
}

static void check_shelves(void)
{
    for (unsigned i = 0; i < TAKERS; i++)
        for (unsigned k = 0; k < SHELVED; k++) {
            const struct msg *m = hgc_get(hgc_get(root.shelf[i])->at[k]);
            if (m)
                check(m, 1);
        }
}

static void judge(void)
{
    struct hgc_stats s;
    unsigned lost = 0, silent = 0;
    hgc_stats(&s);
    for (unsigned h = 0; h < hk_harts(); h++) {
        lost += sent[h] != ld_rlx(&seen_from[h]);
        silent += sent[h] == 0;
    }
    is(dirty, 0, "cells are zero");
    is(wrong, 0, "what handlers handed over is whole, and what hangs on it");
    is(lost, 0, "each comes out once");
    is(silent, 0, "handlers of each hart send");
    is(failed, 0, "no allocation fails");
    ok(stopped_sends > 0, "handlers send while the world is stopped");
    ok(s.verified >= CYCLES, "cycles are verified");
    hk_printf("# %u handed over, %u of them in stops, %u found no cell, %u no room; %u cycles\n", (unsigned)got,
              (unsigned)stopped_sends, (unsigned)empty, (unsigned)full, (unsigned)s.cycles);
}

static unsigned take_all(void)
{
    unsigned n = 0;
    hal_crit_t c = hal_crit_enter();
    while (hgc_isr_new(tiny))
        n++;
    hal_crit_exit(c);
    return n;
}

/* Bound to a hart: it is one reserve. */
static void runs_dry(void *arg)
{
    struct hgc_stats before, after;
    (void)arg;
    hart_pin();                         /* its refiller waits */
    unsigned first = take_all();
    hgc_stats(&before);
    unsigned second = take_all();
    hgc_stats(&after);
    hart_unpin();
    is(first, TINY, "a reserve gives what it was given");
    is(second, 0, "then it is empty");
    is(after.isr_empty - before.isr_empty, 1, "which is counted");
    unsigned again = 0;
    for (int i = 0; i < 1000 && !again; i++) {
        hk_sleep(2000000);
        again = take_all();
    }
    ok(again > 0, "and is refilled");
}

/* Bound to a hart. */
static void takes_the_last(void *arg)
{
    unsigned had = 0;
    int one = hgc_isr_reserve(HGC_LEAF, 16, 1);
    (void)arg;
    for (unsigned i = 0; i < 5 && had == i; i++) {
        for (unsigned k = 0; k < 4000 && !ld_rlx(&gc_self()->isr_left[one]); k++)
            hk_sleep(2000000);
        hal_crit_t c = hal_crit_enter();
        had += ld_rlx(&gc_self()->isr_left[one]) && hgc_isr_new(one);
        hal_crit_exit(c);
    }
    is(had, 5, "a reserve of one cell is filled as soon as that is taken");
}

static void refusals(void)
{
    is(hgc_isr_reserve(HGC_KINDS, 16, 1), HGC_EINVAL, "no such kind");
    is(hgc_isr_reserve(HGC_LEAF, HGC_SMALL_MAX + 1, 1), HGC_EINVAL, "large objects have no reserve");
    is(hgc_isr_reserve(HGC_LEAF, 16, 0), HGC_EINVAL, "nor have none at all");
    is(hgc_isr_reserve(HGC_LEAF, 16, HGC_ISR_CELLS), HGC_ENOMEM, "more cells than there may be");
    ok(!hgc_isr_queue_new(0) && !hgc_isr_queue_new(1025), "queues have 1 to 1024 places");
}

static void start_heap(void)
{
    static const uint32_t map[3] = {HGC_MAP(struct msg, body) | HGC_MAP(struct msg, shared) | HGC_MAP(struct msg, note),
                                    HGC_MAP(struct note, next), 1};
    static const struct hgc_kind kinds[] = {
        {.name = "message", .words = sizeof(struct msg) / sizeof(void *), .map = &map[0]},
        {.name = "note", .words = sizeof(struct note) / sizeof(void *), .map = &map[1]},
        {.name = "shelf", .words = 1, .map = &map[2]}};
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true};
    int error = hgc_init(&config);
    for (unsigned i = 0; i < 3; i++)
        error |= hgc_kind(MSG + i, &kinds[i]);
    error |= hgc_root_add(&root, sizeof root);
    is(error, HGC_OK, "the heap starts");
    for (unsigned i = 0; i < TAKERS; i++)
        hgc_set(&root.shelf[i], hgc_new(SHELF, sizeof(struct shelf)));
    hgc_set(&root.shared, note_new(MAGIC, NULL));
    msgs = hgc_isr_reserve(MSG, sizeof(struct msg), MSGS);
    bodies = hgc_isr_reserve(HGC_LEAF, sizeof(struct body), BODIES);
    tiny = hgc_isr_reserve(HGC_AMBIGUOUS, 16, TINY);
    queue = hgc_isr_queue_new(ROOM);
    ok(msgs >= 0 && bodies >= 0 && tiny >= 0 && queue, "reserves and queue are made");
}

int app_main(void)
{
    start_heap();
    refusals();
    cycles();
    check_shelves();
    judge();
    struct task *t;
    if (ok(hk_task_create(&t, &(struct hk_task_config){.hart_plus_1 = 1}, runs_dry, NULL) == HK_OK, "a task for one hart"))
        hk_task_join(t, NULL);
    if (ok(hk_task_create(&t, &(struct hk_task_config){.hart_plus_1 = 1}, takes_the_last, NULL) == HK_OK, "and another"))
        hk_task_join(t, NULL);
    return tap_end();
}
