/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */ /* host-variants: plain arm64 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/*
 * Specials, verify mode on: weak references, finalizers (once, in order, what they bring back), cleanups, ephemerons (a chain
 * of 10,000, its work counted), pools, pins, all of them while other tasks allocate and cycles run, and registrations for
 * which there is no memory.
 *
 * Objects come in rows of ROW, because a stale word on a stack may keep a few: STRAYS.  They are held by precise tables, so that
 * such a word does not keep others as well.
 */
#include "gc/gc_internal.h"
#include "tap.h"
#include "waits.h"
#include "wipe.h"

enum { NODE = HGC_KIND_FIRST, TABLE, ROW = 64, STRAYS = 3, CHAIN = 10000, ARENA = 8 << 20, MANY = 100, RACERS = 4 };
#define NOINLINE __attribute__((noinline))

struct node {
    hgc_ref(struct node) next, other;
    hgc_ref(struct hgc_weak) weak;
    hgc_ref(struct hgc_ephemeron) ephemeron;
    uintptr_t number;
};

struct table { hgc_ref(struct node) at[ROW]; };

static hgc_ref(struct table) held, back;        /* back: what finalizers brought back */
static hgc_ref(struct node) holders;            /* a list: what holds weak references and ephemerons */
static uint32_t runs[ROW + MANY], wrong;        /* how often the finalizer or cleanup of a number ran */

static NOINLINE struct node *make(uintptr_t number)
{
    struct node *p = hgc_new(NODE, sizeof(*p));
    if (!p)
        hk_panic("no memory");
    p->number = number;
    return p;
}

static NOINLINE void push(struct node *holder)
{
    hgc_set(&holder->next, hgc_get(holders));
    hgc_set(&holders, holder);
}

static NOINLINE void hold(struct node *p)
{
    hgc_set(&hgc_get(held)->at[p->number % ROW], p);
}

static NOINLINE void drop(struct table *t)
{
    hgc_clear(t->at, sizeof(t->at));
}

static NOINLINE void forget(void)
{
    drop(hgc_get(held));
    drop(hgc_get(back));
    hgc_set(&holders, NULL);
    memset(runs, 0, sizeof(runs));
    wipe();
}

static uint64_t pending(void)
{
    struct hgc_special_stats s;
    hgc_special_stats(&s);
    return s.pending;
}

/* In a finalizer. */
static bool runner_died(void)
{
    return gc_special.runner && (ld_acq(&gc_special.runner->state) & TASK_STATE_MASK) == TASK_DEAD;
}

/* None is pending, and none under way: it counts as run when it is taken out. */
static bool all_run(void)
{
    return !pending() && (!gc_special.runner || waits(gc_special.runner) || runner_died());
}

/* A cycle, its sweep, and what it queued. */
static NOINLINE void collect(void)
{
    wipe();
    hgc_collect(HGC_WAIT);
    while (!all_run())
        hk_yield();
}

static NOINLINE unsigned ran(unsigned from, unsigned to, uint32_t times)
{
    unsigned n = 0;
    for (unsigned i = from; i < to; i++)
        n += ld_rlx(&runs[i]) == times;
    return n;
}

static void most(unsigned n, unsigned of, const char *text)
{
    if (!ok(n + STRAYS >= of && n <= of, text))
        hk_printf("# %u of %u\n", n, of);
}

/* ---- weak references --------------------------------------------------------------------------------------------- */

/* ROW objects with a weak reference each; the even ones are held. */
static NOINLINE void make_weak(unsigned inside)
{
    for (unsigned i = 0; i < ROW; i++) {
        struct node *p = make(i), *holder = make(i);
        hgc_set(&holder->weak, hgc_weak_new((char *)p + inside));
        push(holder);
        if (i % 2 == 0)
            hold(p);
    }
}

static NOINLINE unsigned count_weak(unsigned inside, unsigned parity)
{
    unsigned n = 0;
    for (struct node *h = hgc_get(holders); h; h = hgc_get(h->next)) {
        char *p = hgc_weak_get(hgc_get(h->weak));
        if (p && ((struct node *)(p - inside))->number != h->number)
            wrong++;
        n += p && h->number % 2 == parity;
    }
    return n;
}

