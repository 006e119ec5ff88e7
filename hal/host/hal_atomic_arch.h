/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hal/atomic.h on the host: the compiler's atomics, at least as strong as those of the target.
 *
 * Two orders of the target have no C11 name.  An AMO is one operation there, so with acquire no later access moves before
 * its *store* either; and cas_full orders later accesses.  x86-64 gives both for nothing; where an atomic may be a loop
 * whose acquire covers only the load, a fence follows (HAL_SETTLE_).
 *
 * ThreadSanitizer does not understand fences: there a fence is a read-modify-write of one dummy word.  And as there are no
 * signals in that build, a task is interrupted at its atomic loads: see HAL_POLLED in hal_arch.h.
 */
#ifndef HAL_ATOMIC_ARCH_H
#define HAL_ATOMIC_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "sanitizer.h"

#ifdef __cplusplus
#define HAL_ATOMIC_SIZE_(p) \
    static_assert(sizeof(*(p)) == 4 || sizeof(*(p)) == sizeof(void *), "atomics: 4 bytes or a pointer's size")
#else
#define HAL_ATOMIC_SIZE_(p) \
    _Static_assert(sizeof(*(p)) == 4 || sizeof(*(p)) == sizeof(void *), "atomics: 4 bytes or a pointer's size")
#endif

#if HAL_TSAN
extern uint32_t hal_fence_word;
void hal_poll(void);
#define HAL_POLL_() hal_poll()
#define HAL_FENCE_(order) ((void)__atomic_fetch_add(&hal_fence_word, 0, __ATOMIC_SEQ_CST))
#else
#define HAL_POLL_() ((void)0)
#define HAL_FENCE_(order) __atomic_thread_fence(order)
#endif

#define fence_full() HAL_FENCE_(__ATOMIC_SEQ_CST)
#define fence_ww()   HAL_FENCE_(__ATOMIC_RELEASE)
#define fence_rr()   HAL_FENCE_(__ATOMIC_ACQUIRE)
#define fence_acq()  HAL_FENCE_(__ATOMIC_ACQUIRE)
#define fence_rel()  HAL_FENCE_(__ATOMIC_RELEASE)

#if defined(__x86_64__) || HAL_TSAN
#define HAL_SETTLE_() ((void)0)
#else
#define HAL_SETTLE_() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

#define HAL_LD_(order, p)                                                                                             \
    ({                                                                                                                \
        HAL_ATOMIC_SIZE_(p);                                                                                          \
        HAL_POLL_();                                                                                                  \
        __atomic_load_n((p), order);                                                                                  \
    })
#define ld_rlx(p) HAL_LD_(__ATOMIC_RELAXED, p)
#define ld_acq(p) HAL_LD_(__ATOMIC_ACQUIRE, p)

#define HAL_ST_(order, p, v)                                                                                          \
    ({                                                                                                                \
        HAL_ATOMIC_SIZE_(p);                                                                                          \
        __atomic_store_n((p), (v), order);                                                                            \
    })
#define st_rlx(p, v) HAL_ST_(__ATOMIC_RELAXED, p, v)
#define st_rel(p, v) HAL_ST_(__ATOMIC_RELEASE, p, v)

#define HAL_AMO_(op, order, settle, p, v)                                                                             \
    ({                                                                                                                \
        HAL_ATOMIC_SIZE_(p);                                                                                          \
        __typeof__(__atomic_load_n((p), __ATOMIC_RELAXED)) hal_was_ = op((p), (v), order);                            \
        settle;                                                                                                       \
        hal_was_;                                                                                                     \
    })
#define HAL_AMO_RLX_(op, p, v) HAL_AMO_(op, __ATOMIC_RELAXED, (void)0, p, v)
#define HAL_AMO_ACQ_(op, p, v) HAL_AMO_(op, __ATOMIC_ACQUIRE, HAL_SETTLE_(), p, v)
#define HAL_AMO_REL_(op, p, v) HAL_AMO_(op, __ATOMIC_RELEASE, (void)0, p, v)
#define HAL_AMO_AR_(op, p, v)  HAL_AMO_(op, __ATOMIC_SEQ_CST, HAL_SETTLE_(), p, v)
#define amo_swap_rlx(p, v) HAL_AMO_RLX_(__atomic_exchange_n, p, v)
#define amo_swap_acq(p, v) HAL_AMO_ACQ_(__atomic_exchange_n, p, v)
#define amo_swap_rel(p, v) HAL_AMO_REL_(__atomic_exchange_n, p, v)
#define amo_swap_ar(p, v)  HAL_AMO_AR_(__atomic_exchange_n, p, v)
#define amo_add_rlx(p, v)  HAL_AMO_RLX_(__atomic_fetch_add, p, v)
#define amo_add_acq(p, v)  HAL_AMO_ACQ_(__atomic_fetch_add, p, v)
#define amo_add_rel(p, v)  HAL_AMO_REL_(__atomic_fetch_add, p, v)
#define amo_add_ar(p, v)   HAL_AMO_AR_(__atomic_fetch_add, p, v)
#define amo_or_rlx(p, v)   HAL_AMO_RLX_(__atomic_fetch_or, p, v)
#define amo_or_acq(p, v)   HAL_AMO_ACQ_(__atomic_fetch_or, p, v)
#define amo_or_rel(p, v)   HAL_AMO_REL_(__atomic_fetch_or, p, v)
#define amo_or_ar(p, v)    HAL_AMO_AR_(__atomic_fetch_or, p, v)
#define amo_and_rlx(p, v)  HAL_AMO_RLX_(__atomic_fetch_and, p, v)
#define amo_and_acq(p, v)  HAL_AMO_ACQ_(__atomic_fetch_and, p, v)
#define amo_and_rel(p, v)  HAL_AMO_REL_(__atomic_fetch_and, p, v)
#define amo_and_ar(p, v)   HAL_AMO_AR_(__atomic_fetch_and, p, v)

/* A compiler makes a load of one that changes nothing, but not if it is volatile. */
#define hal_probe(p) ((void)__atomic_fetch_or((volatile __typeof__(*(p)) *)(p), 0, __ATOMIC_RELAXED))

#define HAL_CAS_(order, settle, p, old, new_)                                                                         \
    ({                                                                                                                \
        HAL_ATOMIC_SIZE_(p);                                                                                          \
        __typeof__(__atomic_load_n((p), __ATOMIC_RELAXED)) hal_old_ = (old);                                          \
        bool hal_done_ = __atomic_compare_exchange_n((p), &hal_old_, (new_), false, order, __ATOMIC_RELAXED);         \
        settle;                                                                                                       \
        hal_done_;                                                                                                    \
    })
#define cas_acq(p, old, new_)  HAL_CAS_(__ATOMIC_ACQUIRE, HAL_SETTLE_(), p, old, new_)
#define cas_rel(p, old, new_)  HAL_CAS_(__ATOMIC_RELEASE, (void)0, p, old, new_)
#define cas_full(p, old, new_) HAL_CAS_(__ATOMIC_SEQ_CST, HAL_SETTLE_(), p, old, new_)

#endif
