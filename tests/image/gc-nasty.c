/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* harts: 1 2 4 8 */
/* seconds: 120 */
/* faults: deletion insertion black */
/*
 * The nasty mutator.  Tasks on all harts make hidden moves: the last path from the heap to an object is deleted while the
 * object sits only on a stack (or in a register) that was scanned already, or that was not yet, and is stored into some
 * other object later, black or not.  Cycles follow each other without a break, each verified, so an object that the mark
 * misses is a panic (I10); and every object has a number that is checked when it comes back from hiding.
 *
 * Who needs which part of the collector:
 *   deletion   an object is taken out of a holder that was not traced yet, onto a stack that was scanned already
 *   insertion  an object that only a stack holds which was not scanned yet is stored into a scanned root or a black
 *              holder, and leaves the stack before its scan
 *   black      an object is born on a scanned stack and stays there
 *
 * Each task owns one slot of every holder, so objects never get lost or doubled by the program itself; between tasks they
 * go through channels.  A registered root is scanned first, then zeroes, registered so often that no worker's first slice gets
 * past them, then the stacks: that makes the window of "insertion" wide.
 *
 * -DNASTY_CYCLES=1000 -DNASTY_MOVES=100000 for the whole run; -DNASTY_SEED=n repeats one.
 */
#include "gc/hgc.h"
#include "tap.h"
#include "wipe.h"

#ifndef NASTY_CYCLES
#define NASTY_CYCLES 60
#endif
#ifndef NASTY_MOVES
#define NASTY_MOVES 10000
#endif
#ifndef NASTY_SEED
#define NASTY_SEED 0x6a09e667u
#endif
#ifndef NASTY_ARENA
#define NASTY_ARENA (2u << 20)
#endif

enum {
    TASKS = 16,                 /* the most: two a hart */
    SLOTS = 4096,               /* of all holders that are in use */
    HOLDERS = 1024,             /* the most: SLOTS by at least 4 tasks */
    BATCH = 32,
    CHAIN = 8,
    DEPTH = 24,
    ZERO_WORDS = 8192, ZERO_TIMES = 12, ZERO_MAX = 56,      /* registered so often for each hart; at most */
    NODE = HGC_KIND_FIRST, HOLDER, TABLE,
};
#define MAGIC ((uintptr_t)0x6e617374u)

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

static struct {
    hgc_ref(struct table) table;
    hgc_ref(struct hgc_chan) chan[TASKS];
    hgc_ref(struct node) drop[TASKS][BATCH];
} root;
static uintptr_t zeroes[ZERO_WORDS];

struct mutator {
    unsigned index;
    uint32_t random;
    uintptr_t seq;
    uint32_t moves, marking, inserted, sent, failed;   /* moves; those begun while marking ran; ... */
};
static struct mutator mutators[TASKS];
static unsigned tasks, holders;
static uint32_t over, wrong;

#define NOINLINE __attribute__((noinline))

static uint32_t below(struct mutator *m, uint32_t n)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 17;
    m->random ^= m->random << 5;
    return m->random % n;
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static struct node *fresh(struct mutator *m)
{
    struct node *p = hgc_new(NODE, sizeof(struct node));
    if (!p) {
        own_add(&m->failed, 1);
        return NULL;
    }
    if (p->magic || p->id || hgc_get(p->next) || p->end)
        amo_add_rlx(&wrong, 1);         /* not zeroed: somebody else has it */
    p->id = ++m->seq * TASKS + m->index;
    p->magic = MAGIC ^ p->id;
    p->end = ~p->id;
    return p;
}

static void check(const struct node *p, uintptr_t id)
{
    if (p->magic != (MAGIC ^ p->id) || p->end != ~p->id || (id && p->id != id))
        amo_add_rlx(&wrong, 1);
}

static struct holder *any_holder(struct mutator *m)
{
    struct holder *h = hgc_get(hgc_get(root.table)->holder[below(m, holders)]);
    if (h->magic != MAGIC)
        amo_add_rlx(&wrong, 1);
    return h;
}

