/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/*
 * Interrupts that nobody asked for: from all harts to all, to the sender itself and to those that sleep in idle, while
 * cycles run one after another.  They ask for nothing, so nothing happens: no stop more, none lost, cycles verified.
 */
#include "gc/hgc.h"
#include "kernel/world.h"
#include "tap.h"

enum { ARENA = 1 << 20, CYCLES = 10, STOPS = 100, HARTS = 8, LIST = 50, ENOUGH = 5000, NODE = HGC_KIND_FIRST };

struct node {
    uintptr_t id;
    hgc_ref(struct node) next;
};
static struct {
    hgc_ref(struct node) list[HARTS];
} root;
static uint32_t over, sent, wrong;

static void storms(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over)) {
        for (int turn = 0; turn < 50; turn++)
            for (unsigned i = 0; i < hk_harts(); i++)
                hal_ipi_send(i);
        amo_add_rlx(&sent, 50 * hk_harts());
        hk_yield();
    }
}

static void check(unsigned me)
{
    uintptr_t id = LIST;
    for (struct node *p = hgc_get(root.list[me]); p; p = hgc_get(p->next))
        if (p->id != --id)
            amo_add_rlx(&wrong, 1);
    if (id)
        amo_add_rlx(&wrong, 1);
}

static void allocates(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    while (!ld_rlx(&over)) {
        hgc_set(&root.list[me], NULL);
        for (uintptr_t id = 0; id < LIST; id++) {
            struct node *p = hgc_new(NODE, sizeof(*p));
            if (!p) {
                amo_add_rlx(&wrong, 1);
                return;
            }
            p->id = id;
            hgc_set(&p->next, hgc_get(root.list[me]));
            hgc_set(&root.list[me], p);
        }
        check(me);
    }
}

static void to_idle(void)
{
    for (int i = 0; i < 2000; i++)
        for (unsigned to = 0; to < hk_harts(); to++)
            hal_ipi_send(to);
    hk_sleep(1000000);
    ok(true, "harts that sleep are not disturbed");
}

static void stops(void)
{
    uint64_t before = world_times.stops[WORLD_OTHER];
    for (int i = 0; i < STOPS; i++) {
        world_stop(WORLD_OTHER, NULL, NULL);
        for (unsigned to = 0; to < hk_harts(); to++)
            hal_ipi_send(to);
        hk_assert(world_stopped());
        world_start();
    }
    is(world_times.stops[WORLD_OTHER] - before, STOPS, "stops begin and end in the storm");
}

int app_main(void)
{
    static const uint32_t map = HGC_MAP(struct node, next);
    static const struct hgc_kind kind = { .name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &map };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true };
    struct task *t[2 * HARTS];
    unsigned n = 0;
    is(hgc_init(&config) | hgc_kind(NODE, &kind) | hgc_root_add(&root, sizeof(root)), HGC_OK, "the heap starts");
    to_idle();
    for (unsigned i = 0; i < hk_harts(); i++) {
        struct hk_task_config on = { .name = "storm", .hart_plus_1 = (int)i + 1 };
        hk_task_create(&t[n++], &on, storms, NULL);
        hk_task_create(&t[n++], NULL, allocates, (void *)(uintptr_t)i);
    }
    for (int i = 0; i < CYCLES || ld_rlx(&sent) < ENOUGH * hk_harts(); i++)
        hgc_collect(HGC_WAIT);
    stops();
    st_rlx(&over, 1);
    bool good = true;
    while (n)
        good &= hk_task_join(t[--n], NULL) == HK_OK;
    ok(good, "all tasks end");
    is(ld_rlx(&wrong), 0, "nothing is lost");
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.cycles >= CYCLES && s.verified == s.cycles, "cycles ran, each verified");
    hk_printf("# %u interrupts, %u cycles, %u restarts\n", (unsigned)ld_rlx(&sent), (unsigned)s.cycles,
              (unsigned)s.restarts);
    return tap_end();
}
