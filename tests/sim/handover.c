/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References that pass from task to task in every way there is (I11), while cycles run: as an argument, as a result,
 * through a channel, through a root.  Who hands one over forgets it at once, and often ends at once.
 *
 * A reference that a task has in its hands is a token: truth_hold counts it when it is taken, and it passes along with
 * the reference.  So an object is held from its birth until some task drops its last token, wherever it is.
 */
#include "gc/gc_internal.h"
#include "gc/hgc.h"
#include "kernel/hart.h"
#include "kernel/hk.h"
#include "sim.h"
#include "truth.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, WORKERS = 4, SHELVES = 3, CHANS = 2, MADE_MAX = 200, TASKS_MAX = 30 };
#define MAGIC 0xba70c0deu

struct node {
    uint32_t number, magic;
    hgc_ref(struct node) next;          /* its own: handed over with it */
};

static hgc_ref(struct node) shelf[SHELVES];
static hgc_ref(struct hgc_chan) chan[CHANS];
static struct hk_mutex shelf_lock;
static struct hk_chan dead;             /* tasks to be joined: not references of the collector */
static uintptr_t dead_room[4];
static uint32_t made, tasks_made, alive;        /* atomic */

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static void check_one(const struct node *p)
{
    uint32_t number = p->number, magic = p->magic;
    if (magic != MAGIC || number >= truth_count() || truth_address(number) != (uintptr_t)p)
        sim_fail("I11: what was an object at %p holds %#x, %#x: it was freed or overwritten", (const void *)p, number,
                 magic);
    if (hgc_size(p) == 0)
        sim_fail("I11: object %u at %p is held, and is not live", number, (const void *)p);
}

static unsigned check(const struct node *p)
{
    for (const struct node *q = p; q; q = hgc_get(q->next))
        check_one(q);
    return p->number;
}

static struct node *make_one(struct node *next)
{
    struct node *p;
    if (amo_add_rlx(&made, 1) >= MADE_MAX)
        return NULL;
    switch (sim_choose(6)) {
    case 0:  p = hgc_alloc(HGC_AMBIGUOUS, sizeof *p + 16 * sim_choose(16)); break;
    case 1:  p = hgc_alloc(NODE, 600 + 800 * sim_choose(2)); break;     /* large */
    default: p = hgc_new(NODE, sizeof *p); break;
    }
    if (!p)
        return NULL;
    if (p->magic || p->number || hgc_get(p->next))
        sim_fail("a new object at %p is not zero", (void *)p);
    p->number = truth_new((uintptr_t)p, (unsigned)hgc_size(p), 0);
    p->magic = MAGIC;
    truth_hold(p->number);
    if (next) {
        fence_ww();
        hgc_set(&p->next, next);
        truth_set(truth_slot(p->number, 0), (int)check(next));
        truth_drop(next->number);               /* p's from now on */
    }
    return p;
}

/* A chain of one to three, and its token. */
static struct node *make(void)
{
    struct node *p = make_one(NULL);
    for (unsigned n = sim_choose(3); p && n > 0; n--) {
        struct node *q = make_one(p);
        p = q ? q : p;
    }
    return p;
}

static void drop(struct node *p)
{
    if (p)
        truth_drop(check(p));
}

/* ---- the ways ---------------------------------------------------------------------------------------------------- */

static void live(struct node *p, unsigned steps, unsigned generation);

/* An argument. */
static void child(void *arg)
{
    if (arg)
        check(arg);
    live(arg, sim_choose(4), 1);
    amo_add_rel(&alive, -1);         /* partner: run_workers */
}

/* It ends with what it got, or with something new. */
static __attribute__((noinline)) struct node *change(struct node *p)
{
    if (p)
        check(p);
    if (sim_choose(3) == 0)
        hk_yield();
    if (sim_choose(2))
        return p;
    drop(p);
    return make();
}

static void child_with_result(void *arg)
{
    hk_task_exit(change(arg));
}

/* Takes p's token if it returns true. */
static bool create(struct task **t, void (*fn)(void *), struct node *p, bool detached)
{
    struct hk_task_config c = {
        .detached = detached, .set_prio = sim_choose(2), .prio = (enum hk_prio)sim_choose(4),
        .hart_plus_1 = sim_choose(4) == 0 ? 1 + (int)sim_choose(hk_harts()) : 0,
    };
    if (amo_add_rlx(&tasks_made, 1) >= TASKS_MAX)
        return false;
    if (detached)
        amo_add_rlx(&alive, 1);
    int r = hk_task_create(t, &c, fn, p);
    if (r != HK_OK && detached)
        amo_add_rlx(&alive, -1);
    return r == HK_OK;
}

static struct node *through_result(struct node *p)
{
    struct task *t;
    void *result = NULL;
    if (!create(&t, child_with_result, p, false))
        return p;
    if (sim_choose(2) == 0 && hk_chan_send(&dead, (uintptr_t)t, 0) == HK_OK)
        return NULL;                            /* another task joins it */
    p = NULL;
    workload_forget();
    if (hk_task_join(t, &result) != HK_OK)
        sim_fail("a task cannot be joined");
    if (result)
        check(result);
    return result;
}

static struct node *from_the_dead(struct node *p)
{
    uintptr_t t;
    void *result = NULL;
    if (p || hk_chan_recv(&dead, &t, 0) != HK_OK)
        return p;
    if (hk_task_join((struct task *)t, &result) != HK_OK)
        sim_fail("a task cannot be joined");
    if (result)
        check(result);
    return result;
}

