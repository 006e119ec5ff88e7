/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 */
/* What a large object owes beyond one allocation's instalment stays owed.  On one hart, and in a mark that steps drive, nobody
 * else pays. */
#include "gc/gc_internal.h"
#include "tap.h"

enum { ARENA = 4 << 20, LARGE = ARENA / 4, NEXT = 64 << 10, NODE = HGC_KIND_FIRST, SIZE = 256 };

struct node {
    hgc_ref(struct node) next;
};

static hgc_ref(struct node) list;

static void grow(size_t bytes)
{
    for (size_t n = 0; n < bytes; n += SIZE) {
        struct node *p = hgc_alloc(NODE, SIZE);
        if (!p)
            hk_panic("no memory for the list");
        hgc_set(&p->next, hgc_get(list));
        hgc_set(&list, p);
    }
}

static intptr_t owes(void)
{
    return -task_self()->gc_balance;
}

int app_main(void)
{
    static const uint32_t map[1] = { HGC_MAP(struct node, next) };
    static const struct hgc_kind node = { .name = "node", .words = SIZE / sizeof(void *), .map = map };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .period_ns = HGC_PERIOD_OFF };
    is(hgc_init(&config) | hgc_kind(NODE, &node) | hgc_root_add(&list, sizeof list), HGC_OK, "the heap starts");
    grow(LARGE);
    hgc_collect(HGC_WAIT);
    while (!hgc_marking())
        hgc_step(1000, HGC_STEP_CYCLE | HGC_STEP_INSTRUCTIONS);
    bool got = hgc_alloc(HGC_LEAF, LARGE) != NULL;
    intptr_t owed = owes();
    got &= hgc_alloc(HGC_LEAF, NEXT) != NULL;
    intptr_t left = owes() - NEXT;
    hk_printf("# owed %d bytes, then %d\n", (int)owed, (int)left);
    ok(got && owed >= LARGE, "a large object is owed for");
    ok(left < owed, "the next allocation pays for it");
    ok(left > owed / 2, "but a part only: the rest stays owed");
    return tap_end();
}
