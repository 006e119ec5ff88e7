/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */ /* host-variants: plain asan arm64 */
/* harts: 1 2 4 8 */
/* seconds: 120 */
/* mem: 128M */
/*
 * A small runtime with what hgc.h has for runtimes, on all harts at once, while cycles follow each other, each verified.
 *
 * Each task has coroutines, whose stacks of values are leaves of the heap: it stores to the one that it runs without a barrier.
 * Values move between these stacks, holders, a large array of elements that is marked in slices, and a weak vector, the dead of
 * which the runtime's `end` takes out; short strings lie in a table that keeps none of them, and are asked for before the
 * sweep frees them.  Every object has a number that is checked whenever it is met.
 *
 * Who needs which part, beside what the single tests ask:
 *   own stack   a value that only it holds when the mark begins; a move within it, or to a holder, after it was scanned
 *   coroutine   a value on a stack that the task leaves, or comes to, in a mark
 *   weak        slots whose objects a stack holds are never emptied; what a slot gives is whole
 *   strings     a string that was looked up between a mark's end and its sweep is whole
 */
#include "gc/hgc.h"
#include "gc/stacks.h"
#include "kernel/lock.h"
#include "kernel/string.h"
#include "tap.h"
#include "wipe.h"

#ifndef RUNTIME_CYCLES
#define RUNTIME_CYCLES 16
#endif

enum {
    ARENA = 12 << 20, TASKS = 8, COROUTINES = 2, STACK = 64, STACK_MAX = 2048, WEAK = 16, HOLDERS = 32, STRINGS = 96, BUCKETS = 16,
    ELEMENTS = 120000, SMALL_ELEMENTS = 9,
    NODE = HGC_KIND_FIRST, REFS, VALUES, THREAD, WEAK_TABLE, ELEMENT, STRING, HOOKED,
};
#define MAGIC ((uintptr_t)0x72746d65u)
#define NOINLINE __attribute__((noinline))

struct node { uintptr_t magic, id; hgc_ref(struct node) next; };        /* magic: MAGIC ^ id */
struct slot { struct node *node; };             /* by stores of the runtime's own */
struct refs { struct slot slot[WEAK]; };
struct thread { struct hgc_stacks stacks; struct node **stack; uintptr_t top; };
struct weak_table { hgc_ref(struct refs) refs; };
struct element { uintptr_t tag; struct node *a, *b; };                  /* tag: MAGIC, or 0 where nothing was stored yet */
struct string { uintptr_t magic, id; struct string *next; uint32_t found; };

static struct {
    hgc_ref(struct thread) thread[TASKS][COROUTINES];
    hgc_ref(struct weak_table) weak[TASKS];
    hgc_ref(struct refs) holder[TASKS][HOLDERS / WEAK];
    hgc_ref(struct element) elements, few;
} root;

struct machine {
    unsigned index, running;
    uint32_t random;
    uintptr_t seq;
    uint32_t turns, switches, waits, cleared;
};
static struct machine machines[TASKS];
static unsigned tasks;
static uint32_t over, wrong;

static void expect(bool good, const char *what)
{
    if (!good && amo_add_rlx(&wrong, 1) < 5)
        hk_printf("# %s\n", what);
}

static uint32_t below(struct machine *m, uint32_t n)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 17;
    m->random ^= m->random << 5;
    return m->random % n;
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static void check(const struct node *p)
{
    expect(p->magic == (MAGIC ^ p->id), "an object is lost");
    const struct node *q = hgc_get(p->next);
    expect(!q || q->magic == (MAGIC ^ q->id), "what an object refers to is lost");
}

static NOINLINE struct node *fresh(struct machine *m)
{
    struct node *p = hgc_alloc(NODE, sizeof *p);
    if (!p)
        return NULL;
    expect(!p->magic && !p->id && !hgc_get(p->next), "a new object is not zero");
    p->id = ++m->seq * TASKS + m->index;
    p->magic = MAGIC ^ p->id;
    fence_ww();
    return p;
}

static NOINLINE struct node *pair(struct machine *m)
{
    struct node *p = fresh(m), *q = fresh(m);
    if (p && q)
        hgc_set(&p->next, q);
    return p;
}

static NOINLINE void store(struct slot *slot, struct node *p)
{
    hgc_store_t s = hgc_store_begin();
    hgc_shade(slot->node);
    hgc_shade(p);
    st_rlx(&slot->node, p);
    hgc_store_end(s);
}

