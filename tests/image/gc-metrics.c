/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */
/* harts: 1 2 4 8 */
/* match: ^/gc/heap/live:bytes \d+$ */
/* match: ^/gc/heap/allocs-by-size:objects from 48: \d+$ */
/* match: ^/sched/pauses/total/gc:ns from \d+: \d+$ */
/* The figures add up: with each other, with the bitmaps, and with what was done. */
#include "gc/gc_internal.h"
#include "tap.h"

enum { NODE = HGC_KIND_FIRST, ARENA = 8 << 20, KEPT = 2000, TASKS = 8, COLLECTIONS = 3, WEAK = 40 };

struct node { hgc_ref(struct node) next; uintptr_t number, more; };

static struct { hgc_ref(struct node) list[TASKS]; hgc_ref(struct hgc_weak) weak[WEAK]; } root;
static struct hgc_stats s;      /* of one moment */
static uint32_t kept;           /* atomic: nodes in the lists */

/* ---- work -------------------------------------------------------------------------------------------------------- */

static void work(void *arg)
{
    hgc_ref(struct node) *list = arg;
    for (unsigned i = 0; i < 10 * KEPT; i++) {
        struct node *p = hgc_new(NODE, sizeof *p);
        void *leaf = hgc_alloc(HGC_LEAF, i * 37 % 9000);
        if (!p || !leaf)
            return;
        if (i % 10 == 0) {
            hgc_set(&p->next, hgc_get(*(hgc_ref(struct node) *)list));
            hgc_set(list, p);
            amo_add_rlx(&kept, 1);
        }
    }
}

static bool run_tasks(void)
{
    struct task *t[TASKS];
    bool good = true;
    for (unsigned i = 0; i < TASKS; i++)
        good &= hk_task_create(&t[i], NULL, work, &root.list[i]) == HK_OK;
    for (unsigned i = 0; i < TASKS; i++)
        good &= hk_task_join(t[i], NULL) == HK_OK;
    return good;
}

/* ---- the truth --------------------------------------------------------------------------------------------------- */

static void count_live(uint64_t *objects, uint64_t *bytes)
{
    *objects = *bytes = 0;
    for (unsigned i = 0; i < gc.nblocks; i++) {
        struct block *b = &gc.blocks[i];
        for (unsigned c = 0; ld_rlx(&b->state) == BLOCK_SMALL && c < CELLS_MAX; c++)
            if (ld_rlx(&b->live[c / WORD_BITS]) >> (c % WORD_BITS) & 1) {
                ++*objects;
                *bytes += gc_classes[b->class].cell;
            }
        if (ld_rlx(&b->state) == BLOCK_LARGE) {
            ++*objects;
            *bytes += b->large.blocks_or_head << HGC_BLOCK_SHIFT;
        }
    }
}

/* After a collection and its sweep, when nobody allocates. */
static void balance(void)
{
    uint64_t objects, bytes;
    hgc_stats(&s);
    count_live(&objects, &bytes);
    is(s.alloc_objects - s.free_objects, objects, "objects: allocated less freed is what the bitmaps have");
    is(s.alloc_bytes - s.free_bytes, bytes, "bytes: the same");
    is(s.heap_live, bytes, "live is that");
    is(s.heap_used, bytes, "in use is that");
    is(s.mem_objects + s.mem_unused + s.mem_free, s.heap_size, "objects, unused and free are the heap");
    is(s.heap_size + s.metadata_bytes, ARENA, "heap and metadata are the arena");
    ok(s.objects_now <= objects && s.mem_objects <= bytes, "objects now leave out what runs still have");
}

static uint64_t sum(const uint64_t *of, unsigned n)
{
    uint64_t all = 0;
    while (n-- > 0)
        all += of[n];
    return all;
}

