/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks that change one graph: they allocate, read each other's slots, move references from slots to their stacks and back,
 * copy and clear, hand objects over by roots, channels, arguments and results of tasks, die, and start cycles.
 *
 * Each object knows its number; whenever a task meets one, it compares it with the truth.
 */
#include "gc/hgc.h"
#include "kernel/hk.h"
#include "sim.h"
#include "truth.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, TRACED, WORKERS_MAX = 5 };
#define MAGIC 0x600dc0deu

struct node {
    uint32_t number, magic;
    hgc_ref(struct node) slot[SLOTS];
};

static hgc_ref(struct node) roots[ROOTS];
static hgc_ref(struct node) ends[ENDS];
static hgc_ref(struct hgc_chan) chan;
static uint32_t next_child;           /* atomic */

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

struct mutator {
    struct node *local[LOCALS];
    unsigned self;              /* row of truth_local */
};

static void hold(struct mutator *m, unsigned i, struct node *p)
{
    truth_open(truth_local(m->self, i));
    m->local[i] = p;
    truth_set(truth_local(m->self, i), p ? (int)check(p) : -1);
}

static struct node *make(struct mutator *m)
{
    struct node *p;
    switch (sim_choose(8)) {
    case 0:  p = hgc_alloc(HGC_AMBIGUOUS, sizeof *p + 16 * sim_choose(24)); break;
    case 1:  p = hgc_alloc(NODE, 600 + 700 * sim_choose(4)); break;    /* large */
    case 2:  p = hgc_alloc(TRACED, sizeof *p); break;
    case 3:
    case 4:
    case 5:  p = hgc_alloc(NODE, sizeof *p + 32 * sim_choose(10)); break;  /* so that a chain goes through many blocks */
    default: p = hgc_new(NODE, sizeof *p); break;
    }
    if (!p)
        return NULL;
    if (p->magic || p->number)
        sim_fail("a new object at %p is not zero: %#x, %#x", (void *)p, p->number, p->magic);
    for (unsigned i = 0; i < SLOTS; i++)
        if (hgc_get(p->slot[i]))
            sim_fail("slot %u of a new object at %p is not zero", i, (void *)p);
    p->number = truth_new((uintptr_t)p, (unsigned)hgc_size(p), m->self);
    p->magic = MAGIC;
    fence_ww();                 /* before any other task can find it: hgc_set orders nothing */
    return p;
}

static void set_slot(struct node *p, unsigned i, struct node *q)
{
    int *holder = truth_slot(check(p), i);
    truth_open(holder);
    hgc_set(&p->slot[i], q);
    truth_set(holder, q ? (int)check(q) : -1);
}

static void set_root(unsigned i, struct node *q)
{
    truth_open(truth_root(i));
    hgc_set(&roots[i], q);
    truth_set(truth_root(i), q ? (int)check(q) : -1);
}

/* ---- what a task does ------------------------------------------------------------------------------------------- */

static bool owns(struct mutator *m, const struct node *p)
{
    return p && truth_owner(check(p)) == m->self;
}

/* The first slots, or all: any may be the last one that is copied. */
static void copy(struct mutator *m, struct node *to, struct node *from)
{
    unsigned n = 1 + sim_choose(SLOTS);
    if (to == from || !owns(m, to) || !owns(m, from))
        return;
    for (unsigned i = 0; i < n; i++)
        truth_open(truth_slot(check(to), i));
    hgc_copy(to->slot, from->slot, n * sizeof to->slot[0]);
    for (unsigned i = 0; i < n; i++)
        truth_set(truth_slot(check(to), i), *truth_slot(check(from), i));
}

static void clear(struct mutator *m, struct node *p)
{
    if (!owns(m, p))
        return;
    for (unsigned i = 0; i < SLOTS; i++)
        truth_open(truth_slot(check(p), i));
    hgc_clear(p->slot, sizeof p->slot);
    for (unsigned i = 0; i < SLOTS; i++)
        truth_set(truth_slot(check(p), i), -1);
}

static void exchange(struct mutator *m, unsigned a, unsigned b)
{
    void *got = NULL;
    if (m->local[a] && hgc_chan_send(hgc_get(chan), m->local[a], 0) == HGC_OK && sim_choose(2))
        hold(m, a, NULL);
    if (hgc_chan_recv(hgc_get(chan), &got, 0) == HGC_OK)
        hold(m, b, got);
}

