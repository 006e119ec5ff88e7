/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */ /* host-variants: plain asan arm64 */
/* harts: 1 2 4 8 */
/* seconds: 180 */
/*
 * Every way to store beside hgc_set, from tasks on all harts at once, while cycles follow each other, each verified: swap and
 * compare-and-swap; sections of the program's own with shade and touch, small and large containers; roots that are stored to
 * without a barrier; tiny objects.
 *
 * Hidden moves, as in gc-nasty: an object's last path is cut while a stack holds it, and it comes back elsewhere.  Each object
 * has a number that is checked when it comes back.  Who needs which part:
 *   swap, cas   an object is taken out of a holder onto a stack that was scanned already: its shade
 *   touch       an object that was born before the mark, and that only a stack knows which was not scanned yet, or plain roots,
 *               is stored into a container that is black already, with a touch and no shade
 *   plain       an object moves from a plain root that was not looked at yet to one that was, and further to a stack
 *   tiny        an object is cut from a cell that was the hart's when the cycle began, on a stack that was scanned
 *
 * Plain roots are looked at in the order in which they were added: `early`, zeroes so often that it takes a while, `late`.
 * While there are some, all stacks are looked at in the last stop, so no store needs its deletion half.  So the run has two parts:
 * without plain roots and with them.
 *
 * -DSTORE_CYCLES=1000 -DSTORE_MOVES=100000 for a long run; -DSTORE_SEED=n repeats one.
 */
#include "gc/hgc.h"
#include "kernel/string.h"
#include "tap.h"
#include "wipe.h"

#ifndef STORE_CYCLES
#define STORE_CYCLES 24
#endif
#ifndef STORE_MOVES
#define STORE_MOVES 2000
#endif
#ifndef STORE_SEED
#define STORE_SEED 0x3c6ef372u
#endif

enum {
    ARENA = 4 << 20,
    TASKS = 16,                 /* the most: two a hart */
    HOLDERS = 256,
    BATCH = 16,
    OWNS = 4,                   /* containers of the program's own stores, of each task */
    OWN_SLOTS = 6, LARGE_SLOTS = 9000,      /* more than two slices of 32 KiB */
    TINY = 64,
    ZERO_WORDS = 8192, ZERO_TIMES = 5, ZERO_MAX = 40,
    NODE = HGC_KIND_FIRST, HOLDER, TABLE, OWN, CELL,
};
#define MAGIC ((uintptr_t)0x73746f72u)

struct node {
    uintptr_t magic, id;        /* magic: MAGIC ^ id */
    hgc_ref(struct node) next;
    uintptr_t end;              /* ~id */
};
struct holder {
    uintptr_t magic;
    hgc_ref(struct node) slot[TASKS];
};
struct table {
    hgc_ref(struct holder) holder[HOLDERS];
};
/* Stored to by the program itself. */
struct own {
    uintptr_t slots;
    struct node *slot[];
};
/* Of a list without locks: pushed once, so that compare-and-swap sees each address once in its life. */
struct cell {
    hgc_ref(struct cell) next;
    hgc_ref(struct node) node;
};

static struct {
    hgc_ref(struct table) table;
    hgc_ref(struct cell) top;
    hgc_ref(struct own) own[TASKS][OWNS];
    hgc_ref(struct holder) tiny[TASKS];
    hgc_ref(struct own) fresh[TASKS];
} root;
static struct node *early[TASKS][BATCH], *late[TASKS][BATCH];       /* plain */
static uintptr_t zeroes[ZERO_WORDS];

struct mutator {
    unsigned index;
    uint32_t random;
    uintptr_t seq;
    uint32_t moves, swaps, cas, touched, plain, tiny, failed;    /* while marking ran */
};
static struct mutator mutators[TASKS];
static unsigned tasks;
static uint32_t over, wrong;
static bool plain;              /* constant while tasks run */

#define NOINLINE __attribute__((noinline))