static NOINLINE void weak(void)
{
    static int outside;
    forget();
    make_weak(4);
    is(count_weak(4, 0) + count_weak(4, 1), ROW, "weak references give what they were made for");
    collect();
    is(count_weak(4, 0), ROW / 2, "a cycle leaves those whose object is held");
    most(ROW / 2 - count_weak(4, 1), ROW / 2, "and clears the others");
    drop(hgc_get(held));
    collect();
    most(ROW - count_weak(4, 0) - count_weak(4, 1), ROW, "and these when they are no longer held");
    ok(!hgc_weak_new(NULL) && !hgc_weak_new(&outside), "no weak reference to what is no object");
}

/* Weak references that die before their objects leave the lists. */
static NOINLINE void short_lived(void)
{
    forget();
    for (unsigned i = 0; i < ROW; i++)
        hold(make(i));
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < ROW; i++)
            for (unsigned k = 0; k < 4; k++)
                if (!hgc_weak_new(hgc_get(hgc_get(held)->at[i])))
                    wrong++;
        hgc_collect(round % 2 ? HGC_START : HGC_WAIT);
    }
    collect();
    collect();
    unsigned left = 0;
    hal_crit_t c = spin_lock_crit(&gc_special.lock);
    for (unsigned i = 0; i < ROW; i++) {
        struct object o;
        if (find_object((uintptr_t)hgc_get(hgc_get(held)->at[i]), &o) && special_table_of(o.block))
            for (struct special *s = special_first(special_table_of(o.block), o.cell); s; s = special_next(s))
                left++;
    }
    spin_unlock_crit(&gc_special.lock, c);
    if (!ok(left <= ROW / 4, "weak references that are dropped leave no trace"))
        hk_printf("# %u left\n", left);
}

/* ---- finalizers -------------------------------------------------------------------------------------------------- */

static void count_run(void *object, void *arg)
{
    struct node *p = object;
    if (p->number != (uintptr_t)arg)
        wrong++;
    amo_add_rlx(&runs[p->number], 1);
}

static void bring_back(void *object, void *arg)
{
    struct node *p = object;
    count_run(object, arg);
    if (hgc_get(p->other) && hgc_get(p->other)->number != p->number + 1000)
        wrong++;
    hgc_set(&hgc_get(back)->at[p->number % ROW], p);
}

static NOINLINE void make_finalized(hgc_finalizer_fn *fn)
{
    for (unsigned i = 0; i < ROW; i++) {
        struct node *p = make(i);
        hgc_set(&p->other, make(i + 1000));
        if (hgc_finalizer(p, fn, (void *)(uintptr_t)i) != HGC_OK)
            wrong++;
        if (i % 2 == 0)
            hold(p);
    }
}

static NOINLINE void finalizer_errors(void)
{
    struct node *p = make(0);
    is(hgc_finalizer(p, NULL, NULL), HGC_EINVAL, "no finalizer to take back");
    is(hgc_finalizer(p, count_run, NULL), HGC_OK, "a finalizer");
    is(hgc_finalizer(p, count_run, NULL), HGC_EBUSY, "only one for an object");
    is(hgc_finalizer(p, NULL, NULL), HGC_OK, "it is taken back");
    is(hgc_finalizer(p, count_run, NULL), HGC_OK, "and given again");
    is(hgc_finalizer(p, NULL, NULL), HGC_OK, "and taken back");
    is(hgc_finalizer(&wrong, count_run, NULL), HGC_EINVAL, "none for what is no object");
    is(hgc_finalizer(hgc_weak_new(p), count_run, NULL), HGC_EINVAL, "nor for a weak reference");
}

static uint32_t taken_back_ran;         /* atomic: of this scene alone, because strays of one before may run in it */

static void count_taken_back(void *object, void *arg)
{
    (void)object, (void)arg;
    amo_add_rlx(&taken_back_ran, 1);
}

