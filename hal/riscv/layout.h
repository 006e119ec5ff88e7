/* SPDX-License-Identifier: Apache-2.0 */
/* Where assembly finds the fields of struct hal_ctx and struct hal_hart; context.c asserts each. */
#ifndef HAL_LAYOUT_H
#define HAL_LAYOUT_H

#include "boot/riscv.h"

#define CTX_PC          0                       /* register i is at i * REGBYTES; x0's place holds the pc */
#define CTX_MSTATUS     (32 * REGBYTES)
#define CTX_F           (34 * REGBYTES)
#define CTX_FCSR        (CTX_F + 32 * FREGBYTES)
/* struct hal_ctx rounded up, so that a frame of it keeps the stack aligned to 16. */
#define CTX_FRAME       ((CTX_FCSR + 8 + 15) / 16 * 16)

#define HART_NEST       4
#define HART_CTX        8
#define HART_TRAP_HI    (8 + REGBYTES)
#define HART_TRAP_LO    (8 + 2 * REGBYTES)
#define HART_T0         (8 + 3 * REGBYTES)
#define HART_T1         (8 + 4 * REGBYTES)
#define HART_T2         (8 + 5 * REGBYTES)

#if defined(__riscv_flen) && __riscv_flen == 64
#define FREG_L          fld
#define FREG_S          fsd
#define FREGBYTES       8
#elif defined(__riscv_flen)
#define FREG_L          flw
#define FREG_S          fsw
#define FREGBYTES       4
#else
#define FREGBYTES       0
#endif

#endif
