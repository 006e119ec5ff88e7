/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation, slow path and running out.  The ladder when there is no block: sweep what is left; wait for the cycle that
 * runs; a whole collection that begins after the failure (all tasks that wait share it); the program's oom handler; NULL.
 * Each rung is climbed at most once an allocation, so it never hangs; but if other tasks have taken what the collection freed,
 * another one is worth its time, a few times.  Before the handler the program is told the last level of pressure.  When the
 * limiter limits and little is gained, the ladder begins there (pacer_refuses).
 */
#include "gc/gc_internal.h"

void gc_count_used(uintptr_t bytes)
{
    uintptr_t used = amo_add_rlx(&gc.used, bytes) + bytes;
    if (used > ld_rlx(&gc.peak))
        st_rlx(&gc.peak, used);
}

/* For tests: is this allocation one of those that shall fail? */
static bool told_to_fail(void)
{
    if (!ld_rlx(&gc.fail_count))
        return false;
    uint32_t left = ld_rlx(&gc.fail_after);
    if (left > 1) {
        st_rlx(&gc.fail_after, left - 1);
        return false;
    }
    uint32_t count = ld_rlx(&gc.fail_count);
    return count && cas_acq(&gc.fail_count, count, count - 1);      /* [L-none: only the atomicity counts] */
}

void hgc_fail_alloc(unsigned n, unsigned count)
{
    st_rlx(&gc.fail_after, n);
    st_rlx(&gc.fail_count, n ? count : 0);
}

static void wait_mark(uint32_t cycle)
{
    uint32_t since = pace_wait_begin();
    cycle_wait(cycle);
    pace_wait_end(since);
}

static void collect(void)
{
    uint32_t since = pace_wait_begin();
    cycle_collect(HGC_WAIT);
    pace_wait_end(since);
}

/* What a task does for the collector in an allocation, waits included: for the counting plugin. */
static void count_begin(void) { HAL_MARK(HAL_MARK_SECTION(HAL_MARK_ALLOC)); }
static void count_end(void) { HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_ALLOC)); }

/* A task's debt; a cycle if it is time for one; the sweep's share of each new run; what the program must be told. */
static void pay_all(void)
{
    assist();
    if (gc.cfg.stress && amo_add_rlx(&gc.stress_left, -1) == 1) {
        st_rlx(&gc.stress_left, gc.cfg.stress);
        cycle_start(HGC_START, true, ld_rlx(&gc.cycle));
    } else if (cycle_due()) {
        cycle_start(HGC_START, false, 0);
    }
    pace_sweep();
    pace_tell_due();
}

static void pay(void)
{
    count_begin();
    pace_revise();
    if (task_self()->gc_exempt)
        pace_sweep();
    else
        pay_all();
    count_end();
}

enum { COLLECT = 1, TELL = 2 };         /* the rungs of a collection, and where the program is told */
enum { AGAIN = 8 };             /* collections for one allocation while others take what they free */
struct ladder {
    unsigned rung, collected;
    size_t size;
    bool refused;
    uint32_t looked;            /* the last cycle that was over when it looked for memory */
};

/* The program may have let something go.  Where the limiter fails allocations it gets one collection a rung for that, until
 * the limiter stops or a cycle gains something: one for each allocation would be what it is there to end. */
static bool chance(const struct ladder *l, unsigned rung)
{
    if (l->refused && amo_or_rlx(&gc.chances, 1u << rung) & (1u << rung))
        return false;
    collect();
    return true;
}

/* Others took what was freed, or a cycle of theirs has freed something since it looked. */
static bool behind(const struct ladder *l)
{
    return pace_taken() || ld_rlx(&gc.finished) != l->looked;
}

/* Does the next thing that may free memory.  False: nothing is left to try. */
static bool next_rung(struct ladder *l)
{
    uint32_t begun = ld_rlx(&gc.cycle);
    if (l->rung == TELL && !l->refused && l->collected < AGAIN && behind(l))
        l->rung = COLLECT;
    switch (l->rung++) {
    case 0:
        if (gc_is_on())
            wait_mark(begun);
        sweep_finish();
        return true;
    case COLLECT:
        l->collected++;
        collect();
        return true;
    case TELL:
        if (pace_tell(HGC_PRESSURE_LAST) && chance(l, TELL))
            return true;
        l->rung++;
        /* fall through */
    case TELL + 1:
        if (!gc.cfg.oom)
            return false;
        gc.cfg.oom(l->size);
        return chance(l, TELL + 1);
    default:
        return false;
    }
}

static bool relieve(struct ladder *l)
{
    count_begin();
    bool more = next_rung(l);
    count_end();
    return more;
}

/* Once refused, it is not enough that a collection made room for this one: it must have gained something. */
static bool refused(struct ladder *l)
{
    l->looked = ld_rlx(&gc.finished);
    if (!pace_refuses(l->refused ? SIZE_MAX : l->size))
        return false;
    l->refused = true;
    if (l->rung < TELL)
        l->rung = TELL;
    return true;
}

static void *small_try(unsigned id)
{
    hal_crit_t c = hal_crit_enter();
    struct run *r = &gc_self()->runs[id];
    unsigned cell = gc_classes[id % HGC_CLASSES].cell;
    void *p;
    if (r->lim - r->cur >= cell) {      /* moved to a hart that has room meanwhile */
        p = (void *)r->cur;
        r->cur += cell;
    } else {
        p = run_take(id);
    }
    hal_crit_exit(c);
    return p;
}

static void *give_up(void)
{
    amo_add_rlx(&gc.failed, 1);
    return NULL;
}

/* Maybe there is a cell in the blocks not swept yet. */
static void *small_swept(unsigned id)
{
    count_begin();
    while (!partial_any(id) && sweep_some(64)) {
    }
    count_end();
    return small_try(id);
}

static void *small_new(unsigned id)
{
    hk_assert(task_may_wait());
    if (!gc.nblocks || !gc_kinds[id / HGC_CLASSES].used || told_to_fail())
        return give_up();
    pay();
    struct ladder l = {.size = gc_classes[id % HGC_CLASSES].cell};
    do {
        void *p;
        if (!refused(&l) && ((p = small_try(id)) || (p = small_swept(id))))
            return p;
    } while (relieve(&l));
    return give_up();
}

static void *large_new(unsigned kind, size_t size)
{
    hk_assert(task_may_wait());
    if (told_to_fail() || size > gc.bytes)
        return give_up();
    pay();
    struct ladder l = {.size = size};
    do {
        void *p;
        if (!refused(&l) && (p = large_take(kind, size))) {
            assist_charge(size);
            return p;
        }
    } while (relieve(&l));
    return give_up();
}

void *hgc_slow_new(uintptr_t id)
{
    return small_new((unsigned)id);
}

void *hgc_alloc(unsigned kind, size_t size)
{
    if (kind >= HGC_KINDS || !gc_kinds[kind].used)
        return give_up();
    if (size > HGC_SMALL_MAX)
        return large_new(kind, size);
    unsigned id = kind * HGC_CLASSES + (unsigned)HGC_CLASS(size);
    hal_crit_t c = hal_crit_enter();
    struct run *r = &gc_self()->runs[id];
    unsigned cell = gc_classes[id % HGC_CLASSES].cell;
    void *p = NULL;
    if (r->lim - r->cur >= cell) {
        p = (void *)r->cur;
        r->cur += cell;
    }
    hal_crit_exit(c);
    return p ? p : small_new(id);
}
