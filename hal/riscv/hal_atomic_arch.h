/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hal/atomic.h on RISC-V.  Ordinary loads and stores of one word are single copies; orders are fences or the .aq and .rl
 * bits (unprivileged manual, table "Mappings from C/C++ primitives to RISC-V primitives"), with one exception: cas_full
 * has .aqrl on its SC, because .rl alone lets a later load move before it.
 *
 * None of these orders memory against devices: that takes a fence with i or o (see hal/dev/clint.c).
 */
#ifndef HAL_ATOMIC_ARCH_H
#define HAL_ATOMIC_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
#define HAL_ATOMIC_SIZE_(p) \
    static_assert(sizeof(*(p)) == 4 || sizeof(*(p)) == sizeof(void *), "atomics: 4 bytes or a pointer's size")
#else
#define HAL_ATOMIC_SIZE_(p) \
    _Static_assert(sizeof(*(p)) == 4 || sizeof(*(p)) == sizeof(void *), "atomics: 4 bytes or a pointer's size")
#endif

#define HAL_FENCE_(before, after) __asm__ volatile("fence " before "," after : : : "memory")
#define fence_full() HAL_FENCE_("rw", "rw")
#define fence_ww()   HAL_FENCE_("w", "w")
#define fence_rr()   HAL_FENCE_("r", "r")
#define fence_acq()  HAL_FENCE_("r", "rw")
#define fence_rel()  HAL_FENCE_("rw", "w")

#define ld_rlx(p)                                                                                                       \
    ({                                                                                                                  \
        HAL_ATOMIC_SIZE_(p);                                                                                            \
        *(const volatile __typeof__(*(p)) *)(p);                                                                        \
    })
#define ld_acq(p)                                                                                                       \
    ({                                                                                                                  \
        __typeof__(ld_rlx(p)) hal_v_ = ld_rlx(p);                                                                       \
        fence_acq();                                                                                                    \
        hal_v_;                                                                                                         \
    })
#define st_rlx(p, v)                                                                                                    \
    ({                                                                                                                  \
        HAL_ATOMIC_SIZE_(p);                                                                                            \
        *(volatile __typeof__(*(p)) *)(p) = (v);                                                                        \
        (void)0;                                                                                                        \
    })
#define st_rel(p, v)                                                                                                    \
    ({                                                                                                                  \
        __typeof__(*(p)) hal_v_ = (v);                                                                                  \
        fence_rel();                                                                                                    \
        st_rlx((p), hal_v_);                                                                                            \
    })

/* Both widths stand in the source; the compiler keeps the one that fits.  RV32 has one only. */
#if __riscv_xlen == 64
#define HAL_WIDE_ ".d"
#else
#define HAL_WIDE_ ".w"
#endif

#define HAL_AMO_(op, order, p, v)                                                                                       \
    ({                                                                                                                  \
        HAL_ATOMIC_SIZE_(p);                                                                                            \
        __typeof__(*(p)) hal_new_ = (v), hal_old_;                                                                      \
        if (sizeof(*(p)) == 4)                                                                                          \
            __asm__ volatile(op ".w" order " %0, %z2, %1" : "=r"(hal_old_), "+A"(*(p)) : "rJ"(hal_new_) : "memory");    \
        else                                                                                                            \
            __asm__ volatile(op HAL_WIDE_ order " %0, %z2, %1"                                                          \
                             : "=r"(hal_old_), "+A"(*(p)) : "rJ"(hal_new_) : "memory");                                 \
        hal_old_;                                                                                                       \
    })
#define amo_swap_rlx(p, v) HAL_AMO_("amoswap", "", p, v)
#define amo_swap_acq(p, v) HAL_AMO_("amoswap", ".aq", p, v)
#define amo_swap_rel(p, v) HAL_AMO_("amoswap", ".rl", p, v)
#define amo_swap_ar(p, v)  HAL_AMO_("amoswap", ".aqrl", p, v)
#define amo_add_rlx(p, v)  HAL_AMO_("amoadd", "", p, v)
#define amo_add_acq(p, v)  HAL_AMO_("amoadd", ".aq", p, v)
#define amo_add_rel(p, v)  HAL_AMO_("amoadd", ".rl", p, v)
#define amo_add_ar(p, v)   HAL_AMO_("amoadd", ".aqrl", p, v)
#define amo_or_rlx(p, v)   HAL_AMO_("amoor", "", p, v)
#define amo_or_acq(p, v)   HAL_AMO_("amoor", ".aq", p, v)
#define amo_or_rel(p, v)   HAL_AMO_("amoor", ".rl", p, v)
#define amo_or_ar(p, v)    HAL_AMO_("amoor", ".aqrl", p, v)
#define amo_and_rlx(p, v)  HAL_AMO_("amoand", "", p, v)
#define amo_and_acq(p, v)  HAL_AMO_("amoand", ".aq", p, v)
#define amo_and_rel(p, v)  HAL_AMO_("amoand", ".rl", p, v)
#define amo_and_ar(p, v)   HAL_AMO_("amoand", ".aqrl", p, v)

/* A constrained LR/SC loop: between LR and SC one branch and nothing else, so that the architecture promises success.
 * LR.W sign-extends, so the wanted value is sign-extended to a whole register as well before they are compared. */
#define HAL_CAS_LOOP_(width, lr, sc)                                                                                    \
    "1: lr" width lr " %0, %2\n\t"                                                                                      \
    "bne %0, %z3, 2f\n\t"                                                                                               \
    "sc" width sc " %1, %z4, %2\n\t"                                                                                    \
    "bnez %1, 1b\n"                                                                                                     \
    "2:"
#define HAL_CAS_(lr, sc, p, old, new_)                                                                                  \
    ({                                                                                                                  \
        HAL_ATOMIC_SIZE_(p);                                                                                            \
        __typeof__(*(p)) hal_old_ = (old), hal_new_ = (new_);                                                           \
        intptr_t hal_want_ = sizeof(*(p)) == 4 ? (int32_t)(intptr_t)hal_old_ : (intptr_t)hal_old_;                      \
        intptr_t hal_was_, hal_fail_;                                                                                   \
        if (sizeof(*(p)) == 4)                                                                                          \
            __asm__ volatile(HAL_CAS_LOOP_(".w", lr, sc)                                                                \
                             : "=&r"(hal_was_), "=&r"(hal_fail_), "+A"(*(p)) : "rJ"(hal_want_), "rJ"(hal_new_)          \
                             : "memory");                                                                               \
        else                                                                                                            \
            __asm__ volatile(HAL_CAS_LOOP_(HAL_WIDE_, lr, sc)                                                           \
                             : "=&r"(hal_was_), "=&r"(hal_fail_), "+A"(*(p)) : "rJ"(hal_want_), "rJ"(hal_new_)          \
                             : "memory");                                                                               \
        hal_was_ == hal_want_;                                                                                          \
    })
#define cas_acq(p, old, new_)  HAL_CAS_(".aq", "", p, old, new_)
#define cas_rel(p, old, new_)  HAL_CAS_("", ".rl", p, old, new_)
#define cas_full(p, old, new_) HAL_CAS_(".aq", ".aqrl", p, old, new_)

#endif