/* ---- coroutines -------------------------------------------------------------------------------------------------- */

static size_t room(struct node **stack) { return hgc_size(stack) / sizeof(void *); }

static void visit_thread(struct thread *t, struct hgc_visitor *v)
{
    struct node **stack = ld_rlx(&t->stack);
    uintptr_t top = ld_rlx(&t->top);
    hgc_visit(v, stack);
    for (uintptr_t i = 0; stack && i < top && i < room(stack); i++)
        hgc_visit(v, ld_rlx(&stack[i]));
}

static void trace_thread(void *object, size_t size, struct hgc_visitor *v)
{
    (void)size;
    visit_thread(object, v);
}

static void trace_stacks(struct hgc_stacks *s, const struct task *task, struct hgc_visitor *v)
{
    expect(task != NULL, "the trace function of stacks is told no task");
    hgc_visit(v, s);
    visit_thread((struct thread *)(void *)s, v);
}

static struct thread *running(void) { return (struct thread *)(void *)hgc_stacks_mine(); }

/* Its first WEAK places belong to weak slots. */
static NOINLINE struct node **stack_new(size_t n)
{
    return hgc_alloc(VALUES, n * sizeof(void *));
}

static bool thread_new(unsigned index, unsigned which)
{
    struct thread *t = hgc_alloc(THREAD, sizeof *t);
    if (!t || !(t->stack = stack_new(STACK)))
        return false;
    t->stacks.trace = trace_stacks;
    t->top = WEAK;
    hgc_set(&root.thread[index][which], t);
    return true;
}

static void shade(struct hgc_visitor *v, void *p)
{
    (void)v;
    hgc_shade(p);
}

/* What is on both is shaded, in the cycle in which the stack is set. */
static void run(struct thread *to)
{
    static struct hgc_visitor shader = {shade, shade};
    struct thread *from = running();
    uint32_t cycle;
    do {
        cycle = hgc_cycle();
        if (from)
            visit_thread(from, &shader);
        hgc_shade(to);
        visit_thread(to, &shader);
        hgc_stacks_set(&to->stacks);
    } while (cycle != hgc_cycle());
}

/* The new place is filled before it is the stack. */
static NOINLINE bool resize(struct thread *t, size_t n)
{
    struct node **to = stack_new(n), **from = t->stack;
    if (!to)
        return false;
    for (uintptr_t i = 0; i < t->top; i++)
        to[i] = from[i];
    st_rlx(&t->stack, to);
    return true;
}

static NOINLINE void push(struct node *p)
{
    struct thread *t = running();
    if (!p || (t->top == room(t->stack) && (t->top >= STACK_MAX || !resize(t, 2 * t->top))))
        return;
    t->stack[t->top] = p;
    st_rlx(&t->top, t->top + 1);
}

static NOINLINE struct node *pop(void)
{
    struct thread *t = running();
    if (t->top == WEAK)
        return NULL;
    struct node *p = t->stack[t->top - 1];
    st_rlx(&t->top, t->top - 1);
    check(p);
    return p;
}

/* ---- what a task does: values ------------------------------------------------------------------------------------ */

static struct slot *holder(struct machine *m)
{
    unsigned i = below(m, HOLDERS);
    return &hgc_get(root.holder[m->index][i / WEAK])->slot[i % WEAK];
}

/* From a holder to the stack, which is scanned perhaps: its last path in the heap is cut. */
static NOINLINE void take(struct machine *m)
{
    struct slot *slot = holder(m);
    push(slot->node);
    store(slot, NULL);
}

static NOINLINE void give(struct machine *m)
{
    struct slot *slot = holder(m);
    struct node *p = pop();
    if (slot->node)
        check(slot->node);
    if (p)
        store(slot, p);
}

/* Two values change places, without a barrier. */
static NOINLINE void shuffle(struct machine *m)
{
    struct thread *t = running();
    uintptr_t n = t->top - WEAK;
    if (n < 2)
        return;
    struct node **a = &t->stack[WEAK + below(m, (uint32_t)n)], **b = &t->stack[WEAK + below(m, (uint32_t)n)], *p = *a;
    check(p);
    *a = *b;
    *b = p;
}

