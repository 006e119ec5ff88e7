/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of hal/riscv and hal/dev share. */
#ifndef HAL_INTERNAL_H
#define HAL_INTERNAL_H

#include "boot/riscv.h"
#include "hal/hal.h"

/* This hart's part of struct hart.  As hal_self: critical sections and handlers only. */
static inline struct hal_hart *hal_me(void) { return (struct hal_hart *)hal_self(); }
static inline struct hal_hart *hal_of(unsigned hart) { return (struct hal_hart *)hal_hart(hart); }

/* A state that this layer cannot go on from and that has no hook to tell: prints, ends the machine. */
_Noreturn void hal_die(const char *why);

/* restart.c: sorts and checks the table, once; rewinds the frame of an interrupt if it stands inside a sequence. */
void hal_restart_init(void);
void hal_restart_fix(struct hal_hart *me, struct hal_ctx *frame);

/* guard.c: sets PMP up on this hart; moves the guard to that of `ctx`; tells whether stores to `addr` are refused for good. */
void hal_guard_init_hart(struct hal_hart *me);
void hal_guard_set(struct hal_hart *me, const struct hal_ctx *ctx);
bool hal_guard_read_only(const struct hal_hart *me, uintptr_t addr);

/* memory.c: decides what memory is free, once. */
void hal_memory_init(const void *fdt);

/* args.c: keeps the boot arguments, once, before the memory that the tree lies in is used. */
void hal_args_init(const void *fdt);

/* entry.S */
extern const char hal_trap_entry[];
void hal_fp_save(struct hal_ctx *ctx);
void hal_fp_load(const struct hal_ctx *ctx);

/* ---- what a board's drivers define, besides their part of hal.h ---- */
void hal_console_init(void);
void hal_device_init_hart(struct hal_hart *me);     /* interrupt controller */
void hal_device_interrupt(struct hal_hart *me);     /* handler: serves what is pending */
void hal_timer_init_hart(struct hal_hart *me);      /* off, and no interrupt pending */
bool hal_timer_expired(struct hal_hart *me);        /* handler: quiets it; false: not due yet, it is set again */
void hal_ipi_clear(struct hal_hart *me);            /* handler: requests are read after it */

#endif
