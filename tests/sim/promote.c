/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors that are reported weakly, and become common objects just while they are marked.  What a vector refers to nothing else leads
 * to: it is kept from the moment on at which the vector is touched, if that is within the mark; before that its entry is taken out as
 * the mark ends, when nobody has marked it.
 */
#include "gc/gc_internal.h"
#include "gc/hgc.h"
#include "kernel/hk.h"
#include "sim.h"
#include "workload.h"

enum { WEAK = HGC_KIND_FIRST, VECTOR, VECTORS = 12, ROUNDS = 6 };
#define MAGIC 0x9a5e11e5u
#define NOINLINE __attribute__((noinline))

struct entry { uint32_t number, magic; };
struct vector { struct entry *at; };
struct weak { struct vector *slots; };

static hgc_ref(struct weak) weak[VECTORS];
static struct vector *common[VECTORS];          /* a root, stored to by hgc_touch's way */
static uint32_t touched[VECTORS];               /* atomic: in this mark, with an entry */

static void trace_weak(void *object, size_t size, struct hgc_visitor *v)
{
    (void)size;
    hgc_visit_weakly(v, ld_rlx(&((struct weak *)object)->slots));
}

static void trace_vector(void *object, size_t size, struct hgc_visitor *v)
{
    (void)size;
    hgc_visit(v, ld_rlx(&((struct vector *)object)->at));
}

/* Nothing of it stays on the stack. */
static NOINLINE void make(unsigned i)
{
    struct weak *w = hgc_alloc(WEAK, sizeof *w);
    struct vector *v = hgc_alloc(VECTOR, sizeof *v);
    struct entry *e = hgc_alloc(HGC_LEAF, sizeof *e);
    if (!w || !v || !e)
        sim_fail("no memory for a vector");
    *e = (struct entry){i, MAGIC};
    hgc_store_t s = hgc_store_begin();
    hgc_shade(e);
    hgc_shade(v);
    st_rlx(&v->at, e);
    st_rlx(&w->slots, v);
    hgc_store_end(s);
    hgc_set(&weak[i], w);
}

static NOINLINE void promote(unsigned i)
{
    hgc_store_t s = hgc_store_begin();
    struct weak *w = hgc_get(weak[i]);
    struct vector *v = ld_rlx(&w->slots);
    st_rlx(&common[i], v);
    st_rlx(&w->slots, NULL);            /* a marker may have read it, and report it weakly yet */
    hgc_touch(v);
    st_rlx(&touched[i], hgc_marking() && ld_rlx(&v->at));
    hgc_store_end(s);
}

static NOINLINE void check(unsigned i)
{
    if (!ld_rlx(&touched[i]))
        return;
    const struct entry *e = common[i]->at;
    if (!e || hgc_size(e) == 0 || e->number != i || e->magic != MAGIC)
        sim_fail("I10: the entry of vector %u, which was touched in the mark, was freed", i);
}

/* In the stop that ends the mark. */
static enum hgc_quiet end(void)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        struct weak *w = hgc_get(weak[i]);
        struct vector *v = w ? ld_rlx(&w->slots) : NULL;
        if (v && !hgc_marked(ld_rlx(&v->at)))
            v->at = NULL;
        if (ld_rlx(&touched[i]) && !hgc_marked(ld_rlx(&common[i]->at)))
            sim_fail("I10: vector %u was touched in this mark, and not followed", i);
    }
    return HGC_QUIET;
}

static NOINLINE void turn(void)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        st_rlx(&touched[i], 0);
        st_rlx(&common[i], NULL);
        make(i);
    }
    workload_forget();
    hgc_collect(HGC_START);
    for (unsigned n = sim_choose(40); n > 0; n--)
        hk_now();
    for (unsigned i = 0; i < VECTORS; i++)
        promote(i);
    workload_forget();
    hgc_collect(HGC_WAIT);
    for (unsigned i = 0; i < VECTORS; i++)
        check(i);
}

int promotes(void)
{
    static const struct hgc_runtime ours = {.end = end};
    workload_heap(128 * 1024);
    hgc_kind(WEAK, &(struct hgc_kind){.name = "weak", .trace = trace_weak});
    hgc_kind(VECTOR, &(struct hgc_kind){.name = "vector", .trace = trace_vector});
    hgc_root_add(weak, sizeof weak);
    hgc_root_add(common, sizeof common);
    if (hgc_runtime(&ours) != HGC_OK)
        sim_fail("hgc_runtime failed");
    for (unsigned n = 1 + sim_choose(ROUNDS); n > 0; n--)
        turn();
    return 0;
}
