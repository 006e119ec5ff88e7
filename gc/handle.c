/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins: words of a fixed table that are roots, for devices and interrupt handlers, which have no stack that is scanned.  A pin
 * may be given back in a handler.  That shades its object (deletion half): a task whose stack was scanned may have got it from
 * the pin.
 */
#include "gc/gc_internal.h"

int hgc_pin(void *object)
{
    struct object o;
    int result = HGC_ENOMEM;
    hal_crit_t c = hal_crit_enter();
    if (!find_object((uintptr_t)object, &o))
        result = HGC_EINVAL;
    for (int i = 0; i < HGC_PINS && result == HGC_ENOMEM; i++)
        if (cas_acq(&gc_special.pins[i], (uintptr_t)0, (uintptr_t)object))      /* [L-none: only the atomicity counts] */
            result = i;
    if (result >= 0 && gc_is_on())
        mark_reference((uintptr_t)object);
    hal_crit_exit(c);
    return result;
}

void *hgc_pinned(int pin)
{
    return pin >= 0 && pin < HGC_PINS ? (void *)ld_rlx(&gc_special.pins[pin]) : NULL;
}

int hgc_unpin(int pin)
{
    if (pin < 0 || pin >= HGC_PINS)
        return HGC_EINVAL;
    hal_crit_t c = hal_crit_enter();
    uintptr_t p = amo_swap_rlx(&gc_special.pins[pin], 0);
    if (p && gc_is_on())
        mark_reference(p);
    hal_crit_exit(c);
    return p ? HGC_OK : HGC_EINVAL;
}