static uint32_t below(struct mutator *m, uint32_t n)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 17;
    m->random ^= m->random << 5;
    return m->random % n;
}

static void expect(bool good, const char *what)
{
    if (!good && amo_add_rlx(&wrong, 1) < 5)
        hk_printf("# %s\n", what);
}

static void count(struct mutator *m, uint32_t *sort)
{
    if (hgc_marking()) {
        own_add(sort, 1);
        own_add(&m->moves, 1);
    }
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static struct node *fresh(struct mutator *m)
{
    struct node *p = hgc_new(NODE, sizeof(struct node));
    if (!p) {
        own_add(&m->failed, 1);
        return NULL;
    }
    expect(!p->magic && !p->id && !hgc_get(p->next) && !p->end, "a new object is not zero");
    p->id = ++m->seq * TASKS + m->index;
    p->magic = MAGIC ^ p->id;
    p->end = ~p->id;
    fence_ww();
    return p;
}

/* With a child, so that there is something to follow. */
static struct node *pair(struct mutator *m)
{
    struct node *p = fresh(m);
    if (p)
        hgc_set(&p->next, fresh(m));
    return p;
}

static void check(const struct node *p, uintptr_t id)
{
    expect(p->magic == (MAGIC ^ p->id) && p->end == ~p->id && (!id || p->id == id), "an object is lost");
    const struct node *next = hgc_get(p->next);
    if (next)
        expect(next->magic == (MAGIC ^ next->id) && next->end == ~next->id, "a child is lost");
}

static struct holder *any_holder(struct mutator *m)
{
    return hgc_get(hgc_get(root.table)->holder[below(m, HOLDERS)]);
}

static void until_marking(bool on, unsigned yields)
{
    while (hgc_marking() != on && yields--)
        hk_yield();
}

static NOINLINE void pass(struct mutator *m)
{
    switch (below(m, 6)) {
    case 0:
        return;
    case 1:
        hk_sleep(1000 * below(m, 300));
        return;
    case 2:
        until_marking(false, 400);
        return;
    default:
        for (uint32_t i = below(m, 6); i; i--)
            hk_yield();
    }
}

/* ---- swap, compare-and-swap -------------------------------------------------------------------------------------- */

static NOINLINE void by_swap(struct mutator *m)
{
    struct node *volatile held[BATCH];
    uintptr_t id[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        struct node *p = hgc_swap(&any_holder(m)->slot[m->index], NULL);
        count(m, &m->swaps);
        if (!p)
            p = pair(m);
        held[i] = p;
        id[i] = p ? p->id : 0;
    }
    pass(m);
    for (unsigned i = 0; i < BATCH; i++)
        if (held[i]) {
            check(held[i], id[i]);
            hgc_swap(&any_holder(m)->slot[m->index], held[i]);
        }
}

static NOINLINE void by_cas(struct mutator *m)
{
    struct holder *a = any_holder(m), *b = any_holder(m);
    struct node *p = hgc_get(a->slot[m->index]);
    if (!p)
        return;
    uintptr_t id = p->id;
    expect(hgc_cas(&a->slot[m->index], p, NULL), "nobody else writes this slot");
    expect(!hgc_cas(&a->slot[m->index], p, p), "it holds NULL now");
    count(m, &m->cas);
    pass(m);
    check(p, id);
    struct node *was = hgc_get(b->slot[m->index]);
    expect(hgc_cas(&b->slot[m->index], was, p), "nobody else writes that slot");
    wipe();
}

static NOINLINE void push(struct mutator *m)
{
    struct cell *c = hgc_new(CELL, sizeof(struct cell)), *top;
    if (!c)
        return;
    hgc_set(&c->node, hgc_swap(&any_holder(m)->slot[m->index], NULL));
    do {
        top = hgc_get(root.top);
        hgc_set(&c->next, top);
    } while (!hgc_cas(&root.top, top, c));
    count(m, &m->cas);
}

static NOINLINE void pop(struct mutator *m)
{
    struct cell *top;
    do {
        top = hgc_get(root.top);
    } while (top && !hgc_cas(&root.top, top, hgc_get(top->next)));
    count(m, &m->cas);
    struct node *p = top ? hgc_get(top->node) : NULL;
    if (!p)
        return;
    check(p, 0);
    pass(m);
    hgc_set(&any_holder(m)->slot[m->index], p);
}

/* ---- stores of its own ------------------------------------------------------------------------------------------- */

/* Takes what a slot holds, and leaves p there. */
static NOINLINE struct node *own_store(struct own *c, uintptr_t i, struct node *p)
{
    hgc_store_t s = hgc_store_begin();
    struct node *was = c->slot[i];
    hgc_shade(was);
    c->slot[i] = p;
    hgc_touch(&c->slot[i]);
    hgc_store_end(s);
    return was;
}

static NOINLINE void by_touch(struct mutator *m)
{
    struct own *c = hgc_get(root.own[m->index][below(m, OWNS)]);
    uintptr_t i = below(m, c->slots);
    struct node *p = own_store(c, i, NULL);
    if (!p && !(p = pair(m)))
        return;
    uintptr_t id = p->id;
    pass(m);
    check(p, id);
    count(m, &m->touched);
    c = hgc_get(root.own[m->index][below(m, OWNS)]);
    own_store(c, below(m, c->slots), p);
}

/* Born before the mark; as it begins, into containers that were born in it and are black. */
static NOINLINE void insert(struct mutator *m, uintptr_t *id)
{
    struct node *volatile held[OWN_SLOTS];
    for (unsigned i = 0; i < OWN_SLOTS; i++) {
        held[i] = pair(m);
        id[i] = held[i] ? held[i]->id : 0;
    }
    until_marking(true, 1000);
    uintptr_t slots = below(m, 3) ? OWN_SLOTS : LARGE_SLOTS;
    struct own *c = hgc_alloc(OWN, sizeof(*c) + slots * sizeof(void *));
    if (!c)
        return;
    c->slots = slots;
    hgc_set(&root.fresh[m->index], c);
    for (unsigned i = 0; i < OWN_SLOTS; i++) {
        hgc_store_t s = hgc_store_begin();
        c->slot[c->slots - 1 - i] = held[i];
        hgc_touch(c);
        hgc_store_end(s);
        held[i] = NULL;
        count(m, &m->touched);
    }
}

static NOINLINE void insertion(struct mutator *m)
{
    uintptr_t id[OWN_SLOTS];
    if (hgc_marking())
        return;
    insert(m, id);
    wipe();
    until_marking(false, 1000);
    struct own *c = hgc_get(root.fresh[m->index]);
    for (unsigned i = 0; c && i < OWN_SLOTS; i++)
        if (c->slot[c->slots - 1 - i])
            check(c->slot[c->slots - 1 - i], id[i]);
    hgc_set(&root.fresh[m->index], NULL);
}

/* ---- plain roots ------------------------------------------------------------------------------------------------- */

/* Out of `late`, which is looked at last, into `early`, which was looked at; in a frame of its own. */
static NOINLINE void exchange(struct mutator *m, unsigned i)
{
    struct node *p = late[m->index][i];
    late[m->index][i] = early[m->index][i];
    early[m->index][i] = p;
    count(m, &m->plain);
}

static NOINLINE void by_plain(struct mutator *m)
{
    unsigned i = below(m, BATCH);
    if (!late[m->index][i])
        late[m->index][i] = pair(m);
    exchange(m, i);
    wipe();
    pass(m);
    if (early[m->index][i])
        check(early[m->index][i], 0);
    if (below(m, 4))
        return;
    struct own *c = hgc_get(root.own[m->index][below(m, OWNS)]);    /* scanned long ago, perhaps */
    struct node *p = early[m->index][i], *volatile held;
    early[m->index][i] = NULL;
    held = p;
    pass(m);
    if (held)
        check(held, 0);
    held = own_store(c, below(m, c->slots), held);
    early[m->index][i] = held;
}

/* Into containers that were scanned long ago, by a touch alone. */
static NOINLINE void give_to_own(struct mutator *m)
{
    for (unsigned i = 0; i < BATCH; i += 2) {
        struct own *c = hgc_get(root.own[m->index][below(m, OWNS)]);
        struct node *p = late[m->index][i];
        if (!p)
            continue;
        own_store(c, below(m, c->slots), p);
        late[m->index][i] = NULL;
        count(m, &m->touched);
    }
}

/* All of them are white when the mark begins, and move while it goes on. */
static NOINLINE void move_plain(struct mutator *m)
{
    if (hgc_marking())
        return;
    for (unsigned i = 0; i < BATCH; i++) {
        early[m->index][i] = NULL;
        late[m->index][i] = pair(m);
    }
    wipe();
    until_marking(true, 1000);
    for (unsigned n = 0; hgc_marking(); n++) {
        for (unsigned i = 0; i < BATCH; i++)
            if (below(m, 4) == 0)
                exchange(m, i);
        if (n == 3)
            give_to_own(m);
        wipe();
        if (below(m, 2))
            hk_yield();
        else
            for (volatile uint32_t i = below(m, 3000); i; i--)
                ;
    }
    for (unsigned i = 0; i < BATCH; i++) {
        struct node *p = early[m->index][i] ? early[m->index][i] : late[m->index][i];
        if (p)
            check(p, 0);
    }
}

/* ---- tiny objects ------------------------------------------------------------------------------------------------ */

static uint8_t pattern(struct mutator *m, unsigned i)
{
    return (uint8_t)(m->index * 37 + i * 11 + 1);
}

static NOINLINE uint8_t *tiny_new(struct mutator *m, unsigned i)
{
    unsigned size = 1u << (i % 4);
    uint8_t *p = hgc_new_tiny(size);
    if (!p) {
        own_add(&m->failed, 1);
        return NULL;
    }
    expect((uintptr_t)p % size == 0, "a tiny object is not aligned");
    expect(hgc_size(p) == HGC_GRAIN, "a tiny object lies in a small cell");
    for (unsigned k = 0; k < size; k++) {
        expect(p[k] == 0, "a tiny object is not zero");
        p[k] = pattern(m, i);
    }
    return p;
}

static void tiny_check(struct mutator *m, const uint8_t *p, unsigned i)
{
    for (unsigned k = 0; p && k < 1u << (i % 4); k++)
        expect(p[k] == pattern(m, i), "a tiny object is lost");
}

/* Some on the stack alone, from cells that were cut before; new cells are taken as soon as there are dead ones. */
static NOINLINE void by_tiny(struct mutator *m)
{
    uint8_t *volatile held[TINY];
    for (unsigned i = 0; i < TINY; i++) {
        held[i] = tiny_new(m, i);
        if (i % 8 == 0)
            pass(m);
        count(m, &m->tiny);
    }
    pass(m);
    for (unsigned i = 0; i < TINY; i++)
        tiny_check(m, held[i], i);
}

/* Before the mark a cell is begun, and its objects die; in the mark the rest of it goes to a stack, and waits there. */
static NOINLINE void tiny_over(struct mutator *m)
{
    if (hgc_marking())
        return;
    (void)!tiny_new(m, 0);
    wipe();
    until_marking(true, 1000);
    for (unsigned i = below(m, 4); i; i--)
        hk_yield();
    uint8_t *volatile held[3];
    for (unsigned i = 0; i < 3; i++)
        held[i] = tiny_new(m, i);
    count(m, &m->tiny);
    until_marking(false, 1000);
    for (unsigned i = 0; i < 400; i++) {
        void *volatile rubbish = hgc_new(HGC_LEAF, HGC_GRAIN);
        if (rubbish)
            memset(rubbish, 0xee, HGC_GRAIN);
    }
    for (unsigned i = 0; i < 3; i++)
        tiny_check(m, held[i], i);
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

static void mutate(void *arg)
{
    struct mutator *m = arg;
    while (!ld_rlx(&over)) {
        switch (below(m, plain ? 9 : 7)) {
        case 0: by_swap(m); break;
        case 1: by_cas(m); break;
        case 2: push(m); break;
        case 3: pop(m); break;
        case 4: by_touch(m); break;
        case 5: insertion(m); break;
        case 6: (below(m, 2) ? by_tiny : tiny_over)(m); break;
        case 7: by_plain(m); break;
        default: move_plain(m); break;
        }
        wipe();
    }
}

static uint32_t sum(size_t offset)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < tasks; i++)
        n += ld_rlx((uint32_t *)((char *)&mutators[i] + offset));
    return n;
}
#define SUM(field) sum(offsetof(struct mutator, field))