static void sums(void)
{
    is(sum(s.alloc_by_size, HGC_SIZE_BUCKETS), s.alloc_objects, "allocations by size");
    is(sum(s.free_by_size, HGC_SIZE_BUCKETS), s.free_objects, "frees by size");
    is(s.cycles_automatic + s.cycles_forced, s.cycles, "cycles");
    ok(s.cycles_forced >= COLLECTIONS, "forced are those that were asked for, and those of tasks that ran out");
    ok(s.cycles_automatic > 0, "others came by themselves");
    is(s.pauses, 2 * s.cycles + s.termination_retries, "two stops a cycle, and those that found work left");
    is(sum(s.pause_hist, HGC_PAUSE_BUCKETS), s.pauses, "each is in the histogram");
    is(sum(s.stopping_hist, HGC_PAUSE_BUCKETS), s.pauses, "of stopping");
    is(sum(s.both_hist, HGC_PAUSE_BUCKETS), s.pauses, "and of both");
    ok(s.pause_max_ns <= s.pause_total_ns && s.stopping_max_ns <= s.stopping_total_ns, "the longest is not above the sum");
    is(s.scan_roots, sizeof root, "roots searched are those registered");
    ok(ld_rlx(&kept) > 0 && s.scan_heap >= ld_rlx(&kept) * HGC_CELL(sizeof(struct node)), "all nodes were searched");
    ok(s.scan_stacks > 0 && s.scan_stacks < s.mem_stacks, "stacks were, up to where they are used");
    is(s.scan_heap + s.scan_stacks + s.scan_roots, s.scan_total, "and all of it");
    is(s.cpu_gc_ns + s.cpu_idle_ns + s.cpu_user_ns, s.cpu_total_ns, "time");
    is(s.harts, hk_harts(), "harts");
}

/* ---- what was done ----------------------------------------------------------------------------------------------- */

static void counts_exactly(void)
{
    struct hgc_stats before;
    hgc_stats(&before);
    for (unsigned i = 0; i < 1000; i++)
        if (!hgc_new(HGC_LEAF, 48) || (i % 100 == 0 && !hgc_alloc(HGC_LEAF, 2 * HGC_BLOCK)))
            ok(false, "there is memory");
    hgc_stats(&s);
    is(s.objects_now - before.objects_now, 1010, "a thousand small objects, and ten large ones");
    is(s.mem_objects - before.mem_objects, 1000 * HGC_CELL(48) + 20 * HGC_BLOCK, "and their bytes");
    is(s.alloc_by_size[HGC_CLASSES] - before.alloc_by_size[HGC_CLASSES], 10, "ten are large");
    ok(s.alloc_by_size[HGC_CLASS(48)] - before.alloc_by_size[HGC_CLASS(48)] >= 1000 - HGC_BLOCK / 48 * hk_harts(),
       "the others of their class");
    is(s.free_objects, before.free_objects, "nothing was freed");
}

static void counts_tiny(void)
{
    hgc_stats(&s);
    struct hgc_stats before = s;
    for (unsigned i = 0; i < 300; i++)
        if (!hgc_new_tiny(1 + i % (HGC_GRAIN / 2)))
            ok(false, "there is memory");
    ok(hgc_new_tiny(HGC_GRAIN / 2 + 1) != NULL, "one that is not tiny");
    hgc_stats(&s);
    is(s.tiny_objects - before.tiny_objects, 300, "tiny objects");
    ok(s.objects_now - before.objects_now < 250, "which share cells");
}

static void nothing(void *arg)
{
    (void)arg;
}

static void gone(void *object, void *arg)
{
    (void)object, (void)arg;
}

/* In a task of its own: with it goes all that refers to them. */
static void make_specials(void *arg)
{
    for (unsigned i = 0; i < WEAK; i++) {
        void *p = hgc_alloc(HGC_LEAF, 64);
        if (!p || hgc_cleanup(p, nothing, NULL) != HGC_OK || (i % 2 && hgc_finalizer(p, gone, NULL) != HGC_OK))
            own_add((uint32_t *)arg, 1);
        hgc_set(&root.weak[i], hgc_weak_new(p));
    }
}