/* The hidden part begins: the object out of its holder, or a new one if the slot was empty. */
static NOINLINE struct node *take(struct mutator *m)
{
    struct holder *h = any_holder(m);
    struct node *p = hgc_get(h->slot[m->index]);
    if (!p)
        return fresh(m);
    check(p, 0);
    hgc_set(&h->slot[m->index], NULL);
    own_add(&m->moves, 1);
    if (hgc_marking())
        own_add(&m->marking, 1);
    return p;
}

/* It ends: into another object.  Now and then what hung on it is dropped, so that chains do not grow for ever. */
static NOINLINE void put(struct mutator *m, struct node *p, uintptr_t id)
{
    if (!p)
        return;
    check(p, id);
    if (below(m, 4) == 0)
        hgc_set(&p->next, NULL);
    hgc_set(&any_holder(m)->slot[m->index], p);
}

/* ---- time passes ------------------------------------------------------------------------------------------------- */

static void until_marking(bool on, unsigned yields)
{
    while (hgc_marking() != on && yields--)
        hk_yield();
}

static NOINLINE void pass(struct mutator *m)
{
    switch (below(m, 8)) {
    case 0:
        return;
    case 1:
        for (volatile uint32_t i = below(m, 2000); i; i--)
            ;
        return;
    case 2:
        hk_sleep(1000 * below(m, 300));
        return;
    case 3:
    case 4:
        until_marking(false, 400);      /* over the end of this mark */
        return;
    default:
        for (uint32_t i = below(m, 6); i; i--)
            hk_yield();
    }
}

/* ---- hidden moves ------------------------------------------------------------------------------------------------ */

/* A frame full of objects that nothing else holds. */
static NOINLINE void in_slots(struct mutator *m)
{
    struct node *volatile held[BATCH];
    uintptr_t id[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        struct node *p = take(m);
        held[i] = p;
        id[i] = p ? p->id : 0;
    }
    pass(m);
    for (unsigned i = 0; i < BATCH; i++)
        put(m, held[i], id[i]);
}

/* `p` and `q` live across calls, so in registers that calls preserve, or where those were saved. */
static NOINLINE void in_registers(struct mutator *m)
{
    struct node *p = take(m), *q = take(m);
    uintptr_t p_id = p ? p->id : 0, q_id = q ? q->id : 0;
    pass(m);
    put(m, q, q_id);
    pass(m);
    put(m, p, p_id);
}

/* One object a frame, moved on as the frames go. */
static NOINLINE void in_deep_frames(struct mutator *m, unsigned depth)
{
    struct node *volatile held = take(m);
    uintptr_t id = held ? held->id : 0;
    if (depth)
        in_deep_frames(m, depth - 1);
    else
        pass(m);
    put(m, held, id);
}

/* Two holders exchange what they hold; for a while neither holds either. */
static NOINLINE void swap(struct mutator *m)
{
    struct holder *a = any_holder(m), *b = any_holder(m);
    struct node *p = hgc_get(a->slot[m->index]), *q = hgc_get(b->slot[m->index]);
    if (!p || !q || a == b)
        return;
    uintptr_t p_id = p->id, q_id = q->id;
    hgc_set(&a->slot[m->index], NULL);
    hgc_set(&b->slot[m->index], NULL);
    own_add(&m->moves, 2);
    if (hgc_marking())
        own_add(&m->marking, 2);
    pass(m);
    check(p, p_id);
    check(q, q_id);
    hgc_set(&b->slot[m->index], p);
    hgc_set(&a->slot[m->index], q);
}

/* Objects that only objects as new refer to. */
static NOINLINE void chain(struct mutator *m)
{
    struct node *head = NULL;
    uintptr_t first = m->seq + 1;
    for (unsigned i = 0; i < CHAIN; i++) {
        struct node *p = fresh(m);
        if (!p)
            return;
        hgc_set(&p->next, head);
        head = p;
        if (i == CHAIN / 2)
            pass(m);
    }
    pass(m);
    unsigned i = CHAIN;
    for (struct node *p = head; p; p = hgc_get(p->next))
        check(p, (first + --i) * TASKS + m->index);
    if (i)
        amo_add_rlx(&wrong, 1);
    put(m, head, head->id);
}