static bool each_sort_moved(void)
{
    return SUM(swaps) && SUM(cas) && SUM(touched) && SUM(tiny) && (SUM(plain) || !plain);
}

static void collects(void *arg)
{
    (void)arg;
    uint32_t before = SUM(moves);
    for (unsigned n = 0; n < STORE_CYCLES || SUM(moves) - before < STORE_MOVES || !each_sort_moved(); n++)
        if (hgc_collect(HGC_WAIT) != HGC_OK || ld_rlx(&wrong))
            break;
    st_rlx(&over, 1);
}

static int add_roots(int (*add)(const void *base, size_t bytes))
{
    int error = add(early, sizeof(early));
    for (unsigned i = 0; i < ZERO_TIMES * hk_harts() && i < ZERO_MAX; i++)
        error |= add(zeroes, sizeof(zeroes));
    return error | add(late, sizeof(late));
}

static int remove_roots(void)
{
    int error = hgc_root_remove(early) | hgc_root_remove(late);
    while (hgc_root_remove(zeroes) == HGC_OK)
        ;
    return error;
}

static void start_heap(void)
{
    static const uint32_t node_map = HGC_MAP(struct node, next), holder_map = ((1u << TASKS) - 1) << 1, all = 1;
    static const struct hgc_kind node = { .name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &node_map },
        holder = { .name = "holder", .words = sizeof(struct holder) / sizeof(void *), .map = &holder_map },
        table = { .name = "table", .words = 1, .map = &all },
        own = { .name = "own", .words = 1, .map = &all },
        cell = { .name = "cell", .words = 1, .map = &all };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true };
    int error = hgc_init(&config);
    error |= hgc_kind(NODE, &node) | hgc_kind(HOLDER, &holder) | hgc_kind(TABLE, &table) | hgc_kind(OWN, &own)
        | hgc_kind(CELL, &cell);
    error |= hgc_root_add(&root, sizeof(root)) | add_roots(hgc_root_add);
    is(error, HGC_OK, "the heap starts");
}

