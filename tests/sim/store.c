/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stores beside hgc_set: swap and compare-and-swap, alone and against each other; sections of the program's own; roots
 * without a barrier; tiny objects.  As in graph.c each object knows its number and is compared with the truth when it is met.
 *
 * Each task writes its own roots and the slots of its own objects; `box` is everybody's.
 */
#include "gc/gc_internal.h"
#include "gc/hgc.h"
#include "kernel/hk.h"
#include "sim.h"
#include "truth.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, WORKERS_MAX = 4, EARLY = WORKERS_MAX, LATE = 2 * WORKERS_MAX, TINY_ONE = 0x100, AMBUSH = 3 };
_Static_assert(3 * WORKERS_MAX <= ROOTS, "the truth has too few roots");
#define MAGIC 0x600dc0deu

struct node {
    uint32_t number, magic;             /* so much is a tiny object, too */
    hgc_ref(struct node) slot[SLOTS];
};
_Static_assert(offsetof(struct node, slot) <= HGC_GRAIN / 2, "a tiny object has no room for its number");

static hgc_ref(struct node) roots[WORKERS_MAX], box;
static struct node *early[WORKERS_MAX], *late[WORKERS_MAX];     /* plain, looked at first and last */
static uintptr_t between[64];                                   /* plain: so that there is time between the two */
static bool plain;              /* constant in a schedule: are there plain roots?  If so, no stack needs a deletion half */

struct mutator {
    struct node *local[LOCALS];
    unsigned self;
};

/* ---- what a task sees ------------------------------------------------------------------------------------------- */

static unsigned check(const struct node *p)
{
    unsigned number = p->number;
    if (p->magic != MAGIC || number >= truth_count() || truth_address(number) != (uintptr_t)p)
        sim_fail("I10: what was an object at %p holds %#x, %#x: it was freed or overwritten", (const void *)p, number,
                 p->magic);
    if (hgc_size(p) == 0)
        sim_fail("I10: object %u at %p is held, and is not live", number, (const void *)p);
    return number;
}

static bool owns(struct mutator *m, const struct node *p)
{
    return p && truth_owner(check(p)) == m->self;
}

static bool has_slots(const struct node *p)
{
    return p && !(truth_owner(check(p)) & TINY_ONE);
}

static int number_of(const struct node *p)
{
    return p ? (int)check(p) : -1;
}

static void hold(struct mutator *m, unsigned i, struct node *p)
{
    truth_open(truth_local(m->self, i));
    m->local[i] = p;
    truth_set(truth_local(m->self, i), number_of(p));
}

static struct node *name(struct node *p, unsigned size, unsigned owner)
{
    if (!p)
        return NULL;
    if (p->magic || p->number)
        sim_fail("a new object at %p is not zero: %#x, %#x", (void *)p, p->number, p->magic);
    p->number = truth_new((uintptr_t)p, size, owner);
    p->magic = MAGIC;
    fence_ww();                 /* before any other task can find it: hgc_set orders nothing */
    return p;
}

/* Of a kind with references, more often than not a large one of few slices, whose slots are in the first. */
static struct node *make_scanned(struct mutator *m)
{
    bool large = sim_choose(4);
    size_t size = large ? 1100 + 1000 * sim_choose(2) : sizeof(struct node) + 32 * sim_choose(8);
    struct node *p = hgc_alloc(large && sim_choose(4) ? HGC_AMBIGUOUS : NODE, size);
    return name(p, p ? (unsigned)hgc_size(p) : 0, m->self);
}

static struct node *make(struct mutator *m)
{
    struct node *p;
    switch (sim_choose(6)) {
    case 0:  p = hgc_alloc(NODE, 600 + 2000 * sim_choose(4)); break;    /* large, of one slice and more */
    case 1:  p = hgc_alloc(HGC_AMBIGUOUS, sizeof *p + 16 * sim_choose(24)); break;
    default: p = hgc_alloc(NODE, sizeof *p + 32 * sim_choose(8)); break;
    }
    return name(p, (unsigned)hgc_size(p), m->self);
}

/* Small ones of any size between: each must be zero, and is not when the next one comes. */
HAL_NO_SANITIZE static __attribute__((noinline)) void fill_tiny(void)
{
    for (unsigned n = 1 + sim_choose(3); n > 0; n--) {
        unsigned size = 1 + sim_choose(HGC_GRAIN / 2);
        unsigned char *p = hgc_new_tiny(size);
        for (unsigned i = 0; p && i < size; i++) {
            if (p[i])
                sim_fail("a new tiny object at %p of %u bytes is not zero", (void *)p, size);
            p[i] = 0xa5;
        }
    }
}

