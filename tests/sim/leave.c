/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References that only a stack, or the result of a task that has ended, holds when a cycle begins, and that leave it while
 * the cycle runs: just when the job of that task's slot is done, or while the task is pinned and cannot be scanned.
 *
 * A task with an object spins until the mark is on and its job is near.  Then it ends with the object as its result, sends
 * it, or keeps it, pinned for a while; or it was allocating a large one when the cycle began.  Meanwhile main joins tasks
 * that ended before the cycle.  Nobody looks at an object before the cycle is over: a look would save it.
 */
#include "gc/gc_internal.h"
#include "gc/hgc.h"
#include "kernel/hk.h"
#include "kernel/task.h"
#include "sim.h"
#include "truth.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, STAYERS = 4, DEAD = 3, WALL = 800 };
#define MAGIC 0x1ea7e000u

struct node {
    uint32_t number, magic;
};

static hgc_ref(struct hgc_chan) chan;
static uintptr_t wall[WALL];            /* a root, so that the jobs of tasks do not come first */
static uint32_t ready;                  /* atomic */

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static void check(const struct node *p)
{
    uint32_t number = p->number, magic = p->magic;
    if (magic != MAGIC || number >= truth_count() || truth_address(number) != (uintptr_t)p)
        sim_fail("I11: what was an object at %p holds %#x, %#x: it was freed or overwritten", (const void *)p, number,
                 magic);
    if (hgc_size(p) == 0)
        sim_fail("I11: object %u at %p is held, and is not live", number, (const void *)p);
}

static struct node *make(size_t size)
{
    struct node *p = hgc_alloc(HGC_LEAF, size);
    if (!p)
        sim_fail("no memory for an object");
    p->number = truth_new((uintptr_t)p, (unsigned)hgc_size(p), 0);
    p->magic = MAGIC;
    return p;
}

/* ---- those that stay --------------------------------------------------------------------------------------------- */

static bool marking(void)
{
    return hgc_marking();
}

/* Until the cycle has begun and has come near this slot's job, or past it. */
static void await_job(unsigned slot, unsigned early)
{
    for (unsigned n = 0; n < 20000 && !marking(); n++)
        hk_now();
    while (marking() && ld_rlx(&gc.job_next) + early < gc.root_jobs + slot)
        ;
    for (unsigned n = sim_choose(4) ? sim_choose(8) : sim_choose(60); n > 0; n--)
        hk_now();
}

/* No switch from here: a hart whose tasks all do this must still end the mark. */
static void spin_till_over(void)
{
    while (marking())
        hk_now();
    sweep_finish();
}

static __attribute__((noinline)) struct node *keep_small(unsigned slot)
{
    struct node *p = make(16 + 16 * sim_choose(8));
    amo_add_rel(&ready, 1);             /* partner: main's look */
    await_job(slot, sim_choose(3));
    return p;
}

static __attribute__((noinline)) void send_it(unsigned slot)
{
    if (hgc_chan_send(hgc_get(chan), keep_small(slot), 0) != HGC_OK)
        sim_fail("the channel has no space");
}

/* It begins when this hart has nothing better to do: when the cycle is over. */
static void begins_late(void *arg)
{
    check(arg);
}

static __attribute__((noinline)) struct task *pass_on(unsigned slot)
{
    struct task *t;
    struct hk_task_config c = {.set_prio = true, .prio = HK_BACKGROUND};
    struct node *p = keep_small(slot);
    c.hart_plus_1 = 1 + (int)hk_hart();
    if (hk_task_create(&t, &c, begins_late, p) != HK_OK)
        sim_fail("no memory for a task");
    return t;
}

static __attribute__((noinline)) void stay_pinned(void)
{
    struct node *p = make(16);
    hart_pin();
    amo_add_rel(&ready, 1);
    for (unsigned n = 0; n < 2000 && !marking(); n++)
        hk_now();
    for (unsigned n = 200 * sim_choose(4); n > 0 && marking(); n--)
        hk_now();
    hart_unpin();
    spin_till_over();
    check(p);
}

/* In a register that switch.c saves last, so that the word at sp is all that there is. */
static __attribute__((noinline)) void stay_in_register(void)
{
    register struct node *p __asm__("r15") = make(16);
    workload_forget();
    amo_add_rel(&ready, 1);
    for (unsigned n = 0; n < 20000 && !marking(); n++) {
        hk_now();
        __asm__ volatile("" : "+r"(p));
    }
    while (marking()) {
        hk_now();
        __asm__ volatile("" : "+r"(p));
    }
    sweep_finish();
    check(p);
}