static bool build_own(unsigned k)
{
    for (unsigned i = 0; i < OWNS; i++) {
        uintptr_t slots = i ? OWN_SLOTS : LARGE_SLOTS;
        struct own *c = hgc_alloc(OWN, sizeof(*c) + slots * sizeof(void *));
        if (!c)
            return false;
        c->slots = slots;
        hgc_set(&root.own[k][i], c);
    }
    return true;
}

static bool build(void)
{
    struct table *t = hgc_alloc(TABLE, sizeof(struct table));
    if (!t)
        return false;
    hgc_set(&root.table, t);
    for (unsigned i = 0; i < HOLDERS; i++) {
        struct holder *h = hgc_new(HOLDER, sizeof(struct holder));
        if (!h)
            return false;
        hgc_set(&t->holder[i], h);
        for (unsigned k = 0; k < tasks; k++)
            hgc_set(&h->slot[k], pair(&mutators[k]));
    }
    bool good = true;
    for (unsigned k = 0; k < tasks; k++)
        good &= build_own(k);
    return good;
}

static void look_at_all(void)
{
    for (unsigned i = 0; i < HOLDERS; i++)
        for (unsigned k = 0; k < tasks; k++) {
            const struct node *p = hgc_get(hgc_get(hgc_get(root.table)->holder[i])->slot[k]);
            if (p)
                check(p, 0);
        }
    for (unsigned k = 0; k < tasks; k++)
        for (unsigned i = 0; i < OWNS; i++) {
            const struct own *c = hgc_get(root.own[k][i]);
            for (uintptr_t n = 0; n < c->slots; n++)
                if (c->slot[n])
                    check(c->slot[n], 0);
        }
    for (const struct cell *c = hgc_get(root.top); c; c = hgc_get(c->next))
        if (hgc_get(c->node))
            check(hgc_get(c->node), 0);
}

