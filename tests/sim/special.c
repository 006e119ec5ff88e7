/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks that hang specials on the objects of a graph and read them while cycles run.  The truth knows strong references only:
 *
 *   - a weak reference or ephemeron that is found cleared had an object that nothing reaches;
 *   - what one gives is whole, and must be there from then on, since a task holds it;
 *   - a finalizer or cleanup runs once, when nothing reaches its object, and never before one of an object that refers to it;
 *   - after a finalizer has seen its object, no weak reference that was made before gives it.
 *
 * Whether an object's memory is handed out again although somebody reaches it, truth_new sees.
 */
#include "gc/gc_internal.h"
#include "sim.h"
#include "truth.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, BOX, WORKERS_MAX = 4, BOXES = 8, FILLERS = 20 };
#define MAGIC 0x5bec1a1u

/* truth_note: what an object has. */
enum { FINALIZER = 1, FINALIZED = 2, HAD_FINALIZER = 4, CLEANUPS = 16 /* and up: how many are to come */ };

struct node {
    uint32_t number, magic;
    hgc_ref(struct node) slot[SLOTS];
};

/* Constant once it is in a root. */
struct box {
    uint32_t target, key, value, magic;
    uint32_t other;             /* another value that the ephemeron may get */
    uint32_t before;            /* the target had been finalized when the weak reference was made */
    hgc_ref(struct hgc_weak) weak;
    hgc_ref(struct hgc_ephemeron) ephemeron;
};

static hgc_ref(struct node) roots[ROOTS], pool;
static hgc_ref(struct box) boxes[BOXES];

/* ---- what a task sees -------------------------------------------------------------------------------------------- */

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
    struct box *box[2];
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
    struct node *p = hgc_alloc(sim_choose(8) ? NODE : HGC_AMBIGUOUS, sim_choose(12) ? sizeof *p + 16 * sim_choose(8) : 700);
    if (!p)
        return NULL;
    p->number = truth_new((uintptr_t)p, (unsigned)hgc_size(p), m->self);
    p->magic = MAGIC;
    fence_ww();
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

/* ---- finalizers and cleanups ------------------------------------------------------------------------------------- */

static void gone(const char *what, unsigned n)
{
    if (truth_reachable(n))
        sim_fail("%s of object %u, which is reachable", what, n);
    for (unsigned i = 0; i < truth_count(); i++)
        if (i != n && (*truth_note(i) & FINALIZER) && truth_refers(i, n))
            sim_fail("%s of object %u, before the finalizer of object %u, which refers to it", what, n, i);
}

static struct hk_mutex last_root;               /* the last root is of all finalizers, of which several may run */

static void finalize(void *object, void *arg)
{
    struct node *p = object;
    unsigned n = check(p);
    if (n != (uintptr_t)arg)
        sim_fail("the finalizer of object %u got object %u", (unsigned)(uintptr_t)arg, n);
    if (!(*truth_note(n) & FINALIZER))
        sim_fail("the finalizer of object %u ran, but it has none, or it ran before", n);
    *truth_note(n) &= ~(unsigned)FINALIZER;
    gone("the finalizer", n);
    *truth_note(n) |= FINALIZED;
    truth_hold(n);
    for (unsigned i = 0; i < SLOTS; i++) {
        struct node *q = hgc_get(p->slot[i]);
        if (q)
            check(q);
    }
    hk_yield();
    check(p);
    if (sim_choose(3) == 0) {
        hk_mutex_lock(&last_root);
        set_root(ROOTS - 1, p);
        hk_mutex_unlock(&last_root);
    }
    truth_drop(n);
}

static void cleanup(void *arg)
{
    struct node *ticket = arg;  /* its number is one more than its object's */
    unsigned n = check(ticket) - 1;
    if (*truth_note(n) < CLEANUPS)
        sim_fail("more cleanups of object %u ran than it had", n);
    *truth_note(n) -= CLEANUPS;
    gone("a cleanup", n);
}

