/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */
/* harts: 1 4 */
/* seconds: 30 */
/* tap: no */
/* match: ^hello: 1000 nodes */
/* The smallest program: a list on the collected heap, kept by a global. */
#include "gc/hgc.h"
#include "kernel/hk.h"

struct node {
    hgc_ref(struct node) next;
    int value;
};
enum { KIND_NODE = HGC_KIND_FIRST };

static hgc_ref(struct node) list;       /* a root */

static int build(int n)
{
    for (int i = 0; i < n; i++) {
        struct node *p = hgc_new(KIND_NODE, sizeof *p);         /* zeroed; 7 instructions */
        if (!p)
            return -1;
        p->value = i;
        hgc_set(&p->next, hgc_get(list));                       /* a load, a branch, the store */
        hgc_set(&list, p);
    }
    return 0;
}

int app_main(void)
{
    static const uint32_t map = HGC_MAP(struct node, next);
    const struct hgc_kind node = {.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &map};
    const struct hgc_config config = {.base = hk_mem_alloc(1 << 20), .size = 1 << 20};
    if (hgc_init(&config) || hgc_kind(KIND_NODE, &node) || hgc_root_add(&list, sizeof list))
        return 1;

    for (int round = 0; round < 100; round++) {
        hgc_set(&list, NULL);           /* the last round's list is garbage now */
        if (build(1000))
            return 1;
    }
    hgc_collect(HGC_WAIT);

    int n = 0;
    for (struct node *p = hgc_get(list); p; p = hgc_get(p->next))
        n++;
    struct hgc_stats s;
    hgc_stats(&s);
    hk_printf("hello: %d nodes, %u cycles, %u KiB allocated, %u KiB live\n", n, (unsigned)s.cycles,
              (unsigned)(s.alloc_bytes >> 10), (unsigned)(s.heap_live >> 10));
    return n == 1000 ? 0 : 1;
}