static struct node *to_detached(struct node *p)
{
    return create(NULL, child, p, true) ? NULL : p;
}

static uint64_t timeout(void)
{
    return sim_choose(3) == 0 ? 0 : sim_choose(2) ? HK_FOREVER : 1 + sim_choose(8000);
}

static struct node *send(struct node *p)
{
    return hgc_chan_send(hgc_get(chan[sim_choose(CHANS)]), p, timeout()) == HGC_OK ? NULL : p;
}

static struct node *receive(void)
{
    void *got = NULL;
    if (hgc_chan_recv(hgc_get(chan[sim_choose(CHANS)]), &got, timeout()) != HGC_OK)
        return NULL;
    check(got);
    return got;
}

/* p goes on the shelf, and what lay there is taken. */
static struct node *exchange(struct node *p)
{
    unsigned i = sim_choose(SHELVES);
    if (hk_mutex_lock_until(&shelf_lock, timeout()) != HK_OK)
        return p;
    struct node *q = hgc_get(shelf[i]);
    if (sim_choose(4) == 0)
        hk_yield();                             /* others wait for the mutex meanwhile, and may be claimed */
    hgc_set(&shelf[i], p);
    hk_mutex_unlock(&shelf_lock);
    if (q)
        check(q);
    return q;
}

/* Many that are born and die while a mark runs. */
static void burst(void)
{
    for (unsigned n = 2 + sim_choose(3); n > 0; n--) {
        struct node *p = make();
        if (p && !create(NULL, child, p, true))
            drop(p);
    }
}

/* ---- a task ------------------------------------------------------------------------------------------------------ */

static void rest(void)
{
    switch (sim_choose(4)) {
    case 0:
        hk_sleep(1 + sim_choose(5000));
        break;
    case 1:
        hart_pin();
        for (unsigned n = sim_choose(10); n > 0; n--)
            hk_now();
        hart_unpin();
        break;
    default:
        hk_yield();
        break;
    }
}

/* Who waits for a cycle goes on when all of its end is done with. */
static void collect(enum hgc_mode mode)
{
    uint32_t begun = ld_rlx(&gc.cycle);
    hgc_collect(mode);
    if (mode != HGC_START && (int32_t)(ld_rlx(&gc.ended) - begun) <= 0)
        sim_fail("a collection that began after cycle %u returned before its end", (unsigned)begun);
}

static __attribute__((noinline)) struct node *step(struct node *p, unsigned generation)
{
    switch (sim_choose(12)) {
    case 0: case 1: return p ? to_detached(p) : make();
    case 2: case 3: return p ? send(p) : receive();
    case 4:         return through_result(p);
    case 5:         return from_the_dead(p);
    case 6: case 7: return exchange(p);
    case 8:
        collect(sim_choose(6) ? HGC_START : HGC_WAIT + sim_choose(3));
        return p;
    case 9:
        if (generation == 0)
            burst();
        return p;
    case 10:
        drop(p);
        return NULL;
    default:
        rest();
        return p;
    }
}

static __attribute__((noinline)) void live(struct node *p, unsigned steps, unsigned generation)
{
    while (steps-- > 0) {
        p = step(p, generation);
        if (sim_choose(2))
            workload_forget();
        if (p)
            check(p);
    }
    if (p && sim_choose(2))
        p = exchange(p);
    drop(p);
}

static void worker(void *arg)
{
    (void)arg;
    live(make(), 5 + sim_choose(10), 0);
}

/* ------------------------------------------------------------------------------------------------------------------ */

/* The last references, which must still be whole: on shelves, in channels, results of tasks that nobody joined. */
static __attribute__((noinline)) void collect_all(void)
{
    void *got;
    for (unsigned i = 0; i < CHANS; i++)
        while (hgc_chan_recv(hgc_get(chan[i]), &got, 0) == HGC_OK)
            drop(got);
    while (dead.count > 0)
        drop(from_the_dead(NULL));
    for (unsigned i = 0; i < SHELVES; i++) {
        drop(hgc_get(shelf[i]));
        hgc_set(&shelf[i], NULL);
    }
}

static void run_workers(void)
{
    struct task *t[WORKERS];
    unsigned n = 2 + sim_choose(WORKERS - 1);
    for (unsigned i = 0; i < n; i++)
        if (hk_task_create(&t[i], NULL, worker, NULL) != HK_OK)
            sim_fail("no memory for a task");
    workload_shades();
    for (unsigned k = sim_choose(4); k > 0; k--) {
        hk_sleep(1 + sim_choose(20000));
        hgc_collect(HGC_START);
    }
    for (unsigned i = 0; i < CHANS; i++)
        hgc_chan_close(hgc_get(chan[i]));
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
    while (ld_acq(&alive) != 0)        /* partner: child */
        hk_sleep(2000);
}

int handover(void)
{
    static const uint32_t map[1] = {HGC_MAP(struct node, next)};
    truth_start();
    workload_heap(96 * 1024);
    hgc_kind(NODE, &(struct hgc_kind){.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = map});
    hgc_root_add(shelf, sizeof shelf);
    hgc_root_add(chan, sizeof chan);
    for (unsigned i = 0; i < CHANS; i++)
        hgc_set(&chan[i], hgc_chan_new(1 + sim_choose(3)));
    hk_chan_init(&dead, dead_room, 1 + sim_choose(4));
    run_workers();
    collect_all();
    return 0;
}
