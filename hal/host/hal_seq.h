/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two restartable sequences: allocation and the write barrier.  For C and C++.
 *
 * The fast part is assembly (x86_64.h, aarch64.h): code between two labels whose last instruction, a store, is its only
 * effect; it overwrites none of its inputs and finds the hart by itself.  An interrupt inside it sets pc back to its start
 * (restart.c), so it never spans a stop or a move to another hart.  The slow part is an ordinary call behind it.
 *
 * Who includes this has declared hgc_phase, hgc_slow_new and hgc_slow_set.
 *
 * Under ThreadSanitizer the fast part is a function (seq.c), whose accesses it can see.
 */
#ifndef HAL_SEQ_H
#define HAL_SEQ_H

#include <stddef.h>
#include <stdint.h>

#include "machine.h"
#include "sanitizer.h"

#if HAL_TSAN

#include "hal/seq_call.h"

#else

extern HAL_TLS struct hart *hal_tls_hart;

/* result = a new cell.  `off`: constant offset from the hart of the pair {cursor, limit}; `cell`: constant bytes; `id`: what
 * the slow part hands to hgc_slow_new. */
#define HAL_SEQ_NEW(result, off, cell, id)                                                                            \
    do {                                                                                                              \
        __label__ hal_slow_;                                                                                          \
        HAL_SEQ_NEW_(result, off, cell, hal_slow_);                                                                   \
        break;                                                                                                        \
    hal_slow_:                                                                                                        \
        (result) = hgc_slow_new(id);                                                                                  \
    } while (0)

/* A function of its own, because clang 14 thinks that an asm goto may jump to the labels of all others in its function. */
static inline __attribute__((always_inline)) void hal_seq_set(void **slot, void *value)
{
    HAL_SEQ_SET_(slot, value, slow);
    return;
slow:
    hgc_slow_set(slot, value);
}
/* slot = value, with the barrier; `slot` is an lvalue of pointer type, whatever its qualifiers. */
#define HAL_SEQ_SET(slot, value) hal_seq_set((void **)(uintptr_t)&(slot), (void *)(value))

#endif

/* fn(arg), rarely */
#define HAL_SLOW_CALL(fn, arg) fn(arg)

#endif