/* A stale word on a stack may keep one or two. */
static void counts_specials(void)
{
    struct hgc_special_stats special;
    struct task *t;
    uint32_t failed = 0;
    hgc_stats(&s);
    is(s.finalizers_queued + s.cleanups_queued + s.weak_cleared, 0, "no specials so far");
    hk_task_create(&t, NULL, make_specials, &failed);
    hk_task_join(t, NULL);
    is(failed, 0, "specials");
    for (unsigned i = 0; i < 4; i++) {
        hgc_collect(HGC_WAIT);
        do
            hgc_special_stats(&special);
        while (special.pending);
    }
    hgc_stats(&s);
    hk_printf("# %u finalizers, %u cleanups, %u references\n", (unsigned)s.finalizers_executed, (unsigned)s.cleanups_executed,
              (unsigned)s.weak_cleared);
    ok(s.finalizers_queued >= WEAK / 2 - 2 && s.finalizers_queued <= WEAK / 2, "finalizers");
    ok(s.cleanups_queued >= WEAK - 4 && s.cleanups_queued <= WEAK, "cleanups");
    is(s.finalizers_executed, s.finalizers_queued, "all were run");
    is(s.cleanups_executed, s.cleanups_queued, "these too");
    ok(s.weak_cleared >= WEAK - 4 && s.weak_cleared <= WEAK, "weak references");
}

static void waits(void *event)
{
    hk_event_wait(event, HK_FOREVER);
}

static void counts_stacks(void)
{
    static struct hk_event go;
    struct task *t;
    const struct hk_task_config big = {.stack_size = 256 << 10};
    hgc_stats(&s);
    uint64_t before = s.mem_stacks;
    if (hk_task_create(&t, &big, waits, &go) != HK_OK)
        return;
    hgc_stats(&s);
    ok(s.mem_stacks >= before + (256 << 10) && s.mem_stacks < before + (512 << 10), "a task's stack counts");
    hk_event_set(&go);
    hk_task_join(t, NULL);
    hgc_stats(&s);
    is(s.mem_stacks, before, "and no longer when it has ended");
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static struct { unsigned char seen[sizeof(struct hgc_stats) / sizeof(uint64_t)]; unsigned bad; } names;

static void note(const struct hgc_metric *m, void *arg)
{
    size_t at = (size_t)(m->value - (const uint64_t *)arg);
    for (unsigned i = 0; i < m->buckets; i++)
        names.seen[at + i]++;
    names.bad += m->name[0] != '/' || (m->buckets > 1) != (m->from != NULL);
    for (unsigned i = 1; i < m->buckets; i++)
        names.bad += m->from(i) && m->from(i) < m->from(i - 1);
}

static void every_field_has_a_name(void)
{
    unsigned once = 0;
    hgc_metrics_each(&s, note, &s);
    for (unsigned i = 0; i < sizeof names.seen; i++)
        once += names.seen[i] == 1;
    is(once, sizeof names.seen, "each field has one name");
    is(names.bad, 0, "names and histograms are well formed");
}

int app_main(void)
{
    static const uint32_t map = HGC_MAP(struct node, next);
    struct hgc_config c = {.base = hk_mem_alloc(ARENA), .size = ARENA, .min_trigger = 3 << 20, .percent = 300};
    is(hgc_init(&c), HGC_OK, "the heap starts");
    is(hgc_kind(NODE, &(struct hgc_kind){.name = "node", .words = 3, .map = &map}), HGC_OK, "a kind");
    is(hgc_root_add(&root, sizeof root), HGC_OK, "a root");
    ok(run_tasks(), "tasks work");
    hgc_set_auto(false);
    for (unsigned i = 0; i < COLLECTIONS; i++)
        hgc_collect(HGC_WAIT);
    balance();
    sums();
    counts_exactly();
    counts_stacks();
    counts_tiny();
    counts_specials();
    every_field_has_a_name();
    hgc_metrics_print();
    return tap_end();
}
