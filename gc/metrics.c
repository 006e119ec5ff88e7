/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the figures: one row for each field of struct hgc_stats, in its order. */
#include "gc/gc_internal.h"

static uint64_t from_size(unsigned i)
{
    return i < HGC_CLASSES ? gc_classes[i].cell : HGC_SMALL_MAX + 1;
}

static uint64_t from_time(unsigned i)
{
    return i ? (uint64_t)1 << i : 0;
}

struct row {
    const char *name;
    size_t offset, bytes;
    uint64_t (*from)(unsigned i);
};
#define HISTOGRAM(field, name, from)                                                                                 \
    { name, offsetof(struct hgc_stats, field), sizeof(((struct hgc_stats *)0)->field), from }
#define FIGURE(field, name) HISTOGRAM(field, name, NULL)

static const struct row rows[] = {
    FIGURE(cycles, "/gc/cycles/total:cycles"),
    FIGURE(cycles_automatic, "/gc/cycles/automatic:cycles"),
    FIGURE(cycles_forced, "/gc/cycles/forced:cycles"),
    FIGURE(termination_retries, "/gc/cycles/retries:stops"),
    FIGURE(unbarriered_retries, "/gc/cycles/unbarriered-retries:stops"),
    FIGURE(stopped_marks, "/gc/cycles/finished-stopped:cycles"),
    FIGURE(verified, "/gc/cycles/verified:cycles"),
    FIGURE(heap_size, "/gc/heap/size:bytes"),
    FIGURE(heap_used, "/gc/heap/used:bytes"),
    FIGURE(heap_peak, "/gc/heap/peak:bytes"),
    FIGURE(heap_live, "/gc/heap/live:bytes"),
    FIGURE(heap_goal, "/gc/heap/goal:bytes"),
    FIGURE(heap_trigger, "/gc/heap/trigger:bytes"),
    FIGURE(heap_limit, "/gc/limit:bytes"),
    FIGURE(percent, "/gc/percent:percent"),
    FIGURE(alloc_bytes, "/gc/heap/allocs:bytes"),
    FIGURE(alloc_objects, "/gc/heap/allocs:objects"),
    FIGURE(free_bytes, "/gc/heap/frees:bytes"),
    FIGURE(free_objects, "/gc/heap/frees:objects"),
    HISTOGRAM(alloc_by_size, "/gc/heap/allocs-by-size:objects", from_size),
    HISTOGRAM(free_by_size, "/gc/heap/frees-by-size:objects", from_size),
    FIGURE(objects_now, "/gc/heap/objects:objects"),
    FIGURE(tiny_objects, "/gc/heap/tiny/allocs:objects"),
    FIGURE(allocs_failed, "/gc/heap/allocs/failed:calls"),
    FIGURE(objects_marked, "/gc/mark/objects:objects"),
    FIGURE(scan_heap, "/gc/scan/heap:bytes"),
    FIGURE(scan_stacks, "/gc/scan/stacks:bytes"),
    FIGURE(scan_roots, "/gc/scan/roots:bytes"),
    FIGURE(scan_total, "/gc/scan/total:bytes"),
    FIGURE(mem_objects, "/memory/classes/heap/objects:bytes"),
    FIGURE(mem_unused, "/memory/classes/heap/unused:bytes"),
    FIGURE(mem_free, "/memory/classes/heap/free:bytes"),
    FIGURE(metadata_bytes, "/memory/classes/metadata:bytes"),
    FIGURE(mem_stacks, "/memory/classes/stacks/used:bytes"),
    FIGURE(mem_stacks_kept, "/memory/classes/stacks/kept:bytes"),
    FIGURE(mem_total, "/memory/classes/total:bytes"),
    FIGURE(blocks_free, "/memory/blocks/free:blocks"),
    FIGURE(stack_size, "/gc/stack/starting-size:bytes"),
    FIGURE(cpu_dedicated_ns, "/cpu/classes/gc/mark/dedicated:ns"),
    FIGURE(cpu_fractional_ns, "/cpu/classes/gc/mark/fractional:ns"),
    FIGURE(cpu_idle_mark_ns, "/cpu/classes/gc/mark/idle:ns"),
    FIGURE(mark_ns, "/cpu/classes/gc/mark/workers:ns"),
    FIGURE(mark_wall_ns, "/gc/mark/wall:ns"),
    FIGURE(cpu_assist_ns, "/cpu/classes/gc/mark/assist:ns"),
    FIGURE(cpu_step_ns, "/cpu/classes/gc/mark/step:ns"),
    FIGURE(cpu_pause_ns, "/cpu/classes/gc/pause:ns"),
    FIGURE(cpu_gc_ns, "/cpu/classes/gc/total:ns"),
    FIGURE(cpu_idle_ns, "/cpu/classes/idle:ns"),
    FIGURE(cpu_user_ns, "/cpu/classes/user:ns"),
    FIGURE(cpu_total_ns, "/cpu/classes/total:ns"),
    FIGURE(harts, "/sched/harts:harts"),
    FIGURE(limiter_last_cycle, "/gc/limiter/last-enabled:cycle"),
    FIGURE(pauses, "/sched/pauses/gc:stops"),
    FIGURE(pause_max_ns, "/sched/pauses/stopped/max/gc:ns"),
    FIGURE(pause_total_ns, "/sched/pauses/stopped/sum/gc:ns"),
    HISTOGRAM(pause_hist, "/sched/pauses/stopped/gc:ns", from_time),
    FIGURE(stopping_max_ns, "/sched/pauses/stopping/max/gc:ns"),
    FIGURE(stopping_total_ns, "/sched/pauses/stopping/sum/gc:ns"),
    HISTOGRAM(stopping_hist, "/sched/pauses/stopping/gc:ns", from_time),
    HISTOGRAM(both_hist, "/sched/pauses/total/gc:ns", from_time),
    FIGURE(handshakes, "/sched/handshakes:handshakes"),
    FIGURE(shades, "/gc/barrier/shades:objects"),
    FIGURE(slow_sets, "/gc/barrier/slow:stores"),
    FIGURE(steals, "/gc/mark/steals:blocks"),
    FIGURE(restarts, "/sched/restarts:sequences"),
    FIGURE(isr_taken, "/gc/handlers/allocs:objects"),
    FIGURE(isr_empty, "/gc/handlers/refused:calls"),
    FIGURE(finalizers_queued, "/gc/finalizers/queued:finalizers"),
    FIGURE(finalizers_executed, "/gc/finalizers/executed:finalizers"),
    FIGURE(cleanups_queued, "/gc/cleanups/queued:cleanups"),
    FIGURE(cleanups_executed, "/gc/cleanups/executed:cleanups"),
    FIGURE(weak_cleared, "/gc/weak/cleared:references"),
};

void hgc_metrics_each(const struct hgc_stats *s, void (*fn)(const struct hgc_metric *m, void *arg), void *arg)
{
    for (const struct row *r = rows; r < rows + sizeof rows / sizeof *rows; r++) {
        struct hgc_metric m = {
            .name = r->name,
            .value = (const uint64_t *)(const void *)((const char *)s + r->offset),
            .buckets = (unsigned)(r->bytes / sizeof(uint64_t)),
            .from = r->from,
        };
        fn(&m, arg);
    }
}

static void print(const struct hgc_metric *m, void *arg)
{
    (void)arg;
    if (m->buckets == 1)
        hk_printf("%s %llu\n", m->name, (unsigned long long)*m->value);
    for (unsigned i = 0; m->buckets > 1 && i < m->buckets; i++)
        if (m->value[i])
            hk_printf("%s from %llu: %llu\n", m->name, (unsigned long long)m->from(i), (unsigned long long)m->value[i]);
}

void hgc_metrics_print(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    hgc_metrics_each(&s, print, NULL);
}
