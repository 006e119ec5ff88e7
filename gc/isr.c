/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation in interrupt handlers: a reserve of zeroed cells on each hart, which tasks refill, and queues that are roots.
 *
 * A handler takes a cell, stores into it and hands it over in one critical section.  So when a hart prepares for the stop
 * that begins a cycle, each of its cells is either in the reserve or in a queue, or a task has it.  What is in a queue is
 * scanned with the roots.  What is in the reserve must be marked before this hart acknowledges: from then on only a handler
 * can take it, and a handler does not look at the phase.
 *
 * Marked is not enough, it must be grey.  A hart that has prepared still serves interrupts, while others have not stopped
 * yet: a task there may get the cell from the queue, and store a white object into it with the phase still OFF and no
 * barrier.  A cell that is marked in bulk, as those of runs are, is never looked at, and the object would be lost.  So
 * isr_prepare queues the cells' blocks as well, and the mark scans them.  (The cells of a run cannot get out of a hart that
 * has prepared.)  This is the one place that shades while the phase is OFF: in a stop that ends with MARK.
 *
 * In the mark and in the stop that ends it, what a handler takes is marked: it was in the reserve when the cycle began, or
 * came from a run since, or was shaded as the refiller put it there.  Its references are to cells of the same critical
 * section or to what a root with a barrier reaches when they are stored, and that will be marked, if it is not yet.  So the handler
 * needs no barrier: it overwrites NULL, and no white object passes.  It could have none: it may look at the phase before a
 * stop's end and shade after it (I4).
 *
 * What a handler read from a root may be taken out of it on another hart before the handler stores it.  If the stop and the
 * phase fall in between, no barrier shaded it, and the cell may have been scanned.  Hence the contract (hgc.h).
 *
 * Invariant: at the end of a mark each cell in a reserve is marked, else the sweep would free it (verify mode looks).
 */
#include "gc/gc_internal.h"

#define RETRY_NS 10000000u      /* 10 ms: when there was no memory for the reserve */

/* ---- taking: handlers -------------------------------------------------------------------------------------------- */

static void ask(struct gc_hart *g)
{
    if (ld_rlx(&g->isr_asked))
        return;
    st_rlx(&g->isr_asked, 1);
    hk_sem_post(&g->isr_wake);
}

/* For assertions: is what a handler has in its hands marked, if it must be?  In this order, because the mark may end
 * meanwhile, and others sweep, if this hart is in the stop that ends it. */
static bool is_safe(uintptr_t p)
{
    struct object o;
    if (!find_object(p, &o))
        return false;
    bool marked = ld_rlx(&o.block->mark[o.cell / WORD_BITS]) >> (o.cell % WORD_BITS) & 1;
    fence_rr();                         /* [L-none: for an assertion; a sweep clears the bit after it saw OFF] */
    return marked || !gc_is_on();
}

void *hgc_isr_new(int reserve)
{
    hk_assert(hal_crit_held() && (unsigned)reserve < ld_rlx(&gc.isr_reserves));
    const struct isr_reserve *r = &gc.isr[reserve];
    struct gc_hart *g = gc_self();
    uint32_t left = ld_rlx(&g->isr_left[reserve]);
    if (left <= r->count / 2 + 1)       /* with this one it is half empty */
        ask(g);
    if (left == 0) {
        own_add(&g->isr_empty, 1);
        return NULL;
    }
    uintptr_t p = ld_rlx(&g->isr_cell[r->first + left - 1]);
    st_rlx(&g->isr_left[reserve], left - 1);
    own_add(&g->isr_taken, 1);
    hk_assert(is_safe(p));
    return newborn(p);
}

/* ---- refilling: a task on each hart ------------------------------------------------------------------------------ */

/* The cell was a local of this task so far.  Its stack may be scanned only when it has forgotten it: so it is shaded. */
static void put_away(struct gc_hart *g, unsigned reserve, uintptr_t p)
{
    hal_crit_t c = hal_crit_enter();
    hk_assert(g == gc_self());
    uint32_t left = ld_rlx(&g->isr_left[reserve]);
    if (gc_is_on())
        mark_reference(p);
    st_rlx(&g->isr_cell[gc.isr[reserve].first + left], p);
    st_rlx(&g->isr_left[reserve], left + 1);
    hal_crit_exit(c);
}

/* False: no memory. */
static bool refill(struct gc_hart *g, unsigned reserve)
{
    const struct isr_reserve *r = &gc.isr[reserve];
    while (ld_rlx(&g->isr_left[reserve]) < r->count) {     /* only handlers of this hart change it meanwhile, downwards */
        void *p = hgc_alloc(r->kind, r->size);
        if (!p)
            return false;
        put_away(g, reserve, (uintptr_t)p);
    }
    return true;
}

static void refiller(void *arg)
{
    struct gc_hart *g = arg;
    for (;;) {
        hk_sem_wait(&g->isr_wake, HK_FOREVER);
        st_rlx(&g->isr_asked, 0);       /* before it looks: who takes later asks again */
        for (bool full = false; !full;) {
            uint32_t n = ld_acq(&gc.isr_reserves);      /* [L-mp.acq] */
            full = true;
            for (unsigned i = 0; i < n; i++)
                full &= refill(g, i);
            st_rel(&g->isr_tried, n);   /* [L-mp.rel] */
            if (!full)
                hk_sleep(RETRY_NS);
        }
    }
}

/* ---- the cycle --------------------------------------------------------------------------------------------------- */

enum { PIECE = 16 };            /* cells with interrupts off */