static NOINLINE void make_taken_back(void)
{
    for (unsigned i = 0; i < ROW; i++) {
        struct node *p = make(i);
        if (hgc_finalizer(p, count_taken_back, NULL) != HGC_OK || hgc_finalizer(p, NULL, NULL) != HGC_OK)
            wrong++;
    }
}

static NOINLINE void taken_back(void)
{
    struct hgc_special_stats before, after;
    forget();
    collect();
    hgc_special_stats(&before);
    make_taken_back();
    forget();
    collect();
    hgc_special_stats(&after);
    ok(after.cleared - before.cleared <= STRAYS, "a finalizer that was taken back is no weak reference");
    is(taken_back_ran, 0, "and does not run");
}

static NOINLINE void make_circles(void)
{
    for (unsigned i = 0; i < ROW; i++) {
        struct node *p = make(i), *holder = make(i);
        hgc_set(&p->next, p);
        hgc_set(&holder->weak, hgc_weak_new(p));
        push(holder);
        if (hgc_finalizer(p, count_run, NULL) != HGC_OK || hgc_finalizer(p, NULL, NULL) != HGC_OK)
            wrong++;
    }
}

static NOINLINE void circles_taken_back(void)
{
    forget();
    make_circles();
    collect();
    most(ROW - count_weak(0, 0) - count_weak(0, 1), ROW, "and keeps no circle");
}

static NOINLINE void finalizers(void)
{
    forget();
    finalizer_errors();
    make_finalized(count_run);
    collect();
    unsigned early = 0;
    for (unsigned i = 0; i < ROW; i += 2)
        early += runs[i];
    is(early, 0, "no finalizer runs while its object is held");
    most(ran(0, ROW, 1), ROW / 2, "finalizers of what is not held run");
    collect();
    drop(hgc_get(held));
    collect();
    collect();
    most(ran(0, ROW, 1), ROW, "each once");
    is(ran(0, ROW, 0) + ran(0, ROW, 1), ROW, "none twice");
}

static NOINLINE void resurrection(void)
{
    forget();
    make_finalized(bring_back);
    drop(hgc_get(held));
    collect();
    unsigned n = 0;
    for (unsigned i = 0; i < ROW; i++) {
        struct node *p = hgc_get(hgc_get(back)->at[i]);
        if (!p)
            continue;
        n++;
        if (hgc_get(p->other)->number != p->number + 1000 || runs[p->number] != 1
            || hgc_finalizer(p, count_run, (void *)p->number) != HGC_OK)
            wrong++;
    }
    most(n, ROW, "what a finalizer stores lives on, with all that it refers to");
    drop(hgc_get(back));
    collect();
    collect();
    most(ran(0, ROW, 2), n, "and may have a finalizer again");
}

static uint32_t turns[ROW];             /* not runs: a stray of an earlier scene may have its turn only now */

static void count_turn(void *object, void *arg)
{
    (void)object;
    amo_add_rlx(&turns[(uintptr_t)arg], 1);
}

/* i refers to i + 1 within each group of four: one more runs in each cycle. */
static NOINLINE void order(void)
{
    static const unsigned group = 4;
    forget();
    struct node *before = NULL;
    for (unsigned i = ROW; i-- > 0;) {
        struct node *p = make(i);
        if (i % group != group - 1)
            hgc_set(&p->other, before);
        before = p;
        if (hgc_finalizer(p, count_turn, (void *)(uintptr_t)i) != HGC_OK)
            wrong++;
    }
    before = NULL;
    unsigned bad = 0;
    for (unsigned cycle = 0; cycle < group; cycle++) {
        collect();
        for (unsigned i = 0; i < ROW; i++)
            bad += turns[i] && i % group > cycle;
        for (unsigned i = 1; i < ROW; i++)
            bad += i % group && turns[i] && !turns[i - 1];
    }
    is(bad, 0, "who refers comes first");
    collect();
    collect();
    unsigned n = 0;
    for (unsigned i = 0; i < ROW; i++)
        n += turns[i] == 1;
    most(n, ROW, "and each has its turn");
}

