/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A runtime with a stack of values for each task, to which it stores without a barrier; arrays of elements, by stores of its own;
 * weak vectors, the dead of which it takes out as a mark ends; and strings in a table that does not keep them.  Marks are held
 * open until a task has come to where it waits.
 *
 * Every object that a task has in its hands or on its stack counts as held, as in handover.c.  What `end` takes out of a weak
 * vector, and what `release` lets go, must be unreachable then; what a weak slot or the table of strings gives must be whole.
 */
#include "gc/gc_internal.h"
#include "gc/hgc.h"
#include "gc/stacks.h"
#include "kernel/hk.h"
#include "sim.h"
#include "truth.h"
#include "workload.h"

enum { ELEMENT = HGC_KIND_FIRST, WEAK, STRING, WORKERS = 3, SHELVES = 3, ROOM = 4, WEAK_SLOTS = 4, STRINGS = 6, MADE_MAX = 300 };
#define MAGIC 0xba70c0deu
#define NOINLINE __attribute__((noinline))

/* All but strings and stacks consist of these.  A node is one. */
struct element {
    uint32_t number, magic;             /* in an object's first element */
    struct element *to;
};
struct weak { uint32_t number, magic; struct element *slots; };
struct string {
    uint32_t number, magic, id, found;  /* found: the cycle; strings_lock */
    struct string *next;                /* strings_lock; not a reference */
};
struct values { uint32_t number, magic; struct element *at[]; };        /* a leaf */

static struct worker {
    struct hgc_stacks stacks;
    struct values *values;
    uint32_t top, room;
    struct weak *weak;                  /* kept by `stacks`, too */
    unsigned index;
} workers[WORKERS];
static hgc_ref(struct element) shelf[WORKERS][SHELVES], array[WORKERS];
static unsigned n_workers, elements;    /* of an array */
static uint32_t made;                   /* atomic */

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static unsigned check(const void *object)
{
    const struct element *p = object;
    uint32_t number = p->number, magic = p->magic;
    if (magic != MAGIC || number >= truth_count() || truth_address(number) != (uintptr_t)p)
        sim_fail("I10: what was an object at %p holds %#x, %#x: it was freed or overwritten", object, number, magic);
    if (hgc_size(p) == 0)
        sim_fail("I10: object %u at %p is held, and is not live", number, object);
    return number;
}

static NOINLINE void *make(unsigned kind, size_t size)
{
    struct element *p = amo_add_rlx(&made, 1) < MADE_MAX ? hgc_alloc(kind, size) : NULL;
    if (!p)
        return NULL;
    for (size_t i = 0; i < size / sizeof(uintptr_t); i++)
        if (((uintptr_t *)p)[i])
            sim_fail("a new object at %p is not zero", (void *)p);
    p->number = truth_new((uintptr_t)p, (unsigned)hgc_size(p), 0);
    p->magic = MAGIC;
    truth_hold(p->number);
    return p;
}

static void trace_elements(void *start, size_t bytes, struct hgc_visitor *v)
{
    struct element *e = start;
    if (bytes % sizeof *e)
        sim_fail("a piece of an array ends inside an element");
    for (size_t i = 0; i < bytes / sizeof *e; i++)
        hgc_visit(v, ld_rlx(&e[i].to));
}

static void trace_weak(void *object, size_t size, struct hgc_visitor *v)
{
    (void)size;
    hgc_visit_weakly(v, ld_rlx(&((struct weak *)object)->slots));
}

/* ---- stacks ------------------------------------------------------------------------------------------------------ */

static void trace_stacks(struct hgc_stacks *s, const struct task *task, struct hgc_visitor *v)
{
    struct worker *w = (struct worker *)(void *)s;
    (void)task;
    hgc_visit(v, w->weak);
    hgc_visit(v, w->values);
    for (uint32_t i = 0; i < w->top; i++)
        hgc_visit(v, w->values->at[i]);
}

/* Filled before it is the stack. */
static NOINLINE bool resize(struct worker *w, uint32_t room)
{
    struct values *to = make(HGC_LEAF, sizeof *to + room * sizeof to->at[0]), *was = w->values;
    if (!to)
        return false;
    for (uint32_t i = 0; i < w->top; i++)
        to->at[i] = was->at[i];
    __asm__ volatile("" : : : "memory");
    w->values = to;
    w->room = room;
    if (was)
        truth_drop(check(was));
    return true;
}

