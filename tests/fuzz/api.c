/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of gc/hgc.h and the tasks of kernel/hk.h, in any order, on hal/host with two harts.
 *
 * A model in static memory, which the collector does not look at, knows each object's address, number and references.  What
 * the program can still reach must be as the model has it.  libFuzzer runs in a task bound to hart 0, because it and the C
 * library keep things in thread-local variables; no other task here calls either.
 *
 * All inputs run in one process.  After each everything is dropped, and now and then there is a whole collection.
 */
#include <stdlib.h>
#include <string.h>

#include "gc/hgc.h"
#include "hal/host/host.h"
#include "kernel/hk.h"
#include "tests/fuzz/bytes.h"

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*fn)(const uint8_t *data, size_t size));

enum { ARENA = 4 << 20, MEMORY = 64 << 20, STACK = 1 << 20, TASK_STACK = 128 << 10 };
enum { PAIRS = HGC_KIND_FIRST, TRACED, FREE_KINDS };        /* kinds from FREE_KINDS on are registered by inputs */
enum { OBJECTS = 160, REFS = 48, ROOTS = 16, LOCALS = 6, RANGES = 80, RANGE = 3, CHANS = 3, CHAN_MAX = 24, TASKS = 4 };
enum { NONE = 0, JUNK = 0xffff };

/* Two words of header, then references: every second pair of words of PAIRS, every word of TRACED and AMBIGUOUS. */
struct object {
    uint32_t number, check;
    uint64_t size;
    hgc_ref(struct object) ref[];
};

/* ---- the model --------------------------------------------------------------------------------------------------- */

static struct {
    uintptr_t address;          /* kept turned over: no root holds it, and a scan must not find it */
    uint32_t number, refs, size;
    uint16_t ref[REFS];         /* places in this table; 0: NULL */
    uint8_t kind;
    bool used, seen;
} model[OBJECTS];
static uint32_t numbers;        /* grows over all inputs */

static hgc_ref(struct object) roots[ROOTS];
static uint16_t root_model[ROOTS];
static hgc_ref(struct object) ranges[RANGES][RANGE];
static uint16_t range_model[RANGES][RANGE];
static unsigned range_count[RANGES], ranges_live;
static hgc_ref(struct hgc_chan) chans[CHANS];
static struct { unsigned capacity, head, count; uint16_t ring[CHAN_MAX]; bool closed; } chan_model[CHANS];
static void **locals;           /* in the stack of the task: found conservatively */
static uint16_t local_model[LOCALS];
static bool kinds_used[HGC_KINDS], automatic, failing;
static struct { struct task *task; uint32_t seed; unsigned n; bool used; } tasks[TASKS];
static unsigned tasks_live;
static uint32_t bad_tasks;      /* atomic: tasks that found something wrong */
static uintptr_t arena;

static uint32_t checksum(uint32_t number, uint64_t size)
{
    return (uint32_t)((number * 0x9e3779b97f4a7c15ull ^ size * 0xff51afd7ed558ccdull) >> 32);
}

/* Which words behind the header may hold references. */
static unsigned slot_word(unsigned kind, unsigned slot)
{
    return kind == PAIRS ? slot / 2 * 4 + slot % 2 : slot;
}

static unsigned slots_of(unsigned kind, size_t size)
{
    size_t words = size < sizeof(struct object) ? 0 : (size - sizeof(struct object)) / 8;
    size_t n = kind == HGC_LEAF ? 0 : kind == PAIRS ? words / 4 * 2 : words;
    return n < REFS ? (unsigned)n : REFS;
}

static struct object *at(uint16_t m)
{
    return m == NONE ? NULL : (struct object *)~model[m].address;
}

static void trace_object(void *object, size_t size, struct hgc_visitor *v)
{
    struct object *o = object;
    for (size_t i = 0; i < (size - sizeof *o) / 8; i++)
        hgc_visit(v, ld_rlx((void **)(uintptr_t)&o->ref[i]));
}

/* ---- checking ---------------------------------------------------------------------------------------------------- */