static uint32_t weak_seen;

static void look_weak(void *object, void *arg)
{
    struct node *p = object;
    count_run(object, arg);
    if (hgc_weak_get(hgc_get(p->weak)))
        amo_add_rlx(&weak_seen, 1);
}

static NOINLINE void make_weak_finalized(void)
{
    for (unsigned i = 0; i < ROW; i++) {
        struct node *p = make(i);
        for (unsigned k = 0; k < 40; k++)       /* more than one section of the sweep clears */
            hgc_set(&p->weak, hgc_weak_new(p));
        if (hgc_finalizer(p, look_weak, (void *)(uintptr_t)i) != HGC_OK)
            wrong++;
    }
}

static NOINLINE void weak_and_finalizer(void)
{
    forget();
    make_weak_finalized();
    collect();
    most(ran(0, ROW, 1), ROW, "finalizers of objects with many weak references run");
    is(weak_seen, 0, "and see them cleared");
}

static void crash(void *object, void *arg)
{
    count_run(object, arg);
    st_rlx((uint32_t *)0xdead0, 0);
}

static NOINLINE void make_one(hgc_finalizer_fn *fn)
{
    for (unsigned i = 0; i < STRAYS + 1; i++)
        if (hgc_finalizer(make(i), fn, (void *)(uintptr_t)i) != HGC_OK)
            wrong++;
}

static NOINLINE void faults(void)
{
    forget();
    make_one(crash);
    for (unsigned i = 0; i < 2 * STRAYS + 4; i++) {
        wipe();
        hgc_collect(HGC_WAIT);          /* each starts another task for the next one */
        while (!all_run() && !runner_died())
            hk_yield();
    }
    is(pending(), 0, "finalizers that fault do not hold up the others");
    ok(ran(0, STRAYS + 1, 1) > 0 && ran(0, STRAYS + 1, 0) + ran(0, STRAYS + 1, 1) == STRAYS + 1, "and do not run twice");
}

/* ---- cleanups ---------------------------------------------------------------------------------------------------- */

static void clean(void *arg)
{
    struct node *p = arg;
    if (p->number >= ROW + MANY)
        wrong++;
    else
        amo_add_rlx(&runs[p->number], 1);
}

static NOINLINE void make_cleaned(bool finalizer)
{
    for (unsigned i = 0; i < ROW; i++) {
        struct node *p = make(i);
        if (hgc_cleanup(p, clean, make(i)) != HGC_OK || (finalizer && hgc_finalizer(p, bring_back, (void *)(uintptr_t)i)))
            wrong++;
        if (i == 0)
            for (unsigned k = 0; k < MANY; k++)
                if (hgc_cleanup(p, clean, make(ROW + k)) != HGC_OK)
                    wrong++;
        if (i == 1) {
            is(hgc_cleanup(p, clean, p), HGC_EINVAL, "a cleanup's argument is not its object");
            is(hgc_cleanup(p, NULL, NULL), HGC_EINVAL, "nor is its function NULL");
        }
    }
}

static NOINLINE void cleanups(void)
{
    forget();
    make_cleaned(false);
    collect();
    most(ran(0, ROW, 1), ROW, "cleanups run, with arguments that nothing else held");
    ok(ran(ROW, ROW + MANY, runs[0]) == MANY, "all of one object");
    collect();
    most(ran(0, ROW, 1), ROW, "once");
    forget();
    make_cleaned(true);
    collect();
    most(ran(0, ROW, 1), ROW, "with a finalizer, that first");
    is(ran(ROW, ROW + MANY, 0), MANY, "and no cleanup while the object is there again");
    drop(hgc_get(back));
    collect();
    collect();
    most(ran(0, ROW, 2), ROW, "but when it has gone");
    ok(ran(ROW, ROW + MANY, 1) == (runs[0] == 2 ? MANY : 0), "all that it had");
}

/* ---- ephemerons -------------------------------------------------------------------------------------------------- */

static uint64_t looked_up(void)
{
    struct hgc_special_stats s;
    hgc_special_stats(&s);
    return s.looked_up;
}

