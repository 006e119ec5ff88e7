/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */ /* host-variants: plain asan arm64 */
/* harts: 1 2 4 8 */
/*
 * What hgc.h has for runtimes, one thing at a time: kinds and what is wrong with them, the hooks and when they are called, weak
 * vectors, release, stacks that are looked at alone.  Each cycle is one that the test begins, and is verified.
 */
#include "gc/gc_internal.h"
#include "gc/stacks.h"
#include "kernel/string.h"
#include "tap.h"
#include "wipe.h"

enum { ARENA = 2 << 20, SLOTS = 8, NODE = HGC_KIND_FIRST, REFS, VALUES, WEAK, ELEMENT, HOOKED };
#define MAGIC ((uintptr_t)0x686f6f6bu)
#define NOINLINE __attribute__((noinline))

struct node { uintptr_t magic; hgc_ref(struct node) next; };
struct refs { struct node *slot[SLOTS]; };              /* by stores of the runtime's own */
struct weak { hgc_ref(struct refs) refs; };

static struct {
    hgc_ref(struct hgc_ephemeron) ephemeron;    /* scanned before its key is marked */
    hgc_ref(struct refs) holder;
    hgc_ref(struct weak) weak[2];
    hgc_ref(void) array;
} root;

static void check(const struct node *p)
{
    ok(p->magic == MAGIC && hgc_get(p->next)->magic == MAGIC, "it is whole");
}

static NOINLINE struct node *pair(void)
{
    struct node *p = hgc_alloc(NODE, sizeof *p), *q = hgc_alloc(NODE, sizeof *q);
    if (!p || !q)
        return NULL;
    p->magic = q->magic = MAGIC;
    fence_ww();
    hgc_set(&p->next, q);
    return p;
}

static NOINLINE void store(struct node **slot, struct node *p)
{
    hgc_store_t s = hgc_store_begin();
    hgc_shade(*slot);
    hgc_shade(p);
    st_rlx(slot, p);
    hgc_store_end(s);
}

static struct node **slot(unsigned i) { return &hgc_get(hgc_get(root.weak[0])->refs)->slot[i]; }
static struct node **holder(unsigned i) { return &hgc_get(root.holder)->slot[i]; }

/* By a task of its own, so that no dead word of it is left on a stack. */
static void in_task(void (*fn)(void *arg), void *arg)
{
    struct task *t;
    if (hk_task_create(&t, NULL, fn, arg) == HK_OK)
        hk_task_join(t, NULL);
}

/* ---- the runtime's hooks ----------------------------------------------------------------------------------------- */

static uint32_t begun, quiets, ends, emptied;
static uint32_t quiet_later, end_later; /* atomic: how often they shall answer so */
static void *secret;                    /* atomic; no root: quiet shades it once a cycle */
static uint32_t touches;                /* atomic: quiet touches the weak vector once a cycle */
static uint32_t touches_leaf;           /* atomic: and what slot 4 of it refers to */
static bool done, marked_nothing, phase_off;

static void begin(void)
{
    begun++;
    done = false;
    phase_off = ld_rlx(&hgc_phase) == 0;
}

static bool takes_one(uint32_t *count)
{
    uint32_t n = ld_rlx(count);
    if (n)
        st_rlx(count, n - 1);
    return n != 0;
}

static enum hgc_quiet quiet(void)
{
    quiets++;
    if (takes_one(&quiet_later))
        return HGC_QUIET_LATER;
    if (done || (!ld_rlx(&secret) && !ld_rlx(&touches) && !ld_rlx(&touches_leaf)))
        return HGC_QUIET;
    done = true;
    hgc_shade(ld_rlx(&secret));
    if (ld_rlx(&touches))
        hgc_touch(hgc_get(hgc_get(root.weak[0])->refs));
    if (ld_rlx(&touches_leaf))
        hgc_touch(*slot(4));
    return HGC_QUIET_MORE;
}

