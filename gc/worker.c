/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mark workers: one task a hart, parked where the scheduler finds it.
 *
 * Together they get a quarter of the harts' time.  Dedicated: the whole hart, for as many harts as make a quarter.
 * Fractional: where that is not a whole number within 30 %, a share of every hart.  Idle: what a hart would sleep through.
 * The hook only says whether a worker has a reason to run; the worker itself takes its mode as it starts, so nothing has to
 * be given back when the scheduler cannot run it after all.
 *
 * A worker that parks is looked at again by its hart's scheduler, after it has parked: no wake-up is lost between "found
 * nothing" and "parked".
 */
#include "gc/gc_internal.h"
#include "hal_mark.h"

enum { SHARE = 1024, CREDIT_SLACK = 2048 };

/* World stopped. */
void worker_prepare(bool stopped_mode)
{
    unsigned n = hal_hart_count(), dedicated = (n + 2) / 4;
    unsigned off = 4 * dedicated > n ? 4 * dedicated - n : n - 4 * dedicated;
    bool exact = stopped_mode || off * 10 <= 3 * n;
    if (!exact && 4 * dedicated > n)
        dedicated--;
    gc.fraction = exact ? 0 : (n * (SHARE / 4) - dedicated * SHARE) / n;
    gc.seats = stopped_mode ? n : dedicated;
    st_rlx(&gc.dedicated, gc.seats);
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

static bool work_any(void)
{
    return root_any() || markq_any();
}

/* Has the fractional worker had more than `parts` eighths of its share of the hart's time since the mark began? */
static bool over_share(const struct gc_hart *g, uint64_t now, unsigned parts)
{
    uint64_t used = g->mode_ns[WORKER_FRACTIONAL];
    if (g->mode == WORKER_FRACTIONAL)
        used += now - g->drain_from;
    return used * SHARE * 8 > (now - g->cycle_ns) * gc.fraction * parts;
}

struct task *worker_pick(struct hart *h, bool idle)
{
    struct gc_hart *g = gc_of(h);
    if (ld_rlx(&gc.terminating) == 1 + h->index)
        return g->worker;           /* all may wait for what it ends: a task of higher priority does not keep it from that */
    if (ld_rlx(&hgc_phase) != GC_MARK)
        return NULL;
    if (!work_any())
        return !ld_rlx(&gc.terminating) && cycle_quiet() ? g->worker : NULL;
    g->asked_idle = idle;
    if (idle)
        return g->worker;
    if (g->gives_way) {
        g->gives_way = false;
        return NULL;
    }
    if (ld_rlx(&gc.dedicated) || (gc.fraction && !over_share(g, hal_time_ns(), 8)))
        return g->worker;
    return NULL;
}

static bool take_dedicated(void)
{
    for (uint32_t n; (n = ld_rlx(&gc.dedicated));)
        if (cas_acq(&gc.dedicated, n, n - 1))   /* [L-none: only the atomicity counts] */
            return true;
    return false;
}

/* Pinned. */
static enum worker_mode take_mode(struct gc_hart *g, uint64_t now)
{
    if (take_dedicated())
        return WORKER_DEDICATED;
    if (gc.fraction && !over_share(g, now, 8))
        return WORKER_FRACTIONAL;
    return g->asked_idle ? WORKER_IDLE : WORKER_NONE;
}

/* ---- draining ---------------------------------------------------------------------------------------------------- */

void drain_enter(void)
{
    hart_pin();
    /* [L-quiet-take.acq] */
    amo_add_ar(&gc.active, 1);          /* before it takes; partner: cycle_quiet reads work first, then active */
}

void drain_leave(void)
{
    amo_add_ar(&gc.active, -1);         /* [L-quiet-leave.rel, L-last-one.rel, L-last-one.acq] */
    hart_unpin();
}

bool drain_piece(void)
{
    struct block *b;
    if (root_job())
        return true;
    if (!(b = markq_take()))
        return false;
    mark_block(b);
    return true;
}

/* May the drain go on?  A dedicated one hands the hart's queue to the others first; tasks that must run here cannot go, so it
 * gives way to them for once. */
static bool goes_on(struct gc_hart *g)
{
    if (!hart_resched_due())
        return g->mode != WORKER_FRACTIONAL || !over_share(g, hal_time_ns(), 9);
    if (g->mode != WORKER_DEDICATED)
        return false;
    hart_shed();
    g->gives_way = hart_others_wait();
    return !g->gives_way;
}

static void drain(struct gc_hart *g)
{
    uintptr_t paid = hart_work(g);
    if (g->mode == WORKER_IDLE)
        hart_gives_way();
    while (gc_is_on() && drain_piece()) {
        uintptr_t done = hart_work(g);
        if (done - paid >= CREDIT_SLACK) {
            assist_credit(done - paid);
            paid = done;
        }
        if (!goes_on(g))
            break;
    }
    assist_credit(hart_work(g) - paid);
}

/* In the drain still, so its mark cannot end before the seat is given back.  In a critical section: the scheduler, which asks
 * over_share, sees the time that is over in one place or in the other. */
static void account(struct gc_hart *g, enum worker_mode mode, uint64_t ns)
{
    hal_crit_t c = hal_crit_enter();
    g->mode = WORKER_NONE;
    uint64_t rest = ns + g->mode_rest[mode];
    own_add(&g->mode_us[mode], rest / 1000);
    g->mode_rest[mode] = (uint32_t)(rest % 1000);
    g->mode_ns[mode] += ns;
    if (mode == WORKER_DEDICATED)
        amo_add_rlx(&gc.dedicated, 1);
    hal_crit_exit(c);
}

/* The counting plugin adds up what a drain executes (hal_mark.h). */
static void count_begin(enum worker_mode mode)
{
    switch (mode) {
    case WORKER_DEDICATED:  HAL_MARK(HAL_MARK_SECTION(HAL_MARK_DEDICATED)); break;
    case WORKER_FRACTIONAL: HAL_MARK(HAL_MARK_SECTION(HAL_MARK_FRACTIONAL)); break;
    default:                HAL_MARK(HAL_MARK_SECTION(HAL_MARK_IDLE)); break;
    }
}

static void count_end(enum worker_mode mode)
{
    switch (mode) {
    case WORKER_DEDICATED:  HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_DEDICATED)); break;
    case WORKER_FRACTIONAL: HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_FRACTIONAL)); break;
    default:                HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_IDLE)); break;
    }
}

static void work(void)
{
    drain_enter();
    struct gc_hart *g = gc_self();
    uint64_t begin = hal_time_ns();
    g->drain_from = begin;
    g->mode = gc_is_on() ? take_mode(g, begin) : WORKER_NONE;
    enum worker_mode mode = g->mode;
    if (mode != WORKER_NONE) {
        count_begin(mode);
        drain(g);
        count_end(mode);
        account(g, mode, hal_time_ns() - begin);
    }
    drain_leave();
}

static void worker_main(void *arg)
{
    (void)arg;
    for (;;) {
        if (gc_is_on()) {
            work();
            cycle_try_end();
        }
        task_park(NULL, hal_crit_enter());
    }
}

void worker_init(void)
{
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        char name[20];
        hk_snprintf(name, sizeof(name), "mark/%u", i);
        struct gc_hart *g = gc_of(hal_hart(i));
        g->work_from = i + 1;
        g->worker = task_create_bound(name, i, worker_main, NULL);
    }
}
