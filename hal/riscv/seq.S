/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow parts of the sequences in hal_seq.h, and of other inline code: C calls that keep every integer register but t0, t1, t2.
 * In: t0 = return address, and the arguments as each says.
 */
#include "boot/riscv.h"

#define FRAME ((14 * REGBYTES + 15) / 16 * 16)

    .macro  each op
    \op     ra, REG(0, sp)
    \op     t0, REG(1, sp)
    \op     t3, REG(2, sp)
    \op     t4, REG(3, sp)
    \op     t5, REG(4, sp)
    \op     t6, REG(5, sp)
    .irp    i, 0, 1, 2, 3, 4, 5, 6, 7
    \op     a\i, 6 * REGBYTES + \i * REGBYTES(sp)
    .endr
    .endm

    .text
/* t1 = id; out: t1 = object */
    .globl  hal_stub_new
hal_stub_new:
    addi    sp, sp, -FRAME
    each    REG_S
    mv      a0, t1
    call    hgc_slow_new
    mv      t1, a0
    j       leave

/* t1 = function, t2 = its argument */
    .globl  hal_stub_call
hal_stub_call:
    addi    sp, sp, -FRAME
    each    REG_S
    mv      a0, t2
    jalr    t1
    j       leave

/* t1 = slot, t2 = value */
    .globl  hal_stub_set
hal_stub_set:
    addi    sp, sp, -FRAME
    each    REG_S
    mv      a0, t1
    mv      a1, t2
    call    hgc_slow_set
leave:
    each    REG_L
    addi    sp, sp, FRAME
    jr      t0