/* With p's hold. */
static NOINLINE void push(struct worker *w, struct element *p)
{
    if (!p)
        return;
    if (w->top == w->room && (w->room >= 64 || !resize(w, 2 * w->room))) {
        truth_drop(check(p));
        return;
    }
    w->values->at[w->top] = p;
    __asm__ volatile("" : : : "memory");
    w->top++;
}

static NOINLINE struct element *pop(struct worker *w)
{
    if (w->top == 0)
        return NULL;
    struct element *p = w->values->at[w->top - 1];
    w->top--;
    check(p);
    for (size_t i = 0, n = hgc_size(p) / sizeof *p; i < n; i++) {
        __asm__ volatile("" : "+r"(i));         /* no address behind the end, which may be the next one's, lives through a call */
        if (p[i].to)
            check(p[i].to);
    }
    return p;
}

static NOINLINE void shuffle(struct worker *w)
{
    if (w->top < 2)
        return;
    struct element **a = &w->values->at[sim_choose(w->top)], **b = &w->values->at[sim_choose(w->top)], *p = *a;
    *a = *b;
    *b = p;
    check(*a);
}

/* ---- the heap ---------------------------------------------------------------------------------------------------- */

/* Its last path in the heap is cut. */
static NOINLINE void take(struct worker *w)
{
    unsigned k = sim_choose(SHELVES);
    int *truth = truth_root(w->index * SHELVES + k);
    struct element *p = hgc_get(shelf[w->index][k]);
    if (!p)
        return;
    truth_hold(check(p));
    push(w, p);
    truth_open(truth);
    hgc_set(&shelf[w->index][k], NULL);
    truth_set(truth, -1);
}

static NOINLINE void give(struct worker *w)
{
    unsigned k = sim_choose(SHELVES);
    int *truth = truth_root(w->index * SHELVES + k);
    struct element *p = pop(w);
    if (!p)
        return;
    truth_open(truth);
    hgc_set(&shelf[w->index][k], p);
    truth_set(truth, (int)p->number);
    truth_drop(p->number);
}

/* An element's old value comes to the stack, one of the stack's goes to the element. */
static NOINLINE void exchange(struct worker *w)
{
    struct element *a = hgc_get(array[w->index]), *p = pop(w), *was;
    unsigned k = sim_choose(SLOTS);
    bool touch = sim_choose(2);
    int *truth = truth_slot(check(a), k);
    struct element **slot = &a[k * (elements - 1) / (SLOTS - 1)].to;
    hgc_store_t s = hgc_store_begin();
    was = ld_rlx(slot);
    if (was)
        truth_hold(check(was));
    truth_open(truth);
    hgc_shade(was);
    if (!touch)
        hgc_shade(p);
    st_rlx(slot, p);
    if (touch)
        hgc_touch(a);
    truth_set(truth, p ? (int)p->number : -1);
    hgc_store_end(s);
    if (p)
        truth_drop(p->number);
    push(w, was);
}

/* ---- weak vectors ------------------------------------------------------------------------------------------------ */

static NOINLINE struct element *weak_read(struct worker *w)
{
    hgc_store_t s = hgc_store_begin();
    struct element *p = ld_rlx(&w->weak->slots[sim_choose(WEAK_SLOTS)].to);
    hgc_shade(p);
    if (p)
        truth_hold(check(p));
    hgc_store_end(s);
    return p;
}

static NOINLINE void weak_write(struct worker *w)
{
    struct element *p = pop(w);
    if (!p)
        return;
    hgc_store_t s = hgc_store_begin();
    struct element **slot = &w->weak->slots[sim_choose(WEAK_SLOTS)].to;
    hgc_shade(ld_rlx(slot));
    hgc_shade(p);
    st_rlx(slot, p);
    hgc_store_end(s);
    if (sim_choose(2))
        push(w, p);
    else
        truth_drop(p->number);
}