/* Ephemerons key i -> key i + 1; the holders keep them, and `held` keeps key 0 alone. */
static NOINLINE void make_chain(unsigned n, bool backwards)
{
    struct node *key = make(0);
    hold(key);
    for (unsigned i = 1; i <= n; i++) {
        struct node *value = make(i), *holder = make(i);
        hgc_set(&holder->ephemeron, hgc_ephemeron_new(key, value));
        if (!hgc_get(holder->ephemeron))
            hk_panic("no memory");
        push(holder);
        if (backwards)                  /* the value refers to the ephemeron: that keeps neither */
            hgc_set(&value->ephemeron, hgc_get(holder->ephemeron));
        key = value;
    }
}

static NOINLINE unsigned count_chain(void)
{
    unsigned n = 0;
    for (struct node *h = hgc_get(holders); h; h = hgc_get(h->next)) {
        struct node *value = hgc_ephemeron_get(hgc_get(h->ephemeron)), *key = hgc_ephemeron_key(hgc_get(h->ephemeron));
        if ((value && value->number != h->number) || (key && key->number + 1 != h->number) || !key != !value)
            wrong++;
        n += value != NULL;
    }
    return n;
}

static NOINLINE void ephemerons(void)
{
    forget();
    make_chain(CHAIN, true);
    collect();
    uint64_t before = looked_up();
    collect();
    uint64_t work = looked_up() - before;
    is(count_chain(), CHAIN, "a chain of ephemerons is kept by its first key");
    if (!ok(work >= CHAIN && work <= 2 * CHAIN + 64, "each was looked at twice at most"))
        hk_printf("# %u looks for %u\n", (unsigned)work, CHAIN);
    drop(hgc_get(held));
    collect();
    unsigned left = count_chain();
    if (!ok(left <= CHAIN / 20, "it goes when that goes, in one cycle, although values refer to ephemerons"))
        hk_printf("# %u left\n", left);
    drop(hgc_get(held));
    ok(!hgc_ephemeron_new(NULL, NULL), "no ephemeron for what is no object");
}

enum { KEEPER = 10000, FILLER };

/* Keys that hold no references are scanned all the same; large ones too.  They hang on the far end of the list that holds the
 * ephemerons, so that these are scanned first. */
static NOINLINE void make_leaf_keys(size_t size)
{
    for (unsigned i = 0; i < ROW; i++) {
        struct node *keeper = make(KEEPER);
        hgc_set(&keeper->other, (struct node *)hgc_alloc(HGC_LEAF, size));
        push(keeper);
    }
    struct node *keeper = hgc_get(holders);
    for (unsigned i = 0; i < 4 * HGC_BLOCK / sizeof(struct node); i++)
        push(make(FILLER));
    for (unsigned i = 0; i < ROW; i++, keeper = hgc_get(keeper->next)) {
        struct node *value = make(i), *holder = make(i);
        hgc_set(&holder->ephemeron, hgc_ephemeron_new(hgc_get(keeper->other), value));
        push(holder);
    }
}

static NOINLINE void drop_leaf_keys(void)
{
    for (struct node *h = hgc_get(holders); h; h = hgc_get(h->next))
        if (h->number == KEEPER)
            hgc_set(&h->other, NULL);
}

static NOINLINE unsigned count_values(void)
{
    unsigned n = 0;
    for (struct node *h = hgc_get(holders); h; h = hgc_get(h->next)) {
        struct node *value = h->number < ROW ? hgc_ephemeron_get(hgc_get(h->ephemeron)) : NULL;
        n += value && value->number == h->number;
    }
    return n;
}

static NOINLINE void leaf_keys(size_t size, const char *text)
{
    forget();
    make_leaf_keys(size);
    collect();
    collect();
    is(count_values(), ROW, text);
    drop_leaf_keys();
    collect();
    most(ROW - count_values(), ROW, "they go with them");
}

