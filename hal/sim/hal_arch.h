/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's part of hal/hal.h in the simulator: harts are fibers on one thread of the host, and a seed decides which of
 * them takes the next step, when an interrupt is taken, and when a store becomes visible.  sim.h says how it is run,
 * docs/testing.md what it models and what not.
 */
#ifndef HAL_ARCH_H
#define HAL_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal_mark.h"

struct hart;

#define HAL_GUARD_SIZE  0       /* an overflow is noticed by the canary */
#define HAL_STACK_ALIGN 16
#define HAL_BYTE_REGISTERS 1    /* on x86-64, where it runs, an instruction can change the lowest byte of a register alone */

/* Every context that does not run has called something: its callee-saved registers are on its stack. */
struct hal_ctx {
    uintptr_t sp;
    uintptr_t hi;
};

struct hal_hart {
    uint32_t index;
    uint32_t restarts;          /* owner; others peek */
};

typedef uint32_t hal_crit_t;    /* 1: this section is the outermost */
#define HAL_CRIT_OPEN ((hal_crit_t)1)

struct hart *hal_self(void);
hal_crit_t hal_crit_enter(void);
void hal_crit_exit(hal_crit_t c);
bool hal_crit_held(void);

/* On functions that read other tasks' stacks as they are: the race detector does not look at these reads. */
#define HAL_NO_SANITIZE __attribute__((no_sanitize("thread")))

static inline uintptr_t hal_self_load(size_t offset)
{
    hal_crit_t c = hal_crit_enter();
    uintptr_t v = *(uintptr_t *)((char *)hal_self() + offset);
    hal_crit_exit(c);
    return v;
}

#endif
