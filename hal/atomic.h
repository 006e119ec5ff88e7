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
 *   hal_plain_load(p)  hal_plain_store(p, v)   of a word that the program shares with others: one access, in no order, that the
 *                                      compiler neither repeats nor leaves out; the simulator's own are in their place there
 *   hal_dependent(x)                   x, from which the address of the next access is computed (an index; an address needs
 *                                      no such mark): that access does not move before the one that read x
 *
 *   hal_probe(p)                       faults where the word may not be read or written; changes nothing, orders nothing.  Before
 *                                      a critical section that stores there: in one, the fault would be a panic
 *
 * Callable from any context.  Cost: one to four instructions; the plain ones cost nothing but the access, hal_dependent nothing.
 */
#ifndef HAL_ATOMIC_H
#define HAL_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#include "hal_atomic_arch.h"

/* Machines that reorder by themselves need no words for it; the simulator has its own. */
#ifndef hal_plain_load
#define hal_plain_load(p)     ld_rlx(p)
#define hal_plain_store(p, v) st_rlx((p), (v))
#define hal_dependent(x)      (x)
#endif

#ifndef hal_probe
#define hal_probe(p) ((void)amo_or_rlx((p), 0))
#endif

/* For words that one hart at a time owns and others may look at: an ordinary access that is not torn. */
#define own_add(p, v) st_rlx((p), ld_rlx(p) + (v))

#endif
