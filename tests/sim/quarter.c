/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What share of the harts' time the mark workers take when every hart is busy: a quarter, within three points, over at
 * least 50 cycles and with marking a fifth of the time or more.  In virtual time, so it is the same on every machine.
 */
#include "gc/gc_internal.h"
#include "sim.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, NODES = 3200, LISTS = 32, CYCLES = 50, ARENA = 320 * 1024 };

struct node { hgc_ref(struct node) next; };

static hgc_ref(struct node) list[LISTS];        /* so that several can mark at a time */
static uint32_t over;                   /* atomic */

static void build(void)
{
    static const uint32_t first[1] = {1};
    static const struct hgc_kind node = {.name = "node", .words = 8, .map = first};
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .no_auto = true, .period_ns = HGC_PERIOD_OFF};
    if (hgc_init(&config) | hgc_kind(NODE, &node) | hgc_root_add(list, sizeof list))
        sim_fail("the heap does not start");
    for (unsigned i = 0; i < NODES; i++) {
        struct node *p = hgc_alloc(NODE, 64);
        hgc_set(&p->next, hgc_get(list[i % LISTS]));
        hgc_set(&list[i % LISTS], p);
    }
}

/* Marks, and lets the program have about as much time before the next one. */
static void cycles(void)
{
    for (unsigned i = 0; i < CYCLES; i++) {
        uint64_t begin = hk_now();
        hgc_collect(HGC_START);
        cycle_wait(ld_rlx(&gc.cycle));
        hk_sleep(hk_now() - begin);
    }
}

int quarter(void)
{
    struct task *t[2 * HK_MAX_HARTS];
    struct hgc_stats s;
    unsigned n = hk_harts(), tasks = 2 * n;     /* enough for each hart when one is a worker's */
    build();
    for (unsigned i = 0; i < tasks; i++)
        if (hk_task_create(&t[i], NULL, workload_busy, &over) != HK_OK)
            sim_fail("no memory for a task");
    uint64_t begin = hk_now();
    cycles();
    uint64_t all = hk_now() - begin;
    st_rlx(&over, 1);
    for (unsigned i = 0; i < tasks; i++)
        hk_task_join(t[i], NULL);
    hgc_stats(&s);
    unsigned permille = (unsigned)((s.cpu_dedicated_ns + s.cpu_fractional_ns) * 1000 / (s.mark_wall_ns * n));
    unsigned marking = (unsigned)(s.mark_wall_ns * 100 / all);
    hk_printf("%u harts: workers took %u.%u %% of the harts' time, over %u cycles of %u us, marking %u %% of the time\n", n,
              permille / 10, permille % 10, (unsigned)s.cycles, (unsigned)(s.mark_wall_ns / s.cycles / 1000), marking);
    if (permille < 220 || permille > 280 || s.cycles < CYCLES || marking < 20)
        sim_fail("the workers' share is not 25 %% +- 3, or marking not 20 %% of the time");
    return 0;
}