static struct node *make_tiny(struct mutator *m)
{
    if (sim_choose(2))
        fill_tiny();
    return name(hgc_new_tiny(HGC_GRAIN / 2), HGC_GRAIN / 2, m->self | TINY_ONE);
}

/* ---- stores ----------------------------------------------------------------------------------------------------- */

typedef hgc_ref(struct node) ref;

static void own_store(struct node *p, ref *slot, struct node *q, struct node *was, bool touch)
{
    hgc_store_t s = hgc_store_begin();
    hgc_shade(was);
    if (!touch)
        hgc_shade(q);
    hal_plain_store((struct node **)(uintptr_t)&slot->hgc_p, q);
    if (touch)
        hgc_touch(p);
    hgc_store_end(s);
}

/* In one way or another; `p`: the object that the slot is in, or NULL.  Nobody else writes it. */
static void put(struct node *p, ref *slot, struct node *q, int *holder)
{
    struct node *was = hgc_get(*slot);
    truth_open(holder);
    switch (sim_choose(4)) {
    case 0:
        hgc_set(slot, q);
        break;
    case 1:
        if (hgc_swap(slot, q) != was)
            sim_fail("a swap did not return what was there");
        break;
    case 2:
        if (!hgc_cas(slot, was, q) || (q != was && hgc_cas(slot, was, was)))
            sim_fail("a compare-and-swap did not tell the truth");
        break;
    default:
        own_store(p, slot, q, was, p && sim_choose(2));
        break;
    }
    truth_set(holder, number_of(q));
}

static void set_slot(struct node *p, unsigned i, struct node *q)
{
    put(p, (ref *)&p->slot[i], q, truth_slot(check(p), i));
}

/* By a touch, and nothing else tells of q. */
static void touch_slot(struct node *p, unsigned i, struct node *q)
{
    int *holder = truth_slot(check(p), i);
    truth_open(holder);
    own_store(p, (ref *)&p->slot[i], q, hgc_get(p->slot[i]), true);
    truth_set(holder, number_of(q));
}

static void set_root(unsigned i, struct node *q)
{
    put(NULL, (ref *)&roots[i], q, truth_root(i));
}

static void set_plain(struct node **root, unsigned i, struct node *q)
{
    int *holder = truth_root((root == early ? EARLY : LATE) + i);
    truth_open(holder);
    hal_plain_store(&root[i], q);
    truth_set(holder, number_of(q));
}

/* What is in local a goes into the box, what was in the box comes into local a. */
static void exchange(struct mutator *m, unsigned a)
{
    struct node *p = m->local[a], *was;
    if (p)
        truth_hold(check(p));
    if (sim_choose(2))
        was = hgc_swap(&box, p);
    else
        do
            was = hgc_get(box);
        while (!hgc_cas(&box, was, p));
    hold(m, a, was);
    if (was)
        truth_drop(check(was));
}

/* ---- what a task does ------------------------------------------------------------------------------------------- */

/* Goes down the task's chain, and cuts it: the rest is in local 0, and what held it in local 1. */
static bool cut(struct mutator *m)
{
    hold(m, 0, hgc_get(roots[m->self]));
    hold(m, 1, NULL);
    for (unsigned depth = 1 + sim_choose(6); depth > 0 && has_slots(m->local[0]); depth--) {
        hold(m, 1, m->local[0]);
        hold(m, 0, hgc_get(m->local[0]->slot[0]));
    }
    if (!m->local[0] || !owns(m, m->local[1]))
        return false;
    set_slot(m->local[1], 0, NULL);
    return true;
}

static void until_off(void)
{
    for (unsigned n = 0; n < 60 && hgc_marking(); n++)
        hk_yield();
}

