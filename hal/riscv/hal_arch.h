/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's part of hal/hal.h: RISC-V in machine mode, harts found through tp.
 *
 * tp is the hart's and gp never changes, so neither is ever restored from a saved context.
 */
#ifndef HAL_ARCH_H
#define HAL_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal_mark.h"

struct hart;

#define HAL_GUARD_SIZE  4096    /* a PMP entry moves with the running task; without PMP it is a gap that nothing uses */
#define HAL_STACK_ALIGN 4096    /* a NAPOT entry covers an aligned range */
#define HAL_BYTE_REGISTERS 0    /* no instruction changes the lowest byte of a register alone */

/* A context that does not run, or whose hart stands in a handler.  One that called hal_switch has zeros where a call may
 * clobber: what is left there is no root. */
struct hal_ctx {
    uintptr_t reg[32];          /* [0] is the pc; [3] and [4], gp and tp, stay 0 */
    uintptr_t mstatus;          /* to go on with; FS dirty: the floating-point registers are not saved yet */
    uintptr_t guard;            /* lowest address of the stack's guard, or 0: none */
#if defined(__riscv_flen) && __riscv_flen == 64
    uint64_t f[32];             /* valid unless the context runs or its FS is dirty */
#elif defined(__riscv_flen)
    uint32_t f[32];
#endif
    uint32_t fcsr;
};

/* Those up to scratch are known to assembly: layout.h. */
struct hal_hart {
    uint32_t sc_sink;           /* the trap entry's SC, which drops a reservation, may store here */
    uint32_t nest;              /* owner; handlers that this hart is in: 0 in a task */
    struct hal_ctx *ctx;        /* owner: where the running task's registers go; NULL until the first hal_switch */
    uintptr_t trap_hi, trap_lo; /* constant: the stack for handlers and boot, its guard left out */
    uintptr_t scratch[3];       /* trap entry only */

    uint32_t index;             /* constant */
    uint32_t hartid;            /* constant: mhartid */
    uint32_t restarts;          /* owner; others peek */
    uint32_t in_device;         /* owner; others peek: loops over device interrupts; see hal_irq_unregister */
    uint64_t deadline;          /* owner: what the timer is set to, in its ticks */
    uintptr_t guard_now;        /* owner: what the movable guard entry holds */
    bool has_pmp;               /* constant */
    bool has_supervisor;        /* constant: has sfence.vma, and needs it when PMP changes */
};

/* The mstatus.MIE bit as it was. */
typedef uintptr_t hal_crit_t;
#define HAL_CRIT_OPEN ((hal_crit_t)8)

/* Zeroes the registers where a value of an earlier call may stay: those that calls preserve.  Tests only. */
static inline void hal_forget_registers(void)
{
    __asm__ volatile("li s1, 0\n\tli s2, 0\n\tli s3, 0\n\tli s4, 0\n\tli s5, 0\n\tli s6, 0\n\tli s7, 0\n\tli s8, 0\n\t"
                     "li s9, 0\n\tli s10, 0\n\tli s11, 0"
                     : : : "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11");
}

/* Volatile, so that no copy of tp outlives the section that asked for it: the task may go on elsewhere. */
static inline struct hart *hal_self(void)
{
    struct hart *h;
    __asm__ volatile("mv %0, tp" : "=r"(h));
    return h;
}

/* `offset`: a constant. */
static inline __attribute__((always_inline)) uintptr_t hal_self_load(size_t offset)
{
    uintptr_t v;
#if __riscv_xlen == 64
    __asm__ volatile("ld %0, %1(tp)" : "=r"(v) : "i"(offset));
#else
    __asm__ volatile("lw %0, %1(tp)" : "=r"(v) : "i"(offset));
#endif
    return v;
}

static inline hal_crit_t hal_crit_enter(void)
{
    uintptr_t old;
    __asm__ volatile("csrrci %0, mstatus, 8\n\tslti x0, x0, %1" : "=r"(old) : "i"(HAL_MARK_IRQ_OFF) : "memory");
    return old & HAL_CRIT_OPEN;
}

static inline void hal_crit_exit(hal_crit_t c)
{
    if (c)
        __asm__ volatile("slti x0, x0, %0\n\tcsrsi mstatus, 8" : : "i"(HAL_MARK_IRQ_ON) : "memory");
    else
        __asm__ volatile("" : : : "memory");
}

static inline bool hal_crit_held(void)
{
    uintptr_t now;
    __asm__ volatile("csrr %0, mstatus" : "=r"(now) : : "memory");
    return !(now & HAL_CRIT_OPEN);
}

#endif
