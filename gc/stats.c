/* SPDX-License-Identifier: Apache-2.0 */
/* Figures, and the trace line of a cycle (its fields: docs/trace.md). */
#include "gc/gc_internal.h"

/* In the stop, right before it ends, so that nobody reads or writes these meanwhile.  A stop in which verify mode marks again
 * is no figure to quote. */
uint64_t stats_pause(uint64_t since)
{
    uint64_t ns = hal_time_ns() - since;
    unsigned i = 0;
    if (gc.cfg.verify && ld_rlx(&hgc_phase) == GC_OFF)
        return ns;
    while (i + 1 < HGC_PAUSE_BUCKETS && ns >> (i + 1))
        i++;
    gc.pause_hist[i]++;
    gc.pauses++;
    gc.pause_total += ns;
    if (ns > gc.pause_max)
        gc.pause_max = ns;
    return ns;
}

void hgc_stats(struct hgc_stats *s)
{
    memset(s, 0, sizeof(*s));
    s->cycles = ld_rlx(&gc.finished);
    s->heap_size = gc.bytes;
    s->heap_used = ld_rlx(&gc.used);
    s->heap_peak = ld_rlx(&gc.peak);
    s->heap_live = ld_rlx(&gc.live);
    s->heap_trigger = ld_rlx(&gc.trigger);
    s->heap_goal = ld_rlx(&gc.goal);
    s->heap_limit = ld_rlx(&gc.limit);
    s->objects_marked = gc.objects_marked;
    s->metadata_bytes = gc.cfg.size - gc.bytes;
    s->blocks_free = ld_rlx(&gc.free_count);
    s->allocs_failed = ld_rlx(&gc.failed);
    s->verified = gc.verified;
    s->termination_retries = gc.retries;
    s->pause_max_ns = gc.pause_max;
    s->pause_total_ns = gc.pause_total;
    s->pauses = gc.pauses;
    memcpy(s->pause_hist, gc.pause_hist, sizeof(s->pause_hist));
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        struct gc_hart *g = gc_of(hal_hart(i));
        s->alloc_bytes += ld_rlx(&g->alloc_bytes);
        s->shades += ld_rlx(&g->shades);
        s->slow_sets += ld_rlx(&g->slow_sets);
        s->steals += ld_rlx(&g->stolen);
        s->restarts += hal_restarts(i);
        s->mark_ns += (uint64_t)ld_rlx(&g->worker_us) * 1000;
    }
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
    s->worker_ns = (uint64_t)ld_rlx(&g->worker_us) * 1000;
}

static unsigned us(uint64_t ns)
{
    return (unsigned)(ns / 1000);
}

static unsigned kib(uintptr_t bytes)
{
    return (unsigned)(bytes >> 10);
}

void trace_cycle(void)
{
    struct gc_times *t = &gc.times;
    uint64_t now = t->end_ns, age = now - gc.born_ns, work = 0;
    for (unsigned i = 0; i < hal_hart_count(); i++)
        work += (uint64_t)ld_rlx(&gc_of(hal_hart(i))->worker_us) * 1000;
    unsigned percent = age ? (unsigned)(work * 100 / (age * hal_hart_count())) : 0;
    hk_printf("gc %u @%u.%03us %u%%: %u+%u+%u us stop, mark, stop, wait %u+%u us, %u->%u->%u KiB, trigger %u KiB, "
              "%u objects, %u harts\n",
              (unsigned)gc.finished, (unsigned)(age / 1000000000), (unsigned)(age / 1000000 % 1000), percent,
              us(t->stop1_ns), us(t->end_ns - t->mark_ns), us(t->stop2_ns), us(t->wait1_ns), us(t->wait2_ns),
              kib(t->used_start), kib(t->used_end), kib(gc.live), kib(t->trigger), (unsigned)gc.objects_marked,
              hal_hart_count());
}