static void run(void)
{
    static const struct hk_task_config first = { .name = "collects", .prio = HK_HIGH, .set_prio = true };
    struct task *t[TASKS], *collector;
    bool good = true;
    st_rlx(&over, 0);
    for (unsigned i = 0; i < tasks; i++)
        good &= hk_task_create(&t[i], NULL, mutate, &mutators[i]) == HK_OK;
    good &= hk_task_create(&collector, &first, collects, NULL) == HK_OK;
    good &= hk_task_join(collector, NULL) == HK_OK;
    for (unsigned i = 0; i < tasks; i++)
        good &= hk_task_join(t[i], NULL) == HK_OK;
    ok(good, "tasks start, and end");
}

static void report(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    hk_printf("# seed 0x%x, %u harts, %u tasks, %u cycles; while marking: %u swaps, %u cas, %u touched, %u plain, %u tiny\n",
              (unsigned)STORE_SEED, hk_harts(), tasks, (unsigned)s.cycles, (unsigned)SUM(swaps), (unsigned)SUM(cas),
              (unsigned)SUM(touched), (unsigned)SUM(plain), (unsigned)SUM(tiny));
    hk_printf("# %u shades, %u retries, %u of them for plain roots, %u cycles finished in a stop, longest pause %u us\n",
              (unsigned)s.shades, (unsigned)s.termination_retries, (unsigned)s.unbarriered_retries, (unsigned)s.stopped_marks,
              (unsigned)(s.pause_max_ns / 1000));
    is(ld_rlx(&wrong), 0, "no object is lost");
    is(SUM(failed), 0, "no allocation fails");
    ok(s.cycles >= 2 * STORE_CYCLES && s.verified == s.cycles, "there were enough cycles, each verified");
    ok(each_sort_moved(), "moves of each sort while marking ran");
    ok(remove_roots() == HGC_OK, "plain roots are taken back");
    hgc_collect(HGC_WAIT);              /* one that had them is over */
    hgc_stats(&s);
    uint64_t before = s.unbarriered_retries;
    ok(hgc_collect(HGC_WAIT) == HGC_OK && hgc_collect(HGC_WAIT) == HGC_OK, "without plain roots");
    hgc_stats(&s);
    ok(s.unbarriered_retries == before, "nothing is looked at twice");
}

int app_main(void)
{
    hk_printf("# seed 0x%x\n", (unsigned)STORE_SEED);
    tasks = hk_harts() <= 2 ? 4 : hk_harts() <= TASKS / 2 ? 2 * hk_harts() : TASKS;
    for (unsigned i = 0; i < TASKS; i++)
        mutators[i] = (struct mutator){ .index = i, .random = (STORE_SEED + i) * 2654435761u | 1 };
    start_heap();
    if (!ok(build(), "the holders are built"))
        return tap_end();
    run();
    look_at_all();
    ok(remove_roots() == HGC_OK && add_roots(hgc_root_add_plain) == HGC_OK, "the second part, with plain roots");
    plain = true;
    run();
    look_at_all();
    report();
    return tap_end();
}