static NOINLINE void make_dropped(void)
{
    for (unsigned i = 0; i < ROW; i++) {
        struct node *key = make(i), *value = make(i), *holder = make(i);
        hold(key);
        if (!hgc_ephemeron_new(key, value))
            wrong++;
        hgc_set(&holder->weak, hgc_weak_new(value));
        push(holder);
    }
}

static NOINLINE void change_values(void)
{
    unsigned n = 0;
    for (struct node *h = hgc_get(holders); h; h = hgc_get(h->next))
        n += hgc_ephemeron_set(hgc_get(h->ephemeron), make(h->number));
    is(n, ROW, "values can be changed");
}

static NOINLINE void dropped(void)
{
    forget();
    make_dropped();
    collect();
    most(ROW - count_weak(0, 0) - count_weak(0, 1), ROW, "an ephemeron that is gone does not keep its value");
    forget();
    make_chain(ROW, false);
    change_values();
    collect();
    ok(count_chain() <= 1 + STRAYS, "and the old ones go");
}

/* ---- pools and pins ---------------------------------------------------------------------------------------------- */

static void clear_pool(void *arg)
{
    (void)arg;
    drop(hgc_get(back));
}

static NOINLINE void fill_pool(void)
{
    for (unsigned i = 0; i < ROW; i++) {
        struct node *p = make(i), *holder = make(i);
        hgc_set(&holder->weak, hgc_weak_new(p));
        push(holder);
        hgc_set(&hgc_get(back)->at[i], p);
    }
}

static NOINLINE void pools(void)
{
    forget();
    is(hgc_pool_add(clear_pool, NULL), HGC_OK, "a pool");
    fill_pool();
    collect();
    most(ROW - count_weak(0, 0) - count_weak(0, 1), ROW, "what pools let go as a cycle begins goes in that cycle");
    is(hgc_pool_remove(clear_pool, NULL), HGC_OK, "it is removed");
    is(hgc_pool_remove(clear_pool, NULL), HGC_EINVAL, "once");
    is(hgc_pool_add(NULL, NULL), HGC_EINVAL, "no pool without a function");
    int r = HGC_OK;
    unsigned n = 0;
    while ((r = hgc_pool_add(clear_pool, &n)) == HGC_OK)
        n++;
    ok(r == HGC_ENOMEM && n == HGC_POOLS, "a table of pools that is full says so");
    while (n--)
        r = hgc_pool_remove(clear_pool, &n) == HGC_OK ? r : HGC_EINVAL;
    ok(r == HGC_ENOMEM, "and is emptied");
}

static int pinned[HGC_PINS];

static NOINLINE void pin_all(void)
{
    for (unsigned i = 0; i < HGC_PINS; i++) {
        struct node *p = make(i), *holder = make(i);
        hgc_set(&holder->weak, hgc_weak_new(p));
        push(holder);
        pinned[i] = hgc_pin(p);
    }
    is(hgc_pin(hgc_get(holders)), HGC_ENOMEM, "a table of pins that is full says so");
    is(hgc_pin(&wrong), HGC_EINVAL, "what is no object cannot be pinned");
}

static void unpin(void *timer)
{
    for (unsigned i = 0; i < HGC_PINS; i++)
        if (((struct node *)hgc_pinned(pinned[i]))->number != i || hgc_unpin(pinned[i]) != HGC_OK)
            wrong++;
    st_rel((uint32_t *)timer, 1);
}

static NOINLINE void pins(void)
{
    static struct hk_timer timer;
    uint32_t done = 0;
    forget();
    pin_all();
    collect();
    is(count_weak(0, 0) + count_weak(0, 1), HGC_PINS, "what is pinned stays");
    hgc_collect(HGC_START);
    hk_timer_start(&timer, hk_now(), unpin, &done);
    while (!ld_acq(&done))
        hk_yield();
    hgc_collect(HGC_WAIT);
    collect();
    most(HGC_PINS - count_weak(0, 0) - count_weak(0, 1), HGC_PINS, "until a handler gives it back");
    is(hgc_unpin(pinned[0]), HGC_EINVAL, "once");
    is(hgc_unpin(-1), HGC_EINVAL, "no such pin");
}

