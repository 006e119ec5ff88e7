/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many objects in few blocks, each on one of several chains that go through all of these, so that in every mark workers
 * meet in the same blocks all the time.  No object is ever let go: after each cycle all must be there.  Tasks move the
 * chains' ends about between two tables meanwhile, where each is on a stack alone for a moment.
 */
#include "gc/hgc.h"
#include "kernel/hk.h"
#include "sim.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, NODES = 64, CHAINS = 12, MOVERS = 3 };
#define MAGIC 0x3eb0000u
#define TRUTH HAL_NO_SANITIZE __attribute__((noinline))

struct node {
    uintptr_t magic;            /* MAGIC + its number */
    hgc_ref(struct node) next, unused;
};
struct table {
    hgc_ref(struct node) chain[CHAINS];
};

static hgc_ref(struct table) tables[2];
static unsigned nodes, movers;
static uint32_t over;           /* atomic */

/* Addresses that the collector must not see. */
TRUTH static uintptr_t *at(unsigned i) { return (uintptr_t *)sim_truth() + i; }

TRUTH static void check_all(const char *when)
{
    for (unsigned i = 0; i < nodes; i++) {
        const struct node *p = (const struct node *)*at(i);
        if (hgc_size(p) == 0 || p->magic != MAGIC + i)
            sim_fail("I10: object %u at %p is held, and is gone %s", i, (const void *)p, when);
    }
}

/* Each new one before the chain that chance chooses: neighbours in memory lie on different chains. */
static __attribute__((noinline)) void build(void)
{
    size_t size = sizeof(struct node) + 16 * sim_choose(4) * sim_choose(4);
    for (unsigned i = 0; i < nodes; i++) {
        struct table *t = hgc_get(tables[0]);
        unsigned c = sim_choose(CHAINS);
        struct node *p = hgc_alloc(sim_choose(8) ? NODE : HGC_AMBIGUOUS, size);
        if (!p)
            sim_fail("no memory for an object");
        p->magic = MAGIC + i;
        *at(i) = (uintptr_t)p;
        hgc_set(&p->next, hgc_get(t->chain[c]));
        hgc_set(&t->chain[c], p);
    }
}

static __attribute__((noinline)) void move(unsigned c)
{
    struct table *a = hgc_get(tables[0]), *b = hgc_get(tables[1]);
    struct node *p = hgc_get(a->chain[c]), *q = hgc_get(b->chain[c]);
    hgc_set(&a->chain[c], NULL);
    hgc_set(&b->chain[c], p);
    hgc_set(&a->chain[c], q);
}

static void mover(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    for (unsigned n = 0; n < 60 && !ld_acq(&over); n++) {
        move(sim_choose(CHAINS / MOVERS) * MOVERS + self);
        if (sim_choose(4) == 0)
            hk_yield();
    }
}

int web(void)
{
    static const uint32_t map[1] = {HGC_MAP(struct node, next) | HGC_MAP(struct node, unused)};
    struct task *t[MOVERS];
    nodes = 24 + sim_choose(NODES - 24);
    movers = sim_choose(MOVERS + 1);
    workload_heap(64 * 1024);
    hgc_kind(NODE, &(struct hgc_kind){.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = map});
    hgc_root_add(tables, sizeof tables);
    for (unsigned i = 0; i < 2; i++)
        hgc_set(&tables[i], hgc_alloc(HGC_AMBIGUOUS, sizeof(struct table)));
    build();
    for (unsigned i = 0; i < movers; i++)
        if (hk_task_create(&t[i], NULL, mover, (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
    workload_shades();
    for (unsigned n = 1 + sim_choose(3); n > 0; n--) {
        hgc_collect(HGC_WAIT);
        check_all("after a cycle");
    }
    st_rel(&over, 1);
    for (unsigned i = 0; i < movers; i++)
        hk_task_join(t[i], NULL);
    check_all("at the end");
    return 0;
}