static void add_finalizer(struct mutator *m, struct node *p)
{
    unsigned n = check(p), *note = truth_note(n);
    if (truth_owner(n) != m->self)
        return;
    bool had = *note & FINALIZER;
    *note |= FINALIZER | HAD_FINALIZER;         /* it cannot run as long as the caller holds the object */
    int r = hgc_finalizer(p, finalize, (void *)(uintptr_t)n);
    if (r == HGC_ENOMEM && !had)
        *note &= ~(unsigned)FINALIZER;
    if ((r == HGC_EBUSY) != had && r != HGC_ENOMEM)
        sim_fail("hgc_finalizer returned %d", r);
}

static void take_finalizer_back(struct mutator *m, struct node *p)
{
    unsigned n = check(p);
    if (truth_owner(n) != m->self)
        return;
    if ((hgc_finalizer(p, NULL, NULL) == HGC_OK) != !!(*truth_note(n) & FINALIZER))
        sim_fail("object %u has a finalizer, or has none, and taking it back said otherwise", n);
    *truth_note(n) &= ~(unsigned)FINALIZER;
}

/* The object is new, so that the ticket's number can tell it. */
static void add_cleanup(struct mutator *m)
{
    struct node *p = make(m);
    if (!p)
        return;
    hold(m, 0, p);
    struct node *ticket = make(m);
    if (!ticket || check(ticket) != check(p) + 1)
        return;
    *truth_note(check(p)) += CLEANUPS;
    if (hgc_cleanup(p, cleanup, ticket) != HGC_OK)
        *truth_note(check(p)) -= CLEANUPS;
}

/* ---- weak references and ephemerons ------------------------------------------------------------------------------ */

static void make_box(struct mutator *m, struct node *p, struct node *q)
{
    struct box *b = hgc_new(BOX, sizeof *b);
    if (!b)
        return;
    b->target = check(p);
    b->key = check(q);
    b->before = *truth_note(b->target) & FINALIZED;
    hgc_set(&b->weak, hgc_weak_new(p));
    if (hgc_get(b->weak) && hgc_weak_get(hgc_get(b->weak)) != p)
        sim_fail("a new weak reference to object %u does not give it", b->target);
    if (sim_choose(2)) {
        struct node *value = sim_choose(2) ? make(m) : p;
        if (value) {
            b->value = check(value);
            b->other = check(p);
            hgc_set(&b->ephemeron, hgc_ephemeron_new(q, value));
            if (value != p && sim_choose(2))    /* the value keeps its key: that must not keep the key */
                set_slot(value, 0, q);
        }
    }
    b->magic = MAGIC;
    fence_ww();
    m->box[sim_choose(2)] = b;
    if (sim_choose(2))
        hgc_set(&boxes[sim_choose(BOXES)], b);
}

/* Nothing was given: then nothing reaches it, unless a finalizer brought it back. */
static void check_gone(unsigned n)
{
    if (!(*truth_note(n) & HAD_FINALIZER) && truth_reachable(n))
        sim_fail("object %u was cleared in a weak reference or ephemeron, and is reachable", n);
}

static struct node *read_weak(struct box *b)
{
    unsigned finalized = *truth_note(b->target) & FINALIZED;
    struct node *p = hgc_get(b->weak) ? hgc_weak_get(hgc_get(b->weak)) : NULL;
    if (p && check(p) != b->target)
        sim_fail("a weak reference to object %u gave object %u", b->target, check(p));
    if (p && finalized && !b->before)
        sim_fail("a weak reference gave object %u after its finalizer ran", b->target);
    if (!p && hgc_get(b->weak))
        check_gone(b->target);
    return p;
}

