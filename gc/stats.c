/* SPDX-License-Identifier: Apache-2.0 */
/* Figures, and the trace line of a cycle (its fields: docs/trace.md). */
#include "gc/gc_internal.h"

static void count(uint64_t *hist, uint64_t ns)
{
    unsigned i = 0;
    for (unsigned half = 32; half; half /= 2)
        if (ns >> (i + half))
            i += half;
    hist[i < HGC_PAUSE_BUCKETS ? i : HGC_PAUSE_BUCKETS - 1]++;
}

/* In the stop, right before it ends, so that nobody reads or writes these meanwhile.  The stops of verify mode, which marks in
 * them, are no figures to quote. */
uint64_t stats_pause(uint64_t since)
{
    uint64_t ns = hal_time_ns() - since, stopping = world_times.last_wait_ns;
    if (gc.cfg.verify)
        return ns;
    count(gc.pause_hist, ns);
    count(gc.stopping_hist, stopping);
    count(gc.both_hist, stopping + ns);
    gc.pauses++;
    gc.pause_total += ns;
    gc.stopping_total += stopping;
    if (ns > gc.pause_max)
        gc.pause_max = ns;
    if (stopping > gc.stopping_max)
        gc.stopping_max = stopping;
    return ns;
}

/* ---- the struct -------------------------------------------------------------------------------------------------- */

static uint64_t mode_ns(struct gc_hart *g, enum worker_mode mode)
{
    return (uint64_t)ld_rlx(&g->mode_us[mode]) * 1000;
}

/* Of its workers. */
static uint64_t marking_ns(struct gc_hart *g)
{
    return mode_ns(g, WORKER_DEDICATED) + mode_ns(g, WORKER_FRACTIONAL) + mode_ns(g, WORKER_IDLE);
}

static void fill_cycles(struct hgc_stats *s)
{
    s->cycles_forced = ld_rlx(&gc.forced);      /* first: one may end in between, and then it counts as automatic for now */
    s->cycles = ld_rlx(&gc.finished);
    s->cycles_automatic = (uint32_t)(s->cycles - s->cycles_forced);
    s->termination_retries = gc.retries;
    s->mark_wall_ns = gc.mark_wall;
    s->unbarriered_retries = gc.plain_retries;
    s->stopped_marks = gc.stopped_marks;
    s->verified = gc.verified;
    s->heap_size = gc.bytes;
    s->heap_used = ld_rlx(&gc.used);
    s->heap_peak = ld_rlx(&gc.peak);
    s->heap_live = ld_rlx(&gc.live);
    s->heap_goal = ld_rlx(&gc.goal);
    s->heap_trigger = ld_rlx(&gc.trigger);
    s->heap_limit = ld_rlx(&gc.limit);
    s->percent = gc.pacer.percent;
    s->objects_marked = gc.objects_marked;
    s->scan_heap = gc.scan_heap;
    s->scan_stacks = gc.scan_stacks;
    s->scan_roots = gc.scan_roots;
    s->scan_total = s->scan_heap + s->scan_stacks + s->scan_roots;
}

static void fill_allocation(struct hgc_stats *s)
{
    s->allocs_failed = ld_rlx(&gc.failed);
    s->limiter_last_cycle = ld_rlx(&gc.limiter_cycle);
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        struct gc_hart *g = gc_of(hal_hart(i));
        for (unsigned k = 0; k < HGC_CLASSES; k++) {
            s->alloc_by_size[k] += ld_rlx(&g->alloc_cells[k]);
            s->free_by_size[k] += ld_rlx(&g->free_cells[k]);
        }
        s->tiny_objects += ld_rlx(&g->tiny_made);
        s->alloc_by_size[HGC_CLASSES] += ld_rlx(&g->alloc_large);
        s->free_by_size[HGC_CLASSES] += ld_rlx(&g->free_large);
        s->alloc_bytes += (uint64_t)ld_rlx(&g->alloc_blocks) << HGC_BLOCK_SHIFT;
        s->free_bytes += (uint64_t)ld_rlx(&g->free_blocks) << HGC_BLOCK_SHIFT;
    }
    for (unsigned k = 0; k < HGC_SIZE_BUCKETS; k++) {
        unsigned cell = k < HGC_CLASSES ? gc_classes[k].cell : 0;
        s->alloc_objects += s->alloc_by_size[k];
        s->free_objects += s->free_by_size[k];
        s->alloc_bytes += s->alloc_by_size[k] * cell;
        s->free_bytes += s->free_by_size[k] * cell;
    }
}