/* The rest of the chain is hidden, before the mark or in it, and comes back. */
static void hide(struct mutator *m)
{
    bool before = sim_choose(2);
    if (before && !cut(m))
        return;
    hgc_collect(HGC_START);
    for (unsigned n = before ? 0 : sim_choose(3); n > 0; n--)
        hk_yield();
    if (!before && !cut(m))
        return;
    switch (sim_choose(5)) {
    case 0:                             /* on the stack, to the end */
        until_off();
        break;
    case 1:                             /* into an object that is black */
        hold(m, 2, make(m));
        if (m->local[2]) {
            (sim_choose(2) ? set_slot : touch_slot)(m->local[2], sim_choose(SLOTS), m->local[0]);
            hold(m, 0, NULL);
            until_off();
            return;
        }
        break;
    case 2:
        if (!plain)
            return;
        set_plain(early, m->self, m->local[0]);
        hold(m, 0, NULL);
        until_off();
        hold(m, 0, early[m->self]);
        return;
    case 3:
        exchange(m, 0);
        break;
    default:
        set_slot(m->local[1], 1 + sim_choose(SLOTS - 1), m->local[0]);
        return;
    }
    if (m->local[0])
        check(m->local[0]);
}

/* A white object in the plain root that is looked at last goes to the one that was looked at first, perhaps on to the stack,
 * and perhaps into an object that was scanned. */
static void pass_plain(struct mutator *m)
{
    if (!hgc_marking()) {
        hold(m, 0, make(m));
        hold(m, 1, make(m));
        if (!m->local[0])
            return;
        set_slot(m->local[0], 1, m->local[1]);
        set_plain(late, m->self, m->local[0]);
        hold(m, 0, NULL);
        hold(m, 1, NULL);
        hgc_collect(HGC_START);
    }
    for (unsigned n = sim_choose(4); n > 0; n--) {
        struct node *p = late[m->self];
        set_plain(early, m->self, p);
        set_plain(late, m->self, NULL);
        if (sim_choose(2))
            hk_yield();
        set_plain(late, m->self, p);
        set_plain(early, m->self, NULL);
    }
    if (sim_choose(2))
        hk_yield();
    hold(m, 0, late[m->self]);
    set_plain(late, m->self, NULL);
    if (sim_choose(3) == 0)
        until_off();
    hold(m, 3, hgc_get(roots[m->self]));
    if (owns(m, m->local[3])) {
        touch_slot(m->local[3], 2, m->local[0]);
        hold(m, 0, NULL);
        until_off();
    }
}

/* Objects that nothing refers to, hidden from every scan as the complement of their addresses, and each the only one that
 * refers to another.  One after the other appears in a plain root or on the stack when all of these have been looked at once
 * more: so the look in the stop finds something each time; and a large object it leaves to the next try. */
static __attribute__((noinline)) void lay(struct mutator *m, uintptr_t *hidden)
{
    bool large = sim_choose(2);
    for (unsigned i = 0; i < AMBUSH; i++) {
        struct node *p = large ? make_scanned(m) : make(m);
        struct node *q = p ? make(m) : NULL;
        if (q)
            set_slot(p, 0, q);
        hidden[i] = ~(uintptr_t)p;
    }
}

/* The object, if any, and what its first slot holds. */
static void check_next(const struct node *p)
{
    const struct node *q = has_slots(p) ? hgc_get(p->slot[0]) : NULL;
    if (q)
        check(q);
}

static __attribute__((noinline)) void clear_stack(void)
{
    volatile uintptr_t frame[96] = {0};
    (void)frame;
}

static bool looked_at(void)
{
    return ld_rlx(&gc.jobs_again) && ld_rlx(&gc.jobs_open) == 0;
}

static void ambush(struct mutator *m)
{
    uintptr_t hidden[AMBUSH];
    uint32_t cycle = ld_rlx(&gc.cycle) + 1;     /* the first that they meet */
    if (hgc_marking())
        return;
    lay(m, hidden);
    clear_stack();
    hgc_collect(HGC_START);
    for (unsigned i = 0; i < AMBUSH && ~hidden[i]; i++) {
        for (unsigned n = 0; n < 100 && hgc_marking() && !looked_at(); n++)
            hk_yield();
        hgc_store_t s = hgc_store_begin();
        bool there = hgc_marking() && ld_rlx(&gc.cycle) == cycle && ld_rlx(&gc.finished) != cycle;
        if (there && sim_choose(2))
            hold(m, i, (struct node *)~hidden[i]);
        else if (there)
            set_plain(early, m->self, (struct node *)~hidden[i]);
        hgc_store_end(s);
        if (!there)
            return;
        while (hgc_marking() && looked_at() && sim_choose(30))
            hk_yield();
    }
    until_off();
    for (unsigned i = 0; i < AMBUSH; i++)
        check_next(m->local[i]);
}

