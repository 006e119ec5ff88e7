/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QEMU's "virt" machine in machine mode: qemu-system-riscv64 -M virt -bios none.
 * Preprocessor lines only.  The Makefile puts it in front of every C and assembly file and of the linker script, and
 * takes the settings under "how to build and run" as make variables.
 */
#ifndef BOARD_H
#define BOARD_H

#define BOARD_NAME          qemu-virt

/* ---- how to build and run ---- */
#define BOARD_MARCH         rv64gc          /* the machine's default CPU; nothing needs more */
#define BOARD_MABI          lp64d
#define BOARD_DRIVERS       ns16550 clint plic sifive_test  /* hal/dev/NAME.c, each keeps a part of hal.h */
#define BOARD_QEMU          qemu-system-riscv64 -M virt -bios none  /* else QEMU puts OpenSBI in front of us */
#define BOARD_QEMU_MEM      64M
/* QEMU ignores the ELF entry and jumps to the start of RAM, so _start must be the first byte there. */

/* ---- memory ---- */
#define BOARD_RAM_BASE      0x80000000
/* What the image is linked for and what is used if there is no device tree; with one, -m decides. */
#define BOARD_RAM_SIZE      0x04000000

/* ---- harts ---- */
#define BOARD_MAX_HARTS     64              /* of the 512 that the machine can have; the others stay parked */
#define BOARD_BOOT_HART     0               /* mhartid of the one that becomes our hart 0; all of them start at once */
/* Each hart's stack for traps and boot.  The deepest user is a stop in whose window another device interrupt comes. */
#define BOARD_TRAP_STACK    8192
/* Of physical memory protection, each hart's.  5 at least for stack guards and read-only code; else 0, and there are neither. */
#define BOARD_PMP_ENTRIES   16

/* ---- devices ---- */
#define BOARD_CLINT         0x02000000      /* MSIP +0, MTIMECMP +0x4000, MTIME +0xbff8 */
#define BOARD_TIMER_HZ      10000000        /* 100 ns a tick, the same on every hart */
#define BOARD_PLIC          0x0c000000
#define BOARD_PLIC_SOURCES  96              /* lines 1 to 95 */
#define BOARD_PLIC_PRIO_MAX 7
#define BOARD_PLIC_CONTEXT(hartid) (2 * (hartid))   /* machine mode; odd ones are supervisor mode */
#define BOARD_UART          0x10000000      /* 16550, byte registers, no gaps */
#define BOARD_UART_SHIFT    0
#define BOARD_UART_CLOCK    3686400
#define BOARD_UART_BAUD     115200
#define BOARD_UART_IRQ      10
#define BOARD_EXIT          0x00100000      /* SiFive test finisher: a store ends QEMU with a status */

#endif
