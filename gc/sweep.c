/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sweeping: bitmap arithmetic, block by block; it never touches the objects.  By the background task, by allocation, and
 * before the next cycle.
 *
 * Blocks are claimed by an index that only grows, each by one sweeper; stretches of free blocks are claimed with the block
 * that follows them, so a cycle's cost follows the blocks in use, not the arena.  A block taken into use while the sweep goes
 * on carries the sweep's number and is passed over.  gc.sweep_left counts down as blocks are finished, not as they are taken,
 * so zero means that no block is unswept or being swept.
 */
#include "gc/gc_internal.h"

void sweep_clobber(uintptr_t at, size_t bytes)
{
    for (uintptr_t p = at; p < at + bytes; p += WORD)
        *(uintptr_t *)p = HGC_CLOBBER;
}

/* The cells of word w that die, before the block is put where others take cells from. */
static void clobber_cells(const struct block *b, unsigned w, uintptr_t dead)
{
    unsigned cell = gc_classes[b->class].cell;
    for (; dead; dead &= dead - 1)
        sweep_clobber(block_address(b) + (uintptr_t)(w * WORD_BITS + bits_lowest(dead)) * cell, cell);
}

void sweep_begin(void)
{
    gc.sweep_cycle = gc.cycle;
    st_rlx(&gc.sweep_left, gc.nblocks);
    st_rlx(&gc.sweep_next, 0);
}

enum { RELEASES = 16 };         /* objects that one critical section asks about */

/* False: there are more than may be asked in this section. */
static bool release_word(struct block *b, unsigned w, bool (*release)(void *), unsigned *left)
{
    unsigned cell_bytes = gc_classes[b->class].cell;
    uintptr_t dead = ld_rlx(&b->live[w]) & ~ld_rlx(&b->mark[w]), at = block_address(b) + (uintptr_t)w * WORD_BITS * cell_bytes;
    uintptr_t gone = 0, stay = 0;
    for (; dead && *left; dead &= dead - 1, --*left) {
        uintptr_t p = at + bits_lowest(dead) * cell_bytes, bit = dead & -dead;
        if (!release((void *)p)) {
            stay |= bit;
            continue;
        }
        gone |= bit;
        if (gc.cfg.clobber)
            sweep_clobber(p, cell_bytes);
    }
    if (stay) {
        st_rlx(&b->mark[w], ld_rlx(&b->mark[w]) | stay);
        gc_count_used(bits_count(stay) * cell_bytes);   /* which the mark's end has left out */
    }
    if (gone) {
        st_rlx(&b->live[w], ld_rlx(&b->live[w]) & ~gone);
        own_add(&gc_self()->free_cells[b->class], bits_count(gone));
    }
    return !dead;
}

/* Asks what kind `b` has about its dead: those that go are no objects any longer, those that stay count as marked.  True: there
 * are more, call it again in another critical section. */
static bool release_some(struct block *b)
{
    bool (*release)(void *) = gc_kinds[b->kind].k.release;
    unsigned left = RELEASES;
    for (unsigned w = 0; release && w < BIT_WORDS; w++)
        if (!release_word(b, w, release, &left))
            return true;
    return false;
}

/* Critical section: no stop inside, so the phase stays OFF. */
static void sweep_small(struct block *b)
{
    const struct class_entry *c = &gc_classes[b->class];
    uintptr_t any = 0, holes = 0, freed = 0;
    for (unsigned w = 0; w < BIT_WORDS; w++) {
        uintptr_t m = ld_rlx(&b->mark[w]), dead = ld_rlx(&b->live[w]) & ~m;
        if (dead) {
            freed += bits_count(dead);
            if (gc.cfg.clobber)
                clobber_cells(b, w, dead);
        }
        st_rlx(&b->live[w], m);
        st_rlx(&b->mark[w], 0);
        st_rlx(&b->scan[w], 0);
        any |= m;
        holes |= ~m & bits_valid(w, c->cells);
    }
    own_add(&gc_self()->free_cells[b->class], freed);
    st_rel(&b->swept, gc.sweep_cycle);      /* what special_sweep cleared before it; partner: special_target [L-mp.rel] */
    if (!any)
        free_give(block_index(b));
    else if (holes)
        partial_push(b);
}

static bool keeps_large(const struct block *b)
{
    bool (*release)(void *) = gc_kinds[b->kind].k.release;
    if (ld_rlx(&b->large.marked))
        return true;
    if (!release || release((void *)block_address(b)))
        return false;
    gc_count_used(b->large.blocks_or_head << HGC_BLOCK_SHIFT);      /* as in release_some */
    return true;
}