static void check_object(uint16_t m)
{
    struct object *o = at(m);
    if (model[m].seen)
        return;
    model[m].seen = true;
    if (o->number != model[m].number || o->size != model[m].size || o->check != checksum(o->number, o->size))
        fail("an object was lost or overwritten");
    size_t room = hgc_size(o);
    if (room < model[m].size || room != hgc_size((char *)o + model[m].size - 1))
        fail("hgc_size of an object");
    if (model[m].kind == HGC_LEAF) {
        const uint8_t *b = (const uint8_t *)o;
        for (size_t i = sizeof *o; i < o->size; i += 1 + i / 16)
            if (b[i] != (uint8_t)(o->number + i))
                fail("a leaf's bytes changed");
        return;
    }
    for (unsigned i = 0; i < model[m].refs; i++) {
        uint16_t want = model[m].ref[i];
        struct object *is = hgc_get(o->ref[slot_word(model[m].kind, i)]);
        if (want != JUNK && is != at(want))
            fail("a reference is not what was stored");
        if (want != JUNK && want != NONE)
            check_object(want);         /* at most OBJECTS deep */
    }
}

static void check_slot(const void *is, uint16_t m)
{
    if (is != at(m))
        fail("a root is not what was stored");
    if (m != NONE)
        check_object(m);
}

/* Everything reachable is right; what is not is forgotten. */
static void check_all(void)
{
    for (unsigned m = 1; m < OBJECTS; m++)
        model[m].seen = false;
    for (unsigned i = 0; i < ROOTS; i++)
        check_slot(hgc_get(roots[i]), root_model[i]);
    for (unsigned i = 0; i < RANGES; i++)
        for (unsigned j = 0; j < RANGE && range_count[i]; j++)
            check_slot(hgc_get(ranges[i][j]), range_model[i][j]);
    for (unsigned i = 0; i < LOCALS; i++)
        if (local_model[i] != NONE)
            check_object(local_model[i]);
    for (unsigned i = 0; i < CHANS; i++)
        for (unsigned j = 0; j < chan_model[i].count; j++)
            if (chan_model[i].ring[(chan_model[i].head + j) % CHAN_MAX] != NONE)
                check_object(chan_model[i].ring[(chan_model[i].head + j) % CHAN_MAX]);
    for (unsigned m = 1; m < OBJECTS; m++)
        model[m].used = model[m].seen;
    if (ld_rlx(&bad_tasks))
        fail("a task found a lost or overwritten object");
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

/* A reachable object or none: from a root or a local on, some steps along references. */
static uint16_t choose(struct bytes *in)
{
    unsigned from = take(in), i = from % (ROOTS + LOCALS);
    uint16_t m = i < ROOTS ? root_model[i] : local_model[i - ROOTS];
    for (unsigned steps = from >> 6; steps > 0 && m != NONE && model[m].refs; steps--) {
        uint16_t next = model[m].ref[take(in) % model[m].refs];
        if (next != JUNK && next != NONE)
            m = next;
    }
    return m;
}

static uint16_t choose_with_refs(struct bytes *in)
{
    uint16_t m = choose(in);
    return m != NONE && model[m].refs ? m : NONE;
}

static uint16_t free_entry(void)
{
    for (unsigned tries = 0; tries < 2; tries++) {
        for (uint16_t m = 1; m < OBJECTS; m++)
            if (!model[m].used)
                return m;
        check_all();
    }
    return NONE;
}

static void set_root(unsigned i, uint16_t m)
{
    hgc_set(&roots[i], at(m));
    root_model[i] = m;
}

/* ---- allocation -------------------------------------------------------------------------------------------------- */

static size_t some_size(struct bytes *in)
{
    unsigned how = take(in);
    switch (how % 16) {
    case 0:  return take16(in);
    case 1:  return take32(in) % (256 << 10);
    case 2:  return take32(in) % ARENA;
    case 3:  return SIZE_MAX - take(in);
    case 4:  return (size_t)take64(in);
    case 5:  return HGC_SMALL_MAX - 8 + take(in) % 16;
    case 6:  return HGC_BLOCK * (1 + how / 16 % 4) - 8 + take(in) % 16;
    case 7:  return (size_t)1 << how / 4;
    default: return take(in) * (size_t)(1 + how / 64);
    }
}

static void must_be_zero(const void *p, size_t size)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < size; i++)
        if (b[i])
            fail("a new object is not zeroed");
}

/* May NULL be right?  Only few objects are alive, none of them above 64 KiB, unless others made garbage at that time. */
static void check_null(size_t size)
{
    struct hgc_stats s;
    hgc_stats(&s);
    if (size <= 4096 && !failing && !tasks_live && s.heap_live < ARENA / 4 && s.heap_used < ARENA / 2)
        fail("no memory, though most of the heap is free");
}

