/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large objects: whole blocks.  While one is zeroed, outside critical sections, its blocks are RESERVED, which sweep and
 * lookup skip.  Publishing is a critical section: sweep generation, mark by the phase read there, state with release.
 */
#include "gc/gc_internal.h"

enum { ZERO_PIECE = 64 * 1024 };

void *large_take(unsigned kind, size_t size)
{
    size_t n = (size + HGC_BLOCK - 1) >> HGC_BLOCK_SHIFT;
    if (n > gc.nblocks)
        return NULL;
    uint32_t first = free_take((uint32_t)n);
    if (first == NO_BLOCK)
        return NULL;
    struct block *b = &gc.blocks[first];
    for (uint32_t i = 0; i < n; i++) {
        struct block *t = b + i;
        t->large.blocks_or_head = first;
        t->kind = (uint16_t)kind;
        /* [L-mp.rel] */
        st_rel(&t->state, i ? BLOCK_TAIL : BLOCK_RESERVED);    /* partner: find.c; the head is not published yet */
    }
    if (gc.cfg.verify)
        verify_run_end(block_address(b) + (n << HGC_BLOCK_SHIFT), 0);
    memset((void *)block_address(b), 0, n << HGC_BLOCK_SHIFT);

    hal_crit_t c = hal_crit_enter();
    struct gc_hart *g = gc_self();
    size_t bytes = n << HGC_BLOCK_SHIFT;
    void *p = newborn(block_address(b));
    b->large.blocks_or_head = n;
    st_rlx(&b->large.cursor, 0);
    st_rlx(&b->large.marked, 0);
    st_rlx(&b->swept, gc.sweep_cycle);
    if (gc_is_on()) {
#ifndef HGC_FAULT_BLACK
        st_rlx(&b->large.marked, 1);
        st_rlx(&b->large.cursor, bytes);        /* black: there is nothing left to scan */
#endif
        own_add(&g->black_bytes, bytes);
    }
    st_rel(&b->state, BLOCK_LARGE);     /* everything before it; partner: find.c [L-mp.rel, L-sweep-new.rel] */
    fence_ww();                         /* and before any pointer to it [L-publish.ww] */
    own_add(&g->alloc_large, 1);
    own_add(&g->alloc_blocks, n);
    gc_count_used(bytes);
    hal_crit_exit(c);
    return p;
}

void large_release(struct block *b)
{
    uint32_t first = block_index(b), n = (uint32_t)b->large.blocks_or_head;
    for (uint32_t i = n; i-- > 0;) {    /* the head last: a tail never names a head that is something else by now */
        if (gc.cfg.clobber)
            sweep_clobber(block_address(b + i), HGC_BLOCK);
        hal_crit_t c = hal_crit_enter();
        free_give(first + i);
        hal_crit_exit(c);
    }
}
