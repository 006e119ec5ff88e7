/* SPDX-License-Identifier: Apache-2.0 */
/* A heap that is as if it had had more cycles. */
#ifndef CYCLE_H
#define CYCLE_H

#include "gc/gc_internal.h"

/* Collects; then that cycle has had the number n.  No other cycle may begin meanwhile. */
static inline void set_cycle(uint32_t n)
{
    (void)hgc_collect(HGC_WAIT);
    sweep_finish();
    gc.cycle = gc.finished = gc.ended = gc.sweep_cycle = gc.forced = n;
}

#endif