static void empty(struct refs *r)
{
    for (unsigned k = 0; r && k < SLOTS; k++)
        if (!hgc_marked(r->slot[k])) {
            st_rlx(&r->slot[k], NULL);
            emptied++;
        }
}

static enum hgc_quiet end(void)
{
    ends++;
    if (takes_one(&end_later))
        return HGC_QUIET_LATER;
    marked_nothing = hgc_marked(NULL) && hgc_marked(&root);
    for (unsigned i = 0; i < 2; i++)
        if (hgc_get(root.weak[i]))
            empty(hgc_get(hgc_get(root.weak[i])->refs));
    return HGC_QUIET;
}

static void trace_weak(void *object, size_t size, struct hgc_visitor *v)
{
    (void)size;
    hgc_visit_weakly(v, hgc_get(((struct weak *)object)->refs));
}

/* ---- kinds ------------------------------------------------------------------------------------------------------- */

static bool no_trace_called;
static void no_trace(void *start, size_t bytes, struct hgc_visitor *v)
{
    (void)start, (void)bytes, (void)v;
    no_trace_called = true;
}

static void *keep_small, *keep_large;           /* no roots */
static uint32_t hooked_gone;
static bool release_hooked(void *object)
{
    if (object == keep_small || object == keep_large)
        return false;
    amo_add_rlx(&hooked_gone, *(uintptr_t *)object == MAGIC);
    return true;
}

static uint32_t pieces, piece_max, elements;
static void trace_elements(void *start, size_t bytes, struct hgc_visitor *v)
{
    uintptr_t (*e)[5] = start;
    if (ld_rlx(&hgc_phase) != 1)                /* verify mode asks for all of it */
        return;
    for (size_t i = 0; i < bytes / sizeof *e; i++)
        if (ld_rlx(&e[i][0]) == MAGIC)
            amo_add_rlx(&elements, 1);
    if (bytes > ld_rlx(&piece_max))
        st_rlx(&piece_max, (uint32_t)bytes);
    amo_add_rlx(&pieces, bytes % sizeof *e == 0 ? 1 : 1000);
    hgc_visit(v, NULL);
}

static __attribute__((noinline)) void kinds(void)
{
    static const uint32_t all = 1, node_map = HGC_MAP(struct node, next);
    const struct hgc_kind bad[] = {
        {.name = "both", .words = 1, .map = &all, .trace = no_trace}, {.name = "a period, nothing else", .words = 1},
        {.name = "a map without period", .map = &all}, {.name = "too long", .words = 1025, .trace = no_trace},
        {.name = "release, map", .words = 1, .map = &all, .release = release_hooked},
        {.name = "release, trace", .trace = no_trace, .release = release_hooked},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        is(hgc_kind(NODE, &bad[i]), HGC_EINVAL, bad[i].name);
    is(hgc_kind(NODE, NULL), HGC_EINVAL, "no kind");
    is(hgc_kind(HGC_KINDS, &bad[0]), HGC_EINVAL, "a kind beyond the last");
    const struct { unsigned number; struct hgc_kind kind; } good[] = {
        {NODE, {.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &node_map}},
        {REFS, {.name = "refs", .words = 1, .map = &all}},
        {VALUES, {.name = "values"}},
        {WEAK, {.name = "weak", .trace = trace_weak}},
        {ELEMENT, {.name = "element", .words = 5, .trace = trace_elements}},
        {HOOKED, {.name = "hooked", .release = release_hooked}},
    };
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++)
        is(hgc_kind(good[i].number, &good[i].kind), HGC_OK, good[i].kind.name);
    is(hgc_kind(NODE, &good[0].kind), HGC_EBUSY, "a kind that is taken");
}

