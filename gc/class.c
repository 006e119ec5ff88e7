/* SPDX-License-Identifier: Apache-2.0 */
/* Size classes.  The rule is in hgc.h, where constants fold; here it fills the table that the rest looks up. */
#include "gc/gc_internal.h"

_Static_assert(HGC_INLINE_MAX <= HGC_SMALL_MAX, "a large object has no class to be allocated inline by");

struct class_entry gc_classes[HGC_CLASSES];

static void class_set(unsigned class, unsigned cell)
{
    unsigned grains = cell / GRAIN;
    gc_classes[class].cell = (uint16_t)cell;
    gc_classes[class].cells = (uint16_t)(HGC_BLOCK / cell);
    gc_classes[class].inverse = (uint32_t)(((1u << 20) + grains - 1) / grains);
}

void class_init(void)
{
    for (unsigned cell = GRAIN; cell <= HGC_CLASS_SPLIT; cell += GRAIN)
        class_set(HGC_CLASS(cell), cell);
    for (unsigned n = HGC_CLASS_T - 1; n >= 2; n--)
        class_set(HGC_CLASS_SPLIT / GRAIN + HGC_CLASS_T - 1 - n, (HGC_BLOCK / n) & ~(size_t)(GRAIN - 1));
}