static void child(void *arg);

static void give_birth(struct mutator *m, unsigned a)
{
    uint32_t row = amo_add_rlx(&next_child, 1);
    if (row >= TASKS || !m->local[a])
        return;
    truth_set(truth_local(row, 0), (int)check(m->local[a]));        /* held by its argument, then by itself */
    struct task *t;
    if (hk_task_create(&t, NULL, child, m->local[a]) != HK_OK) {
        truth_set(truth_local(row, 0), -1);
        return;
    }
    void *result = NULL;
    if (sim_choose(2))
        hold(m, a, NULL);
    hk_task_join(t, &result);
    hold(m, a, result);
    for (unsigned i = 0; i < LOCALS; i++)
        truth_set(truth_local(row, i), -1);
}

/* The slots move up by one: a copy that overlaps. */
static void shift(struct mutator *m, struct node *p)
{
    if (!owns(m, p))
        return;
    unsigned n = check(p);
    int was[SLOTS];
    for (unsigned i = 0; i < SLOTS; i++) {
        was[i] = *truth_slot(n, i);
        truth_open(truth_slot(n, i));
    }
    hgc_copy(&p->slot[1], &p->slot[0], (SLOTS - 1) * sizeof p->slot[0]);
    for (unsigned i = 0; i < SLOTS; i++) {
        struct node *q = hgc_get(p->slot[i]);
        if ((q ? (int)check(q) : -1) != was[i ? i - 1 : 0])
            sim_fail("slot %u of object %u is not what a copy that overlaps makes of it", i, n);
        truth_set(truth_slot(n, i), was[i ? i - 1 : 0]);
    }
}

/* A root of the task's own holds a pointer one past the end of an object, and may be all that does. */
static void set_end(struct mutator *m, struct node *q)
{
    int *holder = truth_root(ROOTS + m->self);
    truth_open(holder);
    hgc_set(&ends[m->self], q ? (struct node *)((uintptr_t)q + hgc_size(q)) : NULL);
    truth_set(holder, q ? (int)check(q) : -1);
}

static struct node *get_end(struct mutator *m)
{
    int n = *truth_root(ROOTS + m->self);
    return n < 0 ? NULL : (struct node *)truth_address((unsigned)n);
}

/* Goes down the task's chain, and cuts it: the rest is in local 0, and what held it in local 1. */
static bool cut(struct mutator *m)
{
    hold(m, 0, hgc_get(roots[m->self * 2 % ROOTS]));
    hold(m, 1, NULL);
    for (unsigned depth = 1 + sim_choose(7); depth > 0 && m->local[0]; depth--) {
        hold(m, 1, m->local[0]);
        hold(m, 0, hgc_get(m->local[0]->slot[0]));
    }
    if (!m->local[0] || !owns(m, m->local[1]))
        return false;
    switch (sim_choose(4)) {
    case 0:  clear(m, m->local[1]); break;
    case 1:  copy(m, m->local[1], owns(m, m->local[2]) ? m->local[2] : m->local[1]); set_slot(m->local[1], 0, NULL); break;
    default: set_slot(m->local[1], 0, NULL); break;
    }
    return true;
}

/* What is in local 0 is in an object in local 3 now, which only this stack knows. */
static bool wrap(struct mutator *m)
{
    hold(m, 3, make(m));
    if (!m->local[3])
        return false;
    set_slot(m->local[3], sim_choose(SLOTS), m->local[0]);
    hold(m, 0, NULL);
    return true;
}

/* A cycle begins, and the task cuts its chain before the markers come: where its stack was scanned already, only the barrier
 * makes the rest known to them, whether it stays on the stack or goes into an object that they have seen. */
