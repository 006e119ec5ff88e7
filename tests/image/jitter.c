/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 4 */
/* seconds: 120 */
/* qemu: -icount shift=4,sleep=off */
/* match: trace hash [0-9a-f]{16}, seed \d+ */
/* same: trace hash [0-9a-f]{16}, seed \d+ */
/*
 * Interleavings that can be repeated.  QEMU counts instructions and runs the harts in turn; a turn ends at the next
 * timer of any hart.  So a timer on each hart whose periods come from a seed chooses the interleaving: the same seed, the
 * same run, which the trace hash shows; another seed, another one.  Each timer also makes its hart switch between two
 * tasks.  The load is nasty: objects move hidden between a shared table and stacks, with stores and allocations inside
 * and outside of cycles, each verified.
 *
 * -DJITTER_SEED=n repeats a seed, -DJITTER_SEEDS=n runs so many, one after another.
 */
#include "gc/hgc.h"
#include "kernel/hart.h"
#include "tap.h"

#ifndef JITTER_SEED
#define JITTER_SEED 1
#endif
#ifndef JITTER_SEEDS
#define JITTER_SEEDS 2
#endif

enum {
    ARENA = 1 << 20, NODE = HGC_KIND_FIRST, TABLE, HARTS = 8, TASKS = 2 * HARTS, SLOTS = 32, MOVES = 60, HELD = 4,
    NEAR = 5000, SPREAD = 40000,        /* nanoseconds from one interrupt of a hart to the next */
};
#define MAGIC ((uintptr_t)0x6a69747465720000u)

struct node {
    uintptr_t magic, id;
    hgc_ref(struct node) next;
};
struct table {
    hgc_ref(struct node) slot[TASKS][SLOTS];
};
static struct {
    hgc_ref(struct table) table;
} root;
static uint32_t wrong, over;

struct jitter {
    struct hk_timer timer;
    uint64_t hash;              /* owner: of the times and places at which it came */
    uint32_t random, count;
};
static struct jitter jitters[HARTS];

static uint32_t random_of(uint32_t *r)
{
    *r ^= *r << 13;
    *r ^= *r >> 17;
    *r ^= *r << 5;
    return *r;
}

static void mix(uint64_t *hash, uint64_t x)
{
    *hash = (*hash ^ x) * 0x100000001b3u;
    *hash ^= *hash >> 29;
}

static void fires(void *arg)
{
    struct jitter *j = arg;
    uintptr_t pc;
    __asm__ volatile("csrr %0, mepc" : "=r"(pc));
    uint64_t now = hk_now();
    mix(&j->hash, now);
    mix(&j->hash, pc);
    j->count++;
    hart_kick(hk_hart());
    if (!ld_rlx(&over))
        hk_timer_start(&j->timer, now + NEAR + random_of(&j->random) % SPREAD, fires, j);
}

/* ---- the load ---------------------------------------------------------------------------------------------------- */

static struct node *fresh(uintptr_t id)
{
    struct node *p = hgc_new(NODE, sizeof(*p));
    if (!p || p->magic || p->id || hgc_get(p->next)) {
        amo_add_rlx(&wrong, 1);
        return NULL;
    }
    p->id = id;
    p->magic = MAGIC ^ id;
    return p;
}

static void check(const struct node *p)
{
    if (p && p->magic != (MAGIC ^ p->id))
        amo_add_rlx(&wrong, 1);
}

