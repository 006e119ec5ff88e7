/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 */
/* seconds: 30 */
/* expect: exit 3 */
/* match: verify: cycle \d+ missed a reachable object */
/* match: held by .*: kind holder */
/* match: from the root at */
/* match: panic: I10 broken */
/*
 * What verify mode says of an object that was missed: who holds it.  A mark that steps drive comes to where nothing is left, and
 * an object's mark bit is taken out.  Who holds it is new, from a run that its hart had as the cycle began.  Another object refers
 * to its neighbour's start, which is one past its end: that is no holder, because the reference is precise, and comes first in
 * memory.
 */
#include "gc/gc_internal.h"
#include "tap.h"

enum { ITEM = HGC_KIND_FIRST, NEIGHBOUR, HOLDER, ARENA = 1 << 20 };

struct one { hgc_ref(void) it; };

static hgc_ref(struct one) root[2];
static uintptr_t hidden;                /* the complement of the lost object's address */

static void build(void *arg)
{
    (void)arg;
    struct one *neighbour = hgc_alloc(NEIGHBOUR, sizeof(*neighbour));
    hgc_set(&root[0], neighbour);
    struct one *first = hgc_alloc(HOLDER, sizeof(*first));
    hgc_set(&root[1], first);
    char *lost = hgc_alloc(ITEM, 64), *next = hgc_alloc(ITEM, 64);
    is(next - lost, 64, "two cells side by side");
    hgc_set(&first->it, lost);
    hgc_set(&neighbour->it, next);
    hidden = ~(uintptr_t)lost;
}

/* In the mark. */
static void hand_over(void *arg)
{
    (void)arg;
    struct one *first = hgc_get(root[1]), *holder = hgc_alloc(HOLDER, sizeof(*holder));
    hgc_set(&holder->it, hgc_get(first->it));
    hgc_set(&root[1], holder);
    hgc_set(&first->it, NULL);          /* it is the holder's neighbour, and the root's word ends there */
}

static void in_task(void (*fn)(void *))
{
    struct task *t;
    hk_task_create(&t, NULL, fn, NULL);
    hk_task_join(t, NULL);
}

/* When nothing is left to mark. */
static __attribute__((noinline)) bool lose(void)
{
    struct object o;
    hal_crit_t c = hal_crit_enter();
    bool now = gc_is_on() && cycle_quiet() && find_object(~hidden, &o) && object_marked(&o);
    if (now)
        bits_clear(o.block->mark, o.cell, o.cell + 1);
    hal_crit_exit(c);
    return now;
}

int app_main(void)
{
    static const uint32_t first = 1;
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .no_auto = true, .period_ns = HGC_PERIOD_OFF,
                                .verify = true};
    int error = hgc_init(&config) | hgc_kind(ITEM, &(struct hgc_kind){.name = "item", .words = 8, .map = &first})
        | hgc_kind(NEIGHBOUR, &(struct hgc_kind){.name = "neighbour", .words = 1, .map = &first})
        | hgc_kind(HOLDER, &(struct hgc_kind){.name = "holder", .words = 1, .map = &first})
        | hgc_root_add(root, sizeof(root));
    is(error, HGC_OK, "the heap starts");
    in_task(build);
    hgc_step(1, HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE);
    in_task(hand_over);
    st_rlx(&gc.terminating, UINT32_MAX);        /* as if somebody were at it: nobody ends the mark */
    while (!lose()) {
        hgc_step(1, HGC_STEP_INSTRUCTIONS);
        hk_sleep(100000);               /* its own stack is scanned as it leaves its hart */
    }
    st_rlx(&gc.terminating, 0);
    hgc_collect(HGC_WAIT);
    ok(false, "verify mode has found nothing");
    return tap_end();
}