static void fill(struct object *o, uint16_t m, uint32_t number, unsigned kind, size_t size)
{
    o->number = number;
    o->size = size;
    o->check = checksum(number, size);
    if (kind == HGC_LEAF)
        for (size_t i = sizeof *o; i < size; i++)
            ((uint8_t *)o)[i] = (uint8_t)(number + i);
    if (m == NONE)
        return;
    memset(&model[m], 0, sizeof model[m]);
    model[m].address = ~(uintptr_t)o;
    model[m].number = number;
    model[m].size = (uint32_t)size;
    model[m].kind = (uint8_t)kind;
    model[m].refs = slots_of(kind, size);
    model[m].used = true;
}

static void op_new(struct bytes *in)
{
    static const uint8_t kinds[] = { HGC_LEAF, HGC_AMBIGUOUS, PAIRS, TRACED };
    unsigned how = take(in), kind = kinds[how % 4];
    size_t size = some_size(in);
    uint16_t m = free_entry();
    struct object *o = how & 64 ? hgc_new(PAIRS, 112) : hgc_alloc(kind, size);
    if (how & 64) {
        kind = PAIRS;
        size = 112;
    }
    if (!o) {
        check_null(size);
        return;
    }
    if (size > ARENA)
        fail("an absurd size was given");
    if (hgc_size(o) < size || (uintptr_t)o - arena >= ARENA || (uintptr_t)o % HGC_GRAIN)
        fail("a new object's place or size");
    must_be_zero(o, hgc_size(o));
    if (size < sizeof *o || size > (64 << 10) || m == NONE)
        return;
    fill(o, m, ++numbers, kind, size);
    set_root(how / 8 % 8, m);
}

static void op_bad_new(struct bytes *in)
{
    unsigned kind = take(in) & 1 ? take32(in) : take(in) % (2 * HGC_KINDS);
    size_t size = some_size(in);
    if (size > 4096 && size <= ARENA)
        size %= 4096;
    const void *p = hgc_alloc(kind, size);
    if (p && (kind >= HGC_KINDS || !kinds_used[kind]))
        fail("an object of a kind that is not registered");
    if (p)
        must_be_zero(p, hgc_size(p));
}

static void op_kind(struct bytes *in)
{
    static const uint32_t no_refs[32];
    unsigned how = take(in), kind = take(in) % 40;
    struct hgc_kind k = {
        .name = how & 1 ? "fuzz" : NULL,
        .words = how & 2 ? take16(in) % 1100 : 0,
        .map = how & 4 ? no_refs : NULL,
        .trace = how & 8 ? trace_object : NULL,
    };
    if (how & 16)
        kind = take32(in);
    if (k.trace && kind >= FREE_KINDS && kind < HGC_KINDS)
        k.trace = NULL;                 /* its objects may be smaller than that function wants */
    bool null = (how & 0xe0) == 0;
    bool good = kind >= HGC_KIND_FIRST && kind < HGC_KINDS && !null && k.words <= 1024
                && !(k.map && k.trace) && (k.words ? k.map || k.trace : !k.map);
    int want = !good ? HGC_EINVAL : kinds_used[kind] ? HGC_EBUSY : HGC_OK;
    if (hgc_kind(kind, null ? NULL : &k) != want)
        fail("hgc_kind's answer");
    if (want == HGC_OK)
        kinds_used[kind] = true;
}

/* ---- references -------------------------------------------------------------------------------------------------- */

static void op_set(struct bytes *in)
{
    uint16_t into = choose_with_refs(in), value = take(in) % 8 ? choose(in) : NONE;
    if (into == NONE)
        return;
    unsigned slot = take(in) % model[into].refs;
    hgc_set(&at(into)->ref[slot_word(model[into].kind, slot)], at(value));
    model[into].ref[slot] = value;
}

