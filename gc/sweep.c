/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sweeping: bitmap arithmetic, block by block; it never touches the objects.  By the background task, by allocation, and
 * before the next cycle.
 *
 * Blocks are claimed by an index that only grows, each by one sweeper.  A block taken into use while the sweep goes on
 * carries the sweep's number and is passed over.  gc.sweep_left counts down as blocks are finished, not as they are taken, so
 * zero means that no block is unswept or being swept.
 */
#include "gc/gc_internal.h"

void sweep_begin(void)
{
    gc.sweep_cycle = gc.cycle;
    st_rlx(&gc.sweep_left, gc.nblocks);
    st_rlx(&gc.sweep_next, 0);
}

/* Critical section: no stop inside, so the phase stays OFF. */
static void sweep_small(struct block *b)
{
    const struct class_entry *c = &gc_classes[b->class];
    uintptr_t any = 0, holes = 0;
    for (unsigned w = 0; w < BIT_WORDS; w++) {
        uintptr_t m = ld_rlx(&b->mark[w]);
        st_rlx(&b->live[w], m);
        st_rlx(&b->mark[w], 0);
        st_rlx(&b->scan[w], 0);
        any |= m;
        holes |= ~m & bits_valid(w, c->cells);
    }
    st_rel(&b->swept, gc.sweep_cycle);      /* [L-none: the locks of the partial lists and the free map order it] */
    if (!any)
        free_give(block_index(b));
    else if (holes)
        partial_push(b);
}

/* True: it is dead and now RESERVED; the caller releases it outside the critical section. */
static bool sweep_large(struct block *b)
{
    st_rlx(&b->swept, gc.sweep_cycle);
    if (ld_rlx(&b->large.marked)) {
        st_rlx(&b->large.marked, 0);
        st_rlx(&b->large.cursor, 0);
        return false;
    }
    st_rel(&b->state, BLOCK_RESERVED);      /* [L-none: the lock in free_give orders it] */
    return true;
}

static void sweep_block(struct block *b)
{
    bool dead = false;
    hal_crit_t c = hal_crit_enter();
    hk_assert(!gc_is_on());
    uint32_t state = ld_acq(&b->state);     /* [L-sweep-new.acq] */
    if (ld_acq(&b->swept) != gc.sweep_cycle) {      /* [L-none: who passes over the block reads no more of it] */
        if (state == BLOCK_SMALL)
            sweep_small(b);
        else if (state == BLOCK_LARGE)
            dead = sweep_large(b);
    }
    hal_crit_exit(c);
    if (dead)
        large_release(b);
}

bool sweep_some(unsigned blocks)
{
    if (ld_rlx(&gc.sweep_next) >= gc.nblocks)
        return false;
    bool more = true;
    uint32_t done = 0;
    hart_pin();
    while (blocks-- && more) {
        uint32_t i = ld_rlx(&gc.sweep_next) < gc.nblocks ? amo_add_rlx(&gc.sweep_next, 1) : gc.nblocks;
        if ((more = i < gc.nblocks)) {
            sweep_block(&gc.blocks[i]);
            done++;
        }
    }
    if (done)
        amo_add_rel(&gc.sweep_left, -done);     /* partner: sweep_done [L-countdown.rel] */
    hart_unpin();
    return more;
}

bool sweep_done(void)
{
    return ld_acq(&gc.sweep_left) == 0;     /* [L-countdown.acq] */
}

/* Who waits sweeps: the worker that began this sweep may not have woken the sweeper yet, and may be of lower priority. */
void sweep_finish(void)
{
    while (!sweep_done())
        if (!sweep_some(32))
            hk_yield();                 /* somebody, pinned, is at his last blocks */
}

static void sweeper(void *arg)
{
    (void)arg;
    for (;;) {
        hk_sem_wait(&gc.sweep_wake, HK_FOREVER);
        while (sweep_some(16))
            hk_yield();
    }
}

void sweep_init(void)
{
    st_rlx(&gc.sweep_next, gc.nblocks);
    hk_sem_init(&gc.sweep_wake, 0);
    hk_task_create(NULL, &(struct hk_task_config){.name = "sweep", .prio = HK_BACKGROUND, .set_prio = true, .detached = true},
                   sweeper, NULL);
}