/* Arrays are marked in pieces, by elements that lie across the pieces' ends, and each element once. */
enum { EACH = 5 * sizeof(uintptr_t), LARGE = 100000 / EACH, SMALL = 3 };
static void make_array(void *count)
{
    uintptr_t n = (uintptr_t)count, *e = hgc_alloc(ELEMENT, n * EACH + EACH / 2);
    for (uintptr_t i = 0; e && i < n; i++)
        e[5 * i] = MAGIC;
    hgc_set(&root.array, e);
}

static __attribute__((noinline)) void arrays(void)
{
    in_task(make_array, (void *)LARGE);
    hgc_collect(HGC_WAIT);
    is(elements, LARGE, "each element of a large array is visited once");
    ok(pieces >= 3 && pieces < 100 && piece_max < HGC_BLOCK + EACH, "in pieces of whole elements");
    elements = pieces = 0;
    in_task(make_array, (void *)SMALL);
    hgc_collect(HGC_WAIT);
    is(elements, SMALL, "and of a small one");
    ok(pieces < 1000, "what is left at its end is no element");
    hgc_set(&root.array, NULL);
}

/* ---- hooks ------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void hooks(void)
{
    static const struct hgc_runtime ours = {.begin = begin, .quiet = quiet, .end = end}, none = {0};
    is(hgc_runtime(&ours), HGC_OK, "a runtime");
    for (unsigned i = 1; i < HGC_RUNTIMES; i++)
        is(hgc_runtime(&none), HGC_OK, "a runtime without hooks");
    is(hgc_runtime(&none), HGC_ENOMEM, "one runtime too many");
    uint32_t before = hgc_cycle();
    hgc_wait_mark();
    is(hgc_cycle(), before, "there was no mark to wait for");
    hgc_collect(HGC_WAIT);
    is(hgc_cycle(), before + 1, "a cycle has begun");
    is(begun, 1, "its begin was called");
    ok(phase_off, "before the phase was set");
    ok(quiets >= 1 && ends >= 1, "quiet was called, and end");
    ok(marked_nothing, "what is no object counts as marked");
}

/* A runtime that has to wait is asked again by itself; the others are none the worse. */
static void later(void)
{
    uint32_t q = quiets, e = ends, cycle = hgc_cycle();
    quiet_later = 3;
    end_later = 2;
    hgc_collect(HGC_WAIT);
    is(hgc_cycle(), cycle + 1, "a mark that was held open is one mark");
    ok(quiets - q >= 4 + 2, "quiet was asked again, and so after each answer of end");
    ok(ends - e >= 3, "end was asked again");
    is(quiet_later + end_later, 0, "as often as it took");
    hgc_ask_again();
    quiet_later = 1;
    hgc_collect(HGC_FORCE);
    is(hgc_cycle(), cycle + 2, "in a stopped mode, too");
}

static NOINLINE void make_objects(void)
{
    hgc_set(&root.holder, hgc_alloc(REFS, sizeof(struct refs)));
    for (unsigned i = 0; i < 2; i++) {
        struct weak *w = hgc_alloc(WEAK, sizeof *w);
        hgc_set(&root.weak[i], w);
        hgc_set(&w->refs, hgc_alloc(REFS, sizeof(struct refs)));
    }
}

/* ---- weak vectors ------------------------------------------------------------------------------------------------ */

static void fill_weak(void *arg)
{
    (void)arg;
    for (unsigned k = 0; k < 4; k++)
        store(slot(k), pair());
    store(slot(4), hgc_alloc(HGC_LEAF, sizeof(struct node)));
    store(holder(0), *slot(1));
    st_rlx(&secret, *slot(2));
}

/* By calls whose frames are wiped. */
static NOINLINE bool is_there(unsigned i) { return *slot(i) != NULL; }
static NOINLINE bool is_whole(unsigned i) { return (*slot(i))->magic == MAGIC && hgc_get((*slot(i))->next)->magic == MAGIC; }

static void collect(void)
{
    wipe();
    hgc_collect(HGC_WAIT);
}

