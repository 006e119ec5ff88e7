/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up a cell of a small block, for find.c and, without a call for each reference, mark.c. */
#ifndef GC_FIND_H
#define GC_FIND_H

#include "gc/gc_internal.h"

/* The cell that the byte at offset `off` of a block lies in; behind the last one it is one whose `live` bit is never set.
 * After the block's state was read with acquire. */
static inline unsigned cell_at(const struct class_entry *c, uintptr_t off)
{
    return ((unsigned)(off & (HGC_BLOCK - 1)) / GRAIN * c->inverse) >> 20;
}

#endif