static NOINLINE void change(struct machine *m)
{
    struct thread *t = running();
    if (below(m, 2) && t->top < STACK)
        resize(t, STACK);
    m->running ^= 1;
    run(hgc_get(root.thread[m->index][m->running]));
    own_add(&m->switches, 1);
}

/* ---- elements ---------------------------------------------------------------------------------------------------- */

static uint32_t pieces, piece_max;

static void trace_elements(void *start, size_t bytes, struct hgc_visitor *v)
{
    struct element *e = start;
    expect(bytes % sizeof *e == 0, "a piece of an array ends inside an element");
    if (ld_rlx(&hgc_phase) == 1) {              /* else it is verify mode, which asks for all of it */
        if (bytes > ld_rlx(&piece_max))
            st_rlx(&piece_max, (uint32_t)bytes);
        amo_add_rlx(&pieces, 1);
    }
    for (size_t i = 0; i < bytes / sizeof *e; i++) {
        uintptr_t tag = ld_rlx(&e[i].tag);
        expect(tag == 0 || tag == MAGIC, "a piece of an array begins inside an element");
        hgc_visit(v, ld_rlx(&e[i].a));
        hgc_visit(v, ld_rlx(&e[i].b));
    }
}

/* An element's old value comes to the stack, and one of the stack's into the element, by a store of the program's own. */
static NOINLINE void exchange_element(struct machine *m)
{
    uint32_t each = ELEMENTS / tasks, i = m->index * each + below(m, each);
    bool large = below(m, 8);
    struct element *e = large ? &hgc_get(root.elements)[i] : &hgc_get(root.few)[m->index % SMALL_ELEMENTS];
    struct node *p = pop(), **slot = below(m, 2) ? &e->a : &e->b, *was;
    bool touch = below(m, large ? 2000 : 2) == 0;       /* the large one is searched from its beginning then */
    hgc_store_t s = hgc_store_begin();
    was = ld_rlx(slot);
    hgc_shade(was);
    if (!touch)
        hgc_shade(p);
    st_rlx(&e->tag, MAGIC);
    st_rlx(slot, p);
    if (touch)
        hgc_touch(e);
    hgc_store_end(s);
    push(was);
}

/* ---- weak vectors ------------------------------------------------------------------------------------------------ */

static void trace_weak(void *object, size_t size, struct hgc_visitor *v)
{
    (void)size;
    hgc_visit_weakly(v, hgc_get(((struct weak_table *)object)->refs));
}

static NOINLINE struct node *weak_read(struct slot *slot)
{
    hgc_store_t s = hgc_store_begin();
    struct node *p = ld_rlx(&slot->node);
    hgc_shade(p);
    hgc_store_end(s);
    if (p)
        check(p);
    return p;
}

/* The anchor of slot k is the k-th place of coroutine 0's stack. */
static NOINLINE void weak_use(struct machine *m)
{
    unsigned k = below(m, WEAK);
    struct slot *slot = &hgc_get(hgc_get(root.weak[m->index])->refs)->slot[k];
    struct thread *t = running();
    struct node *p = weak_read(slot);
    if (m->running == 0) {
        expect(!t->stack[k] || t->stack[k] == p, "a weak slot is empty, and its object alive");
        if (!p || below(m, 4) == 0) {
            own_add(&m->cleared, !p);
            p = pair(m);
            t->stack[k] = below(m, 2) ? p : NULL;
            if (p)
                store(slot, p);
        }
    }
    if (below(m, 4) == 0)
        push(p);
}

/* The old vector is no longer seen to: a touch makes it one like any other. */
static NOINLINE void weak_resize(struct machine *m)
{
    struct weak_table *t = hgc_get(root.weak[m->index]);
    struct refs *to = hgc_alloc(REFS, sizeof *to), *from = hgc_get(t->refs);
    if (!to)
        return;
    hgc_copy(to, from, sizeof *to);
    hgc_set(&t->refs, to);
    hgc_touch(from);
}

/* ---- strings ----------------------------------------------------------------------------------------------------- */

static struct spinlock strings_lock;
static struct string *bucket[BUCKETS];          /* strings_lock; no roots */
static uint32_t released, found_dead;

static bool release_string(void *object)
{
    struct string *s = object;
    if (!s->magic)
        return true;                            /* never handed out, or not in the table yet */
    spin_lock(&strings_lock);
    bool dead = s->found != hgc_cycle();
    struct string **p = &bucket[s->id % BUCKETS];
    while (dead && *p != s)
        p = &(*p)->next;
    if (dead)
        *p = s->next;
    spin_unlock(&strings_lock);
    amo_add_rlx(dead ? &released : &found_dead, 1);
    return dead;
}

