/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free blocks: a bitmap, so adjacent free blocks need no merging.  Small objects take the lowest free block, large ones the
 * highest hole that fits.  A summary has a bit for each word of the map that is not zero, so that finding the lowest block
 * takes a bounded time with interrupts off: 64 words for a gigabyte.  The search for a hole reads the map with interrupts on
 * and without the lock; the claim takes the lock, looks again, and clears the bits.
 */
#include "gc/gc_internal.h"

enum { CLAIM_WORDS = 64 };      /* words of the map cleared in one critical section */

void free_init(void)
{
    memset(gc.free_map, 0, gc.free_words * sizeof(uintptr_t));
    memset(gc.free_summary, 0, BITS_WORDS(gc.free_words) * sizeof(uintptr_t));
    bits_set(gc.free_map, 0, gc.nblocks);
    bits_set(gc.free_summary, 0, BITS_WORDS(gc.nblocks));
    gc.free_count = gc.nblocks;
}

/* Under free_lock, after bits of word w were cleared. */
static void summarise(uint32_t w)
{
    if (!ld_rlx(&gc.free_map[w]))
        bits_clear(gc.free_summary, w, w + 1);
}

uint32_t free_take_one(void)
{
    spin_lock(&gc.free_lock);
    uint32_t i = NO_BLOCK, w = bits_one(gc.free_summary, 0, gc.free_words);
    if (w < gc.free_words) {
        uintptr_t map = gc.free_map[w];
        i = w * WORD_BITS + bits_lowest(map);
        st_rlx(&gc.free_map[w], map & (map - 1));
        summarise(w);
        own_add(&gc.free_count, -1);
    }
    spin_unlock(&gc.free_lock);
    return i;
}

/* Clears [from, to) if all of it is still free, in pieces; what was cleared is given back if a piece is not. */
static bool claim(uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to;) {
        uint32_t end = (at / WORD_BITS + CLAIM_WORDS) * WORD_BITS;
        if (end > to)
            end = to;
        hal_crit_t c = spin_lock_crit(&gc.free_lock);
        bool whole = bits_zero(gc.free_map, at, end) == end;
        if (whole) {
            bits_clear(gc.free_map, at, end);
            for (uint32_t w = at / WORD_BITS; w <= (end - 1) / WORD_BITS; w++)
                summarise(w);
            own_add(&gc.free_count, at - end);
        }
        spin_unlock_crit(&gc.free_lock, c);
        if (!whole) {
            for (uint32_t i = from; i < at; i++) {
                c = hal_crit_enter();
                free_give(i);
                hal_crit_exit(c);
            }
            return false;
        }
        at = end;
    }
    return true;
}

/* One more than the highest bit in [from, to) that differs from `flip`'s, or `from`: what ends or begins a hole, from above. */
static uint32_t below(uint32_t to, uint32_t from, uintptr_t flip)
{
    while (to > from) {
        uint32_t w = (to - 1) / WORD_BITS, n = to - w * WORD_BITS;
        uintptr_t x = (ld_rlx(&gc.free_map[w]) ^ flip) & bits_valid(0, n);
        if (x) {
            while (!(x >> (n - 1) & 1))
                n--;
            return w * WORD_BITS + n > from ? w * WORD_BITS + n : from;
        }
        to = w * WORD_BITS;
    }
    return from;
}

/* From the top down, while small blocks are taken from the bottom up: where both came from the bottom, long-lived small
 * objects soon stood in every hole that a large one needed. */
uint32_t free_take(uint32_t n)
{
    uint32_t end = gc.nblocks;
    while ((end = below(end, 0, 0)) >= n) {
        uint32_t from = end - n, taken = below(end, from, ~(uintptr_t)0);
        if (taken == from && claim(from, end))
            return from;
        end = taken == from ? end - 1 : taken;
    }
    return NO_BLOCK;
}

void free_give(uint32_t index)
{
    spin_lock(&gc.free_lock);
    uint32_t w = index / WORD_BITS;
    uintptr_t bit = (uintptr_t)1 << (index % WORD_BITS);
    hk_assert(!(gc.free_map[w] & bit));
    st_rel(&gc.blocks[index].state, BLOCK_FREE);    /* [L-none: free_lock orders it for who takes the block] */
    st_rlx(&gc.free_map[w], gc.free_map[w] | bit);
    bits_set(gc.free_summary, w, w + 1);
    own_add(&gc.free_count, 1);
    spin_unlock(&gc.free_lock);
}