/* What runs still have.  Their harts move them meanwhile: a pair that cannot be one is left out. */
HAL_NO_SANITIZE static void unused_cells(uint64_t *cells, uint64_t *bytes)
{
    *cells = *bytes = 0;
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        const volatile struct gc_hart *g = gc_of(hal_hart(i));
        for (unsigned k = 0; k < g->held_count && k < RUNS_HELD; k++) {
            unsigned id = g->held[k], cell = gc_classes[id % HGC_CLASSES].cell;
            uintptr_t left = g->runs[id].lim - g->runs[id].cur;
            if (left > HGC_BLOCK)
                continue;
            *cells += left / cell;
            *bytes += left;
        }
    }
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void fill_memory(struct hgc_stats *s)
{
    uint64_t cells, bytes;
    size_t used, spare;
    unused_cells(&cells, &bytes);
    task_stacks(&used, &spare);
    s->blocks_free = ld_rlx(&gc.free_count);
    s->objects_now = less(s->alloc_objects, s->free_objects + cells);
    s->mem_objects = less(s->alloc_bytes, s->free_bytes + bytes);
    s->mem_free = s->blocks_free << HGC_BLOCK_SHIFT;
    s->mem_unused = less(s->heap_size, s->mem_free + s->mem_objects);
    s->metadata_bytes = gc.cfg.size - gc.bytes;
    s->mem_stacks = used;
    s->mem_stacks_kept = spare;
    s->mem_total = s->mem_objects + s->mem_unused + s->mem_free + s->metadata_bytes + s->mem_stacks + s->mem_stacks_kept;
    s->stack_size = HK_STACK_SIZE;
}

static void fill_work(struct hgc_stats *s)
{
    s->harts = hal_hart_count();
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        struct gc_hart *g = gc_of(hal_hart(i));
        s->shades += ld_rlx(&g->shades);
        s->slow_sets += ld_rlx(&g->slow_sets);
        s->steals += ld_rlx(&g->stolen);
        s->restarts += hal_restarts(i);
        s->isr_taken += ld_rlx(&g->isr_taken);
        s->isr_empty += ld_rlx(&g->isr_empty);
        s->mark_ns += marking_ns(g);
        s->cpu_dedicated_ns += mode_ns(g, WORKER_DEDICATED);
        s->cpu_fractional_ns += mode_ns(g, WORKER_FRACTIONAL);
        s->cpu_idle_mark_ns += mode_ns(g, WORKER_IDLE);
        s->cpu_assist_ns += (uint64_t)ld_rlx(&g->assist_us) * 1000;
        s->cpu_step_ns += (uint64_t)ld_rlx(&g->step_us) * 1000;
        s->cpu_idle_ns += hart_idle_ns(i);
    }
    s->cpu_pause_ns = gc.pause_total * s->harts;
    s->cpu_gc_ns = s->mark_ns + s->cpu_assist_ns + s->cpu_step_ns + s->cpu_pause_ns;
    s->cpu_total_ns = hal_time_ns() * s->harts;
    s->cpu_user_ns = less(s->cpu_total_ns, s->cpu_gc_ns + s->cpu_idle_ns);
}