static __attribute__((noinline)) void weakly(void)
{
    in_task(fill_weak, NULL);
    uint32_t emptied_before = emptied;
    st_rlx(&touches_leaf, 1);
    collect();
    st_rlx(&touches_leaf, 0);
    ok(is_there(4), "what has no references is kept by a touch");
    ok(!is_there(0), "what a weak vector alone refers to is gone");
    ok(is_there(1), "what a holder keeps is in the vector still");
    ok(is_there(2), "and what quiet has shaded");
    is(emptied - emptied_before, 2, "two were taken out");
    ok(is_whole(1), "it is whole");
    ok(is_whole(2), "it is whole");
    st_rlx(&secret, NULL);
    st_rlx(&touches, 1);
    collect();
    ok(is_there(2), "a vector that was touched keeps what it refers to");
    st_rlx(&touches, 0);
    collect();
    ok(!is_there(2) && !is_there(4), "in that cycle only");
    ok(is_there(1), "the holder keeps its own");
    store(holder(0), NULL);
}

/* The key is a vector that is only reached weakly. */
static void fill_ephemeron(void *arg)
{
    (void)arg;
    hgc_set(&root.ephemeron, hgc_ephemeron_new(hgc_get(hgc_get(root.weak[1])->refs), pair()));
}

static __attribute__((noinline)) void ephemerons(void)
{
    in_task(fill_ephemeron, NULL);
    for (unsigned n = 0; n < 2; n++)
        hgc_collect(HGC_WAIT);
    struct node *p = hgc_get(root.ephemeron) ? hgc_ephemeron_get(hgc_get(root.ephemeron)) : NULL;
    ok(p != NULL, "an ephemeron with a key that is kept weakly has its value");
    ok(p && p->magic == MAGIC && hgc_get(p->next)->magic == MAGIC, "which is whole");
    hgc_set(&root.ephemeron, NULL);
}

/* ---- release ---------------------------------------------------------------------------------------------------- */

static void fill_hooked(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 40; i++) {         /* more than are asked about at once */
        uintptr_t *p = hgc_alloc(HOOKED, 64);
        if (p)
            *p = MAGIC;
        keep_small = p;
    }
    uintptr_t *large = hgc_alloc(HOOKED, 3 * HGC_BLOCK);
    if (large)
        *large = MAGIC;
    keep_large = large;
}

static bool balanced(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    return s.alloc_bytes - s.free_bytes == s.heap_used;
}

static __attribute__((noinline)) void releases(void)
{
    in_task(fill_hooked, NULL);
    hgc_collect(HGC_WAIT);
    is(hooked_gone, 39, "the sweep asks before it frees");
    ok(hgc_size(keep_small) && *(uintptr_t *)keep_small == MAGIC, "a small object that is not let go stays");
    ok(hgc_size(keep_large) && ((uintptr_t *)keep_large)[0] == MAGIC, "so does a large one");
    ok(balanced(), "they are in use");
    keep_small = keep_large = NULL;
    wipe();
    hgc_collect(HGC_WAIT);
    is(hooked_gone, 41, "and in the next cycle it is asked again");
    ok(balanced(), "the figures agree");
}

static uint32_t cleaned;                        /* atomic */

static void clean(void *arg)
{
    amo_add_rlx(&cleaned, arg == NULL);
}

static void fill_cleaned(void *arg)
{
    for (unsigned i = 0; i < 40; i++) {         /* it is swept in more than one section, and the first has the cleanup */
        void *p = hgc_alloc(HOOKED, 64);
        if (i == 0)
            *(int *)arg = hgc_cleanup(p, clean, NULL);
    }
}

static __attribute__((noinline)) void cleans(void)
{
    int r = 1;
    in_task(fill_cleaned, &r);
    is(r, HGC_OK, "an object whose kind is asked has a cleanup");
    hgc_collect(HGC_WAIT);
    for (unsigned ms = 0; ms < 10000 && !ld_rlx(&cleaned); ms++)
        hk_sleep(1000000);
    is(ld_rlx(&cleaned), 1, "which runs when it has gone");
}