/* To the next task, whose stack may be in another state; and one comes from the task before. */
static NOINLINE void hand_over(struct mutator *m)
{
    struct node *p = take(m);
    void *got = NULL;
    uintptr_t id = p ? p->id : 0;
    if (hgc_chan_recv(hgc_get(root.chan[m->index]), &got, 0) == HGC_OK) {
        check(got, 0);
        pass(m);
        put(m, got, 0);
    }
    if (p && hgc_chan_send(hgc_get(root.chan[(m->index + 1) % tasks]), p, 0) == HGC_OK)
        own_add(&m->sent, 1);
    else
        put(m, p, id);
}

/* Born while nothing marks, never in the heap; as the mark begins, into the root that it looks at first, and off the
 * stack.  The objects are white, and only the barrier tells anybody about them. */
static NOINLINE void insert(struct mutator *m, uintptr_t *id)
{
    struct node *volatile held[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        struct node *p = fresh(m);
        held[i] = p;
        id[i] = p ? p->id : 0;
    }
    until_marking(true, 1000);
    bool marking = hgc_marking();
    for (unsigned i = 0; i < BATCH; i++) {
        if (i % 4 == 0)
            hgc_set(&any_holder(m)->slot[m->index], held[i]);
        else
            hgc_set(&root.drop[m->index][i], held[i]);
        held[i] = NULL;
    }
    if (marking) {
        own_add(&m->inserted, BATCH);
        own_add(&m->marking, BATCH);
    }
    own_add(&m->moves, BATCH);
}

/* Looks for them after the mark, and moves them on. */
static NOINLINE void insertion(struct mutator *m)
{
    uintptr_t id[BATCH];
    if (hgc_marking())
        return;
    insert(m, id);
    wipe();
    until_marking(false, 1000);
    for (unsigned i = 0; i < BATCH; i++) {
        struct node *p = i % 4 == 0 ? NULL : hgc_get(root.drop[m->index][i]);
        hgc_set(&root.drop[m->index][i], NULL);
        put(m, p, id[i]);
    }
}

static void mutate(void *arg)
{
    struct mutator *m = arg;
    while (!ld_rlx(&over)) {
        if (below(m, 3) == 0)
            insertion(m);
        switch (below(m, 6)) {
        case 0: in_slots(m); break;
        case 1: in_registers(m); break;
        case 2: in_deep_frames(m, DEPTH); break;
        case 3: swap(m); break;
        case 4: chain(m); break;
        default: hand_over(m);
        }
        wipe();
    }
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

static uint32_t sum(size_t offset)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < tasks; i++)
        n += ld_rlx((uint32_t *)((char *)&mutators[i] + offset));
    return n;
}
#define SUM(field) sum(offsetof(struct mutator, field))

/* Cycle after cycle, until there were enough of them and of moves, of each sort. */
static void collects(void *arg)
{
    (void)arg;
    for (unsigned n = 0; n < NASTY_CYCLES || SUM(marking) < NASTY_MOVES || !SUM(sent) || !SUM(inserted); n++) {
        if (hgc_collect(HGC_WAIT) != HGC_OK || ld_rlx(&wrong))
            break;
        hk_sleep(50000);        /* so that others run between two marks, also where there is one hart */
    }
    st_rlx(&over, 1);
}

