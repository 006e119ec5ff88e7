/* SPDX-License-Identifier: Apache-2.0 */
/* hal/atomic.h in the simulator: each access is a call into its memory (memory.c), and a point where harts may change. */
#ifndef HAL_ATOMIC_ARCH_H
#define HAL_ATOMIC_ARCH_H

#include <stdbool.h>
#include <stdint.h>

enum sim_order { SIM_RLX = 0, SIM_ACQ = 1, SIM_REL = 2, SIM_AR = 3, SIM_FULL = 7 };
enum sim_op { SIM_SWAP, SIM_ADD, SIM_OR, SIM_AND };
enum sim_fence { SIM_FENCE_FULL, SIM_FENCE_WW, SIM_FENCE_RR, SIM_FENCE_ACQ, SIM_FENCE_REL };

uint64_t sim_load(const volatile void *p, unsigned size, enum sim_order order);
void sim_store(volatile void *p, unsigned size, uint64_t value, enum sim_order order);
uint64_t sim_amo(enum sim_op op, volatile void *p, unsigned size, uint64_t value, enum sim_order order);
bool sim_cas(volatile void *p, unsigned size, uint64_t old, uint64_t new_, enum sim_order order);
void sim_fence(enum sim_fence kind);

#define SIM_SIZE_(p)                                                                                                  \
    ({                                                                                                                \
        _Static_assert(sizeof(*(p)) == 4 || sizeof(*(p)) == 8, "atomics: 4 bytes or a pointer's size");               \
        (unsigned)sizeof(*(p));                                                                                       \
    })
#define SIM_VALUE_(p, x)                                                                                              \
    ({                                                                                                                \
        __typeof__((__typeof__(*(p)))0) sim_value_ = (__typeof__(*(p)))(uintptr_t)(x);                                \
        sim_value_;                                                                                                   \
    })

#define ld_rlx(p) SIM_VALUE_(p, sim_load((p), SIM_SIZE_(p), SIM_RLX))
#define ld_acq(p) SIM_VALUE_(p, sim_load((p), SIM_SIZE_(p), SIM_ACQ))
#define st_rlx(p, v) sim_store((p), SIM_SIZE_(p), (uintptr_t)(v), SIM_RLX)
#define st_rel(p, v) sim_store((p), SIM_SIZE_(p), (uintptr_t)(v), SIM_REL)

#define SIM_AMO_(op, p, v, order) SIM_VALUE_(p, sim_amo(op, (p), SIM_SIZE_(p), (uintptr_t)(v), order))
#define amo_swap_rlx(p, v) SIM_AMO_(SIM_SWAP, p, v, SIM_RLX)
#define amo_swap_acq(p, v) SIM_AMO_(SIM_SWAP, p, v, SIM_ACQ)
#define amo_swap_rel(p, v) SIM_AMO_(SIM_SWAP, p, v, SIM_REL)
#define amo_swap_ar(p, v)  SIM_AMO_(SIM_SWAP, p, v, SIM_AR)
#define amo_add_rlx(p, v)  SIM_AMO_(SIM_ADD, p, v, SIM_RLX)
#define amo_add_acq(p, v)  SIM_AMO_(SIM_ADD, p, v, SIM_ACQ)
#define amo_add_rel(p, v)  SIM_AMO_(SIM_ADD, p, v, SIM_REL)
#define amo_add_ar(p, v)   SIM_AMO_(SIM_ADD, p, v, SIM_AR)
#define amo_or_rlx(p, v)   SIM_AMO_(SIM_OR, p, v, SIM_RLX)
#define amo_or_acq(p, v)   SIM_AMO_(SIM_OR, p, v, SIM_ACQ)
#define amo_or_rel(p, v)   SIM_AMO_(SIM_OR, p, v, SIM_REL)
#define amo_or_ar(p, v)    SIM_AMO_(SIM_OR, p, v, SIM_AR)
#define amo_and_rlx(p, v)  SIM_AMO_(SIM_AND, p, v, SIM_RLX)
#define amo_and_acq(p, v)  SIM_AMO_(SIM_AND, p, v, SIM_ACQ)
#define amo_and_rel(p, v)  SIM_AMO_(SIM_AND, p, v, SIM_REL)
#define amo_and_ar(p, v)   SIM_AMO_(SIM_AND, p, v, SIM_AR)

#define SIM_CAS_(p, old, new_, order) sim_cas((p), SIM_SIZE_(p), (uintptr_t)(old), (uintptr_t)(new_), order)
#define cas_acq(p, old, new_)  SIM_CAS_(p, old, new_, SIM_ACQ)
#define cas_rel(p, old, new_)  SIM_CAS_(p, old, new_, SIM_REL)
#define cas_full(p, old, new_) SIM_CAS_(p, old, new_, SIM_FULL)

#define fence_full() sim_fence(SIM_FENCE_FULL)
#define fence_ww()   sim_fence(SIM_FENCE_WW)
#define fence_rr()   sim_fence(SIM_FENCE_RR)
#define fence_acq()  sim_fence(SIM_FENCE_ACQ)
#define fence_rel()  sim_fence(SIM_FENCE_REL)

/* Ordinary words that other harts look at: see hal/atomic.h. */
#define hal_plain_load(p)     ld_rlx(p)
#define hal_plain_store(p, v) st_rlx(p, v)

/* The address of what is read next is computed from x: see memory.c. */
void sim_depends(void);
#define hal_dependent(x) (sim_depends(), (x))

#endif
