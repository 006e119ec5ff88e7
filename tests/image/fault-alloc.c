/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 120 */
/*
 * Every allocation fails in turn: the n-th from the start of a scenario, for n = 1, 2, ... until one passes without a
 * failure; once only the n-th fails, and once the n-th and all after it.  In stress mode each allocation takes the slow
 * path, so none is left out.  Each part of the scenario does all or nothing; then its locks are free, the heap whole.
 */
#include "gc/hgc.h"
#include "tap.h"
#include "wipe.h"

enum { ARENA = 1 << 20, NODES = 6, NODE = HGC_KIND_FIRST, PAIRS = 3, STEPS_MAX = 200, PERSISTENT = 1000 };

struct node {
    uintptr_t id;
    hgc_ref(struct node) next;
    hgc_ref(void) text;
};
static struct {
    hgc_ref(struct node) list;
    hgc_ref(struct hgc_chan) chan;
} root;
static struct hk_mutex list_lock, chan_lock;

/* ---- the scenario: each part does all or nothing ----------------------------------------------------------------- */

static bool append(uintptr_t id, size_t text)
{
    bool good = false;
    hk_mutex_lock(&list_lock);
    struct node *p = hgc_new(NODE, sizeof(*p));
    if (p) {
        hgc_set(&p->text, hgc_alloc(HGC_LEAF, text));
        if (hgc_get(p->text)) {
            p->id = id;
            hgc_set(&p->next, hgc_get(root.list));
            hgc_set(&root.list, p);
            good = true;
        }
    }
    hk_mutex_unlock(&list_lock);
    return good;
}

static void helper(void *arg)
{
    struct node *p = arg, *copy = hgc_new(NODE, sizeof(*copy));
    if (copy)
        copy->id = p->id;
    hk_task_exit(copy);
}

/* Another task copies a node and hands it back. */
static bool in_task(void)
{
    struct node *p = hgc_new(NODE, sizeof(*p));
    struct task *t;
    void *copy = NULL;
    if (!p || (p->id = 77, hk_task_create(&t, NULL, helper, p)) != HK_OK)
        return false;
    return hk_task_join(t, &copy) == HK_OK && copy && ((struct node *)copy)->id == 77;
}

static bool through_channel(void)
{
    bool good = true;
    hk_mutex_lock(&chan_lock);
    hgc_set(&root.chan, hgc_chan_new(PAIRS));
    if (hgc_get(root.chan)) {
        for (int i = 0; i < PAIRS && good; i++) {
            void *p = hgc_alloc(HGC_LEAF, 100), *q = NULL;
            good = p && hgc_chan_send(hgc_get(root.chan), p, 0) == HGC_OK
                && hgc_chan_recv(hgc_get(root.chan), &q, 0) == HGC_OK && p == q;
        }
        hgc_chan_close(hgc_get(root.chan));
    } else {
        good = false;
    }
    hk_mutex_unlock(&chan_lock);
    return good;
}

static bool scenario(void)
{
    for (uintptr_t i = 0; i < NODES; i++)
        if (!append(i, i % 2 ? 24 : 3 * HGC_BLOCK))
            return false;
    return in_task() && through_channel();
}

/* ---- after it: nothing is held, nothing half done ---------------------------------------------------------------- */

static bool is_free(struct hk_mutex *m)
{
    return hk_mutex_try(m) == HK_OK && hk_mutex_unlock(m) == HK_OK;
}

static bool list_whole(void)
{
    uintptr_t above = NODES;
    for (struct node *p = hgc_get(root.list); p; p = hgc_get(p->next)) {
        if ((above < NODES && p->id + 1 != above) || !hgc_get(p->text) || hgc_size(hgc_get(p->text)) < 24)
            return false;
        above = p->id;
    }
    return above == 0 || above == NODES;
}

static void drop(void)
{
    hgc_set(&root.list, NULL);
    hgc_set(&root.chan, NULL);
}

static bool usable(void)
{
    drop();
    bool good = append(0, 64) && append(1, 2 * HGC_BLOCK) && list_whole();
    drop();
    return good;
}

static uint64_t live(void)
{
    struct hgc_stats s;
    wipe();
    drop();
    hgc_collect(HGC_WAIT);
    hgc_collect(HGC_WAIT);
    hgc_stats(&s);
    return s.heap_live;
}

/* Returns how many allocations there were to fail; 0: something was wrong. */
static unsigned each_fails(unsigned count)
{
    struct hgc_stats s;
    for (unsigned n = 1; n <= STEPS_MAX; n++) {
        hgc_stats(&s);
        uint64_t failed = s.allocs_failed;
        hgc_fail_alloc(n, count);
        bool good = scenario();
        hgc_fail_alloc(0, 0);
        hgc_stats(&s);
        failed = s.allocs_failed - failed;
        if (good != (failed == 0) || !is_free(&list_lock) || !is_free(&chan_lock) || !list_whole() || !usable()) {
            hk_printf("# allocation %u: %u failed, the scenario %s\n", n, (unsigned)failed, good ? "passed" : "failed");
            return 0;
        }
        if (good)
            return n - 1;
    }
    return 0;
}

int app_main(void)
{
    static const uint32_t map = HGC_MAP(struct node, next) | HGC_MAP(struct node, text);
    static const struct hgc_kind kind = { .name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &map };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true, .stress = 16 };
    is(hgc_init(&config) | hgc_kind(NODE, &kind) | hgc_root_add(&root, sizeof(root)), HGC_OK, "the heap starts");
    size_t pages = hk_mem_largest();
    ok(scenario() && list_whole(), "the scenario passes");
    drop();
    uint64_t before = live();
    unsigned want = 2 * NODES + 2 + 1 + PAIRS;
    is(each_fails(1), want, "each allocation fails once, and is told");
    is(each_fails(PERSISTENT), want, "each fails with all that follow");
    ok(live() <= before + 16 * HGC_BLOCK, "what failed is collected");
    ok(hk_mem_largest() + 16 * 8192 >= pages, "the tasks' memory comes back");
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.verified == s.cycles && s.cycles > 0, "each cycle was verified");
    hk_printf("# %u allocations, %u cycles\n", want, (unsigned)s.cycles);
    return tap_end();
}
