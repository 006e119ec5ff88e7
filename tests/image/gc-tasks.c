/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/* Tasks are born and die, some by a fault, while marking runs, and references pass between them in each way there is (I11):
 * the start argument, the result, channels.  The giver forgets what it gave before the taker looks at it, and each object
 * has a number that the taker checks.  Cycle follows cycle, each verified.  gc-tasks-stress.c starts one every few
 * allocations as well. */
#include "gc/hgc.h"
#include "tap.h"
#include "waits.h"
#include "wipe.h"

#ifndef TASKS_STRESS
#define TASKS_STRESS 0
#endif

enum {
    NODE = HGC_KIND_FIRST,
    PARENTS = 16,               /* the most: two a hart */
    CHILDREN = TASKS_STRESS ? 400 : 1200, FAULTS = 8,   /* of all parents together */
    CHAIN = 5,
    SENDERS = 8, RECEIVERS = 8, SENT = TASKS_STRESS ? 4000 : 16000,
    ARENA = 4 << 20, BALLAST = 4000,
};
#define MAGIC ((uintptr_t)0x7461736bu)
#define NOINLINE __attribute__((noinline))

struct node {
    hgc_ref(struct node) next;
    uintptr_t id;               /* (2 * number + 1) ^ MAGIC */
};

static struct { hgc_ref(struct hgc_chan) chan; hgc_ref(struct node) ballast; hgc_ref(struct hgc_weak) waited_for; } root;
static uint32_t wrong, failed, over, faults, born, marking;

static void expect(bool good)
{
    if (!good)
        amo_add_rlx(&wrong, 1);
}

/* ---- objects: chains with consecutive numbers -------------------------------------------------------------------- */

static struct node *fresh(uintptr_t id)
{
    struct node *p = hgc_alloc(NODE, 16 + id % 6 * 16);
    if (!p) {
        amo_add_rlx(&failed, 1);
        return NULL;
    }
    expect(!p->id && !hgc_get(p->next));
    p->id = (id * 2 + 1) ^ MAGIC;
    return p;
}

static NOINLINE struct node *chain(uintptr_t id)
{
    struct node *head = NULL;
    for (uintptr_t i = CHAIN; i-- > 0;) {
        struct node *p = fresh(id * CHAIN + i);
        if (!p)
            return NULL;
        hgc_set(&p->next, head);
        head = p;
    }
    return head;
}

static uintptr_t number(const struct node *p)
{
    return (p->id ^ MAGIC) / 2 / CHAIN;
}

static NOINLINE void check(const struct node *p, uintptr_t id)
{
    uintptr_t i = 0;
    for (; p && i < CHAIN; p = hgc_get(p->next), i++)
        if (!hgc_size(p) || p->id != (((id * CHAIN + i) * 2 + 1) ^ MAGIC)) {
            expect(false);
            return;
        }
    expect(i == CHAIN && !p);
}

static NOINLINE void litter(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        fresh(~(uintptr_t)0 / 8 - i);
}

/* ---- birth and death --------------------------------------------------------------------------------------------- */

/* Gives back another chain.  Some die on the way, holding objects on their stack. */
static void child(void *arg)
{
    struct node *p = arg;
    uintptr_t id = number(p);
    if (hgc_marking())
        amo_add_rlx(&marking, 1);
    check(p, id);
    if (id % 3 == 0)
        hk_yield();
    litter(id % 40);
    check(p, id);
    if (id % (CHILDREN / FAULTS) == 0)
        st_rlx((uint32_t *)0xdead0, (uint32_t)id);
    if (id % 5 == 0)
        hk_task_exit(p);                /* the same comes back */
    hk_task_exit(chain(id + 1000000));
}

static NOINLINE struct task *bear(uintptr_t id)
{
    struct task *t = NULL;
    struct node *p = chain(id);
    expect(p && hk_task_create(&t, NULL, child, p) == HK_OK);
    amo_add_rlx(&born, 1);
    return t;
}

static NOINLINE void bury(struct task *t, uintptr_t id)
{
    void *result = NULL;
    int r = hk_task_join(t, &result);
    if (id % (CHILDREN / FAULTS) == 0) {
        expect(r == HK_EFAULT && !result);
        amo_add_rlx(&faults, 1);
        return;
    }
    expect(r == HK_OK);
    check(result, id % 5 == 0 ? id : id + 1000000);
    litter(5);
    check(result, id % 5 == 0 ? id : id + 1000000);
}

