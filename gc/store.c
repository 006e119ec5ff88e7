/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores beside hgc_set: atomic ones, and those that a runtime writes itself.
 *
 * Each is one critical section from its look at the phase to its last mark (I4).  No stop falls into it, so it does not matter
 * whether the shades come before the store or after it; a touch comes after it, so that who scans the object for it sees
 * what was stored.
 */
#include "gc/gc_internal.h"

/* What the atomic returned is shaded.  A second look at the slot would find what another task has put there since. */
void *hgc_slow_swap(void **slot, void *value)
{
    hal_probe((uintptr_t *)slot);
    hal_crit_t c = hal_crit_enter();
    uintptr_t was = amo_swap_ar((uintptr_t *)slot, (uintptr_t)value);      /* [L-none: for what the program passes by it] */
    if (gc_is_on())
        barrier_shade((uintptr_t *)slot, was, (uintptr_t)value);
    hal_crit_exit(c);
    return (void *)was;
}

/* What was there is `expected`, or nothing was stored. */
bool hgc_slow_cas(void **slot, void *expected, void *desired)
{
    hal_probe((uintptr_t *)slot);
    hal_crit_t c = hal_crit_enter();
    bool done = cas_full((uintptr_t *)slot, (uintptr_t)expected, (uintptr_t)desired);   /* [L-none: as in hgc_slow_swap] */
    if (done && gc_is_on())
        barrier_shade((uintptr_t *)slot, (uintptr_t)expected, (uintptr_t)desired);
    hal_crit_exit(c);
    return done;
}

/* ---- stores of the program's own --------------------------------------------------------------------------------- */

hgc_store_t hgc_store_begin(void)
{
    return hal_crit_enter();
}

void hgc_store_end(hgc_store_t section)
{
    hal_crit_exit((hal_crit_t)section);
}

void hgc_shade(const void *reference)
{
    hal_crit_t c = hal_crit_enter();
    if (gc_is_on() && mark_reference((uintptr_t)reference)) {
        own_add(&gc_self()->shades, 1);
        if (gc.cfg.verify)
            verify_revived((uintptr_t)reference);       /* a runtime may have found it in a table that does not keep it */
    }
    hal_crit_exit(c);
}

void hgc_touch(const void *container)
{
    hal_crit_t c = hal_crit_enter();
    if (gc_is_on()) {
        mark_again((uintptr_t)container);
        if (gc.cfg.verify)
            verify_revived((uintptr_t)container);       /* what it refers to was kept by nobody, perhaps */
    }
    hal_crit_exit(c);
}