static NOINLINE struct string *find_string(uintptr_t id, struct string *add)
{
    hal_crit_t c = spin_lock_crit(&strings_lock);
    struct string *s = bucket[id % BUCKETS];
    while (s && s->id != id)
        s = s->next;
    if (!s && add) {
        s = add;
        s->magic = MAGIC ^ id;
        s->id = id;
        s->next = bucket[id % BUCKETS];
        bucket[id % BUCKETS] = s;
    }
    if (s) {
        hgc_shade(s);
        s->found = hgc_cycle();
    }
    spin_unlock_crit(&strings_lock, c);
    return s;
}

static NOINLINE struct string *intern(uintptr_t id)
{
    struct string *s = find_string(id, NULL);
    if (s)
        return s;
    s = hgc_alloc(STRING, sizeof *s);
    return s ? find_string(id, s) : NULL;
}

/* Those of the cycles before are asked for no more: else on a slow machine each would be, in every mark. */
static NOINLINE void use_string(struct machine *m)
{
    uintptr_t id = below(m, STRINGS) + (hgc_cycle() / 2) * STRINGS;
    struct string *volatile s = intern(id);
    for (unsigned n = below(m, 3); n; n--)
        hk_yield();
    if (s)
        expect(s->id == id && s->magic == (MAGIC ^ id), "a string is lost");
}

/* ---- the runtime ------------------------------------------------------------------------------------------------- */

enum { PATIENCE = 200 };
static uint32_t asked, parked, park, later_quiet, later_end, emptied;
static uint32_t wants_later;            /* atomic: bit 0: quiet asks for a parked task, bit 1: end does */

/* Weak tables are emptied with one task parked in most cycles; it is waited for, but not for ever. */
static bool waits(uint32_t bit, uint32_t *count)
{
    if (!(ld_rlx(&wants_later) & bit) || ld_acq(&parked) || asked++ >= PATIENCE)
        return false;
    st_rlx(&park, 1);
    amo_add_rlx(count, 1);
    return true;
}

static void begin(void)
{
    asked = 0;
}

static enum hgc_quiet quiet(void)
{
    if (waits(1, &later_quiet))
        return HGC_QUIET_LATER;
    return HGC_QUIET;
}

static void empty(struct refs *r)
{
    for (unsigned k = 0; r && k < WEAK; k++)
        if (!hgc_marked(r->slot[k].node)) {
            st_rlx(&r->slot[k].node, NULL);
            own_add(&emptied, 1);
        }
}

static enum hgc_quiet end(void)
{
    if (waits(2, &later_end))
        return HGC_QUIET_LATER;
    for (unsigned i = 0; i < TASKS; i++)
        if (hgc_get(root.weak[i]))
            empty(hgc_get(hgc_get(root.weak[i])->refs));
    return HGC_QUIET;
}

