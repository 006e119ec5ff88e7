/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Into a handler, out of it, and from task to task.
 *
 * There is one way to save (trap entry) or zero (hal_switch) all registers, and one way to restore them (hal_resume).
 * While a task runs, mstatus.MPRV is 1 and MPP is U, so that PMP checks its loads and stores and its stack's guard holds;
 * a trap makes MPP M, so handlers are unchecked; mret makes it U again and leaves MPRV alone.
 */
#include "hal_mark.h"
#include "layout.h"

/* x5 to x7 (t0 to t2) are handled apart. */
    .macro  each_high op, base
    .irp    i, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \op     x\i, REG(\i, \base)
    .endr
    .endm

/* ---- trap entry ------------------------------------------------------------------------------------------------------
 * In: mscratch = this hart's struct hart.  Nothing else of what the task left is trusted: not tp or gp, and not sp, which
 * may stand in the guard. */
    .text
    .balign 4
    .globl  hal_trap_entry
hal_trap_entry:
    HAL_MARK(HAL_MARK_IRQ_OFF)
    csrr    tp, mscratch
    REG_S   t0, HART_T0(tp)
    lui     t0, %hi(MSTATUS_FS)
    csrrc   t0, mstatus, t0         /* floating point off: it still is the task's, and a handler that uses it faults */
    REG_S   t1, HART_T1(tp)
    REG_S   t2, HART_T2(tp)
    lw      t1, HART_NEST(tp)
    bnez    t1, nested
    REG_L   t1, HART_CTX(tp)
    beqz    t1, nested              /* during boot */
    REG_S   sp, REG(2, t1)
    REG_L   sp, HART_TRAP_HI(tp)

save:                               /* t0 = mstatus, t1 = frame, with sp in it; sp = the stack to go on with */
    REG_S   t0, CTX_MSTATUS(t1)
    REG_S   ra, REG(1, t1)
    each_high REG_S, t1
    REG_L   s0, HART_T0(tp)
    REG_L   s1, HART_T1(tp)
    REG_L   s2, HART_T2(tp)
    REG_S   s0, REG(5, t1)
    REG_S   s1, REG(6, t1)
    REG_S   s2, REG(7, t1)
    csrr    s0, mepc
    REG_S   s0, CTX_PC(t1)
    sc.w    zero, zero, (tp)        /* drops the reservation: the LR of what we interrupted pairs with no SC elsewhere */
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    mv      a0, t1
    call    hal_trap                /* returns the context to go on with */

/* ---- hal_resume: goes on in the context at a0 ------------------------------------------------------------------------
 * In: interrupts off; sp is free.  Marks the end of a stretch with interrupts off if this is one. */
hal_resume:
    REG_L   t0, CTX_MSTATUS(a0)
    HAL_MARK(HAL_MARK_IRQ_OFF)
    csrw    mstatus, t0             /* MIE is 0 in it, MPP is M */
    REG_L   t1, CTX_PC(a0)
    csrw    mepc, t1
    REG_L   ra, REG(1, a0)
    REG_L   sp, REG(2, a0)
    REG_L   t1, REG(6, a0)
    REG_L   t2, REG(7, a0)
    REG_L   s0, REG(8, a0)
    REG_L   s1, REG(9, a0)
    .irp    i, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    REG_L   x\i, REG(\i, a0)
    .endr
    andi    t0, t0, MSTATUS_MPIE
    bnez    t0, 1f
    REG_L   t0, REG(5, a0)
    REG_L   a0, REG(10, a0)
    mret
1:  REG_L   t0, REG(5, a0)
    REG_L   a0, REG(10, a0)
    HAL_MARK(HAL_MARK_IRQ_ON)
    mret

/* A trap inside a handler, or during boot: its frame goes on the stack that is in use, if that is in bounds.  If not,
 * the handler overran it and nothing can go back there: the fault is reported on a fresh stack. */
