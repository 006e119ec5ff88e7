/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weak references.  A read is one critical section, so no stop falls into it: while marking it shades what it returns; between
 * cycles it looks whether the target's block was swept (special_target).  Such a read may find a white object just as the mark
 * is about to end; then the end fails and is tried again.  After two failures in a cycle such reads wait for its end.
 */
#include "gc/gc_internal.h"

struct hgc_weak *hgc_weak_new(const void *object)
{
    struct special *s = special_new();
    if (!s || special_add(s, SPECIAL_WEAK, object, 0, NULL) != HGC_OK)
        return NULL;
    return (struct hgc_weak *)s;
}

void *hgc_weak_get(struct hgc_weak *w)
{
    (void)ld_rlx(&((struct special *)w)->object);       /* a bad pointer faults here, where that ends only the task */
    for (;;) {
        hal_crit_t c = hal_crit_enter();
        void *p = newborn(special_target((struct special *)w));
        bool now = special_revive((uintptr_t)p);
        uint32_t n = ld_rlx(&gc.cycle);
        hal_crit_exit(c);
        if (now)
            return p;
        cycle_wait(n);
    }
}
