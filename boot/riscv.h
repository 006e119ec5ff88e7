/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of the machine that C, assembly and the linker script share: register width, CSR bits, MMIO.
 * Bits: RISC-V privileged specification 1.12, chapter "Machine-Level ISA".
 */
#ifndef BOOT_RISCV_H
#define BOOT_RISCV_H

#define RISCV_PAGE      4096

#if __riscv_xlen == 64
#define REG_L           ld
#define REG_S           sd
#define REGBYTES        8
#else
#define REG_L           lw
#define REG_S           sw
#define REGBYTES        4
#endif

#define MSTATUS_MIE     0x8
#define MSTATUS_MPIE    0x80
#define MSTATUS_MPP     0x1800          /* as a value: machine mode */
#define MSTATUS_FS      0x6000          /* as a value: dirty */
#define MSTATUS_FS_INIT 0x2000
#define MSTATUS_FS_CLEAN 0x4000
#define MSTATUS_MPRV    0x20000

#define MIE_MSIE        0x8
#define MIE_MTIE        0x80
#define MIE_MEIE        0x800

#ifdef __ASSEMBLER__

/* The i-th of an array of registers at `base`.  No parentheses around i: the assembler would take them for a base. */
#define REG(i, base)    i * REGBYTES(base)

#elif defined(__STDC__)

#include <stdint.h>

#define csr_read(csr)                                                                                                   \
    ({                                                                                                                  \
        uintptr_t csr_v;                                                                                                \
        __asm__ volatile("csrr %0, " #csr : "=r"(csr_v) : : "memory");                                                  \
        csr_v;                                                                                                          \
    })
#define csr_write(csr, v) __asm__ volatile("csrw " #csr ", %0" : : "rK"((uintptr_t)(v)) : "memory")

/* Order between memory (r, w) and devices (i, o).  Each use names its partner. */
#define riscv_fence(before, after) __asm__ volatile("fence " #before "," #after : : : "memory")

static inline uint32_t mmio_r32(uintptr_t a) { return *(volatile uint32_t *)a; }
static inline void mmio_w32(uintptr_t a, uint32_t v) { *(volatile uint32_t *)a = v; }
static inline uint8_t mmio_r8(uintptr_t a) { return *(volatile uint8_t *)a; }
static inline void mmio_w8(uintptr_t a, uint8_t v) { *(volatile uint8_t *)a = v; }

#endif
#endif