static unsigned parents;

/* Up to three children at a time.  Their arguments and results wait in the kernel alone, over whole cycles. */
static void parent(void *arg)
{
    for (uintptr_t id = (uintptr_t)arg; id < CHILDREN; id += 3 * parents) {
        struct task *t[3] = { 0 };
        for (unsigned i = 0; i < 3 && id + i * parents < CHILDREN; i++)
            t[i] = bear(id + i * parents);
        wipe();
        litter(20);
        if (id % 7 == 0)
            hk_sleep(300000);
        for (unsigned i = 0; i < 3 && t[i]; i++)
            bury(t[i], id + i * parents);
        wipe();
    }
}

/* A list, so that a mark lasts longer than a worker's turn, and children are born in it on one hart, too. */
static NOINLINE void load(void)
{
    for (uintptr_t i = 0; i < BALLAST; i++) {
        struct node *p = fresh(0);
        if (p)
            hgc_set(&p->next, hgc_get(root.ballast));
        hgc_set(&root.ballast, p);
    }
}

static void births(void)
{
    load();
    struct task *t[PARENTS];
    bool good = true;
    parents = 2 * hk_harts() < PARENTS ? 2 * hk_harts() : PARENTS;
    for (uintptr_t i = 0; i < parents; i++)
        good &= hk_task_create(&t[i], NULL, parent, (void *)i) == HK_OK;
    for (unsigned i = 0; i < parents; i++)
        good &= hk_task_join(t[i], NULL) == HK_OK;
    ok(good, "parents end");
    is(ld_rlx(&born), CHILDREN, "all children were born");
    is(ld_rlx(&faults), FAULTS, "some of which died by a fault");
    ok(ld_rlx(&marking) > 0, "some while marking ran");
    is(ld_rlx(&wrong), 0, "arguments and results arrive whole");
    hgc_set(&root.ballast, NULL);
}

/* A result that nobody has asked for yet, and an argument whose task does not get to run. */
static void quick(void *arg)
{
    hk_task_exit(arg);
}

static NOINLINE struct task *wait_in_kernel(uintptr_t id)
{
    struct task *t = NULL;
    expect(hk_task_create(&t, NULL, quick, chain(id)) == HK_OK);
    return t;
}

static void result_waits(void)
{
    struct task *t = wait_in_kernel(77);
    wipe();
    for (int i = 0; i < 3; i++) {
        hgc_collect(HGC_WAIT);
        litter(3000);
    }
    void *result = NULL;
    expect(hk_task_join(t, &result) == HK_OK);
    check(result, 77);
    is(ld_rlx(&wrong), 0, "a result waits over cycles");
}

/* ---- channels ---------------------------------------------------------------------------------------------------- */

static uint32_t arrived[SENT], sends, receipts, late;

static NOINLINE int send(struct hgc_chan *c, uintptr_t id, uint64_t timeout_ns)
{
    return hgc_chan_send(c, chain(id), timeout_ns);
}

static void sends_all(void *arg)
{
    struct hgc_chan *c = hgc_get(root.chan);
    for (uintptr_t id = (uintptr_t)arg; id < SENT; id += SENDERS) {
        int r;
        while ((r = send(c, id, id % 3 ? HK_FOREVER : 50000)) == HGC_ETIMEOUT)
            amo_add_rlx(&late, 1);
        expect(r == HGC_OK);
        amo_add_rlx(&sends, 1);
        if (id % 16 == 0)
            wipe();
    }
}

static NOINLINE int receive(struct hgc_chan *c, uint64_t timeout_ns)
{
    void *p = NULL;
    int r = hgc_chan_recv(c, &p, timeout_ns);
    if (r != HGC_OK)
        return r;
    uintptr_t id = number(p);
    check(p, id);
    if (id % 8 == 0)
        litter(10);
    if (id % 32 == 0)
        hk_yield();
    check(p, id);
    if (id < SENT)
        expect(amo_add_rlx(&arrived[id], 1) == 0);
    else
        expect(false);
    amo_add_rlx(&receipts, 1);
    return r;
}

