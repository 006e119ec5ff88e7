/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a word to an object (I6).  Order of reads: state with acquire, then the fields that were written before it, then
 * `live`, then fence r,r so that what the caller reads of the object is not older than its live bit.  Partners: the
 * release of `state` in run.c and large.c, the fence w,w between zeroing and `live` in run.c.
 */
#include "gc/find.h"

bool find_object(uintptr_t p, struct object *o)
{
    uintptr_t off = p - gc.base;
    if (off >= gc.bytes)
        return false;
    struct block *b = &gc.blocks[off >> HGC_BLOCK_SHIFT];
    uint32_t state = ld_acq(&b->state);     /* [L-mp.acq] */
    if (state == BLOCK_SMALL) {
        unsigned cell = cell_at(&gc_classes[b->class], off);
        if (!(ld_rlx(&b->live[cell / WORD_BITS]) >> (cell % WORD_BITS) & 1))
            return false;
        fence_rr();                     /* [L-run-zero.rr] */
        o->block = b;
        o->cell = cell;
        return true;
    }
    if (state == BLOCK_TAIL) {
        b = &gc.blocks[hal_dependent(ld_rlx(&b->large.blocks_or_head))];
        state = ld_acq(&b->state);      /* [L-mp.acq] */
    }
    if (state != BLOCK_LARGE)
        return false;
    o->block = b;
    o->cell = 0;
    return true;
}

uintptr_t object_start(const struct object *o)
{
    uintptr_t start = block_address(o->block);
    if (ld_rlx(&o->block->state) == BLOCK_SMALL)
        start += (uintptr_t)o->cell * gc_classes[o->block->class].cell;
    return start;
}

size_t object_size(const struct object *o)
{
    if (ld_rlx(&o->block->state) == BLOCK_SMALL)
        return gc_classes[o->block->class].cell;
    return (size_t)o->block->large.blocks_or_head << HGC_BLOCK_SHIFT;
}

size_t hgc_size(const void *p)
{
    hal_crit_t c = hal_crit_enter();
    struct object o;
    size_t n = find_object((uintptr_t)p, &o) ? object_size(&o) : 0;
    hal_crit_exit(c);
    return n;
}