/* The same objects appear in one that was or is being scanned, which alone is touched for them. */
static void touch_hidden(struct mutator *m)
{
    uintptr_t hidden[AMBUSH];
    uint32_t cycle = ld_rlx(&gc.cycle) + 1;
    if (hgc_marking())
        return;
    hold(m, 3, make_scanned(m));
    struct node *p = m->local[3];
    if (!p)
        return;
    lay(m, hidden);
    clear_stack();
    hgc_collect(HGC_START);
    for (unsigned i = 0; i < AMBUSH && ~hidden[i]; i++) {
        for (unsigned n = sim_choose(4); n > 0; n--) {
            if (sim_choose(2))
                hk_yield();
            else
                hgc_touch(p);
        }
        hgc_store_t s = hgc_store_begin();
        bool there = hgc_marking() && ld_rlx(&gc.cycle) == cycle && ld_rlx(&gc.finished) != cycle;
        if (there)
            touch_slot(p, i, (struct node *)~hidden[i]);
        hgc_store_end(s);
        if (!there)
            return;
    }
    until_off();
    for (unsigned i = 0; i < SLOTS; i++)
        check_next(hgc_get(p->slot[i]));
}

static void step(struct mutator *m)
{
    unsigned a = sim_choose(LOCALS), b = sim_choose(LOCALS), i = sim_choose(SLOTS);
    struct node *p = m->local[a], *q = m->local[b];
    switch (sim_choose(15)) {
    case 14:
        touch_hidden(m);
        break;
    case 0: case 1:
        hold(m, a, make(m));
        break;
    case 2: case 3:
        hold(m, a, make_tiny(m));
        break;
    case 4: case 5: case 6:
        if (owns(m, p))
            set_slot(p, i, q);
        break;
    case 7:
        if (has_slots(p))
            hold(m, b, hgc_get(p->slot[i]));
        break;
    case 8:
        if (plain)
            set_plain(sim_choose(2) ? early : late, m->self, p);
        break;
    case 9:
        exchange(m, a);
        break;
    case 10:
        if (plain)
            pass_plain(m);
        break;
    case 11:
        hide(m);
        break;
    case 12:
        if (plain && sim_choose(2))
            ambush(m);
        else
            hgc_collect(HGC_START);
        break;
    default:
        hk_yield();
        break;
    }
}

/* Chains, so that a mark takes its time. */
static void build(struct mutator *m)
{
    for (unsigned n = 3 + sim_choose(8); n > 0; n--) {
        struct node *p = make(m);
        if (!p)
            return;
        hold(m, 0, p);
        set_slot(p, 0, hgc_get(roots[m->self]));
        set_root(m->self, p);
    }
    hold(m, 0, NULL);
}

static void worker(void *arg)
{
    struct mutator m = {.self = (unsigned)(uintptr_t)arg};
    build(&m);
    for (unsigned n = 10 + sim_choose(20); n > 0; n--)
        step(&m);
    for (unsigned i = 0; i < LOCALS; i++) {
        if (m.local[i])
            check(m.local[i]);
        hold(&m, i, NULL);
    }
}

/* ---- from outside ----------------------------------------------------------------------------------------------- */

static void compare(void)
{
    for (unsigned n = 0; n < truth_count(); n++)
        if (truth_reachable(n)) {
            const struct node *p = (const struct node *)truth_address(n);
            check(p);
            for (unsigned i = 0; has_slots(p) && i < SLOTS; i++)
                if (number_of(hgc_get(p->slot[i])) != *truth_slot(n, i))
                    sim_fail("slot %u of object %u does not hold what was stored", i, n);
        }
}

int store(void)
{
    static const uint32_t map[1] = {HGC_MAP(struct node, slot) * 7};
    struct task *task[WORKERS_MAX];
    unsigned n = 2 + sim_choose(WORKERS_MAX - 1);
    truth_start();
    workload_heap(96 * 1024);
    hgc_kind(NODE, &(struct hgc_kind){.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = map});
    hgc_root_add(roots, sizeof roots);
    hgc_root_add(&box, sizeof box);
    plain = sim_choose(2);
    int (*add)(const void *, size_t) = plain ? hgc_root_add_plain : hgc_root_add;
    add(early, sizeof early);
    add(between, sizeof between);
    add(late, sizeof late);
    for (unsigned i = 0; i < n; i++)
        if (hk_task_create(&task[i], NULL, worker, (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
    workload_shades();
    for (unsigned i = 0; i < n; i++)
        hk_task_join(task[i], NULL);
    compare();
    hgc_root_remove(between);
    return 0;
}
