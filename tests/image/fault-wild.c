/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 60 */
/* match: task null-store ended on hart \d+: store access fault */
/* match: task null-load ended on hart \d+: load access fault */
/* match: task hole ended on hart \d+: store access fault */
/* match: task behind ended on hart \d+: store access fault */
/* match: task handlers ended on hart \d+: store access fault */
/* match: task barrier-off ended on hart \d+: store access fault */
/* match: task barrier-on ended on hart \d+: (load|store) access fault */
/* match: task below-guard ended on hart \d+: stack overflow */
/* match: address 0xffff[0-9a-f]+ */
/*
 * Wild accesses: each ends its task with a report that names the address, the barrier's too, in a cycle and outside.  A
 * fault in a restartable sequence is the task's, not the sequence's: it is not begun again.
 */
#include "gc/hgc.h"
#include "kernel/hart.h"
#include "tap.h"

enum { ARENA = 1 << 20, NODES = 2000 };

struct node {
    hgc_ref(struct node) next;
};
static hgc_ref(struct node) root;

static void stores(void *arg) { *(volatile uint8_t *)arg = 1; }
static void loads(void *arg) { (void)*(volatile uint8_t *)arg; }

static void sets(void *arg)
{
    struct node *p = arg;
    hgc_set(&p->next, hgc_get(root));
}

/* The stack pointer is somewhere below a trap stack, which the report must not read through its guard. */
static void loses_stack(void *arg)
{
    __asm__ volatile("mv sp, %0\n\tsb zero, 0(zero)" : : "r"(arg) : "memory");
}

/* A long list, so that a mark lasts; whoever ends in it has not stopped it. */
static void grow(void)
{
    hgc_set(&root, NULL);
    for (int i = 0; i < NODES; i++) {
        struct node *p = hgc_new(HGC_AMBIGUOUS, sizeof(*p));
        hgc_set(&p->next, hgc_get(root));
        hgc_set(&root, p);
    }
}

static unsigned length(void)
{
    unsigned n = 0;
    for (struct node *p = hgc_get(root); p; p = hgc_get(p->next))
        n++;
    return n;
}

static void sets_marking(void *arg)
{
    do {
        hgc_collect(HGC_START);
    } while (!hgc_marking());
    sets(arg);
}

static void ends(const char *name, void (*fn)(void *), uintptr_t arg)
{
    struct hk_task_config config = { .name = name, .hart_plus_1 = 1 };
    struct task *t;
    hk_task_create(&t, &config, fn, (void *)arg);
    is(hk_task_join(t, NULL), HK_EFAULT, name);
}

int app_main(void)
{
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true };
    is(hgc_init(&config) | hgc_root_add(&root, sizeof(root)), HGC_OK, "the heap starts");
    grow();
    uintptr_t lo, hi;
    hal_memory(&lo, &hi);
    ends("null-store", stores, 0);
    ends("null-load", loads, 0);
    ends("below-guard", loses_stack, hal_hart(0)->hal.trap_lo - 4096 - 256);
    ends("hole", stores, (uintptr_t)-4096);
    ends("behind", stores, hi);
    ends("handlers", stores, hal_hart(0)->hal.trap_lo - 1);     /* the guard below hart 0's stack for handlers */
    ends("barrier-off", sets, (uintptr_t)-4096);
    for (int i = 0; i < 5; i++)         /* the mark may be over by the time it stores */
        ends("barrier-on", sets_marking, (uintptr_t)-4096);
    is(length(), NODES, "the list is whole");
    is(hgc_collect(HGC_WAIT), HGC_OK, "the collector goes on");
    is(length(), NODES, "and the list with it");
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.verified == s.cycles && s.cycles > 0, "each cycle was verified");
    return tap_end();
}
