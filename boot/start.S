/* SPDX-License-Identifier: Apache-2.0 */
/* Reset.  Every hart comes here at the same time.  In: a1 = device tree.  All else, RAM included, is unknown. */
#include "boot/boot.h"
#include "boot/riscv.h"

#define STACK_STRIDE (RISCV_PAGE + BOARD_TRAP_STACK)

    .section .reset, "ax", @progbits
    .globl  _start
_start:
    slti    x0, x0, 8               /* marker RESET, see hal/riscv/hal_mark.h */
#ifdef __riscv_flen
    li      t0, MSTATUS_FS_INIT
    csrw    mstatus, t0             /* interrupts and MPRV off, floating point on if the hart has it */
#else
    csrw    mstatus, zero
#endif
    csrw    mie, zero
    fence.i                         /* whoever wrote the image may have been another hart */
    .option push
    .option norelax                 /* or the linker makes this gp-relative too */
    la      gp, __global_pointer$
    .option pop
    la      t0, boot_park           /* a trap this early: nobody to tell it to */
    csrw    mtvec, t0
    csrr    a0, mhartid
    li      t0, BOARD_BOOT_HART
    bne     a0, t0, boot_other

    la      t0, __bss_start
    la      t1, __bss_end
1:  bgeu    t0, t1, 2f
    REG_S   zero, 0(t0)
    addi    t0, t0, REGBYTES
    j       1b
2:  la      sp, __trap_stacks
    li      t0, STACK_STRIDE
    add     sp, sp, t0
    mv      a0, a1
    call    boot_first

/* a0 = mhartid.  Sleeps until boot_go.  MSIP is left alone: boot_find_harts() looks at it, and later the first IPI may be
 * in it already; the trap handler clears it. */
boot_other:
    csrwi   mie, MIE_MSIE           /* what wfi wakes for; mstatus.MIE is off, so no trap is taken */
    li      t2, BOOT_GO
1:  lw      t1, boot_go
    beq     t1, t2, 2f
    wfi
    j       1b
2:  fence   r, rw                   /* partner: boot_release */

    la      t0, boot_hartid         /* our index is where the map has our hartid */
    lw      t1, boot_hart_count
    li      a2, 0
3:  beq     a2, t1, boot_park       /* more harts than BOARD_MAX_HARTS */
    lw      t2, 0(t0)
    addi    t0, t0, 4
    addi    a2, a2, 1
    bne     t2, a0, 3b

    la      sp, __trap_stacks       /* a2 = index + 1, so this is the top of our stack */
    li      t0, STACK_STRIDE
    mul     t0, t0, a2
    add     sp, sp, t0
    addi    a0, a2, -1
    call    boot_next

    .balign 4                       /* it is a trap vector */
boot_park:
    csrw    mie, zero
1:  wfi
    j       1b

    .section .data.boot_go, "aw"
    .balign 4
    .globl  boot_go
boot_go:
    .word   0
