/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* match: ^gc 1 @.* trigger 300 KiB, .* harts$ */
/*
 * What the configuration says when the collector starts, where other tests change it afterwards or leave it out: roles of
 * harts, finalizers that the program runs itself, the first trigger, percent and limit, a line a cycle.
 */
#include "gc/gc_internal.h"
#include "tap.h"
#include "wipe.h"

enum { NODE = HGC_KIND_FIRST, NODES = 6000, FILL = 2, ARENA = 4 << 20, LIMIT = 3 << 20, TRIGGER = 300 << 10,
       PERCENT = 70, FINALIZERS = 5, CLEANUPS = 3, DUE = FINALIZERS + CLEANUPS };
#include "lists.h"

static hgc_ref(void) mortal[DUE];
static uint32_t ran;                    /* atomic */
static bool called;                     /* hgc_finalize runs, in this task */

static unsigned cycles(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    return (unsigned)s.cycles;
}

/* ---- pacing ------------------------------------------------------------------------------------------------------ */

static void first_trigger(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    is(s.percent, PERCENT, "percent is the configuration's");
    is(s.heap_limit, LIMIT, "and the limit");
    is(s.heap_trigger, TRIGGER, "and the first trigger");
    while (cycles() == 0 && hgc_alloc(HGC_LEAF, 256)) {
    }
    is(cycles(), 1, "garbage starts a cycle");
    ok(gc.times.used_start > TRIGGER && gc.times.used_start < TRIGGER + TRIGGER / 2, "when there is so much");
}

/* ---- roles ------------------------------------------------------------------------------------------------------- */

static bool marks(unsigned hart) { return hk_harts() > 1 && hart == hk_harts() - 1; }
static bool is_free(unsigned hart) { return hk_harts() > 2 && hart == 0; }

static enum hgc_role role_of(unsigned hart)
{
    return marks(hart) ? HGC_ROLE_MARK : is_free(hart) ? HGC_ROLE_FREE : HGC_ROLE_NORMAL;
}

static void roles(void)
{
    struct hgc_hart_stats s;
    bool same = true, given = true, kept = true;
    ok(build(), "there is something to mark");
    busy();
    for (unsigned i = 0; i < 5; i++)
        hgc_collect(HGC_WAIT);
    busy_ends();
    for (unsigned i = 0; i < hk_harts(); i++) {
        hgc_hart_stats(i, &s);
        given &= !marks(i) || s.dedicated_ns > 0;
        kept &= !is_free(i) || s.worker_ns == 0;
        same &= hgc_hart_role(i, role_of(i)) == (int)role_of(i);
    }
    ok(same, "each hart has the role that the configuration gives it");
    ok(given, "the one that is given to marking marks");
    ok(kept, "the one that is kept free does not");
    ok(whole(), "the lists are there");
}

/* ---- finalizers -------------------------------------------------------------------------------------------------- */

static void runs(void)
{
    if (!called)
        hk_panic("a finalizer or cleanup runs outside of hgc_finalize");
    amo_add_rlx(&ran, 1);
}

static void finalizer(void *object, void *arg)
{
    (void)object, (void)arg;
    runs();
}

static void cleanup(void *arg)
{
    (void)arg;
    runs();
}

static void give_birth(void *arg)
{
    bool good = true;
    for (unsigned i = 0; i < DUE; i++) {
        void *p = hgc_alloc(HGC_LEAF, 100);
        hgc_set(&mortal[i], p);
        good &= p && (i < FINALIZERS ? hgc_finalizer(p, finalizer, NULL) : hgc_cleanup(p, cleanup, NULL)) == HGC_OK;
    }
    *(bool *)arg = good;
}

static unsigned finalize(unsigned max)
{
    called = true;
    unsigned n = hgc_finalize(max);
    called = false;
    return n;
}

/* In a task of its own, so that its addresses go with its stack. */
static void own_finalizers(void)
{
    static bool good;
    struct task *t;
    hk_task_create(&t, NULL, give_birth, &good);
    hk_task_join(t, NULL);
    ok(good, "objects with finalizers and cleanups");
    is(finalize(100), 0, "none is due while the objects are held");
    for (unsigned i = 0; i < DUE; i++)
        hgc_set(&mortal[i], NULL);
    wipe();
    hgc_collect(HGC_WAIT);
    hk_sleep(20000000);
    is(ld_rlx(&ran), 0, "no task of the collector's runs them");
    is(finalize(3), 3, "the program does, so many as it wants");
    is(ld_rlx(&ran), 3, "not one more");
    is(finalize(100), DUE - 3, "then the others");
    is(ld_rlx(&ran), DUE, "each once");
    is(finalize(100), 0, "and no more");
}

int app_main(void)
{
    static const uint32_t map = HGC_MAP(struct node, next);
    static const struct hgc_kind node = {.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &map};
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .period_ns = HGC_PERIOD_OFF,
                                .percent = PERCENT, .limit = LIMIT, .min_trigger = TRIGGER, .trace = true,
                                .own_finalizers = true};
    for (unsigned i = 0; i < hk_harts(); i++) {
        config.mark_harts |= (uint64_t)marks(i) << i;
        config.free_harts |= (uint64_t)is_free(i) << i;
    }
    is(hgc_init(&config) | hgc_kind(NODE, &node) | hgc_root_add(list, sizeof list) | hgc_root_add(mortal, sizeof mortal),
       HGC_OK, "the heap starts");
    first_trigger();
    roles();
    own_finalizers();
    return tap_end();
}
