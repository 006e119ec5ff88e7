/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks that wait for channels of their own and hold those of others, which they close once they are woken.  Some channels are
 * in roots, and while looks for leaked tasks run others close these.  The truth is a bitmap: whom no path from a root leads to
 * waits for ever, and nobody else may be named.  In the end all are woken, those by addresses that no collector sees, and
 * what they held must be there.
 */
#include "gc/gc_internal.h"
#include "sim.h"
#include "workload.h"

enum { MEMBERS_MAX = 8, OTHERS = 3, WAKERS = 2 };
#define MAGIC 0x1eaced00u

struct member {
    uintptr_t magic;
    hgc_ref(struct hgc_chan) mine, other[OTHERS];
};

static hgc_ref(struct hgc_chan) roots[MEMBERS_MAX];
static unsigned members;
static uint32_t holds[MEMBERS_MAX], rooted, reached;        /* bitmaps of members; constant once they are built */

/* Addresses that the collector must not see. */
HAL_NO_SANITIZE static uintptr_t *hidden(unsigned i) { return (uintptr_t *)sim_truth() + i; }

static void member(void *arg)
{
    struct member *m = arg;
    void *word;
    if (hgc_chan_recv(hgc_get(m->mine), &word, HK_FOREVER) != HGC_ECLOSED || (m->magic & ~(uintptr_t)0xff) != MAGIC)
        sim_fail("I10: what a task held that waited is gone");
    for (unsigned i = 0; i < OTHERS; i++)
        if (hgc_get(m->other[i]))
            hgc_chan_close(hgc_get(m->other[i]));
}

static void expand(void)
{
    reached = rooted;
    for (unsigned pass = 0; pass < members; pass++)
        for (unsigned i = 0; i < members; i++)
            if (reached >> i & 1)
                reached |= holds[i];
}

static __attribute__((noinline)) void build(struct task **task)
{
    struct hgc_chan *chan[MEMBERS_MAX];
    struct member *m;
    for (unsigned i = 0; i < members; i++) {
        if (!(chan[i] = hgc_chan_new(1)))
            sim_fail("no memory for a channel");
        *hidden(i) = ~(uintptr_t)chan[i];
        if (sim_choose(3) == 0) {
            hgc_set(&roots[i], chan[i]);
            rooted |= 1u << i;
        }
    }
    for (unsigned i = 0; i < members; i++) {
        char name[8];
        if (!(m = hgc_alloc(HGC_AMBIGUOUS, sizeof *m)))
            sim_fail("no memory for an object");
        m->magic = MAGIC + i;
        hgc_set(&m->mine, chan[i]);
        for (unsigned k = sim_choose(OTHERS); k > 0; k--) {
            unsigned to = sim_choose(members);
            holds[i] |= 1u << to;
            hgc_set(&m->other[k], chan[to]);
        }
        hk_snprintf(name, sizeof name, "%u", i);
        if (hk_task_create(&task[i], &(struct hk_task_config){.name = name}, member, m) != HK_OK)
            sim_fail("no memory for a task");
    }
    expand();
}

static void judge(const struct hgc_leak *leak, void *arg)
{
    unsigned i = (unsigned)(leak->name[0] - '0');
    (void)arg;
    if (i >= members || (reached >> i & 1))
        sim_fail("task %s is said to wait for ever, and can be reached", leak->name);
}

static void close_one(unsigned i)
{
    struct hgc_chan *c = hgc_swap(&roots[i], NULL);
    if (c)
        hgc_chan_close(c);
}

static void waker(void *arg)
{
    (void)arg;
    for (unsigned n = sim_choose(6); n > 0; n--) {
        for (unsigned k = sim_choose(20); k > 0; k--)
            hk_yield();
        close_one(sim_choose(members));
        if (sim_choose(3) == 0)
            hgc_collect(HGC_START);
    }
}

/* All that wait for ever still do, so their channels are there; once the first is woken it may wake others, which end. */
static __attribute__((noinline)) void wake_all(void)
{
    for (unsigned i = 0; i < members; i++)
        if (!(reached >> i & 1))
            hgc_set(&roots[i], (struct hgc_chan *)~*hidden(i));
    for (unsigned i = 0; i < members; i++)
        close_one(i);
}

int leaks(void)
{
    struct task *task[MEMBERS_MAX], *t[WAKERS];
    members = 2 + sim_choose(MEMBERS_MAX - 1);
    workload_heap(64 * 1024);
    hgc_root_add(roots, sizeof roots);
    build(task);
    for (unsigned i = 0; i < WAKERS; i++)
        if (hk_task_create(&t[i], NULL, waker, NULL) != HK_OK)
            sim_fail("no memory for a task");
    workload_shades();
    for (unsigned n = 1 + sim_choose(3); n > 0; n--)
        hgc_leaks(judge, NULL);
    for (unsigned i = 0; i < WAKERS; i++)
        hk_task_join(t[i], NULL);
    hgc_leaks(judge, NULL);
    wake_all();
    for (unsigned i = 0; i < members; i++)
        hk_task_join(task[i], NULL);
    if (hgc_leaks(judge, NULL))
        sim_fail("nobody waits, and somebody is said to");
    return 0;
}
