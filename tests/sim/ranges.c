/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of roots that come and go while cycles run.  Each task adds a range of its own, makes it the only holder of some
 * objects, and takes it away again, often just when its own stack has been scanned and the range has not, or not to its
 * end: what it read from the range before is on its stack alone then, and only the removal can make it known to the mark.
 * After that the memory is the task's: it may not even be there for a while, and it wipes it.  Or a task does that that is born
 * as a mark begins: it is black, and may be there before the range's job is taken.
 */
#include <sys/mman.h>

#include "gc/gc_internal.h"
#include "gc/hgc.h"
#include "kernel/hk.h"
#include "kernel/task.h"
#include "sim.h"
#include "truth.h"
#include "workload.h"

enum { WORKERS = 4, WORDS = 120, HELD = 6, PAGE = 4096 };
#define MAGIC 0x4a4e6e00u

struct node {
    uint32_t number, magic;
};

static _Alignas(PAGE) hgc_ref(struct node) range[WORKERS][PAGE / sizeof(void *)];
static uint32_t over;                   /* atomic: workers that have ended */

static void check(const struct node *p)
{
    uint32_t number = p->number, magic = p->magic;
    if (magic != MAGIC || number >= truth_count() || truth_address(number) != (uintptr_t)p)
        sim_fail("I10: what was an object at %p holds %#x, %#x: it was freed or overwritten", (const void *)p, number,
                 magic);
    if (hgc_size(p) == 0)
        sim_fail("I10: object %u at %p is held, and is not live", number, (const void *)p);
}

/* The range is their only holder when this returns. */
static __attribute__((noinline)) unsigned fill(unsigned self, unsigned words, struct node **held)
{
    unsigned n = 0;
    for (unsigned i = words; i-- > 0 && n < HELD;) {
        if (sim_choose(2) && i > HELD)
            continue;
        struct node *p = hgc_alloc(HGC_LEAF, 16 + 16 * sim_choose(6));
        if (!p)
            break;
        p->number = truth_new((uintptr_t)p, (unsigned)hgc_size(p), self);
        p->magic = MAGIC;
        hgc_set(&range[self][i], p);
        if (held)
            held[n] = p;
        n++;
    }
    return n;
}

/* Until a mark has scanned this stack, or for a while. */
static void await_scan(void)
{
    const struct task *t = task_self();
    for (unsigned n = 0; n < 300; n++) {
        if (hgc_marking() && ld_rlx(&t->gc_seen) == ld_rlx(&gc.cycle))
            return;
        if (n % 16 == 15)
            hk_yield();
    }
}

static void await_end(void)
{
    while (hgc_marking())
        hk_yield();
    sweep_finish();
}

/* Whoever still looks at it faults, which the simulator tells. */
static void unmap_for_a_while(void *page)
{
    mprotect(page, PAGE, PROT_NONE);
    for (unsigned n = 1 + sim_choose(20); n > 0; n--)
        hk_yield();
    mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

static __attribute__((noinline)) void take_away(unsigned self, unsigned words)
{
    struct node *held[HELD];
    unsigned n = 0;
    for (unsigned i = words; i-- > 0 && n < HELD;)
        if (hgc_get(range[self][i]))
            check(held[n++] = hgc_get(range[self][i]));
    if (hgc_root_remove(range[self]) != HGC_OK)
        sim_fail("a range that was added cannot be removed");
    if (hgc_root_remove(range[self]) != HGC_EINVAL)
        sim_fail("a range can be removed twice");
    if (sim_choose(4) == 0)
        unmap_for_a_while(range[self]);
    for (unsigned i = 0; i < words; i++)
        hal_plain_store((uintptr_t *)&range[self][i], 0);
    if (sim_choose(4))
        await_end();
    while (n-- > 0)
        check(held[n]);
}

struct removal { unsigned self, words; };

static void child(void *arg)
{
    const struct removal *r = arg;
    take_away(r->self, r->words);
}

static void take_away_by_child(unsigned self, unsigned words)
{
    struct removal r = {self, words};
    struct hk_task_config config = {.set_prio = true, .prio = HK_HIGH};
    struct task *t;
    hgc_collect(HGC_START);
    if (hk_task_create(&t, &config, child, &r) != HK_OK)
        sim_fail("no memory for a task");
    hk_task_join(t, NULL);
}

static void add(unsigned self, unsigned words)
{
    if (hgc_root_add(range[self], words * sizeof(uintptr_t)) != HGC_OK)
        sim_fail("a range cannot be added");
}

/* It is added late, perhaps in a mark: until then the stack holds them, too, and no longer. */
static __attribute__((noinline)) void fill_and_add(unsigned self, unsigned words)
{
    struct node *held[HELD];
    unsigned n = fill(self, words, held);
    if (sim_choose(2))
        hgc_collect(HGC_START);
    add(self, words);
    while (n-- > 0)
        check(held[n]);
}

static __attribute__((noinline)) void use_range(unsigned self)
{
    unsigned words = 1 + sim_choose(WORDS);
    if (sim_choose(3) == 0) {
        fill_and_add(self, words);
    } else {
        add(self, words);
        fill(self, words, NULL);
    }
    if (sim_choose(3) == 0) {
        take_away_by_child(self, words);
        return;
    }
    if (sim_choose(3) == 0)
        hgc_collect(HGC_START);
    if (sim_choose(4))
        await_scan();
    take_away(self, words);
}

static void worker(void *arg)
{
    for (unsigned n = 1 + sim_choose(3); n > 0; n--)
        use_range((unsigned)(uintptr_t)arg);
    amo_add_rel(&over, 1);
}

int ranges(void)
{
    struct task *t[WORKERS];
    unsigned n = 1 + sim_choose(WORKERS);
    truth_start();
    workload_heap(96 * 1024);
    for (unsigned i = 0; i < n; i++)
        if (hk_task_create(&t[i], NULL, worker, (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
    workload_shades();
    for (unsigned cycles = 0; ld_acq(&over) < n; cycles++) {
        if (cycles < 30)                /* a removal begins anew in each cycle, and needs one that lasts long enough */
            hgc_collect(HGC_START);
        hk_sleep(1 + sim_choose(20000));
    }
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
    return 0;
}