static void fill_stops(struct hgc_stats *s)
{
    s->pauses = gc.pauses;
    s->pause_max_ns = gc.pause_max;
    s->pause_total_ns = gc.pause_total;
    s->stopping_max_ns = gc.stopping_max;
    s->stopping_total_ns = gc.stopping_total;
    s->handshakes = ld_rlx(&gc.handshakes);
    memcpy(s->pause_hist, gc.pause_hist, sizeof(s->pause_hist));
    memcpy(s->stopping_hist, gc.stopping_hist, sizeof(s->stopping_hist));
    memcpy(s->both_hist, gc.both_hist, sizeof(s->both_hist));
}

static void fill_specials(struct hgc_stats *s)
{
    s->finalizers_queued = ld_rlx(&gc_special.finalizers_queued);
    s->finalizers_executed = ld_rlx(&gc_special.finalizers);
    s->cleanups_queued = ld_rlx(&gc_special.cleanups_queued);
    s->cleanups_executed = ld_rlx(&gc_special.cleanups);
    s->weak_cleared = ld_rlx(&gc_special.cleared);
}

void hgc_stats(struct hgc_stats *s)
{
    memset(s, 0, sizeof(*s));
    fill_cycles(s);
    fill_allocation(s);
    fill_memory(s);
    fill_work(s);
    fill_stops(s);
    fill_specials(s);
}

void hgc_hart_stats(unsigned hart, struct hgc_hart_stats *s)
{
    memset(s, 0, sizeof(*s));
    if (hart >= hal_hart_count())
        return;
    struct gc_hart *g = gc_of(hal_hart(hart));
    s->shades = ld_rlx(&g->shades);
    s->slow_sets = ld_rlx(&g->slow_sets);
    s->steals = ld_rlx(&g->stolen);
    s->restarts = ld_rlx(&g->restarts_mark);
    s->blocks_scanned = ld_rlx(&g->scanned);
    s->worker_ns = marking_ns(g);
    s->dedicated_ns = mode_ns(g, WORKER_DEDICATED);
    s->fractional_ns = mode_ns(g, WORKER_FRACTIONAL);
    s->idle_ns = mode_ns(g, WORKER_IDLE);
    s->assist_ns = (uint64_t)ld_rlx(&g->assist_us) * 1000;
    s->step_ns = (uint64_t)ld_rlx(&g->step_us) * 1000;
}

static unsigned us(uint64_t ns)
{
    return (unsigned)(ns / 1000);
}

static unsigned kib(uintptr_t bytes)
{
    return (unsigned)(bytes >> 10);
}

/* gc.terminating */
static struct {
    struct gc_times times;
    uint32_t cycle;
    unsigned percent;
    uintptr_t live;
    uint64_t objects;
} line;

void trace_take(void)
{
    uint64_t age = gc.times.end_ns - gc.born_ns, work = 0;
    for (unsigned i = 0; i < hal_hart_count(); i++)
        work += marking_ns(gc_of(hal_hart(i)));
    line.times = gc.times;
    line.cycle = ld_rlx(&gc.finished);
    line.percent = age ? (unsigned)(work * 100 / (age * hal_hart_count())) : 0;
    line.live = gc.live;
    line.objects = gc.objects_marked;
}

void trace_print(void)
{
    const struct gc_times *t = &line.times;
    uint64_t age = t->end_ns - gc.born_ns;
    hk_printf("gc %u @%u.%03us %u%%: %u+%u+%u us stop, mark, stop, wait %u+%u us, %u->%u->%u KiB, trigger %u KiB, "
              "%u objects, %u harts\n",
              (unsigned)line.cycle, (unsigned)(age / 1000000000), (unsigned)(age / 1000000 % 1000), line.percent,
              us(t->stop1_ns), us(t->end_ns - t->mark_ns), us(t->stop2_ns), us(t->wait1_ns), us(t->wait2_ns),
              kib(t->used_start), kib(t->used_end), kib(line.live), kib(t->trigger), (unsigned)line.objects,
              hal_hart_count());
}