static void receives_all(void *arg)
{
    struct hgc_chan *c = hgc_get(root.chan);
    uintptr_t me = (uintptr_t)arg;
    int r;
    while ((r = receive(c, me % 2 ? HK_FOREVER : 100000)) != HGC_ECLOSED) {
        expect(r == HGC_OK || r == HGC_ETIMEOUT);
        if (r == HGC_ETIMEOUT)
            amo_add_rlx(&late, 1);
        wipe();
    }
}

static void channels(unsigned capacity)
{
    struct task *s[SENDERS], *r[RECEIVERS];
    bool good = true;
    st_rlx(&sends, 0);
    st_rlx(&receipts, 0);
    for (unsigned i = 0; i < SENT; i++)
        arrived[i] = 0;
    hgc_set(&root.chan, hgc_chan_new(capacity));
    for (uintptr_t i = 0; i < SENDERS; i++) {
        good &= hk_task_create(&r[i], NULL, receives_all, (void *)i) == HK_OK;
        good &= hk_task_create(&s[i], NULL, sends_all, (void *)i) == HK_OK;
    }
    for (unsigned i = 0; i < SENDERS; i++)
        good &= hk_task_join(s[i], NULL) == HK_OK;
    hgc_chan_close(hgc_get(root.chan));
    for (unsigned i = 0; i < RECEIVERS; i++)
        good &= hk_task_join(r[i], NULL) == HK_OK;
    ok(good, "senders and receivers end after the close");
    is(ld_rlx(&sends), SENT, "all was sent");
    is(ld_rlx(&receipts), SENT, "and received once");
    is(ld_rlx(&wrong), 0, "and whole");
    hgc_set(&root.chan, NULL);
}

static void refuses(void)
{
    void *p = &p;
    ok(!hgc_chan_new(0) && !hgc_chan_new(1025), "no channel of a bad capacity");
    struct hgc_chan *c = hgc_chan_new(2);
    is(hgc_chan_recv(c, &p, 100000), HGC_ETIMEOUT, "an empty channel: the receiver's time passes");
    is(hgc_chan_recv(c, &p, 0), HGC_ETIMEOUT, "at once when it does not wait");
    expect(send(c, 1, 0) == HGC_OK && send(c, 2, 0) == HGC_OK);
    is(send(c, 3, 100000), HGC_ETIMEOUT, "a full one: the sender's");
    hgc_collect(HGC_WAIT);
    litter(5000);
    hgc_chan_close(c);
    hgc_chan_close(c);
    is(send(c, 4, 0), HGC_ECLOSED, "a closed one takes nothing");
    for (uintptr_t id = 1; id <= 2; id++) {
        expect(hgc_chan_recv(c, &p, 0) == HGC_OK);
        check(p, id);
    }
    is(hgc_chan_recv(c, &p, HK_FOREVER), HGC_ECLOSED, "but gives what it had, in order");
    is(hgc_chan_recv(c, &p, 0), HGC_ECLOSED, "and no more");
    is(ld_rlx(&wrong), 0, "all of it whole");
}

/* Those that wait as it closes are told, on both sides. */
static uint32_t told;

static void waits_empty(void *arg)
{
    void *p;
    if (hgc_chan_recv(arg, &p, HK_FOREVER) == HGC_ECLOSED)
        amo_add_rlx(&told, 1);
}

static void waits_full(void *arg)
{
    if (send(arg, 9, HK_FOREVER) == HGC_ECLOSED)
        amo_add_rlx(&told, 1);
}

static void closes(void)
{
    struct task *t[12];
    struct hgc_chan *empty = hgc_chan_new(1), *full = hgc_chan_new(1);
    expect(send(full, 8, 0) == HGC_OK);
    for (unsigned i = 0; i < 12; i++)
        hk_task_create(&t[i], NULL, i % 2 ? waits_full : waits_empty, i % 2 ? full : empty);
    for (unsigned i = 0; i < 12; i++)
        until_waits(t[i]);
    hgc_chan_close(empty);
    hgc_chan_close(full);
    for (unsigned i = 0; i < 12; i++)
        hk_task_join(t[i], NULL);
    is(ld_rlx(&told), 12, "who waits as it closes is told");
}