/* ---- memory fails ------------------------------------------------------------------------------------------------ */

static NOINLINE void try_all(struct node *p, unsigned *good, unsigned *failed)
{
    struct hgc_weak *w = hgc_weak_new(p);
    struct hgc_ephemeron *e = hgc_ephemeron_new(p, p);
    int f = hgc_finalizer(p, count_run, (void *)p->number), c = hgc_cleanup(p, clean, hgc_get(hgc_get(held)->at[0]));
    *good += (w != NULL) + (e != NULL) + (f == HGC_OK) + (c == HGC_OK);
    *failed += !w + !e + (f == HGC_ENOMEM) + (c == HGC_ENOMEM);
    if ((w && hgc_weak_get(w) != p) || (e && hgc_ephemeron_get(e) != p) || (f == HGC_OK && hgc_finalizer(p, NULL, NULL)))
        wrong++;
}

static NOINLINE void no_memory(void)
{
    unsigned good = 0, failed = 0;
    forget();
    hold(make(0));
    for (unsigned n = 1; n <= 12; n++)
        for (unsigned count = 1; count <= 16; count += 15) {
            struct node *p = make(1);
            hgc_fail_alloc(n, count);
            try_all(p, &good, &failed);
            hgc_fail_alloc(0, 0);
        }
    is(good + failed, 12 * 2 * 4, "each registration succeeds or says that there is no memory");
    ok(good > 0 && failed > 12, "both were met");
    collect();
    collect();
}

/* ---- a mark that does not end ------------------------------------------------------------------------------------ */

/* The mark stays open until the reader is about to read. */
static uint32_t kept_open;                   /* atomic */

static enum hgc_quiet keep_open(void)
{
    return ld_rlx(&kept_open) ? HGC_QUIET_LATER : HGC_QUIET;
}

/* Its stack has been scanned by then: hgc_weak_get has the object's address on it while it waits. */
static NOINLINE bool read_held_up(unsigned *given)
{
    while (gc_is_on() && ld_rlx(&task_self()->gc_seen) != ld_rlx(&gc.cycle))
        hk_yield();
    hal_crit_t c = hal_crit_enter();
    bool on = gc_is_on();
    uint32_t cycle = ld_rlx(&gc.cycle);
    if (on)
        gc_special.failed_ends = 2;
    st_rlx(&kept_open, 0);
    hal_crit_exit(c);
    if (!on)
        return false;
    *given += hgc_weak_get(hgc_get(hgc_get(holders)->weak)) != NULL;
    return (int32_t)(ld_rlx(&gc.finished) - cycle) >= 0;
}

static NOINLINE void make_target(void)
{
    struct node *holder = make(0);
    hgc_set(&holder->weak, hgc_weak_new(make(1)));
    push(holder);
}

/* As if the mark had failed to end twice. */
static NOINLINE void held_up(void)
{
    static const struct hgc_runtime runtime = {.quiet = keep_open};
    unsigned waited = 0, given = 0;
    forget();
    is((unsigned)hgc_runtime(&runtime), HGC_OK, "a runtime keeps marks open");
    for (unsigned i = 0; i < ROW; i++) {
        for (unsigned k = 0; k < 200; k++)
            push(make(2));
        make_target();
        wipe();
        st_rlx(&kept_open, 1);
        hgc_collect(HGC_START);
        waited += read_held_up(&given);
        hgc_collect(HGC_WAIT);
        hgc_set(&holders, NULL);
    }
    hk_printf("# %u of %u waited, %u got their object\n", waited, ROW, given);
    ok(waited > 0, "after two marks that did not end, reads of unmarked objects wait for the end");
    ok(given <= ROW / 2, "and then say what it found");
}

/* ---- races ------------------------------------------------------------------------------------------------------- */

static uint32_t stop;

