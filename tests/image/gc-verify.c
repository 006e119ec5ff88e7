/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/*
 * What verify mode must not take for a missed object: a word that comes to look like a reference after its stack was
 * scanned.  An integer that hits garbage (a time in nanoseconds passes through all addresses), an address that a runtime
 * knows for no reference, and the end of a run that the allocator has read.  That it does see missed objects is what
 * tools/check-faults shows.
 */
#include "gc/gc_internal.h"
#include "tap.h"
#include "wipe.h"

enum { NODE = HGC_KIND_FIRST, ROUNDS = 20, ARENA = 2 << 20, LIST = 16000, ROW = 256, SIZE = 64 };

struct node { hgc_ref(struct node) next; };
struct row { hgc_ref(struct node) at[ROW]; };

static hgc_ref(struct node) list;
static hgc_ref(struct row) row;

#define NOINLINE __attribute__((noinline))
#define HIDE(p) (~(uintptr_t)(p))

static NOINLINE bool build(void)
{
    for (unsigned i = 0; i < LIST; i++) {
        struct node *p = hgc_new(NODE, sizeof(*p));
        if (!p)
            return false;
        hgc_set(&p->next, hgc_get(list));
        hgc_set(&list, p);
    }
    return true;
}

/* A mark stays open until the word stands where it shall. */
static uint32_t kept_open;                      /* atomic */

static enum hgc_quiet keep_open(void)
{
    return ld_rlx(&kept_open) ? HGC_QUIET_LATER : HGC_QUIET;
}

/* Marking is on, and this task's stack has been scanned. */
static bool scanned(uint32_t cycle)
{
    while (gc_is_on() && ld_rlx(&gc.cycle) == cycle)
        if (ld_rlx(&task_self()->gc_seen) == cycle)
            return true;
        else
            hk_yield();
    return false;
}

/* True if the word stood on this stack from after its scan to the end of the mark. */
static NOINLINE bool hold_to_the_end(uintptr_t hidden, uint32_t cycle)
{
    volatile uintptr_t word = HIDE(hidden);
    bool in_time = gc_is_on() && ld_rlx(&gc.cycle) == cycle;
    st_rlx(&kept_open, 0);
    cycle_wait(cycle);
    return in_time && word;
}

static uint32_t go;

static void starts(void *arg)
{
    (void)arg;
    while (!ld_acq(&go))
        ;
    hgc_collect(HGC_START);
}

/* A task on the other hart, to begin a cycle that stays open once `go` is set. */
static struct task *start_elsewhere(void)
{
    static const struct hk_task_config other = { .name = "starts", .hart_plus_1 = 2 };
    struct task *t = NULL;
    st_rlx(&go, 0);
    st_rlx(&kept_open, 1);
    (void)hk_task_create(&t, &other, starts, NULL);
    return t;
}

/* ---- an integer -------------------------------------------------------------------------------------------------- */

static void interrupted(void *arg)
{
    st_rel((uint32_t *)arg, 1);
}

/* It is interrupted while it has the object in a register: what was saved then is not what it has as a cycle begins. */
static NOINLINE uintptr_t garbage(void)
{
    static struct hk_timer timer;
    static uint32_t came;
    struct node *p = hgc_new(NODE, sizeof(*p)), *q = hgc_new(NODE, sizeof(*q));
    hgc_set(&p->next, q);
    st_rlx(&came, 0);
    hk_timer_start(&timer, hk_now() + HK_TICK_NS / 8, interrupted, &came);
    while (!ld_acq(&came))
        ;
    return HIDE((uintptr_t)p + sizeof(uintptr_t));
}

static NOINLINE bool integer(void)
{
    uintptr_t hidden = garbage();
    wipe();
    st_rlx(&kept_open, 1);
    hgc_collect(HGC_START);
    uint32_t cycle = ld_rlx(&gc.cycle);
    return scanned(cycle) && hold_to_the_end(hidden, cycle);
}

/* ---- an address that a runtime computes -------------------------------------------------------------------------- */

static uintptr_t stray;                         /* hidden; constant while marks run */

static bool is_stray(const struct task *t, const void *p)
{
    (void)t;
    return HIDE(p) == stray;
}

/* It stands on this stack as the cycle begins, is gone before the scan, which being pinned delays, and comes back. */
static NOINLINE bool begin_with(uintptr_t hidden, uint32_t before)
{
    volatile uintptr_t word = HIDE(hidden);
    st_rel(&go, 1);
    hart_pin();
    while (ld_rlx(&gc.cycle) == before || !gc_is_on())
        ;
    word = 0;
    wipe();
    hart_unpin();
    return !word;
}