/* Senders that are told OK and receivers that are told ECLOSED agree on what went through, whenever it closes. */
static uint32_t sent_ok, got;

static void sends_until_closed(void *arg)
{
    while (send(arg, 5, HK_FOREVER) == HGC_OK)
        amo_add_rlx(&sent_ok, 1);
}

static void receives_until_closed(void *arg)
{
    void *p;
    while (hgc_chan_recv(arg, &p, HK_FOREVER) == HGC_OK) {
        check(p, 5);
        amo_add_rlx(&got, 1);
    }
}

static void agrees(void)
{
    unsigned differ = 0;
    for (unsigned round = 0; round < 60; round++) {
        struct hgc_chan *c = hgc_chan_new(1 + round % 7);
        struct task *t[8];
        st_rlx(&sent_ok, 0);
        st_rlx(&got, 0);
        for (unsigned i = 0; i < 8; i++)
            hk_task_create(&t[i], NULL, i % 2 ? sends_until_closed : receives_until_closed, c);
        hk_sleep(1000 * (round * 37 % 900));
        hgc_chan_close(c);
        for (unsigned i = 0; i < 8; i++)
            hk_task_join(t[i], NULL);
        differ += ld_rlx(&sent_ok) != ld_rlx(&got);
    }
    is(differ, 0, "what a sender is told was sent is received, whenever it closes");
}

/* Nothing but the wait itself leads to the semaphore: the frame that made it is gone. */
static NOINLINE int waits_in_garbage(void)
{
    struct hk_sem *s = hgc_alloc(HGC_LEAF, sizeof(*s));
    if (!s)
        return HK_ENOMEM;
    hk_sem_init(s, 0);
    hgc_set(&root.waited_for, hgc_weak_new(s));
    return hk_sem_wait(s, HK_FOREVER);
}

static void waits_for_what_it_dropped(void *arg)
{
    (void)arg;
    wipe();
    expect(waits_in_garbage() == HK_OK);
}

static void kept_by_waiting(void)
{
    struct task *t;
    hk_task_create(&t, NULL, waits_for_what_it_dropped, NULL);
    while (!hgc_get(root.waited_for))   /* from there on it waits for nothing else */
        hk_sleep(100000);
    until_waits(t);
    hgc_collect(HGC_WAIT);
    hgc_collect(HGC_WAIT);
    struct hk_sem *s = hgc_weak_get(hgc_get(root.waited_for));
    ok(s != NULL, "what a task waits for is kept, though the task has dropped it");
    if (!s)
        return;
    hk_sem_post(s);
    hk_task_join(t, NULL);
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

/* The others have half as long as a cycle took: on one hart, where cycles are dear, they would hardly get on. */
static void collects(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over)) {
        uint64_t begin = hk_now();
        hgc_collect(HGC_WAIT);
        hk_sleep(50000 + (hk_now() - begin) / 2);
    }
}

static void start_heap(void)
{
    static const uint32_t first[32] = { 1 };
    static const struct hgc_kind node = { .name = "node", .words = 1024, .map = first };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true, .stress = TASKS_STRESS };
    int error = hgc_init(&config) | hgc_kind(NODE, &node) | hgc_root_add(&root, sizeof(root));
    is(error, HGC_OK, "the heap starts");
}

int app_main(void)
{
    static const struct hk_task_config first = { .name = "collects", .prio = HK_HIGH, .set_prio = true };
    struct task *collector;
    start_heap();
    hk_task_create(&collector, &first, collects, NULL);
    births();
    result_waits();
    channels(1);
    channels(64);
    refuses();
    closes();
    agrees();
    kept_by_waiting();
    st_rlx(&over, 1);
    hk_task_join(collector, NULL);
    is(ld_rlx(&failed), 0, "no allocation fails");
    is(ld_rlx(&wrong), 0, "nothing was found wrong");
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.verified == s.cycles && s.cycles > 10, "each cycle was verified");
    hk_printf("# %u cycles, %u children while marking, %u timeouts, %u ms\n", (unsigned)s.cycles, (unsigned)marking,
              (unsigned)late, (unsigned)(hk_now() / 1000000));
    return tap_end();
}