static void op_copy(struct bytes *in)
{
    uint16_t into = choose_with_refs(in), from = take(in) & 1 ? into : choose_with_refs(in);
    if (into == NONE || from == NONE || (model[into].kind == PAIRS) != (model[from].kind == PAIRS))
        return;
    unsigned unit = model[into].kind == PAIRS ? 2 : 1;
    unsigned to_at = take(in) % model[into].refs / unit * unit, from_at = take(in) % model[from].refs / unit * unit;
    unsigned n = take(in) % (REFS + 1);
    if (model[from].kind == HGC_AMBIGUOUS && model[into].kind != HGC_AMBIGUOUS)
        for (unsigned i = 0; i < model[from].refs; i++)
            if (model[from].ref[i] == JUNK)
                return;                 /* a precise field wants a reference */
    n = n < model[into].refs - to_at ? n : model[into].refs - to_at;
    n = n < model[from].refs - from_at ? n : model[from].refs - from_at;
    unsigned words = slot_word(model[into].kind, n / unit * unit);
    n = n / unit * unit;
    hgc_copy(&at(into)->ref[slot_word(model[into].kind, to_at)], &at(from)->ref[slot_word(model[from].kind, from_at)],
             words * sizeof(void *));
    memmove(&model[into].ref[to_at], &model[from].ref[from_at], n * sizeof model[0].ref[0]);
}

/* Words that are no references, into an ambiguous object. */
static void op_junk(struct bytes *in)
{
    uintptr_t words[8];
    uint16_t into = choose_with_refs(in);
    if (into == NONE || model[into].kind != HGC_AMBIGUOUS)
        return;
    unsigned slot = take(in) % model[into].refs, n = 1 + take(in) % 8;
    n = n < model[into].refs - slot ? n : model[into].refs - slot;
    for (unsigned i = 0; i < n; i++) {
        words[i] = take(in) & 1 ? arena + take32(in) % (ARENA + 64) : (uintptr_t)take64(in);
        model[into].ref[slot + i] = JUNK;
    }
    hgc_copy(&at(into)->ref[slot], words, n * sizeof words[0]);
}

static void op_clear(struct bytes *in)
{
    uint16_t into = choose_with_refs(in);
    if (into == NONE)
        return;
    unsigned unit = model[into].kind == PAIRS ? 2 : 1, slot = take(in) % model[into].refs / unit * unit;
    unsigned n = take(in) % (model[into].refs - slot + 1) / unit * unit;
    hgc_clear(&at(into)->ref[slot_word(model[into].kind, slot)], slot_word(model[into].kind, n) * sizeof(void *));
    memset(&model[into].ref[slot], 0, n * sizeof model[0].ref[0]);
}

static void op_local(struct bytes *in)
{
    unsigned i = take(in) % LOCALS, inside = take(in);
    uint16_t m = choose(in);
    local_model[i] = m;
    /* The start, the inside, or one past the end. */
    size_t offset = m == NONE ? 0 : inside < 128 ? 0 : inside == 255 ? model[m].size : inside % model[m].size;
    *(void *volatile *)&locals[i] = m == NONE ? NULL : (char *)at(m) + offset;
}

static void op_size(struct bytes *in)
{
    uintptr_t p = take(in) & 1 ? arena - 64 + take32(in) % (ARENA + 128) : (uintptr_t)take64(in);
    size_t n = hgc_size((const void *)p);
    if (n && (p - arena >= ARENA || n > ARENA))
        fail("hgc_size of what is no object");
}

/* ---- roots ------------------------------------------------------------------------------------------------------- */

static void drop_range(unsigned i)
{
    /* What is in it was reachable: a local may have got it from there. */
    if (hgc_root_remove(ranges[i]) != HGC_OK)
        fail("a root was not taken back");
    ranges_live--;
    if (--range_count[i] == 0) {
        memset((void *)ranges[i], 0, sizeof ranges[i]);
        memset(range_model[i], 0, sizeof range_model[i]);
    }
}

static int add_after_cycle(const void *base, size_t bytes)
{
    bool was = hgc_set_auto(false);
    hgc_collect(HGC_WAIT);
    int r = hgc_root_add(base, bytes);
    hgc_set_auto(was);
    return r;
}

