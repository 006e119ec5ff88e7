/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 60 */
/* match: task victim ended on hart \d+: store access fault */
/*
 * A task that a fault ends while it holds mutexes and the only references to a list, marking or not: who waits for a
 * mutex is told, the list is collected, its other mutex is not lost either, and the next one finds all in order.
 */
#include "gc/hgc.h"
#include "kernel/task.h"
#include "tap.h"
#include "wipe.h"

enum { ARENA = 1 << 20, NODES = 4000, TURNS = 12, NODE = HGC_KIND_FIRST };

struct node {
    uintptr_t id;
    hgc_ref(struct node) next;
};
static struct hk_mutex waited, other;
static struct hk_sem holds;
static struct task *waiting;
static uint32_t told;
static bool marking;

static struct node *list(void)
{
    struct node *last = NULL;
    for (uintptr_t id = 0; id < NODES; id++) {
        struct node *p = hgc_new(NODE, sizeof(*p));
        if (!p)
            return NULL;
        p->id = id;
        hgc_set(&p->next, last);
        last = p;
    }
    return last;
}

static void victim(void *arg)
{
    struct node *p = list();
    hk_mutex_lock(&waited);
    hk_mutex_lock(&other);
    hk_sem_post(&holds);
    while (task_waits_for(waiting) != (uintptr_t)&waited.waiters)
        hk_sleep(100000);
    if (marking)
        hgc_collect(HGC_START);
    *(volatile uintptr_t *)arg = p->id;
    hk_printf("not reached %p\n", (void *)p);
}

static void waiter(void *arg)
{
    (void)arg;
    hk_sem_wait(&holds, HK_FOREVER);
    if (hk_mutex_lock(&waited) == HK_EOWNERDEAD)
        amo_add_rlx(&told, 1);
    hk_mutex_unlock(&waited);
}

static uint64_t live(void)
{
    struct hgc_stats s;
    wipe();
    hgc_collect(HGC_WAIT);
    hgc_collect(HGC_WAIT);
    hgc_stats(&s);
    return s.heap_live;
}

static bool turn(void)
{
    struct hk_task_config config = { .name = "victim" };
    struct task *v;
    uint32_t before = ld_rlx(&told);
    if (hk_task_create(&waiting, NULL, waiter, NULL) || hk_task_create(&v, &config, victim, (void *)(uintptr_t)-4096))
        return false;
    bool good = hk_task_join(v, NULL) == HK_EFAULT && hk_task_join(waiting, NULL) == HK_OK;
    good &= ld_rlx(&told) == before + 1;
    good &= hk_mutex_try(&waited) == HK_OK && hk_mutex_unlock(&waited) == HK_OK;
    return good & (hk_mutex_try(&other) == HK_EOWNERDEAD && hk_mutex_unlock(&other) == HK_OK);
}

int app_main(void)
{
    static const uint32_t map = HGC_MAP(struct node, next);
    static const struct hgc_kind kind = { .name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &map };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true };
    is(hgc_init(&config) | hgc_kind(NODE, &kind), HGC_OK, "the heap starts");
    hk_sem_init(&holds, 0);
    uint64_t first = live(), last = 0;
    bool good = true;
    for (int i = 0; i < TURNS && good; i++) {
        marking = i % 2;
        good &= turn();
        last = live();
        good &= last < first + NODES * sizeof(struct node) / 4;
    }
    ok(good, "the next owner is told, the other mutex is not lost, and the list is collected");
    hk_printf("# live: %u, then %u bytes\n", (unsigned)first, (unsigned)last);
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.verified == s.cycles && s.cycles >= TURNS, "each cycle was verified");
    return tap_end();
}
