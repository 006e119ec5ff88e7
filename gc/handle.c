/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins: words of a fixed table that are roots, for devices and interrupt handlers, which have no stack that is scanned.  A pin
 * may be given back in a handler.  That shades its object (deletion half): a task whose stack was scanned may have got it from
 * the pin.
 *
 * A handler is not held up by a stop, so the phase may change under it.  In a stop that begins a mark: the pin is changed, then,
 * a full fence in between, the phase is read; a worker writes the phase, or sees it written, before it reads the pins.  So who
 * finds OFF did its change before any look at it.  In a stop that may end a mark nothing is shaded: the mark bits may be the
 * next sweep's before the shade is done.  Nor need it be.  All jobs of the mark are closed, so what a pin holds is marked; and
 * what a handler gets hold of is in a root, or is reached from one, and is still if the end fails and the mark goes on; from a root
 * that is stored to without a barrier it may be gone then, but where there are such, pins are looked at again (unbarriered.c).
 */
#include "gc/gc_internal.h"

/* Critical; the pin was changed. */
static void shade(uintptr_t p)
{
    fence_full();                       /* partner: amo_add_ar in drain_enter [L-pin.change] */
    if (gc_is_on() && !world_stands(WORLD_MARK_TERM))
        mark_reference(p);
}

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
    if (result >= 0)
        shade((uintptr_t)object);
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
    if (p)
        shade(p);
    hal_crit_exit(c);
    return p ? HGC_OK : HGC_EINVAL;
}