nested:
    addi    t1, sp, -CTX_FRAME
    REG_L   t2, HART_TRAP_LO(tp)
    bltu    t1, t2, 1f
    REG_L   t2, HART_TRAP_HI(tp)
    bgeu    t2, sp, 2f
1:  REG_L   t1, HART_TRAP_HI(tp)
    addi    t1, t1, -CTX_FRAME
2:  REG_S   sp, REG(2, t1)
    mv      sp, t1
    j       save

/* ---- void hal_switch(struct hal_ctx *from, struct hal_ctx *to, uint32_t *busy) ---------------------------------------
 * Interrupts are off.  The rest is hal_switch_trap, on the trap stack: once it has cleared *busy another hart may use the
 * stack that we came on.  Only the first switch of a hart stays where it is, on the boot stack, which is that stack. */
    .globl  hal_switch
hal_switch:
    REG_S   ra, CTX_PC(a0)
    REG_S   ra, REG(1, a0)
    REG_S   sp, REG(2, a0)
    REG_S   s0, REG(8, a0)
    REG_S   s1, REG(9, a0)
    .irp    i, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
    REG_S   x\i, REG(\i, a0)
    .endr
    .irp    i, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
    REG_S   zero, REG(\i, a0)       /* no stale references for the stack scan */
    .endr
    csrr    t0, mstatus
    andi    t1, t0, MSTATUS_MPIE
    xor     t0, t0, t1              /* come back with interrupts off ... */
    li      t1, MSTATUS_MPP
    or      t0, t0, t1              /* ... and in machine mode */
    REG_S   t0, CTX_MSTATUS(a0)
    REG_L   t0, HART_CTX(tp)
    beqz    t0, 1f
    REG_L   sp, HART_TRAP_HI(tp)
1:  call    hal_switch_trap
    REG_L   a0, HART_CTX(tp)
    j       hal_resume

/* ---- void hal_spill(void (*fn)(void *arg, uintptr_t sp), void *arg) ---- */
#define SPILL ((13 * REGBYTES + 15) / 16 * 16)
    .globl  hal_spill
hal_spill:
    addi    sp, sp, -SPILL
    REG_S   ra, REG(0, sp)
    REG_S   s0, REG(1, sp)
    REG_S   s1, REG(2, sp)
    .irp    i, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
    REG_S   x\i, (\i - 15) * REGBYTES(sp)
    .endr
    mv      t0, a0
    mv      a0, a1
    mv      a1, sp
    jalr    t0
    REG_L   ra, REG(0, sp)          /* the others are fn's to keep */
    addi    sp, sp, SPILL
    ret

/* ---- floating point --------------------------------------------------------------------------------------------------
 * void hal_fp_save(struct hal_ctx *), void hal_fp_load(const struct hal_ctx *): all of it, with FS off afterwards. */
#ifdef __riscv_flen
    .macro  each_float op
    .irp    i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \op     f\i, CTX_F + \i * FREGBYTES(a0)
    .endr
    .irp    i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \op     f\i, CTX_F + \i * FREGBYTES(a0)
    .endr
    .endm

    .globl  hal_fp_save
hal_fp_save:
    li      t0, MSTATUS_FS
    HAL_MARK(HAL_MARK_IRQ_OFF)
    csrs    mstatus, t0
    each_float FREG_S
    frcsr   t1
    sw      t1, CTX_FCSR(a0)
    HAL_MARK(HAL_MARK_IRQ_OFF)
    csrc    mstatus, t0
    ret

    .globl  hal_fp_load
hal_fp_load:
    li      t0, MSTATUS_FS
    HAL_MARK(HAL_MARK_IRQ_OFF)
    csrs    mstatus, t0
    each_float FREG_L
    lw      t1, CTX_FCSR(a0)
    fscsr   t1
    HAL_MARK(HAL_MARK_IRQ_OFF)
    csrc    mstatus, t0
    ret
#endif