/* The old vector is a common object again, as soon as nobody takes the dead out of it. */
static NOINLINE bool weak_resize(struct worker *w)
{
    struct element *to = make(ELEMENT, WEAK_SLOTS * sizeof *to), *was = w->weak->slots;
    if (!to)
        return false;
    for (unsigned k = 0; was && k < WEAK_SLOTS && sim_choose(4); k++)
        hgc_copy(&to[k].to, &was[k].to, sizeof to[k].to);
    bool keep = was && sim_choose(2);
    hgc_store_t s = hgc_store_begin();
    hgc_shade(to);
    st_rlx(&w->weak->slots, to);
    if (was)
        hgc_touch(was);
    for (unsigned k = 0; keep && k < SLOTS; k++)        /* it is a common object, which keeps what it refers to */
        truth_set(truth_slot(was->number, k), was[k].to ? (int)check(was[k].to) : -1);
    hgc_store_end(s);
    if (keep)
        push(w, was);
    else if (was)
        truth_drop(check(was));
    return true;
}

/* ---- strings ----------------------------------------------------------------------------------------------------- */

static struct spinlock strings_lock;
static struct string *strings;                  /* strings_lock; no root */

static bool release(void *object)
{
    struct string *s = object, **p = &strings;
    if (!s->id)
        return true;
    spin_lock(&strings_lock);
    bool dead = s->found != hgc_cycle();
    while (dead && *p != s)
        p = &(*p)->next;
    if (dead)
        *p = s->next;
    spin_unlock(&strings_lock);
    if (dead && truth_reachable(s->number))
        sim_fail("string %u is let go, and held", s->number);
    return dead;
}

static NOINLINE struct string *find(uint32_t id, struct string *add)
{
    hal_crit_t c = spin_lock_crit(&strings_lock);
    struct string *s = strings;
    while (s && s->id != id)
        s = s->next;
    if (!s && add) {
        s = add;
        s->next = strings;
        s->id = id;
        strings = s;
    }
    if (s) {
        hgc_shade(s);
        s->found = hgc_cycle();
        truth_hold(check(s));
    }
    spin_unlock_crit(&strings_lock, c);
    return s;
}

static NOINLINE void use_string(void)
{
    uint32_t id = 1 + sim_choose(STRINGS);
    struct string *s = find(id, NULL), *add = s ? NULL : make(STRING, sizeof *s);
    if (add) {
        s = find(id, add);
        truth_drop(add->number);
    }
    if (sim_choose(2))
        hk_yield();
    if (!s)
        return;
    if (s->id != id)
        sim_fail("string %u is another", id);
    truth_drop(check(s));
}

/* ---- the runtime ------------------------------------------------------------------------------------------------- */

enum { NOBODY, IN_QUIET, IN_END };
static unsigned waits_in;                       /* this mark waits for worker 0; constant in a mark */
static uint32_t park, parked, gone;             /* atomic: worker 0 shall wait; waits; has ended */
static uint32_t asked;                          /* in this mark */

static void begin(void)
{
    waits_in = sim_choose(3);
    asked = 0;
}

/* Where the mode keeps tasks off the harts it does without. */
static bool later(unsigned where)
{
    if (waits_in != where || ld_rlx(&gone) || ld_acq(&parked) || (gc.cfg.stoptheworld && asked++ > 3))
        return false;
    st_rlx(&park, 1);
    return true;
}

static enum hgc_quiet quiet(void)
{
    return later(IN_QUIET) ? HGC_QUIET_LATER : HGC_QUIET;
}

static void empty(struct element *slots)
{
    for (unsigned k = 0; slots && k < WEAK_SLOTS; k++) {
        struct element *p = ld_rlx(&slots[k].to);
        if (hgc_marked(p))
            continue;
        if (truth_reachable(check(p)))
            sim_fail("object %u is taken out of a weak vector, and is reachable", p->number);
        slots[k].to = NULL;
    }
}

static enum hgc_quiet end(void)
{
    if (later(IN_END))
        return HGC_QUIET_LATER;
    for (unsigned i = 0; i < n_workers; i++)
        if (workers[i].weak)
            empty(ld_rlx(&workers[i].weak->slots));
    return HGC_QUIET;
}

