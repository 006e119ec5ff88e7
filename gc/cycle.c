/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cycle: sweep what the last one left, stop, phase MARK, start; mark; when quiet: handshake, look again, stop, look
 * again, phase OFF, the sweep begins, start.
 *
 * The phase word is written here, with the world stopped, and nowhere else (I4).
 */
#include "gc/gc_internal.h"

uint32_t hgc_phase __attribute__((section(".sdata.hgc_phase"))) = GC_OFF;

bool cycle_wanted(void)
{
    return !gc_is_on() && (ld_rlx(&gc.used) > ld_rlx(&gc.trigger) || pace_period_due());
}

bool cycle_due(void)
{
    return ld_rlx(&gc.automatic) && cycle_wanted();
}

bool cycle_quiet(void)
{
    /* Work first, then who might be at it: a taker counts itself active before it takes. */
    if (root_any() || markq_any())
        return false;
    fence_rr();                         /* [L-quiet-take.rr] */
    /* [L-quiet-leave.acq, L-countdown.acq] */
    return ld_acq(&gc.active) == 0 && ld_acq(&gc.jobs_open) == 0 && !root_any() && !markq_any();
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

/* Each hart's share, before it acknowledges: its runs are black in this cycle, its handlers' reserve grey. */
static void prepare(struct hart *h, void *arg)
{
    (void)arg;
    struct gc_hart *g = gc_of(h);
    g->marked_bytes = g->marked_objects = g->black_bytes = 0;
    g->scan_heap = g->scan_stacks = g->stack_bytes = g->scan_roots = g->leaf_bytes = 0;
    memset(g->mode_ns, 0, sizeof(g->mode_ns));
    g->assist_ns = g->step_ns = 0;
    g->gives_way = false;
    g->cycle_ns = hal_time_ns();
    g->restarts_at = hal_restarts(h->index);
    run_blacken(g);
    tiny_blacken(g);
    st_rlx(&h->resched, 1);             /* so that the pick hook is asked at once */
    isr_prepare(g);
}

static void begin(enum hgc_mode mode, bool forced, bool stepped)
{
    gc.times.start_ns = hal_time_ns();
    hk_assert(!markq_any());            /* a worker of the last cycle may still be counted active: it finds nothing */
    world_stop(WORLD_MARK_START, prepare, NULL);
    uint64_t stopped = hal_time_ns();
    hk_assert(sweep_done());
    uint32_t n = gc.cycle + 1;
    st_rlx(&gc.cycle, n);
    hk_event_clear(&gc.done[n & 1]);
    gc.forced_now = forced;
    gc.times.used_start = gc.used;
    gc.times.trigger = gc.trigger;
    gc.times.wait1_ns = world_times.last_wait_ns;
    gc.mode = mode;
    if (mode >= HGC_FORCE)
        sched_gate(true);
    else if (sched_gated())
        sched_gate(false);              /* open_gate of the cycle before comes too late now */
    worker_prepare(stepped);
    assist_begin();
    pace_begin();
    special_begin();
    root_prepare();
    unbarriered_begin();
    leak_begin();
    runtime_begin();
    if (gc.cfg.verify)
        verify_begin();
    st_rlx(&hgc_phase, GC_MARK);
    sched_ticks(true);
    gc.times.mark_ns = hal_time_ns();
    gc.times.stop1_ns = stats_pause(stopped);
    world_start();
}

static void start(enum hgc_mode mode, bool forced, uint32_t after, bool stepped)
{
    static const enum hgc_mode configured[] = {HGC_START, HGC_FORCE, HGC_FORCE_BLOCK};
    if (mode < configured[gc.cfg.stoptheworld])
        mode = configured[gc.cfg.stoptheworld];
    hk_mutex_lock(&gc.start_lock);
    if (gc.nblocks && !gc_is_on() && (forced ? ld_rlx(&gc.cycle) == after : stepped ? cycle_wanted() : cycle_due())) {
        sweep_finish();
        finalizer_ensure();
        if (gc.cfg.verify)
            root_wipe_below();          /* what they left would count as this task's */
        begin(mode, forced, stepped);
    }
    hk_mutex_unlock(&gc.start_lock);
}

void cycle_start(enum hgc_mode mode, bool forced, uint32_t after)
{
    start(mode, forced, after, false);
}

void cycle_start_stepped(bool forced, uint32_t after)
{
    start(HGC_START, forced, after, true);
}

/* ---- end --------------------------------------------------------------------------------------------------------- */

static void nothing(struct hart *h, void *arg)
{
    (void)h, (void)arg;
}

/* World stopped, everything marked. */
static void finish(void)
{
    uintptr_t live = 0;
    hk_assert(sched_gated() == (gc.mode >= HGC_FORCE));
    worker_finish();
    assist_check();
    gc.objects_marked = gc.scan_heap = gc.scan_stacks = gc.scan_roots = 0;
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        struct gc_hart *g = gc_of(hal_hart(i));
        live += g->marked_bytes + g->black_bytes;
        gc.objects_marked += g->marked_objects;
        gc.scan_heap += g->scan_heap;
        gc.scan_stacks += g->scan_stacks;
        gc.scan_roots += g->scan_roots;
        own_add(&g->restarts_mark, hal_restarts(i) - g->restarts_at);
    }
    gc.times.used_end = gc.used;
    st_rlx(&gc.live, live < gc.bytes ? live : gc.bytes);
    st_rlx(&gc.used, gc.live);
    own_add(&gc.forced, gc.forced_now);
    sweep_begin();
    gc.mark_wall += gc.times.quiet_ns - gc.times.mark_ns;
    pace_end(gc.times.quiet_ns);
    st_rlx(&gc.finished, gc.cycle);
    st_rlx(&hgc_phase, GC_OFF);
    sched_ticks(false);
}

