/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a word to an object (I6).  Order of reads: state with acquire, then the fields that were written before it, then
 * `live`, then fence r,r so that what the caller reads of the object is not older than its live bit.  Partners: the
 * release of `state` in run.c and large.c, the fence w,w between zeroing and `live` in run.c.
 */
#include "gc/find.h"

/* The large object that begins with block `head`, if block `i` is one of its.  Between marks a tail may be given back and
 * taken for something else after its state was read: then `head` is any number, and what is there no object, or another one. */
static bool find_large(uintptr_t head, uintptr_t i, struct object *o)
{
    if (head >= gc.nblocks || ld_acq(&gc.blocks[head].state) != BLOCK_LARGE     /* [L-mp.acq] */
        || i - head >= ld_rlx(&gc.blocks[head].large.blocks_or_head))
        return false;
    o->block = &gc.blocks[head];
    o->cell = 0;
    return true;
}

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
        uintptr_t head = hal_dependent(ld_rlx(&b->large.blocks_or_head));
        return find_large(head, block_index(b), o);
    }
    return state == BLOCK_LARGE && find_large(block_index(b), block_index(b), o);
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

/* Of memory that is no object's the block may become another's meanwhile: a size of before or of after, within the arena. */
size_t hgc_size(const void *p)
{
    hal_crit_t c = hal_crit_enter();
    struct object o;
    size_t n = find_object((uintptr_t)p, &o) ? object_size(&o) : 0;
    hal_crit_exit(c);
    return n <= gc.bytes ? n : 0;
}