/* Where a task waits with nothing on its C stack. */
static NOINLINE void safepoint(struct machine *m)
{
    bool asked_for = m->index == 0;
    if (asked_for ? !ld_rlx(&park) : below(m, 256) != 0)
        return;
    expect(!hgc_stacks_only(true), "the setting before is another");
    if (asked_for)
        st_rel(&parked, 1);
    hgc_ask_again();
    hgc_wait_mark();
    if (asked_for) {
        st_rlx(&park, 0);
        st_rlx(&parked, 0);
    }
    expect(hgc_stacks_only(false), "the setting is lost");
    own_add(&m->waits, 1);
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static void turn(struct machine *m)
{
    switch (below(m, 12)) {
    case 0: case 1: take(m); break;
    case 2: give(m); break;
    case 3: push(pair(m)); break;
    case 4: case 5: shuffle(m); break;
    case 6: case 7: exchange_element(m); break;
    case 8: weak_use(m); break;
    case 9: use_string(m); break;
    case 10: below(m, 4) ? (void)pop() : change(m); break;
    default: below(m, 4) ? hk_yield() : weak_resize(m); break;
    }
}

static void mutate(void *arg)
{
    struct machine *m = arg;
    run(hgc_get(root.thread[m->index][m->running]));
    while (!ld_rlx(&over)) {
        turn(m);
        wipe();
        safepoint(m);
        own_add(&m->turns, 1);
    }
    hgc_touch(running());
    hgc_stacks_set(NULL);
}

static void all_at_once(void)
{
    struct task *t[TASKS];
    for (unsigned i = 0; i < tasks; i++)
        hk_task_create(&t[i], NULL, mutate, &machines[i]);
    for (unsigned n = 0; n < RUNTIME_CYCLES; n++) {
        st_rlx(&wants_later, n % 4);
        if (hgc_collect(n % 8 == 7 ? HGC_FORCE : HGC_WAIT) != HGC_OK)
            expect(false, "hgc_collect fails");
        hk_sleep(2000000);
    }
    st_rlx(&wants_later, 0);
    st_rlx(&over, 1);
    for (unsigned i = 0; i < tasks; i++)
        hk_task_join(t[i], NULL);
}

/* ---- setting up ------------------------------------------------------------------------------------------------- */

static int set_up(void)
{
    static const uint32_t all = 1, node_map = HGC_MAP(struct node, next);
    static const struct hgc_runtime runtime = {.begin = begin, .quiet = quiet, .end = end};
    const struct { unsigned number; struct hgc_kind kind; } kinds[] = {
        {NODE, {.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &node_map}},
        {REFS, {.name = "refs", .words = 1, .map = &all}},
        {VALUES, {.name = "values"}},
        {THREAD, {.name = "thread", .trace = trace_thread}},
        {WEAK_TABLE, {.name = "weak", .trace = trace_weak}},
        {ELEMENT, {.name = "element", .words = sizeof(struct element) / sizeof(void *), .trace = trace_elements}},
        {STRING, {.name = "string", .release = release_string}},
    };
    int bad = 0;
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        bad |= hgc_kind(kinds[i].number, &kinds[i].kind);
    return bad | hgc_root_add(&root, sizeof root) | hgc_runtime(&runtime);
}

static void objects(void)
{
    for (unsigned i = 0; i < TASKS; i++) {
        machines[i] = (struct machine){.index = i, .random = 0x9e3779b9u * (i + 1)};
        for (unsigned k = 0; k < COROUTINES; k++)
            thread_new(i, k);
        for (unsigned k = 0; k < HOLDERS / WEAK; k++)
            hgc_set(&root.holder[i][k], hgc_alloc(REFS, sizeof(struct refs)));
        struct weak_table *t = hgc_alloc(WEAK_TABLE, sizeof *t);
        hgc_set(&root.weak[i], t);
        hgc_set(&t->refs, hgc_alloc(REFS, sizeof(struct refs)));
    }
    hgc_set(&root.elements, hgc_alloc(ELEMENT, ELEMENTS * sizeof(struct element)));
    hgc_set(&root.few, hgc_alloc(ELEMENT, SMALL_ELEMENTS * sizeof(struct element) + sizeof(void *)));
}

int app_main(void)
{
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true, .clobber = true};
    if (!ok(config.base && hgc_init(&config) == HGC_OK, "the collector starts"))
        return tap_end();
    is(set_up(), HGC_OK, "kinds, roots and the runtime");
    tasks = hk_harts() * 2 < TASKS ? hk_harts() * 2 : TASKS;
    objects();
    all_at_once();
    uint32_t turns = 0, switches = 0, waits = 0;
    for (unsigned i = 0; i < tasks; i++) {
        turns += machines[i].turns;
        switches += machines[i].switches;
        waits += machines[i].waits;
    }
    is(wrong, 0, "nothing is lost, nothing comes from nowhere");
    ok(turns > 100 * tasks && switches && waits, "tasks have worked, changed coroutines and waited");
    ok(ld_rlx(&pieces) > 3 * RUNTIME_CYCLES && ld_rlx(&piece_max) <= 32 * 1024 + sizeof(struct element), "arrays were marked in pieces");
    ok(later_quiet && later_end, "quiet and end have waited for a task");
    ok(released, "strings were let go");
    hk_printf("# %u turns, %u switches, %u waits, %u emptied, %u strings let go, %u found dead, later %u and %u, %u pieces\n",
              (unsigned)turns, (unsigned)switches, (unsigned)waits, (unsigned)emptied, (unsigned)released, (unsigned)found_dead,
              (unsigned)later_quiet, (unsigned)later_end, (unsigned)pieces);
    return tap_end();
}