static struct node *read_ephemeron(struct box *b, bool key)
{
    struct hgc_ephemeron *e = hgc_get(b->ephemeron);
    if (!e)
        return NULL;
    struct node *p = key ? hgc_ephemeron_key(e) : hgc_ephemeron_get(e);
    unsigned n = key ? b->key : b->value;
    if (p && check(p) != n && (key || check(p) != b->other))
        sim_fail("an ephemeron gave object %u, not %u", check(p), n);
    if (!p)
        check_gone(b->key);
    return p;
}

static struct box *any_box(struct mutator *m)
{
    struct box *b = sim_choose(2) ? m->box[sim_choose(2)] : hgc_get(boxes[sim_choose(BOXES)]);
    if (b && b->magic != MAGIC)
        sim_fail("I10: a box at %p was freed or overwritten", (void *)b);
    return b;
}

/* What a task holds becomes the value that the ephemeron alone may hold then. */
static void change_value(struct mutator *m, unsigned a)
{
    struct box *b = any_box(m);
    struct hgc_ephemeron *e = b ? hgc_get(b->ephemeron) : NULL;
    for (unsigned i = 0; e && i < LOCALS; i++)
        if (m->local[i] && check(m->local[i]) == b->other) {
            if (!hgc_ephemeron_set(e, m->local[i]))
                check_gone(b->key);
            hold(m, i, NULL);
        }
    if (e && sim_choose(2))
        hold(m, a, read_ephemeron(b, false));
}

static void read_box(struct mutator *m, unsigned a)
{
    struct box *b = any_box(m);
    if (!b)
        return;
    switch (sim_choose(4)) {
    case 0:  hold(m, a, read_ephemeron(b, true)); break;
    case 1:  hold(m, a, read_ephemeron(b, false)); break;
    default: hold(m, a, read_weak(b)); break;
    }
}