static void op_range(struct bytes *in)
{
    unsigned how = take(in), i = take(in) % RANGES;
    if (how % 4 == 0 && range_count[i]) {
        if (how & 128) {                /* hands a reference over to a local just before */
            unsigned l = how / 4 % LOCALS, j = how / 32 % RANGE;
            local_model[l] = range_model[i][j];
            *(void *volatile *)&locals[l] = hgc_get(ranges[i][j]);
        }
        drop_range(i);
    } else if (how % 4 == 0) {
        if (hgc_root_remove(ranges[i]) != HGC_EINVAL)
            fail("a root was taken back that was not there");
    } else if (how % 4 == 1) {
        int r = hgc_root_add(ranges[i], sizeof ranges[i]);
        if (r == HGC_ENOMEM)            /* those that were removed in a cycle count until it ends */
            r = add_after_cycle(ranges[i], sizeof ranges[i]);
        /* One root is the target's own, three its channels. */
        if (r != HGC_OK && r != HGC_ENOMEM)
            fail("hgc_root_add's answer");
        if (r == HGC_OK && ranges_live + 2 >= 64)
            fail("more than 64 roots");
        if (r != HGC_OK && ranges_live + 2 < 64)
            fail("a root was refused though there are less than 64");
        if (r == HGC_OK) {
            range_count[i]++;
            ranges_live++;
        }
    } else if (range_count[i]) {
        unsigned j = how / 4 % RANGE;
        uint16_t m = choose(in);
        hgc_set(&ranges[i][j], at(m));
        range_model[i][j] = m;
    }
}

static void op_bad_root(struct bytes *in)
{
    unsigned how = take(in);
    if (hgc_root_add(how & 1 ? NULL : (char *)roots + 1 + how / 16 % 7, 8 * (how & 7)) != HGC_EINVAL
        || hgc_root_add(roots, how % 8 ? how : 0) != (HGC_EINVAL))
        fail("a bad root was taken");
    if (hgc_root_remove(how & 2 ? NULL : &how) != HGC_EINVAL)
        fail("a root was taken back that was not there");
}

/* ---- channels ---------------------------------------------------------------------------------------------------- */