/* Objects that only weak references, ephemerons and finalizers lead to, read while cycles run. */
static NOINLINE void race_step(struct node *mine, unsigned i)
{
    struct hgc_weak *w = hgc_get(mine->weak);
    struct node *p = w ? hgc_weak_get(w) : NULL;
    struct hgc_ephemeron *e = hgc_get(mine->ephemeron);
    struct node *v = e ? hgc_ephemeron_get(e) : NULL;
    if ((p && p->number != mine->number + 500) || (v && v->number != mine->number + 600))
        wrong++;
    hgc_set(&mine->other, i % 5 == 0 ? p : NULL);
    if (!p) {
        p = make(mine->number + 500);
        v = make(mine->number + 600);
        hgc_set(&v->other, p);
        hgc_set(&mine->weak, hgc_weak_new(p));
        hgc_set(&mine->ephemeron, hgc_ephemeron_new(p, v));
    }
}

static NOINLINE void race_register(void)
{
    struct node *p = make(ROW - 1);
    if (hgc_finalizer(p, count_run, (void *)p->number) != HGC_OK || hgc_cleanup(p, clean, make(ROW - 2)) != HGC_OK)
        wrong++;
}

static void racer(void *arg)
{
    struct table *t = arg;
    for (unsigned i = 0; i < ROW; i++)
        hgc_set(&t->at[i], make(1000 + i));
    for (unsigned i = 0; !ld_rlx(&stop); i++) {
        race_step(hgc_get(t->at[i % ROW]), i);
        if (i % 64 == 0)
            race_register();
    }
}

static NOINLINE void races(void)
{
    struct task *t[RACERS];
    forget();
    struct hgc_stats s;
    struct hgc_special_stats before, after;
    hgc_special_stats(&before);
    for (unsigned i = 0; i < RACERS; i++)
        hk_task_create(&t[i], NULL, racer, hgc_new(TABLE, sizeof(struct table)));
    for (unsigned i = 0; i < 60; i++) {
        hgc_collect(i % 2 ? HGC_START : HGC_WAIT);
        hk_yield();
    }
    st_rlx(&stop, 1);
    for (unsigned i = 0; i < RACERS; i++)
        hk_task_join(t[i], NULL);
    collect();
    collect();
    hgc_special_stats(&after);
    hgc_stats(&s);
    hk_printf("# %u cleared, %u finalizers, %u cleanups, %u ends tried again\n", (unsigned)(after.cleared - before.cleared),
              (unsigned)(after.finalizers - before.finalizers), (unsigned)(after.cleanups - before.cleanups),
              (unsigned)s.termination_retries);
    ok(after.cleared - before.cleared > 20, "weak references were cleared and made anew while tasks read them");
    hk_printf("# %u ran\n", (unsigned)runs[ROW - 1]);
    ok(ld_rlx(&runs[ROW - 1]) + STRAYS > after.finalizers - before.finalizers, "finalizers ran meanwhile");
    ok(s.verified == s.cycles, "every cycle was verified");
}

int app_main(void)
{
    static const uint32_t four[1] = { 15 }, one[1] = { 1 };
    static const struct hgc_kind node = { .name = "node", .words = sizeof(struct node) / sizeof(void *), .map = four };
    static const struct hgc_kind table = { .name = "table", .words = 1, .map = one };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true };
    int error = hgc_init(&config) | hgc_kind(NODE, &node) | hgc_kind(TABLE, &table) | hgc_root_add(&held, sizeof(held))
        | hgc_root_add(&holders, sizeof(holders)) | hgc_root_add(&back, sizeof(back));
    is(error, HGC_OK, "the heap starts");
    hgc_set(&held, (struct table *)hgc_new(TABLE, sizeof(struct table)));
    hgc_set(&back, (struct table *)hgc_new(TABLE, sizeof(struct table)));
    weak();
    short_lived();
    finalizers();
    taken_back();
    circles_taken_back();
    resurrection();
    order();
    weak_and_finalizer();
    cleanups();
    ephemerons();
    leaf_keys(sizeof(struct node), "keys without references keep values");
    leaf_keys(HGC_SMALL_MAX + 1, "and large ones");
    dropped();
    held_up();
    pools();
    pins();
    no_memory();
    races();
    faults();
    is(wrong, 0, "nothing was wrong on the way");
    return tap_end();
}