static void cycle(struct mutator *m)
{
    bool before = sim_choose(2);        /* then its stack is all that holds the rest, and is not scanned yet */
    if (before && !cut(m))
        return;
    bool wrapped = before && sim_choose(2) && wrap(m);
    hgc_collect(HGC_START);
    if (wrapped) {
        copy(m, m->local[1], m->local[3]);
        hold(m, 3, NULL);
        return;
    }
    for (unsigned n = before ? 0 : sim_choose(3); n > 0; n--)
        hk_yield();
    if (!before && !cut(m))
        return;
    if (sim_choose(2)) {
        for (unsigned n = 0; n < 60 && hgc_marking(); n++)
            hk_yield();
        check(m->local[0]);
        return;
    }
    switch (sim_choose(3)) {
    case 0:                             /* by its end alone, for a while */
        set_end(m, m->local[0]);
        hold(m, 0, NULL);
        hk_yield();
        hold(m, 0, get_end(m));
        break;
    case 1:
        set_slot(m->local[1], 0, m->local[0]);
        shift(m, m->local[1]);
        break;
    default:
        set_slot(m->local[1], 1 + sim_choose(2), m->local[0]);
        break;
    }
}

static void step(struct mutator *m)
{
    unsigned a = sim_choose(LOCALS), b = sim_choose(LOCALS), i = sim_choose(SLOTS);
    struct node *p = m->local[a], *q = m->local[b];
    switch (sim_choose(16)) {
    case 0: case 1: case 2:
        if (p && owns(m, p) && q) {             /* from a slot to the stack, and the slot forgets it */
            hold(m, b, hgc_get(p->slot[i]));
            set_slot(p, i, NULL);
        } else {
            hold(m, a, make(m));
        }
        break;
    case 3: case 4: case 5:
        if (owns(m, p))
            set_slot(p, i, q);
        else
            hold(m, a, make(m));
        break;
    case 6: case 7:
        if (p)
            hold(m, b, hgc_get(p->slot[i]));
        break;
    case 8: case 9:
        hold(m, a, hgc_get(roots[sim_choose(ROOTS)]));
        break;
    case 10:
        set_root(m->self * 2 % ROOTS + sim_choose(2), p);
        break;
    case 11:
        hold(m, a, NULL);
        break;
    case 12:
        cycle(m);
        break;
    case 13:
        if (p && q && sim_choose(2))
            copy(m, p, q);
        else
            clear(m, p);
        break;
    case 14:
        exchange(m, a, b);
        break;
    default:
        switch (sim_choose(9)) {
        case 0: case 1: give_birth(m, a); break;
        case 2:         hgc_step(1 + sim_choose(2000), sim_choose(4)); break;
        case 3:         hgc_idle(hk_now() + sim_choose(2000)); break;
        case 4:         hgc_hart_role(sim_choose(hk_harts()), (enum hgc_role)sim_choose(3)); break;
        case 5:         hgc_scan_self(); break;
        default:        hk_yield(); break;
        }
        break;
    }
}

static __attribute__((noinline)) void mutate(unsigned self, unsigned steps, struct node *given)
{
    struct mutator m = {.self = self};
    hold(&m, 0, given);
    for (unsigned n = 0; n < steps; n++)
        step(&m);
    for (unsigned i = 0; i < LOCALS; i++)
        if (m.local[i])
            check(m.local[i]);
    set_root(self * 2 % ROOTS, m.local[0]);
    set_end(&m, NULL);
    for (unsigned i = 0; i < LOCALS; i++)
        hold(&m, i, NULL);
}

/* Its row: the one whose first local is what it was given.  Rows of children are its alone until it is joined. */
static void child(void *arg)
{
    struct node *p = arg;
    check(p);
    for (unsigned n = sim_choose(6); n > 0; n--) {
        struct node *q = hgc_get(p->slot[sim_choose(SLOTS)]);
        if (q)
            check(q);
        if (sim_choose(3) == 0)
            hk_yield();
    }
    hk_task_exit(p);
}

static void worker(void *arg)
{
    mutate((unsigned)(uintptr_t)arg, 12 + sim_choose(30), NULL);
}

/* ---- from outside ----------------------------------------------------------------------------------------------- */

static void trace(void *object, size_t size, struct hgc_visitor *v)
{
    struct node *p = object;
    (void)size;
    for (unsigned i = 0; i < SLOTS; i++)
        hgc_visit(v, hgc_get(p->slot[i]));
}