/* ---- the C stack left out --------------------------------------------------------------------------------------- */

/* A stack of values, itself a leaf of the heap, and a task that waits with nothing else. */
static struct own { struct hgc_stacks stacks; struct node **values; uint32_t traced; } own;

static void trace_own(struct hgc_stacks *s, const struct task *task, struct hgc_visitor *v)
{
    struct own *o = (struct own *)(void *)s;
    amo_add_rlx(&o->traced, task != NULL);
    hgc_visit(v, ld_rlx(&o->values));
    for (size_t i = 0; i < hgc_size(ld_rlx(&o->values)) / sizeof(void *); i++)
        hgc_visit(v, ld_rlx(&o->values[i]));
}

static NOINLINE void fill_own(void)
{
    st_rlx(&own.values, hgc_alloc(VALUES, 16 * sizeof(void *)));
    for (unsigned i = 0; i < 4; i++)
        st_rlx(&own.values[i], pair());         /* without a barrier */
    store(slot(6), own.values[3]);
}

static void use_own(void *arg)
{
    (void)arg;
    hgc_stacks_set(&own.stacks);
    bool before = hgc_stacks_only(true);
    fill_own();
    wipe();
    hgc_collect(HGC_WAIT);
    for (unsigned i = 0; i < 4; i++)
        check(own.values[i]);
    ok(*slot(6) == own.values[3], "what its stack keeps is in a weak vector still");
    own.values[3] = NULL;
    wipe();
    hgc_collect(HGC_WAIT);
    ok(!*slot(6), "and is gone when the stack has let it go");
    ok(own.traced >= 2, "its trace function was called");
    ok(hgc_stacks_only(before), "the setting is what it was");
    hgc_stacks_set(NULL);
}

static __attribute__((noinline)) void own_stack(void)
{
    own.stacks.trace = trace_own;
    in_task(use_own, NULL);
}

static bool gone_only, kept_plain, kept_alloc, collected;

static void hold(void *arg)
{
    struct node *volatile held = pair();
    (void)arg;
    store(slot(5), held);
    hgc_collect(HGC_WAIT);
    kept_plain = *slot(5) == held;
    bool before = hgc_stacks_only(true);
    hgc_wait_mark();                            /* there is none; from then on the C stack counts again */
    uint32_t cycle = hgc_cycle();
    void *volatile much = hgc_alloc(HGC_LEAF, ARENA / 8 * 5), *volatile more = hgc_alloc(HGC_LEAF, ARENA / 8 * 5);
    collected = hgc_cycle() != cycle && much && !more && !before;
    kept_alloc = *slot(5) == held;
    hgc_collect(HGC_WAIT);
    gone_only = !*slot(5);
    hgc_stacks_only(false);
}

static __attribute__((noinline)) void c_stack(void)
{
    in_task(hold, NULL);
    ok(kept_plain, "a C stack is a root");
    ok(gone_only, "it is none while the task waits so");
    ok(collected, "an allocation collects");
    ok(kept_alloc, "and looks at the C stack");
    struct hgc_stacks *mine = hgc_stacks_set(&own.stacks);
    ok(!mine && hgc_stacks_mine() == &own.stacks, "the task has a stack of its own now");
    ok(hgc_stacks_set(NULL) == &own.stacks && !hgc_stacks_mine(), "and none again");
}

int app_main(void)
{
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true, .clobber = true};
    if (!ok(config.base && hgc_init(&config) == HGC_OK, "the collector starts"))
        return tap_end();
    hgc_set_auto(false);
    kinds();
    hgc_root_add(&root, sizeof root);
    make_objects();
    arrays();
    hooks();
    later();
    weakly();
    ephemerons();
    releases();
    cleans();
    c_stack();
    own_stack();
    ok(!no_trace_called, "what was refused is not used");
    return tap_end();
}
