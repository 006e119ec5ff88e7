/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 */
/* What a large object owes beyond one allocation's instalment stays owed, and instalments grow as the goal comes near on a single
 * hart, and far beyond it where nobody else is marking.  In a mark that steps drive nobody else pays.  Who finds nothing to mark
 * goes on while the heap has room. */
#include "gc/gc_internal.h"
#include "tap.h"
#include "waits.h"

enum { ARENA = 4 << 20, LARGE = ARENA / 4, NEXT = 64 << 10, NODE = HGC_KIND_FIRST, SLOW, SIZE = 256, K = 1024 };

struct node {
    hgc_ref(struct node) next;
};

static hgc_ref(struct node) list;

/* No map, so a visit of a block of them ends early. */
static void trace_node(void *object, size_t size, struct hgc_visitor *v)
{
    struct node *p = object;
    (void)size;
    hgc_visit(v, hgc_get(p->next));
}

static void grow(size_t bytes)
{
    for (size_t n = 0; n < bytes; n += SIZE) {
        struct node *p = hgc_alloc(NODE, SIZE);
        if (!p)
            hk_panic("no memory for the list");
        hgc_set(&p->next, hgc_get(list));
        hgc_set(&list, p);
    }
}

static intptr_t owes(void)
{
    return -task_self()->gc_balance;
}

static uintptr_t marked(void)
{
    uintptr_t work = 0;
    for (unsigned i = 0; i < hk_harts(); i++)
        work += hart_work(gc_of(hal_hart(i)));
    return work;
}

/* What the next allocation marks for its debt. */
static uintptr_t pays(void)
{
    uintptr_t before = marked();
    ok(hgc_alloc(HGC_LEAF, NEXT) != NULL, "an allocation");
    return marked() - before;
}

static void begin_steps(void)
{
    while (!hgc_marking())
        hgc_step(1000, HGC_STEP_CYCLE | HGC_STEP_INSTRUCTIONS);
}

/* On hart 0. */
static void instalments(void *arg)
{
    (void)arg;
    grow(LARGE);
    hgc_collect(HGC_WAIT);
    hgc_set_percent(400);
    if (hk_harts() > 1)
        hgc_hart_role(1, HGC_ROLE_FREE);    /* it would help while it is idle */
    begin_steps();
    bool got = hgc_alloc(HGC_LEAF, LARGE) != NULL;
    intptr_t owed = owes();
    uintptr_t paid = pays();
    intptr_t left = owes() - NEXT;
    hgc_set_percent(90);
    uintptr_t late = pays();
    hgc_set_percent(1);
    uintptr_t later = pays();
    hgc_set_percent(0);
    bool alone = hk_harts() == 1;
    hk_printf("# owed %d bytes, then %d; marked %u bytes for it, %u beyond the goal, %u far beyond it\n", (int)owed, (int)left,
              (unsigned)paid, (unsigned)late, (unsigned)later);
    ok(got && owed >= LARGE, "a large object is owed for");
    ok(left < owed, "the next allocation pays for it");
    ok(left > owed / 2, "but a part only: the rest stays owed");
    ok(alone ? paid >= 4 * K && paid < 14 * K : paid >= 3 * K && paid < 5 * K, "a small one");
    ok(alone ? late >= 14 * K && late < 24 * K : late >= 3 * K && late < 5 * K,
       "where nobody else marks a larger one when the heap has outgrown its goal");
    ok(later >= 14 * K && later < 24 * K, "when it has by far, also on more harts, where nobody else is marking");
    if (hk_harts() > 1)
        hgc_hart_role(1, HGC_ROLE_NORMAL);
    hgc_collect(HGC_WAIT);
}

/* ---- nothing to mark --------------------------------------------------------------------------------------------- */

static uint32_t tracing, allocates, gone_on, held_up;   /* atomic */
static struct task *debtor;

/* All that there is to mark, by a worker on another hart, for as long as the task has not got on; or until it waits for
 * that. */
static void trace_slowly(void *object, size_t size, struct hgc_visitor *v)
{
    (void)object, (void)size, (void)v;
    if (!gc_is_on())
        return;
    st_rlx(&tracing, 1);
    while (!ld_rlx(&gone_on))
        if (ld_acq(&allocates) && waits(debtor)) {
            st_rlx(&held_up, 1);
            return;
        }
}

static hgc_ref(void) slow;

static void goes_on_in_debt(void)
{
    debtor = hk_task_self();
    hgc_set(&slow, hgc_alloc(SLOW, SIZE));
    hgc_set(&list, NULL);
    hgc_collect(HGC_START);
    while (!ld_rlx(&tracing))
        ;                               /* busy, so that the idle hart does it */
    drain_enter();
    while (drain_piece(false))          /* what dead words hold is marked, too */
        ;
    drain_leave();
    st_rel(&allocates, 1);
    bool got = hgc_alloc(HGC_LEAF, NEXT) != NULL && owes() > 0 && hgc_alloc(HGC_LEAF, NEXT) != NULL;
    st_rlx(&gone_on, 1);
    ok(got && !ld_rlx(&held_up), "who is in debt and finds nothing to mark goes on while the heap has room");
}

int app_main(void)
{
    static const struct hgc_kind node = { .name = "node", .trace = trace_node };
    static const struct hgc_kind slowly = { .name = "slow", .trace = trace_slowly };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .period_ns = HGC_PERIOD_OFF };
    is(hgc_init(&config) | hgc_kind(NODE, &node) | hgc_kind(SLOW, &slowly), HGC_OK, "the heap starts");
    is(hgc_root_add(&list, sizeof list) | hgc_root_add(&slow, sizeof slow), HGC_OK, "with roots");
    struct task *t = NULL;
    hk_task_create(&t, &(struct hk_task_config){.hart_plus_1 = 1}, instalments, NULL);
    hk_task_join(t, NULL);
    if (hk_harts() > 1)
        goes_on_in_debt();
    return tap_end();
}