/* The graph as it is, against the truth. */
static void compare(void)
{
    for (unsigned n = 0; n < truth_count(); n++)
        if (truth_reachable(n)) {
            struct node *p = (struct node *)truth_address(n);
            check(p);
            for (unsigned i = 0; i < SLOTS; i++) {
                struct node *q = hgc_get(p->slot[i]);
                if ((q ? (int)check(q) : -1) != *truth_slot(n, i))
                    sim_fail("slot %u of object %u does not hold what was stored", i, n);
            }
        }
}

/* Chains, so that a mark takes its time. */
static __attribute__((noinline)) void build(unsigned workers)
{
    struct mutator m = {.self = 0};
    for (unsigned w = 0; w < workers; w++) {
        m.self = w;
        for (unsigned n = 4 + sim_choose(10); n > 0; n--) {
            struct node *p = make(&m);
            if (!p)
                return;
            hold(&m, 0, p);
            set_slot(p, 0, hgc_get(roots[w * 2 % ROOTS]));
            set_root(w * 2 % ROOTS, p);
        }
        hold(&m, 0, NULL);
    }
}

static void run_workers(void)
{
    struct task *task[WORKERS_MAX];
    unsigned n = 2 + sim_choose(WORKERS_MAX - 1);
    next_child = n;
    build(n);
    for (unsigned i = 0; i < n; i++)
        if (hk_task_create(&task[i], NULL, worker, (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
    workload_shades();
    for (unsigned i = 0; i < n; i++)
        hk_task_join(task[i], NULL);
}

/* The object of that number, if it is still there.  An address is no reference: the sweep may be at it, which is a race that is meant. */
HAL_NO_SANITIZE static const struct node *is_left(unsigned number)
{
    const struct node *p = (const struct node *)truth_address(number);
    return hgc_size(p) && p->magic == MAGIC && p->number == number ? p : NULL;
}

static bool refers(const struct node *from, const struct node *to)
{
    for (unsigned i = 0; from && i < SLOTS; i++)
        if (hgc_get(from->slot[i]) == to)
            return true;
    return false;
}

/* Does another one that is left refer to it? */
static bool is_referred(const struct node *p)
{
    for (unsigned n = 0; n < truth_count(); n++)
        if (is_left(n) != p && refers(is_left(n), p))
            return true;
    return false;
}

static bool found[NODES];

static void find_from(const struct node *p)
{
    if (!p || found[p->number])
        return;
    found[p->number] = true;
    for (unsigned i = 0; i < SLOTS; i++)
        find_from(hgc_get(p->slot[i]));
}

/* How many words at least hold those that are left: one each whom no other refers to, then one for each circle that remains. */
static unsigned places(void)
{
    unsigned n = 0;
    for (int circles = 0; circles < 2; circles++)
        for (unsigned i = 0; i < truth_count(); i++) {
            const struct node *p = is_left(i);
            if (p && !found[i] && (circles || !is_referred(p))) {
                find_from(p);
                n++;
            }
        }
    return n;
}

/* What is unreachable when a cycle begins is gone after two: all but what a few stale words may hold, each an object and what
 * that leads to. */
static void all_gone(void)
{
    enum { STALE = 4 };
    unsigned left = 0;
    for (unsigned i = 0; i < ROOTS; i++)
        set_root(i, NULL);
    void *got;
    while (hgc_chan_recv(hgc_get(chan), &got, 0) == HGC_OK)
        ;
    got = NULL;
    hgc_collect(HGC_WAIT);
    hgc_collect(HGC_WAIT);
    for (unsigned n = 0; n < truth_count(); n++)
        left += is_left(n) != NULL;
    unsigned held = left ? places() : 0;
    if (held > STALE)
        sim_fail("%u of %u objects are still there two cycles after the last reference went, held at %u places", left,
                 truth_count(), held);
}

int graph(void)
{
    static const uint32_t node_map[1] = {HGC_MAP(struct node, slot) * 7};
    truth_start();
    workload_heap(64 * 1024);
    hgc_kind(NODE, &(struct hgc_kind){.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = node_map});
    hgc_kind(TRACED, &(struct hgc_kind){.name = "traced", .trace = trace});
    hgc_root_add(roots, sizeof roots);
    hgc_root_add(ends, sizeof ends);
    hgc_root_add(&chan, sizeof chan);
    hgc_set(&chan, hgc_chan_new(2));
    run_workers();
    compare();
    if (sim_choose(2))
        all_gone();
    return 0;
}