/* In pieces.  What a handler takes between two of them, white or grey, goes to a queue before this hart acknowledges. */
void isr_prepare(struct gc_hart *g)
{
    uint32_t n = ld_rlx(&gc.isr_reserves);
    for (unsigned i = 0; i < n; i++)
        for (uint32_t k = 0; k < ld_rlx(&g->isr_left[i]); k++) {
            if (k % PIECE == 0)
                hal_irq_window();
            mark_reference(ld_rlx(&g->isr_cell[gc.isr[i].first + k]));
        }
}

/* Cells leave a reserve meanwhile, in handlers, and go where roots are: so this comes before the roots. */
void isr_each_cell(void (*fn)(uintptr_t p))
{
    for (unsigned h = 0; h < hal_hart_count(); h++) {
        struct gc_hart *g = gc_of(hal_hart(h));
        for (unsigned i = 0; i < ld_rlx(&gc.isr_reserves); i++)
            for (uint32_t k = 0, left = ld_rlx(&g->isr_left[i]); k < left; k++)
                fn(ld_rlx(&g->isr_cell[gc.isr[i].first + k]));
    }
}

/* ---- setting up -------------------------------------------------------------------------------------------------- */

static bool refillers_start(void)
{
    for (; gc.isr_tasks < hal_hart_count(); gc.isr_tasks++) {
        char name[20];
        hk_snprintf(name, sizeof(name), "reserve/%u", gc.isr_tasks);
        struct gc_hart *g = gc_of(hal_hart(gc.isr_tasks));
        hk_sem_init(&g->isr_wake, 0);
        struct hk_task_config cfg = {.name = name, .prio = HK_HIGH, .set_prio = true, .detached = true, .system = true,
                                     .hart_plus_1 = 1 + (int)gc.isr_tasks};
        if (hk_task_create(NULL, &cfg, refiller, g) != HK_OK)
            return false;
    }
    return true;
}

/* Under isr_lock. */
static int reserve_add(unsigned kind, size_t size, unsigned count)
{
    unsigned n = gc.isr_reserves, first = n ? gc.isr[n - 1].first + gc.isr[n - 1].count : 0;
    if (n == HGC_ISR_RESERVES || count > HGC_ISR_CELLS - first || !refillers_start())
        return HGC_ENOMEM;
    gc.isr[n] = (struct isr_reserve){.kind = kind, .size = size, .first = first, .count = count};
    st_rel(&gc.isr_reserves, n + 1);    /* [L-mp.rel] */
    for (unsigned h = 0; h < hal_hart_count(); h++)
        hk_sem_post(&gc_of(hal_hart(h))->isr_wake);
    for (unsigned h = 0; h < hal_hart_count(); h++)
        while (ld_acq(&gc_of(hal_hart(h))->isr_tried) <= n)     /* [L-mp.acq] */
            hk_sleep(RETRY_NS / 100);
    return (int)n;
}

int hgc_isr_reserve(unsigned kind, size_t size, unsigned count)
{
    if (!gc.nblocks || kind >= HGC_KINDS || !gc_kinds[kind].used || size > HGC_SMALL_MAX || count == 0)
        return HGC_EINVAL;
    hk_mutex_lock(&gc.isr_lock);
    int r = reserve_add(kind, size, count);
    hk_mutex_unlock(&gc.isr_lock);
    return r;
}

/* ---- queues ------------------------------------------------------------------------------------------------------ */

struct hgc_isr_queue {
    struct hk_sem items;
    struct spinlock lock;
    uint32_t head, count, capacity;     /* lock */
    hgc_ref(void) ring[];               /* a root; a slot is NULL unless it is one of `count` from head on */
};

struct hgc_isr_queue *hgc_isr_queue_new(unsigned capacity)
{
    size_t ring = capacity * sizeof(void *), bytes = sizeof(struct hgc_isr_queue) + ring;
    if (capacity < 1 || capacity > 1024)
        return NULL;
    struct hgc_isr_queue *q = hk_mem_alloc(bytes);
    if (!q)
        return NULL;
    memset(q, 0, bytes);
    hk_sem_init(&q->items, 0);
    q->capacity = capacity;
    if (hgc_root_add(q->ring, ring) == HGC_OK)
        return q;
    hk_mem_free(q, bytes);
    return NULL;
}

bool hgc_isr_put(struct hgc_isr_queue *q, void *cell)
{
    hk_assert(hal_crit_held());
    hk_assert(is_safe((uintptr_t)cell));
    spin_lock(&q->lock);
    bool room = q->count < q->capacity;
    if (room)
        st_rlx((uintptr_t *)(uintptr_t)&q->ring[(q->head + q->count++) % q->capacity].hgc_p, (uintptr_t)cell);
    spin_unlock(&q->lock);
    if (room)
        hk_sem_post(&q->items);
    return room;
}

int hgc_isr_get(struct hgc_isr_queue *q, void **cell, uint64_t timeout_ns)
{
    hal_probe((uintptr_t *)cell);       /* it is stored to under the lock */
    if (hk_sem_wait(&q->items, timeout_ns) != HK_OK)
        return HGC_ETIMEOUT;
    hal_crit_t c = spin_lock_crit(&q->lock);
    void **slot = (void **)(uintptr_t)&q->ring[q->head].hgc_p;
    q->head = (q->head + 1) % q->capacity;      /* it never wraps: capacity need not divide 2^32 */
    q->count--;
    *cell = ld_rlx(slot);
    hgc_slow_set(slot, NULL);           /* its deletion half shades what the task takes: its stack may have been scanned */
    spin_unlock_crit(&q->lock, c);
    return HGC_OK;
}
