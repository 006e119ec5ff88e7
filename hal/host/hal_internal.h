/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of hal/host share.  Those that run on the trap stack, with crit = 1, say "trap stack". */
#ifndef HAL_INTERNAL_H
#define HAL_INTERNAL_H

#include "hal/hal.h"

/* This hart's part of struct hart.  As hal_self: critical sections and handlers only. */
static inline struct hal_hart *hal_me(void) { return (struct hal_hart *)hal_self(); }
static inline struct hal_hart *hal_of(unsigned hart) { return (struct hal_hart *)hal_hart(hart); }

/* A state that this layer cannot go on from and that has no hook to tell: prints, ends the process. */
_Noreturn void hal_die(const char *why);

/* ---- init.c ---- */
extern unsigned hal_harts;

/* ---- x86_64.c, aarch64.c ---- */
/* Pushes the callee-saved registers, leaves sp in *ctx, and calls fn(a, b) with the stack pointer at `sp`.  fn never
 * returns; the call does when somebody loads ctx. */
void hal_ctx_save(struct hal_ctx *ctx, uintptr_t sp, void (*fn)(void *a, void *b), void *a, void *b);
_Noreturn void hal_ctx_load(const struct hal_ctx *ctx);
/* Where a context begins that hal_ctx_load shall send to entry(arg); returns its sp. */
uintptr_t hal_ctx_first(uintptr_t hi, void (*entry)(void *), void *arg);
/* All registers of a signal frame into `ctx`, and back.  hal_frame_load leaves sp and pc as they are in `ctx`. */
void hal_frame_save(struct hal_ctx *ctx, const void *frame);
void hal_frame_load(const struct hal_ctx *ctx, void *frame);
void hal_frame_set_pc(void *frame, uintptr_t pc);
/* Makes the signal handler's return a call of fn(arg) with the stack pointer at `sp`. */
void hal_frame_call(void *frame, void (*fn)(struct hal_ctx *), struct hal_ctx *arg, uintptr_t sp);
/* What kind of access a memory fault was. */
const char *hal_frame_access(const void *frame);
bool hal_behind_call(uintptr_t pc);             /* does the code before pc look like a call? */
extern const char *const hal_reg_names[HAL_REGS];       /* NULL: not worth printing */

/* ---- context.c, trap stack ---- */
_Noreturn void hal_resume(struct hal_ctx *to) HAL_NO_TRACE;

/* ---- trap.c ---- */
void hal_trap_init(void);                       /* once */
void hal_trap_call(struct hal_hart *me);        /* from a task, crit = 1: takes what is pending; returns with crit = 1 */

/* ---- ipi.c ---- */
/* Makes `irq` pending on a hart, and has it look.  Critical section. */
void hal_interrupt(struct hal_hart *to, enum hal_irq irq);
/* Makes the calling thread take the hart's signal, now if it is not blocked. */
void hal_signal_self(const struct hal_hart *me);

/* ---- timer.c ---- */
void hal_timer_init(void);
void hal_timer_init_hart(struct hal_hart *me);
void hal_timer_look(struct hal_hart *me);       /* makes the timer's interrupt pending if it is time; any, on that hart */
void hal_timer_serve(struct hal_hart *me);      /* handler */

/* ---- restart.c ---- */
void hal_restart_init(void);
void hal_restart_fix(struct hal_hart *me, uintptr_t *pc);       /* handler: rewinds pc if it stands in one */

/* ---- guard.c ---- */
void hal_guard_init(void);
uintptr_t hal_guard_set(uintptr_t lo, uintptr_t hi);    /* the page that is guarded now, or 0 */
void hal_guard_clear(uintptr_t page);

/* ---- sanitizer.c ---- */
void hal_san_init_hart(struct hal_hart *me);
void hal_san_init(struct hal_ctx *ctx);
void hal_san_fini(struct hal_ctx *ctx);
void hal_san_trap(struct hal_hart *me) HAL_NO_TRACE;            /* trap stack: what follows is the hart's own */
void hal_san_enter(struct hal_ctx *to) HAL_NO_TRACE;            /* trap stack: what follows is `to`'s */

#endif