static NOINLINE bool computed(void)
{
    stray = garbage();
    wipe();
    uint32_t before = ld_rlx(&gc.cycle);
    struct task *t = start_elsewhere();
    if (!t)
        return false;
    bool good = begin_with(stray, before) && scanned(before + 1) && hold_to_the_end(stray, before + 1);
    hk_task_join(t, NULL);
    return good;
}

/* ---- the end of a run -------------------------------------------------------------------------------------------- */

/* Single free cells between live ones. */
static NOINLINE void make_holes(void)
{
    struct row *r = hgc_new(HGC_AMBIGUOUS, sizeof(*r));
    hgc_set(&row, r);
    for (unsigned i = 0; i < ROW; i++)
        hgc_set(&r->at[i], (struct node *)hgc_new(NODE, SIZE));
    for (unsigned i = 0; i < ROW; i += 4)
        hgc_set(&r->at[i], (struct node *)NULL);
}

static NOINLINE void fill_holes(void)
{
    for (unsigned i = 0; i < ROW; i += 4) {
        hgc_set(&hgc_get(row)->at[i + 1], (struct node *)NULL);
        hgc_set(&hgc_get(row)->at[i + 2], (struct node *)NULL);
    }
    wipe();
}

/* An object in a run's last cell, or `beyond` it: held when the cycle begins, forgotten before this stack is scanned, which being
 * pinned delays.  Returns its end, hidden: the run's, or what who finds the run used up has computed. */
static NOINLINE uintptr_t take_last(uint32_t before, size_t beyond)
{
    char *volatile last = (char *)hgc_new(NODE, SIZE) + beyond;
    fill_holes();
    st_rel(&go, 1);
    hart_pin();
    while (ld_rlx(&gc.cycle) == before || !gc_is_on())
        ;
    uintptr_t end = HIDE((uintptr_t)last + SIZE);
    last = NULL;
    return end;
}

/* The run that ended there is replaced by the next. */
static NOINLINE bool next_run(void)
{
    return hgc_alloc(NODE, SIZE) != NULL;
}

static NOINLINE bool end_of_run(size_t beyond)
{
    make_holes();
    wipe();
    hgc_collect(HGC_WAIT);
    uint32_t before = ld_rlx(&gc.cycle);
    struct task *t = start_elsewhere();
    if (!t)
        return false;
    uintptr_t hidden = take_last(before, beyond);
    wipe();
    hart_unpin();
    bool good = scanned(before + 1) && next_run() && hold_to_the_end(hidden, before + 1);
    hk_task_join(t, NULL);
    return good;
}

static bool run_end(void)
{
    return end_of_run(0);
}

static bool cell_beyond(void)
{
    return end_of_run(SIZE);
}

static void repeat(bool (*scene)(void), const char *what)
{
    unsigned good = 0;
    for (unsigned i = 0; i < ROUNDS; i++)
        good += scene();
    is(good, ROUNDS, what);
}

static void stays(void *arg)
{
    repeat(integer, "an integer that hits garbage after the scan is no missed object");
    if (hk_harts() > 1) {
        repeat(computed, "nor is an address that a runtime knows for none");
        repeat(run_end, "nor is the end of a run");
        repeat(cell_beyond, "nor what is a cell beyond it");
    }
    (void)arg;
}

int app_main(void)
{
    static const uint32_t first[1] = { 1 };
    static const struct hgc_kind node = { .name = "node", .words = 32, .map = first };
    static const struct hk_task_config on_first = { .hart_plus_1 = 1 };
    static const struct hgc_runtime runtime = { .quiet = keep_open, .stray = is_stray };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true, .no_auto = true };
    int error = hgc_init(&config) | hgc_kind(NODE, &node) | hgc_root_add(&list, sizeof(list))
        | hgc_root_add(&row, sizeof(row));
    is(error, HGC_OK, "the heap starts");
    is(hgc_runtime(&runtime), HGC_OK, "a runtime keeps marks open");
    ok(build(), "a list that takes a while to mark");
    struct task *t;
    hk_task_create(&t, &on_first, stays, NULL);
    is(hk_task_join(t, NULL), HK_OK, "the task ends");
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.verified == s.cycles && s.cycles >= ROUNDS, "each cycle was verified");
    return tap_end();
}