/* Takes some objects out of the table, so that only this stack has them, and puts them back elsewhere. */
static void move(unsigned me, uint32_t *r)
{
    struct node *held[HELD];
    struct table *t = hgc_get(root.table);
    for (unsigned i = 0; i < HELD; i++) {
        unsigned slot = random_of(r) % SLOTS;
        held[i] = hgc_get(t->slot[me][slot]);
        hgc_set(&t->slot[me][slot], NULL);
        if (!held[i])
            held[i] = fresh(random_of(r));
    }
    bool long_time = random_of(r) % 8 == 0;         /* over the end of a mark */
    for (uint32_t i = long_time ? 100 : random_of(r) % 4; i && (!long_time || hgc_marking()); i--)
        hk_yield();
    for (unsigned i = 0; i < HELD; i++) {
        check(held[i]);
        struct node *p = fresh(random_of(r));
        if (p && random_of(r) % 2)
            hgc_set(&p->next, held[i]);
        hgc_set(&t->slot[me][random_of(r) % SLOTS], random_of(r) % 4 ? held[i] : p);
    }
    if (held[0] && random_of(r) % 8 == 0)
        hgc_set(&held[0]->next, NULL);
}

static void moves(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    struct jitter *j = &jitters[me / 2];
    uint32_t r = (j->random + me % 2) * 2654435761u + 1;
    if (me % 2)
        hk_timer_start(&j->timer, hk_now() + NEAR, fires, j);
    for (int i = 0; i < MOVES; i++) {
        move(me, &r);
        if (random_of(&r) % 32 == 0)
            hgc_collect(HGC_START);
    }
}

/* ---- a run ------------------------------------------------------------------------------------------------------- */

/* Waits until the timer of each hart has come for the last time.  Their functions stop by themselves. */
static void end_jitter(void)
{
    st_rlx(&over, 1);
    for (unsigned i = 0; i < hk_harts(); i++)
        while (ld_rlx(&jitters[i].timer.hart))
            hk_sleep(NEAR + SPREAD);
}

static void check_table(void)
{
    struct table *t = hgc_get(root.table);
    for (unsigned task = 0; task < 2 * hk_harts(); task++)
        for (unsigned i = 0; i < SLOTS; i++)
            for (struct node *p = hgc_get(t->slot[task][i]); p; p = hgc_get(p->next))
                check(p);
}

static void run(uint32_t seed)
{
    struct task *t[TASKS];
    uint64_t hash = 0xcbf29ce484222325u;
    unsigned count = 0;
    st_rlx(&over, 0);
    hgc_set(&root.table, hgc_new(TABLE, sizeof(struct table)));
    for (unsigned i = 0; i < hk_harts(); i++)
        jitters[i] = (struct jitter){ .random = seed * 7919 + i * 104729 + 1 };
    for (unsigned i = 0; i < 2 * hk_harts(); i++) {
        struct hk_task_config on = { .hart_plus_1 = (int)(i / 2) + 1 };
        hk_task_create(&t[i], &on, moves, (void *)(uintptr_t)i);
    }
    for (unsigned i = 0; i < 2 * hk_harts(); i++)
        hk_task_join(t[i], NULL);
    end_jitter();
    for (unsigned i = 0; i < hk_harts(); i++) {
        mix(&hash, jitters[i].hash);
        count += jitters[i].count;
    }
    check_table();
    hk_printf("# trace hash %016llx, seed %u, %u interrupts\n", (unsigned long long)hash, (unsigned)seed, count);
    ok(count > 20 * hk_harts() && ld_rlx(&wrong) == 0, "nothing is lost");
}

int app_main(void)
{
    static const uint32_t node_map = HGC_MAP(struct node, next), table_map = 1;
    static const struct hgc_kind node = { .name = "node", .words = 3, .map = &node_map };
    static const struct hgc_kind table = { .name = "table", .words = 1, .map = &table_map };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true };
    is(hgc_init(&config) | hgc_kind(NODE, &node) | hgc_kind(TABLE, &table) | hgc_root_add(&root, sizeof(root)), HGC_OK,
       "the heap starts");
    for (uint32_t i = 0; i < JITTER_SEEDS; i++)
        run(JITTER_SEED + i);
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.verified == s.cycles && s.cycles > 5, "cycles ran, each verified");
    hk_printf("# %u cycles, %u restarts, %u slow stores\n", (unsigned)s.cycles, (unsigned)s.restarts,
              (unsigned)s.slow_sets);
    return tap_end();
}