/* True: it is dead and now RESERVED; the caller releases it outside the critical section. */
static bool sweep_large(struct block *b)
{
    st_rel(&b->swept, gc.sweep_cycle);      /* as above [L-mp.rel] */
    if (keeps_large(b)) {
        st_rlx(&b->large.marked, 0);
        st_rlx(&b->large.cursor, 0);
        return false;
    }
    own_add(&gc_self()->free_large, 1);
    own_add(&gc_self()->free_blocks, b->large.blocks_or_head);
    st_rel(&b->state, BLOCK_RESERVED);      /* [L-none: the lock in free_give orders it] */
    return true;
}

enum { ASKING = 4 };            /* what a block costs whose kind is asked about its dead, where another costs 1 */

static unsigned sweep_block(struct block *b)
{
    unsigned cost = 1;
    bool dead = false, special, queued = false, more;
    do {
        hal_crit_t c = hal_crit_enter();
        hk_assert(!gc_is_on());
        uint32_t state = ld_acq(&b->state);     /* [L-sweep-new.acq] */
        bool unswept = (state == BLOCK_SMALL || state == BLOCK_LARGE)
            && ld_acq(&b->swept) != gc.sweep_cycle;     /* [L-none: who passes over the block reads no more of it] */
        if (unswept && gc_kinds[b->kind].k.release)
            cost = ASKING;
        special = unswept && special_any(b);
        if (special)
            special_sweep_lock();
        more = special && special_sweep(b);
        if (!more)
            more = unswept && state == BLOCK_SMALL && release_some(b);
        if (unswept && !more) {
            if (state == BLOCK_SMALL)
                sweep_small(b);
            else
                dead = sweep_large(b);
        }
        if (special)
            special_sweep_unlock();
        queued |= special;      /* its last special may be gone before its last piece */
        hal_crit_exit(c);
    } while (more);
    if (queued)
        finalizer_wake();
    if (dead)
        large_release(b);
    return cost;
}

enum { LOOK = 32 * WORD_BITS };         /* blocks that one critical section looks at to find one in use */

/* Claims the next block in use for the caller, and what is free before it: `*passed` blocks.  NO_BLOCK: there was none in as
 * many as one look sees, or none is left at all.  A block that was in use when the sweep began was taken from the map before the
 * stop, which every hart has seen; it can only have become free since by being swept.  The look and the claim are one critical
 * section: a stop between them might begin another sweep, in which those blocks are in use. */
static uint32_t claim(uint32_t *passed)
{
    hal_crit_t c = hal_crit_enter();
    uint32_t from, to, i;
    do {
        from = i = ld_rlx(&gc.sweep_next);
        to = gc.nblocks - from > LOOK ? from + LOOK : gc.nblocks;
        if (from >= to)
            break;
        i = bits_zero(gc.free_map, from, to);
        hk_assert(!gc_is_on());         /* no stop came in between */
    } while (!cas_acq(&gc.sweep_next, from, i < to ? i + 1 : to));      /* [L-none: only its atomicity counts] */
    hal_crit_exit(c);
    *passed = i - from;
    return i < to ? i : NO_BLOCK;
}

unsigned sweep_some(unsigned effort)
{
    unsigned spent = 0;
    uint32_t done = 0, passed;
    hart_pin();
    while (spent < effort && ld_rlx(&gc.sweep_next) < gc.nblocks) {
        uint32_t i = claim(&passed);
        done += passed;
        if (i != NO_BLOCK) {
            spent += sweep_block(&gc.blocks[i]);
            done++;
        }
    }
    if (done)
        amo_add_rel(&gc.sweep_left, -done);     /* partner: sweep_done [L-countdown.rel] */
    hart_unpin();
    return spent;
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
        hk_event_wait(&gc.sweep_wake, HK_FOREVER);
        hk_event_clear(&gc.sweep_wake);         /* before it looks: who sets it later wants another look */
        if (pace_period_due())
            cycle_start(HGC_START, false, 0);      /* which sweeps first; the mark's end wakes us again */
        while (sweep_some(16))
            hk_yield();
    }
}

bool sweep_init(void)
{
    st_rlx(&gc.sweep_next, gc.nblocks);
    return hk_task_create(NULL, &(struct hk_task_config){.name = "sweep", .prio = HK_BACKGROUND, .set_prio = true, .detached = true,
                                           .system = true},
                   sweeper, NULL) == HK_OK;
}