static void op_chan(struct bytes *in)
{
    unsigned how = take(in), i = take(in) % CHANS;
    struct hgc_chan *c = hgc_get(chans[i]);
    if (how % 8 == 0) {
        if (hgc_chan_new(0) || hgc_chan_new(1025 + take32(in) % 0x7fffffff))
            fail("a channel of no capacity, or too much");
        unsigned capacity = 1 + take(in) % CHAN_MAX;
        c = hgc_chan_new(capacity);
        hgc_set(&chans[i], c);
        memset(&chan_model[i], 0, sizeof chan_model[i]);
        chan_model[i].capacity = capacity;
        return;
    }
    if (!c)
        return;
    unsigned head = chan_model[i].head, count = chan_model[i].count, capacity = chan_model[i].capacity;
    uint64_t timeout = how & 128 ? 0 : take(in) * 100;
    if (how % 8 < 4) {
        uint16_t m = take(in) % 8 ? choose(in) : NONE;
        int want = chan_model[i].closed ? HGC_ECLOSED : count == capacity ? HGC_ETIMEOUT : HGC_OK;
        if (hgc_chan_send(c, at(m), timeout) != want)
            fail("hgc_chan_send's answer");
        if (want == HGC_OK) {
            chan_model[i].ring[(head + count) % CHAN_MAX] = m;
            chan_model[i].count++;
        }
    } else if (how % 8 < 7) {
        void *got = NULL;
        int want = count ? HGC_OK : chan_model[i].closed ? HGC_ECLOSED : HGC_ETIMEOUT;
        if (hgc_chan_recv(c, &got, timeout) != want)
            fail("hgc_chan_recv's answer");
        if (want == HGC_OK) {
            uint16_t m = chan_model[i].ring[head];
            if (got != at(m))
                fail("another reference was received");
            chan_model[i].head = (head + 1) % CHAN_MAX;
            chan_model[i].count--;
            set_root(how / 8 % 8, m);
        }
    } else {
        hgc_chan_close(c);
        chan_model[i].closed = true;
    }
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

/* A list of n objects with numbers from `seed` on, given back as the result; much garbage beside it. */
static void make_list(void *arg)
{
    unsigned slot = (unsigned)(uintptr_t)arg;
    uint32_t seed = tasks[slot].seed;
    struct object *list = NULL;
    for (unsigned i = 0; i < tasks[slot].n; i++) {
        struct object *o = hgc_alloc(i % 2 ? PAIRS : TRACED, 48 + i % 5 * 32);
        void *garbage = hgc_alloc(HGC_AMBIGUOUS, 16 + (seed + i) % 3000);
        if (garbage)
            *(uintptr_t *)garbage = seed;
        if (!o)
            continue;
        o->number = seed + i;
        o->size = 48;
        o->check = checksum(seed + i, 48);
        hgc_set(&o->ref[0], list);
        list = o;
        if (i % 16 == 15)
            hk_yield();
    }
    hk_task_exit(list);
}

/* Walks along the first references of what it was given while others change them: whatever it meets is an object. */
static void walk(void *arg)
{
    struct object *o = arg;
    for (unsigned i = 0; i < 64 && o; i++) {
        if (o->check != checksum(o->number, o->size))
            amo_add_rlx(&bad_tasks, 1);
        if (o->size < 48)
            break;
        o = hgc_get(o->ref[0]);
    }
    hk_task_exit(arg);
}

static void join(unsigned i)
{
    void *result;
    if (!tasks[i].used)
        return;
    if (hk_task_join(tasks[i].task, &result) != HK_OK)
        fail("a task ended by a fault");
    tasks[i].used = false;
    tasks_live--;
    uint32_t last = tasks[i].seed + tasks[i].n;
    for (struct object *o = result; tasks[i].n && o; o = hgc_get(o->ref[0])) {
        if (o->number >= last || o->number < tasks[i].seed || o->check != checksum(o->number, 48))
            fail("an object of a task's list was lost or overwritten");
        last = o->number;
    }
}

static void op_task(struct bytes *in)
{
    unsigned how = take(in), i = how / 4 % TASKS;
    if (how % 4 == 0 || tasks[i].used) {
        join(i);
        return;
    }
    struct hk_task_config cfg = { .stack_size = TASK_STACK, .hart_plus_1 = how & 64 ? (int)(how >> 7) + 1 : 0 };
    if (how % 4 == 3) {
        cfg.hart_plus_1 = (int)hk_harts() + 1 + how / 16;
        if (hk_task_create(NULL, &cfg, walk, NULL) != HK_EINVAL)
            fail("a task for a hart that is not there");
        return;
    }
    uint16_t m = choose(in);
    bool walks = how % 4 == 2 && m != NONE && model[m].kind == TRACED;
    tasks[i].seed = ++numbers * 1024;
    tasks[i].n = walks ? 0 : take(in);
    int r = walks ? hk_task_create(&tasks[i].task, &cfg, walk, at(m))
                  : hk_task_create(&tasks[i].task, &cfg, make_list, (void *)(uintptr_t)i);
    if (r != HK_OK)
        fail("hk_task_create's answer");
    tasks[i].used = true;
    tasks_live++;
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static void op_collect(struct bytes *in)
{
    unsigned how = take(in);
    int mode = how % 16 == 0 ? HGC_WAIT : how % 4 != 0 ? HGC_START : how & 16 ? (int)(how >> 5) : (int)take32(in);
    bool known = mode >= HGC_START && mode <= HGC_FORCE_BLOCK;
    if (hgc_collect((enum hgc_mode)mode) != (known ? HGC_OK : HGC_EINVAL))
        fail("hgc_collect's answer");
}

static void op_settings(struct bytes *in)
{
    unsigned how = take(in);
    bool on = how & 4;
    static unsigned percent = 100;
    struct hgc_config cfg = { .base = (void *)take64(in), .size = take64(in), .percent = take32(in), .limit = take64(in),
                              .min_trigger = take64(in) };
    struct hgc_stats s;
    switch (how % 4) {
    case 0:
        if (hgc_set_auto(on) != automatic)
            fail("hgc_set_auto's answer");
        automatic = on;
        if (how & 8) {
            if (hgc_set_percent(cfg.percent) != percent)
                fail("hgc_set_percent's answer");
            percent = cfg.percent ? cfg.percent : 100;
            percent = percent > 10000 && percent != HGC_PERCENT_OFF ? 10000 : percent;
        }
        if (how & 16)
            hgc_set_limit(cfg.limit);
        break;
    case 1:
        failing = true;
        hgc_fail_alloc(how & 8 ? take32(in) : take(in), how & 16 ? take32(in) : take(in));
        if (how & 32) {
            hgc_fail_alloc(0, 0);
            failing = false;
        }
        break;
    case 2:
        if (hgc_init(how & 8 ? NULL : &cfg) != HGC_EBUSY)
            fail("hgc_init again");
        break;
    default:
        if (!hgc_strerror((int)take32(in))[0] || !hgc_strerror(-(int)(how / 4 % 8))[0])
            fail("hgc_strerror");
        hgc_stats(&s);
        if (s.heap_used > s.heap_size + HGC_BLOCK || s.heap_live > s.heap_size || s.blocks_free * HGC_BLOCK > s.heap_size)
            fail("the statistics");
    }
}

/* Old words in the part of the stack that calls use. */
__attribute__((noinline)) static void wipe_stack(void)
{
    volatile char old[16 << 10];
    for (size_t i = 0; i < sizeof old; i++)
        old[i] = 0;
}

static void drop_all(void)
{
    static unsigned inputs, full;
    for (unsigned i = 0; i < TASKS; i++)
        join(i);
    check_all();
    hgc_fail_alloc(0, 0);
    failing = false;
    for (unsigned i = 0; i < RANGES; i++)
        while (range_count[i])
            drop_range(i);
    hgc_clear((void *)roots, sizeof roots);
    hgc_clear((void *)chans, sizeof chans);
    memset(root_model, 0, sizeof root_model);
    memset(chan_model, 0, sizeof chan_model);
    memset(local_model, 0, sizeof local_model);
    memset(locals, 0, LOCALS * sizeof *locals);
    if (++inputs % 16)
        return;
    struct hgc_stats s;
    wipe_stack();
    if (hgc_collect(HGC_WAIT) != HGC_OK)
        fail("hgc_collect's answer");
    hgc_stats(&s);
    /* An old word in the fuzzer's own stack may keep something; not for ever. */
    full = s.heap_live > ARENA / 2 ? full + 1 : 0;
    if (full > 200)
        fail("nothing is reachable, but most of the heap is not freed");
}

static int one(const uint8_t *data, size_t size)
{
    static void (*const ops[])(struct bytes *) = {
        op_new, op_new, op_new, op_new, op_set, op_set, op_set, op_copy, op_copy, op_clear, op_local, op_size, op_junk,
        op_range, op_range, op_chan, op_chan, op_task, op_collect, op_settings, op_kind, op_bad_new, op_bad_root,
    };
    struct bytes in = { data, data + size };
    void *here[LOCALS] = { NULL };
    locals = here;
    while (left(&in)) {
        unsigned op = take(&in);
        if (op == 255)
            check_all();
        else
            ops[op % (sizeof ops / sizeof ops[0])](&in);
    }
    drop_all();
    return 0;
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

static int arg_count;
static char **arg_list;
static int status;

static void start_collector(void)
{
    static const uint32_t pairs_map[] = { 3u << 2 };        /* after a header of 2 words: 2 references, 2 other words, ... */
    static const struct hgc_kind pairs = { .name = "pairs", .words = 4, .map = pairs_map };
    static const struct hgc_kind traced = { .name = "traced", .trace = trace_object };
    char *base = hk_mem_alloc(ARENA);
    const struct hgc_config good = { .base = base, .size = ARENA, .verify = true };
    struct hgc_config bad[] = { good, good, good, good, good, good, good, good, good };
    bad[0].base = NULL;
    bad[1].size = 0;
    bad[2].size = 65535;
    bad[3].size = SIZE_MAX;
    bad[4].percent = 10001;
    bad[5].min_trigger = ARENA + 1;
    bad[7].limit = ARENA + 1;
    bad[8].period_ns = 999999;
    bad[6].base = (void *)(UINTPTR_MAX - 4096);         /* its end wraps around */
    if (hgc_init(NULL) != HGC_EINVAL)
        fail("no configuration was taken");
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (hgc_init(&bad[i]) != HGC_EINVAL)
            fail("a bad configuration was taken");
    arena = (uintptr_t)base;
    if (!base || hgc_init(&good) || hgc_kind(PAIRS, &pairs) || hgc_kind(TRACED, &traced)
        || hgc_root_add(roots, sizeof roots) || hgc_root_add(chans, sizeof chans))
        fail("the start");
    for (unsigned k = 0; k < FREE_KINDS; k++)
        kinds_used[k] = true;
    automatic = true;
}

static void fuzzer(void *unused)
{
    (void)unused;
    status = LLVMFuzzerRunDriver(&arg_count, &arg_list, one);
}

int app_main(void)
{
    const struct hk_task_config cfg = { .name = "fuzzer", .stack_size = STACK, .hart_plus_1 = 1 };
    struct task *t;
    start_collector();
    if (hk_task_create(&t, &cfg, fuzzer, NULL) || hk_task_join(t, NULL))
        return 1;
    return status;
}

int main(int argc, char **argv)
{
    const char *harts = getenv("HARTS");
    arg_count = argc;
    arg_list = argv;
    hal_host_init(harts ? (unsigned)atoi(harts) : 2, MEMORY, 1);
    hal_host_start();
}