/* A cycle begins, and what only a weak reference leads to is read in it and kept. */
static void read_late(struct mutator *m, unsigned a)
{
    for (unsigned i = 0; i < LOCALS; i++)
        hold(m, i, NULL);
    hgc_collect(HGC_START);
    for (unsigned n = sim_choose(12); n > 0; n--)
        hk_yield();
    read_box(m, a);
    if (m->local[a])
        set_root(m->self, m->local[a]);
    if (sim_choose(2))
        hold(m, a, NULL);
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static void clear_pool(void *arg)
{
    (void)arg;
    hgc_set(&pool, NULL);
}

static void use_pool(struct mutator *m, unsigned a)
{
    struct node *p = hgc_get(pool);
    if (p)
        check(p);
    hgc_set(&pool, m->local[a]);
    if (p)
        hold(m, a, p);
}

/* Pins that lie before those that count, so that the job that marks them takes its time. */
static unsigned fill_pins(int *pin)
{
    unsigned n = 0;
    struct node *p = hgc_get(roots[0]);
    if (p && sim_choose(2))
        while (n < FILLERS && (pin[n] = hgc_pin(p)) >= 0)
            n++;
    return n;
}

static void until_scanned(void)
{
    for (unsigned k = 0; k < 40 && hgc_marking() && ld_rlx(&task_self()->gc_seen) != ld_rlx(&gc.cycle); k++)
        hk_yield();
}

/* What a pin gives back in a mark is marked from then on: the job that marks pins may come too late for it. */
static void unpin(int i)
{
    struct object o;
    hal_crit_t c = hal_crit_enter();
    void *p = hgc_pinned(i);
    hgc_unpin(i);
    bool lost = gc_is_on() && find_object((uintptr_t)p, &o) && !object_marked(&o);
    hal_crit_exit(c);
    if (lost)
        sim_fail("I10: the object at %p was given back by a pin in a mark, and is not marked", p);
}

/* The pin alone holds it for a while; then a stack does, that may have been scanned before. */
static __attribute__((noinline)) void pin(struct mutator *m, unsigned a)
{
    int filler[FILLERS];
    unsigned n = check(m->local[a]), fillers = fill_pins(filler);
    int i = hgc_pin(m->local[a]);
    if (i >= 0) {
        truth_hold(n);
        hold(m, a, NULL);
        if (sim_choose(3))
            hgc_collect(HGC_START);
        if (sim_choose(2))
            until_scanned();
        else
            for (unsigned k = sim_choose(8); k > 0; k--)
                hk_yield();
        hold(m, a, hgc_pinned(i));
        if (!m->local[a] || check(m->local[a]) != n)
            sim_fail("pin %d is not object %u", i, n);
        truth_drop(n);
        unpin(i);
        hk_yield();
    }
    while (fillers > 0)
        hgc_unpin(filler[--fillers]);
}

static void step(struct mutator *m)
{
    unsigned a = sim_choose(LOCALS), b = sim_choose(LOCALS);
    struct node *p = m->local[a], *q = m->local[b];
    switch (sim_choose(16)) {
    case 0: case 1: hold(m, a, make(m)); break;
    case 2:
        if (p && q && p != q && truth_owner(check(p)) == m->self)
            set_slot(p, sim_choose(SLOTS), q);
        break;
    case 3:  set_root(m->self, p); break;
    case 4:  hold(m, a, hgc_get(roots[sim_choose(ROOTS)])); break;
    case 5:  hold(m, a, NULL); break;
    case 6: case 7: case 8:
        if (p && q)
            make_box(m, p, q);
        break;
    case 9:
        if (sim_choose(2))
            read_box(m, a);
        else
            change_value(m, a);
        break;
    case 10: case 11: read_late(m, a); break;
    case 12:
        if (p)
            add_finalizer(m, p);
        break;
    case 13: add_cleanup(m); break;
    case 14:
        if (p && sim_choose(2))
            pin(m, a);
        else if (p && sim_choose(2))
            take_finalizer_back(m, p);
        else
            use_pool(m, a);
        break;
    default:
        hk_yield();
        hgc_finalize(sim_choose(2));
        break;
    }
}

static __attribute__((noinline)) void mutate(unsigned self)
{
    struct mutator m = {.self = self};
    for (unsigned n = 16 + sim_choose(40); n > 0; n--)
        step(&m);
    for (unsigned i = 0; i < LOCALS; i++)
        hold(&m, i, NULL);
}

static void worker(void *arg)
{
    mutate((unsigned)(uintptr_t)arg);
}

static void run_workers(void)
{
    struct task *task[WORKERS_MAX];
    unsigned n = 1 + sim_choose(WORKERS_MAX);
    for (unsigned i = 0; i < n; i++)
        if (hk_task_create(&task[i], NULL, worker, (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
    workload_shades();
    for (unsigned i = 0; i < n; i++)
        hk_task_join(task[i], NULL);
}

/* What is due runs in the end. */
static void finish(void)
{
    struct hgc_special_stats s;
    hgc_collect(HGC_WAIT);
    hgc_collect(HGC_WAIT);
    for (unsigned i = 0; i < 1000; i++) {
        hgc_special_stats(&s);
        if (!s.pending)
            return;
        if (sim_choose(2))
            hgc_finalize(1);
        hk_yield();
    }
    sim_fail("%u finalizers and cleanups wait for ever", (unsigned)s.pending);
}

int special(void)
{
    static const uint32_t node_map[1] = {HGC_MAP(struct node, slot) * 7};
    static const uint32_t box_map[1] = {HGC_MAP(struct box, weak) | HGC_MAP(struct box, ephemeron)};
    truth_start();
    workload_heap(64 * 1024);
    hgc_kind(NODE, &(struct hgc_kind){.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = node_map});
    hgc_kind(BOX, &(struct hgc_kind){.name = "box", .words = sizeof(struct box) / sizeof(void *), .map = box_map});
    hgc_root_add(roots, sizeof roots);
    hgc_root_add(boxes, sizeof boxes);
    hgc_root_add(&pool, sizeof pool);
    hgc_pool_add(clear_pool, NULL);
    run_workers();
    finish();
    return 0;
}
