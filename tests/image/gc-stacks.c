/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/* hal: riscv host */
/*
 * Stacks of tasks: the pacer counts the used part of each, once, also where plain roots make it be searched again; the stack of
 * a task that has ended serves the next one, and counts no more.
 */
#include "gc/gc_internal.h"
#include "tap.h"

enum { ARENA = 8 << 20, TASKS = 24, DEEP = 10000, LIVE = 1 << 20, SMALL = 4096 };

static hgc_ref(void) root[LIVE / SMALL];
static uintptr_t plain;
static struct hk_sem ready, go;

/* Sleeps with so much of its stack in use. */
static void deep(void *arg)
{
    char frame[DEEP];
    (void)arg;
    __asm__ volatile("" : : "r"(frame) : "memory");     /* whoever compiles this: all of it is used */
    hk_sem_post(&ready);
    hk_sem_wait(&go, HK_FOREVER);
    __asm__ volatile("" : : "r"(frame) : "memory");
}

static void ends(void *arg)
{
    (void)arg;
}

struct pace { uintptr_t goal, live, stacks, scanned; };

static struct pace collect(void)
{
    struct hgc_stats s;
    hgc_collect(HGC_WAIT);
    hgc_stats(&s);
    return (struct pace){(uintptr_t)s.heap_goal, (uintptr_t)s.heap_live, (uintptr_t)gc.pacer.stacks, (uintptr_t)s.scan_stacks};
}

/* The goal at 100 percent is live * 2 + stacks + roots. */
static uintptr_t beside_live(struct pace p)
{
    return p.goal - 2 * p.live;
}

static void counted(void)
{
    struct task *t[TASKS];
    struct pace before = collect();
    for (unsigned i = 0; i < TASKS; i++)
        hk_task_create(&t[i], NULL, deep, NULL);
    for (unsigned i = 0; i < TASKS; i++)
        hk_sem_wait(&ready, HK_FOREVER);
    struct pace with = collect();
    uintptr_t least = TASKS * DEEP, most = TASKS * (DEEP + 4096);
    hk_printf("# goal beside twice the live heap: %u, with %u deep stacks %u; stacks %u and %u\n", (unsigned)beside_live(before),
              TASKS, (unsigned)beside_live(with), (unsigned)before.stacks, (unsigned)with.stacks);
    ok(with.stacks - before.stacks >= least && with.stacks - before.stacks <= most, "the used part of each stack is counted");
    ok(beside_live(with) - beside_live(before) >= least && beside_live(with) - beside_live(before) <= most, "in the goal, too");
    hgc_root_add_plain(&plain, sizeof plain);
    struct pace again = collect();
    ok(again.scanned >= with.scanned + least, "with a plain root they are searched again");
    ok(again.stacks <= before.stacks + most, "and counted once");
    hgc_root_remove(&plain);
    for (unsigned i = 0; i < TASKS; i++)
        hk_sem_post(&go);
    for (unsigned i = 0; i < TASKS; i++)
        hk_task_join(t[i], NULL);
    struct pace after = collect();
    ok(after.stacks < before.stacks + DEEP, "those of tasks that have ended are not");
}

static void reused(void)
{
    struct task *t;
    void *mem = NULL;
    unsigned same = 0, n = 200;
    size_t used, spare, used_before, spare_before;
    task_stacks(&used_before, &spare_before);
    ok(spare_before > 0 && spare_before <= HK_STACKS_KEPT * (HK_STACK_SIZE + 16384), "some stacks are kept");
    for (unsigned i = 0; i < n; i++) {
        hk_task_create(&t, NULL, ends, NULL);
        same += t->mem == mem;
        mem = t->mem;
        hk_task_join(t, NULL);
    }
    task_stacks(&used, &spare);
    is(same, n - 1, "a new task has the stack of the last that ended");
    ok(used == used_before && spare == spare_before, "and no stack is lost");
}

int app_main(void)
{
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .period_ns = HGC_PERIOD_OFF, .no_auto = true,
                                .min_trigger = 65536};
    is(hgc_init(&config) | hgc_root_add(root, sizeof root), HGC_OK, "the heap starts");
    hk_sem_init(&ready, 0);
    hk_sem_init(&go, 0);
    for (unsigned i = 0; i < LIVE / SMALL; i++)
        hgc_set(&root[i], hgc_alloc(HGC_LEAF, SMALL));
    counted();
    reused();
    return tap_end();
}