static void start_heap(void)
{
    static const uint32_t node_map = HGC_MAP(struct node, next), holder_map = ((1u << TASKS) - 1) << 1, table_map = 1;
    static const struct hgc_kind node = { .name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &node_map },
        holder = { .name = "holder", .words = sizeof(struct holder) / sizeof(void *), .map = &holder_map },
        table = { .name = "table", .words = 1, .map = &table_map };
    struct hgc_config config = { .base = hk_mem_alloc(NASTY_ARENA), .size = NASTY_ARENA, .verify = true };
    int error = hgc_init(&config);
    error |= hgc_kind(NODE, &node) | hgc_kind(HOLDER, &holder) | hgc_kind(TABLE, &table);
    error |= hgc_root_add(&root, sizeof(root));         /* the first: its job is the first of each cycle */
    for (unsigned i = 0; i < ZERO_TIMES * hk_harts() && i < ZERO_MAX; i++)
        error |= hgc_root_add(zeroes, sizeof(zeroes));
    is(error, HGC_OK, "the heap starts");
}

static bool build(void)
{
    struct table *t = hgc_alloc(TABLE, sizeof(struct table));
    if (!t)
        return false;
    hgc_set(&root.table, t);
    for (unsigned i = 0; i < holders; i++) {
        struct holder *h = hgc_new(HOLDER, sizeof(struct holder));
        if (!h)
            return false;
        h->magic = MAGIC;
        hgc_set(&t->holder[i], h);
        for (unsigned k = 0; k < tasks; k++)
            hgc_set(&h->slot[k], fresh(&mutators[k]));
    }
    for (unsigned k = 0; k < tasks; k++)
        hgc_set(&root.chan[k], hgc_chan_new(BATCH));
    return true;
}

/* At the end everything in the heap is as it was put there. */
static void look_at_all(void)
{
    for (unsigned i = 0; i < holders; i++)
        for (unsigned k = 0; k < tasks; k++)
            for (struct node *p = hgc_get(hgc_get(hgc_get(root.table)->holder[i])->slot[k]); p; p = hgc_get(p->next))
                check(p, 0);
}

static void run(void)
{
    static const struct hk_task_config first = { .name = "collects", .prio = HK_HIGH, .set_prio = true };
    struct task *t[TASKS], *collector;
    bool good = true;
    for (unsigned i = 0; i < tasks; i++)
        good &= hk_task_create(&t[i], NULL, mutate, &mutators[i]) == HK_OK;
    good &= hk_task_create(&collector, &first, collects, NULL) == HK_OK;
    ok(good, "tasks start");
    good = hk_task_join(collector, NULL) == HK_OK;
    for (unsigned i = 0; i < tasks; i++)
        good &= hk_task_join(t[i], NULL) == HK_OK;
    ok(good, "and end");
}

static void report(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    hk_printf("# seed 0x%x, %u harts, %u tasks: %u cycles, %u hidden moves, %u of them while marking (%u into the root),\n",
              (unsigned)NASTY_SEED, hk_harts(), tasks, (unsigned)s.cycles, (unsigned)SUM(moves), (unsigned)SUM(marking),
              (unsigned)SUM(inserted));
    hk_printf("# %u handed over, %u shades, live %u KiB\n", (unsigned)SUM(sent), (unsigned)s.shades,
              (unsigned)(s.heap_live >> 10));
    is(ld_rlx(&wrong), 0, "no object is lost");
    is(SUM(failed), 0, "no allocation fails");
    ok(s.cycles >= NASTY_CYCLES && s.verified == s.cycles, "there were enough cycles, each verified");
    ok(SUM(marking) >= NASTY_MOVES, "there were enough hidden moves while marking ran");
    ok(SUM(sent) > 0 && SUM(inserted) > 0 && s.shades > 0, "of each sort");
}

int app_main(void)
{
    hk_printf("# seed 0x%x\n", (unsigned)NASTY_SEED);
    tasks = hk_harts() <= 2 ? 4 : hk_harts() <= TASKS / 2 ? 2 * hk_harts() : TASKS;
    holders = SLOTS / tasks;
    for (unsigned i = 0; i < TASKS; i++)
        mutators[i] = (struct mutator){ .index = i, .random = (NASTY_SEED + i) * 2654435761u | 1 };
    start_heap();
    if (!ok(build(), "the holders are built"))
        return tap_end();
    run();
    look_at_all();
    report();
    return tap_end();
}
