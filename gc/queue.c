/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mark queue holds blocks, not objects (I8).  Each hart has a FIFO; where it is full, a block goes to a global list
 * through the descriptors, so no queue can overflow.
 *
 * FIFO: only its own hart writes `tail`, in a critical section (a program's barrier and a worker share it).  Anyone takes
 * by CAS on `head`, which only grows: an index that is taken twice, or read after its slot was written again, fails the
 * CAS.  The item is read before the CAS (its release half keeps that order).
 */
#include "gc/gc_internal.h"

void markq_push(struct block *b)
{
    hal_crit_t c = hal_crit_enter();
    struct gc_hart *g = gc_self();
    /* [L-markq-reuse.acq] */
    uint32_t tail = ld_rlx(&g->tail), head = ld_acq(&g->head);     /* acq: the slot was read before head moved */
    bool wake = tail == head || ld_rlx(&hal_self()->kept_free);     /* else who took the wake, or this hart, looks again */
    if (tail - head < QUEUE_SIZE) {
        st_rlx(&g->queue[tail % QUEUE_SIZE], block_index(b));
        st_rel(&g->tail, tail + 1);     /* item before tail; partner: ld_acq tail in take_from [L-markq.rel] */
    } else {
        spin_lock(&gc.overflow_lock);
        b->next = gc.overflow;
        st_rlx(&gc.overflow, block_index(b));
        spin_unlock(&gc.overflow_lock);
        wake = true;
    }
    hal_crit_exit(c);
    if (wake)
        hart_wake_helper();             /* it has the store-load fence against a hart that is going to sleep */
}

static struct block *take_from(struct gc_hart *g)
{
    for (;;) {
        uint32_t head = ld_acq(&g->head);       /* [L-markq-order.acq] */
        if (ld_acq(&g->tail) == head)       /* [L-markq.acq] */
            return NULL;
        uint32_t item = ld_rlx(&g->queue[head % QUEUE_SIZE]);
        if (cas_full(&g->head, head, head + 1))     /* [L-markq-reuse.rel] */
            return &gc.blocks[item];
    }
}

static struct block *take_overflow(void)
{
    if (ld_rlx(&gc.overflow) == NO_BLOCK)
        return NULL;
    hal_crit_t c = spin_lock_crit(&gc.overflow_lock);
    struct block *b = gc.overflow == NO_BLOCK ? NULL : &gc.blocks[gc.overflow];
    if (b)
        st_rlx(&gc.overflow, b->next);
    spin_unlock_crit(&gc.overflow_lock, c);
    return b;
}

struct block *markq_take(void)
{
    struct gc_hart *g = gc_self();
    struct block *b = take_from(g);
    if (b || (b = take_overflow()))
        return b;
    unsigned n = hal_hart_count();
    for (unsigned i = 0; i < n; i++) {
        struct gc_hart *victim = gc_of(hal_hart((g->work_from + i) % n));
        if (victim != g && (b = take_from(victim))) {
            g->work_from = (g->work_from + i) % n;
            own_add(&g->stolen, 1);
            return b;
        }
    }
    return NULL;
}

bool markq_any(void)
{
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        struct gc_hart *g = gc_of(hal_hart(i));
        /* [L-none: a look; the fences of cycle_quiet and idle.c order it] */
        if (ld_acq(&g->tail) != ld_acq(&g->head))
            return true;
    }
    return ld_rlx(&gc.overflow) != NO_BLOCK;
}
