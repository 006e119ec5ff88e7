/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared memory accesses.  Every word that more than one hart may touch is read and written through these
 * macros, and every use says its order and, in a comment, its partner.  They take pointers to 4-byte objects or to
 * objects of the size of a pointer; anything else does not compile.
 *
 * On RISC-V they are our own assembly: GCC 12 drops the requested order of a compare-and-exchange there and turns
 * a relaxed store into an AMO.  On the host they are the compiler's atomics of the same strength.
 *
 *   ld_rlx(p)  ld_acq(p)               read;  acq: no later access moves before it
 *   st_rlx(p, v)  st_rel(p, v)         write; rel: no earlier access moves after it
 *   amo_swap_ORD(p, v)                 swap, add, or, and: return the value that was there
 *   amo_add_ORD(p, v)  amo_or_ORD(p, v)  amo_and_ORD(p, v)      ORD: rlx acq rel ar (ar: both)
 *   cas_ORD(p, old, new)               true if *p was old and is new now; never fails spuriously.
 *                                      ORD: acq rel full (full also orders later loads, and as both)
 *   fence_full()  store-load as well    fence_ww()  fence_rr()  fence_acq() r,rw   fence_rel() rw,w
 *
 * Callable from any context.  Cost: one to four instructions.
 */
#ifndef HAL_ATOMIC_H
#define HAL_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#include "hal_atomic_arch.h"

/* For words that one hart at a time owns and others may look at: an ordinary access that is not torn. */
#define own_add(p, v) st_rlx((p), ld_rlx(p) + (v))

#endif