/* The world runs, so a task of the system may have begun another cycle meanwhile: the gate is that one's then.  It begins in a stop,
 * which cannot fall in between here. */
static void open_gate(uint32_t n)
{
    hal_crit_t c = hal_crit_enter();
    if (ld_rlx(&gc.cycle) == n)
        sched_gate(false);
    hal_crit_exit(c);
}

static void end(void)
{
    if (unbarriered_look() || leak_look() || runtime_look())
        return;
    amo_add_rlx(&gc.handshakes, 1);
    world_each_hart(nothing, NULL);     /* ragged: every hart has left what it was in when the queues ran dry */
    if (!cycle_quiet())
        return;
    world_stop(WORLD_MARK_TERM, NULL, NULL);
    uint64_t stopped = hal_time_ns();
    if (!cycle_quiet() || !unbarriered_end() || !leak_end() || !runtime_end()) {
        gc.retries++;
        special_retry();
        stats_pause(stopped);
        world_start();
        return;
    }
    gc.times.quiet_ns = stopped;
    gc.times.wait2_ns = world_times.last_wait_ns;
    st_rlx(&hgc_phase, GC_MARK_TERMINATION);
    if (gc.cfg.verify)
        verify_run();
    finish();
    uint32_t n = gc.cycle;
    enum hgc_mode mode = gc.mode;       /* once the world is started, another cycle may begin, with another mode */
    gc.times.end_ns = hal_time_ns();
    gc.times.stop2_ns = stats_pause(stopped);
    if (gc.cfg.trace)
        trace_take();
    world_start();
    assist_end();
    hk_event_set(&gc.sweep_wake);
    if (mode == HGC_FORCE_BLOCK)
        sweep_finish();
    if (mode >= HGC_FORCE)
        open_gate(n);
    if (gc.cfg.trace)
        trace_print();
    st_rlx(&gc.ended, n);
    hk_event_set(&gc.done[n & 1]);
}

/* Several workers may find it quiet; one tries.  If it gives up it goes on as a worker, and whoever leaves last tries. */
void cycle_try_end(void)
{
    if (!cycle_quiet() || !cas_acq(&gc.terminating, 0, 1 + hk_hart()))      /* [L-spinlock.acq] */
        return;
    if (ld_rlx(&hgc_phase) == GC_MARK && cycle_quiet())
        end();
    st_rel(&gc.terminating, 0);         /* [L-spinlock.rel] */
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

/* Until `cycles`, of those that have come so far, is n, a cycle that has begun.  Who is late may find the event cleared again, by
 * cycle n + 2; that one is not left to steps, because whoever may wait for it is counted before it begins. */
static void wait_for(const uint32_t *cycles, uint32_t n)
{
    gc_need_stack();
    amo_add_rlx(&gc.waiters, 1);
    while ((int32_t)(ld_acq(cycles) - n) < 0) {         /* [L-none: L-stop.resume orders what the cycle's last stop wrote] */
        worker_hurry();
        hk_event_wait(&gc.done[n & 1], HK_FOREVER);
    }
    amo_add_rlx(&gc.waiters, -1);
}

void cycle_wait(uint32_t n)
{
    wait_for(&gc.finished, n);
}

uint32_t hgc_cycle(void)
{
    return ld_rlx(&gc.cycle);
}

size_t hgc_live(void)
{
    return ld_rlx(&gc.live);
}

void cycle_collect(enum hgc_mode mode)
{
    uint32_t begun = ld_rlx(&gc.cycle);
    cycle_wait(begun);
    cycle_start(mode, true, begun);           /* or somebody else's that began after this call */
    wait_for(&gc.ended, begun + 1);           /* its line stands above what the caller prints next */
    sweep_finish();
}

int hgc_collect(enum hgc_mode mode)
{
    if (!gc.nblocks || (unsigned)mode > HGC_FORCE_BLOCK)
        return HGC_EINVAL;
    if (mode == HGC_START) {
        cycle_start(mode, true, ld_rlx(&gc.cycle));
        worker_hurry();                 /* steps may drive the one that ran */
        return HGC_OK;
    }
    stacks_wait_begin();
    cycle_collect(mode);
    stacks_wait_end();
    return HGC_OK;
}

void hgc_wait_mark(void)
{
    stacks_wait_begin();
    cycle_wait(ld_rlx(&gc.cycle));
    stacks_wait_end();
}

bool hgc_set_auto(bool on)
{
    return amo_swap_rlx(&gc.automatic, on);
}