/* Nothing is on the C stack here. */
static NOINLINE void wait(struct worker *w)
{
    bool first = w->index == 0, collect = sim_choose(4) == 0;
    hgc_stacks_only(true);
    if (first)
        st_rel(&parked, 1);
    if (sim_choose(2))
        hgc_ask_again();
    if (collect)
        hgc_collect(HGC_WAIT);
    else
        hgc_wait_mark();
    if (first) {
        st_rlx(&park, 0);
        st_rlx(&parked, 0);
    }
    hgc_stacks_only(false);
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static NOINLINE struct element *let_go(struct worker *w)
{
    struct element *p = pop(w);
    if (p)
        truth_drop(p->number);
    return p;
}

static void step(struct worker *w)
{
    switch (sim_choose(14)) {
    case 0: case 1: push(w, make(ELEMENT, sizeof(struct element))); break;
    case 2: take(w); break;
    case 3: give(w); break;
    case 4: shuffle(w); break;
    case 5: case 6: exchange(w); break;
    case 7: push(w, weak_read(w)); break;
    case 8: weak_write(w); break;
    case 9: case 10: case 11: weak_resize(w); break;
    case 12: use_string(); break;
    default:
        switch (sim_choose(3)) {
        case 0:  hgc_collect(HGC_START); break;
        case 1:  hgc_scan_self(); break;
        default: resize(w, w->top > ROOM ? 2 * w->top : ROOM);
        }
    }
}

static NOINLINE void set_up(struct worker *w)
{
    struct element *a = make(ELEMENT, elements * sizeof *a);
    struct weak *weak = make(WEAK, sizeof *weak);
    if (!a || !weak)
        sim_fail("no memory for a worker");
    w->weak = weak;
    hgc_set(&array[w->index], a);
    truth_set(truth_root(WORKERS * SHELVES + w->index), (int)a->number);
    truth_drop(a->number);
    if (!resize(w, ROOM) || !weak_resize(w))
        sim_fail("no memory for a worker");
}

static NOINLINE void take_leave(struct worker *w)
{
    for (struct element *p; (p = pop(w));)
        truth_drop(p->number);
    struct element *slots = w->weak->slots;
    hgc_store_t s = hgc_store_begin();
    st_rlx(&w->weak->slots, NULL);      /* a dead word may keep the table, and nobody looks after its vector any more */
    hgc_touch(slots);
    hgc_store_end(s);
    truth_drop(check(slots));
    truth_drop(check(w->weak));
    truth_drop(check(w->values));
    w->weak = NULL;
    w->values = NULL;
    hgc_stacks_set(NULL);
}

static void worker(void *arg)
{
    struct worker *w = arg;
    w->stacks.trace = trace_stacks;
    hgc_stacks_set(&w->stacks);
    set_up(w);
    struct element *volatile dead = NULL;       /* a word that nobody reads: it keeps nothing while the task waits */
    for (unsigned n = 20 + sim_choose(40); n > 0; n--) {
        step(w);
        if (sim_choose(4) == 0)
            dead = let_go(w);
        workload_forget();
        if ((w->index == 0 && ld_rlx(&park)) || sim_choose(12) == 0)
            wait(w);
    }
    take_leave(w);
    (void)dead;
    if (w->index == 0)
        st_rlx(&gone, 1);
}

int runtime(void)
{
    static const struct hgc_runtime ours = {.begin = begin, .quiet = quiet, .end = end};
    struct task *t[WORKERS];
    truth_start();
    workload_heap(256 * 1024);
    hgc_kind(ELEMENT, &(struct hgc_kind){.name = "element", .words = sizeof(struct element) / sizeof(void *),
                                         .trace = trace_elements});
    hgc_kind(WEAK, &(struct hgc_kind){.name = "weak", .trace = trace_weak});
    hgc_kind(STRING, &(struct hgc_kind){.name = "string", .release = release});
    hgc_root_add(shelf, sizeof shelf);
    hgc_root_add(array, sizeof array);
    if (hgc_runtime(&ours) != HGC_OK)
        sim_fail("hgc_runtime failed");
    elements = sim_choose(2) ? SLOTS + sim_choose(9) : 200;     /* 3 slices and a piece */
    n_workers = 1 + sim_choose(WORKERS);
    for (unsigned i = 0; i < n_workers; i++) {
        workers[i].index = i;
        if (hk_task_create(&t[i], NULL, worker, &workers[i]) != HK_OK)
            sim_fail("no memory for a task");
    }
    for (unsigned i = 0; i < n_workers; i++)
        hk_task_join(t[i], NULL);
    return 0;
}