/* The last one is on its way when the mark begins. */
static __attribute__((noinline)) void take_large(void)
{
    struct node *p = NULL;
    amo_add_rel(&ready, 1);
    for (unsigned n = 0; n < 16 && !marking(); n++)
        p = hgc_alloc(HGC_LEAF, HGC_BLOCK);
    if (!p)
        return;
    spin_till_over();
    if (hgc_size(p) == 0)
        sim_fail("I10: a new large object at %p is held, and is not live", (void *)p);
}

static void stayer(void *arg)
{
    unsigned slot = task_self()->slot;
    struct task *t;
    switch ((uintptr_t)arg) {
    case 0:
    case 1:
        hk_task_exit(keep_small(slot));
        break;
    case 2:
        send_it(slot);
        workload_forget();
        spin_till_over();
        break;
    case 3:
        stay_pinned();
        break;
    case 4:
        t = pass_on(slot);
        workload_forget();
        spin_till_over();
        hk_task_join(t, NULL);
        break;
    case 5:
        stay_in_register();
        break;
    default:
        take_large();
        break;
    }
}

static void dies(void *arg)
{
    (void)arg;
    hk_task_exit(make(16));
}

/* ---- main -------------------------------------------------------------------------------------------------------- */

static struct task *start(void (*fn)(void *), unsigned how)
{
    struct task *t;
    struct hk_task_config c = {.set_prio = sim_choose(4) == 0, .prio = HK_NORMAL + sim_choose(2)};
    if (hk_task_create(&t, &c, fn, (void *)(uintptr_t)how) != HK_OK)
        sim_fail("no memory for a task");
    return t;
}

static void check_result(struct task *t)
{
    void *result = NULL;
    if (hk_task_join(t, &result) != HK_OK)
        sim_fail("a task cannot be joined");
    if (result)
        check(result);
}

/* Results from before the cycle come to this stack, which may have been scanned. */
static __attribute__((noinline)) void join_dead(struct task **dead, unsigned n)
{
    void *result[DEAD] = {0};
    if (sim_choose(2))
        await_job(0, 0);
    while (n-- > 0) {
        while (marking() && sim_choose(2) && ld_rlx(&gc.job_next) + 2 < gc.root_jobs + dead[n]->slot)
            ;
        if (hk_task_join(dead[n], &result[n]) != HK_OK)
            sim_fail("a task cannot be joined");
    }
    while (marking())
        hk_yield();
    sweep_finish();
    for (unsigned i = 0; i < DEAD; i++)
        if (result[i])
            check(result[i]);
}

static __attribute__((noinline)) void receive_all(void)
{
    void *got;
    while (hgc_chan_recv(hgc_get(chan), &got, 0) == HGC_OK)
        check(got);
}

static void round(void)
{
    struct task *dead[DEAD], *stay[STAYERS];
    unsigned n = sim_choose(DEAD + 1), m = 1 + sim_choose(hk_harts() > 3 ? STAYERS : hk_harts()), hows = 0;
    uint32_t begun = ld_rlx(&gc.cycle);
    workload_lay();
    workload_forget();
    st_rlx(&ready, 0);
    for (unsigned i = 0; i < m; i++)
        stay[i] = start(stayer, sim_choose(7));
    for (unsigned i = 0; i < n; i++)
        dead[i] = start(dies, 0);
    for (unsigned i = 0; i < n; i++)
        hk_event_wait(&dead[i]->done, HK_FOREVER);
    while (ld_acq(&ready) < m)          /* partner: the stayers */
        hk_yield();
    for (hows = sim_choose(100); hows > 0; hows--)
        hk_now();
    cycle_start(HGC_START, true, begun);
    workload_find();
    join_dead(dead, n);
    for (unsigned i = 0; i < m; i++)
        check_result(stay[i]);
    receive_all();
    workload_forget();
}

int leave(void)
{
    truth_start();
    struct hgc_config c = {.size = 96 * 1024, .no_auto = true, .percent = 20 + 100 * sim_choose(3)};
    c.base = hk_mem_alloc(c.size);
    c.verify = sim_choose(4) == 0;
    if (!c.base || hgc_init(&c) != HGC_OK)
        sim_fail("hgc_init failed");
    if (sim_choose(4))
        hgc_root_add(wall, sizeof wall[0] * (1 + sim_choose(WALL)));
    hgc_root_add(&chan, sizeof chan);
    hgc_set(&chan, hgc_chan_new(STAYERS));
    for (unsigned n = 1 + sim_choose(2); n > 0; n--)
        round();
    return 0;
}
