/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between the machine and the kernel.  hal/riscv and hal/host are two ways to keep it; hal_arch.h,
 * found through the include path, holds the types and inline functions of the one that is built.
 *
 * Words: a *critical section* is a stretch in which this hart takes no interrupt, so it can be neither preempted nor
 * stopped.  A *trap* is an interrupt or a synchronous exception.  Contexts: task, handler (inside a trap), any.
 *
 * What hal_arch.h defines:
 *   struct hal_hart        the HAL's part of struct hart; its first member, at offset 0
 *   struct hal_ctx         a task's registers while it does not run (RISC-V: all of them; host: its stack pointer)
 *   hal_crit_t             what a critical section found at its entry
 *   HAL_CRIT_OPEN          the hal_crit_t that makes hal_crit_exit let interrupts in
 *   HAL_GUARD_SIZE         bytes at the low end of a stack that the hardware guards (0: none), a multiple of a page
 *   HAL_STACK_ALIGN        alignment that a guarded stack needs
 *   HAL_BYTE_REGISTERS     1 where an instruction can change the lowest byte of a register alone (verify mode)
 *   static inline struct hart *hal_self(void)        this hart.  Only inside a critical or pinned section (a task may
 *                                                    go on elsewhere): never kept across its end.
 *   static inline uintptr_t hal_self_load(size_t offset)     the word at a constant offset of this hart's struct hart, in
 *                                                    one instruction or critical section.  Any context
 *   static inline hal_crit_t hal_crit_enter(void)    begins a critical section; nests
 *   static inline void hal_crit_exit(hal_crit_t)     ends it; the outermost lets pending interrupts in
 *   static inline bool hal_crit_held(void)           in a critical section or handler?
 */
#ifndef HAL_H
#define HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/atomic.h"

struct hart;
struct task;

#include "hal_arch.h"

/* On functions that read other tasks' memory as it is: a conservative scan.  hal_arch.h of a HAL that runs under
 * sanitizers defines it. */
#ifndef HAL_NO_SANITIZE
#define HAL_NO_SANITIZE
#endif

/* ---- what the kernel defines: the HAL's way up ------------------------------------------------------------------ */

struct hal_fault {
    const char *what;       /* "load access fault", "illegal instruction", ... */
    uintptr_t pc;           /* of the instruction at fault */
    uintptr_t addr;         /* the address or instruction bits, as the machine tells */
    uintptr_t sp;           /* stack pointer at the fault */
    bool nested;            /* it happened inside a handler or a critical section */
    const struct hal_ctx *ctx; /* registers at the fault */
};

struct hal_hooks {
    void (*start)(void);        /* once, on hart 0, before any other hart leaves boot; interrupts off */
    void (*start_hart)(void);   /* on every hart after start(); interrupts off; does not return */
    void (*ipi)(void);          /* handler: an IPI; the HAL has cleared it and fenced, so requests are read after */
    void (*timer)(void);        /* handler: the deadline set with hal_timer_set has passed; the timer is off now */
    void (*fault)(const struct hal_fault *f);  /* handler: a synchronous exception; ends the task (then leaves by
                                                  hal_switch_trap) or panics; does not return to the instruction */
    void (*trap_exit)(void);    /* handler: the outermost trap, taken in a task, is about to return: the place where a
                                   task is preempted, by hal_switch_trap */
};
extern const struct hal_hooks hal_hooks;       /* defined by the kernel */
/* No hook and no device handler uses floating point but start and start_hart: the registers are the interrupted task's, and
 * on RISC-V the instruction faults.  start_hart's own context is left by its first hal_switch and never resumed. */

/* ---- harts ------------------------------------------------------------------------------------------------------ */

/* Number of harts that take part, 1 to 64.  Any context, after start(). */
unsigned hal_hart_count(void);
/* The struct hart that belongs to index 0 .. hal_hart_count() - 1.  Any context. */
struct hart *hal_hart(unsigned index);
/* Only the first `n` of the harts take part; the others never leave boot.  1 to hal_hart_count().  start() only. */
void hal_hart_limit(unsigned n);
/* The size of struct hart and where they lie are the kernel's: it defines these two for the HAL. */
extern unsigned char hal_hart_area[];          /* the array of struct hart */
extern const size_t hal_hart_stride;           /* sizeof(struct hart) */

/* Interrupts hart `index`.  Ordinary stores before it are visible to its handler.  IPIs merge.  Any context.
 * [L-ipi.send, L-ipi.take, L-ipi-merge.send, L-ipi-merge.take] */
void hal_ipi_send(unsigned index);

/* Inside a critical section: sleeps until an interrupt is pending on this hart; may return for no reason; takes
 * none.  The caller checks its condition before it, inside the same critical section. */
void hal_wait(void);
/* Inside a critical section entered from a task or handler: lets pending interrupts be taken, and is back in the
 * critical section.  The outermost-trap rule holds: no switch happens when called inside a handler. */
void hal_irq_window(void);
/* Is this hart inside a handler?  Any context. */
bool hal_in_trap(void);

/* ---- time ------------------------------------------------------------------------------------------------------- */

/* Monotonic nanoseconds since boot.  Any context.  Resolution: the board's timer (100 ns on qemu-virt). */
uint64_t hal_time_ns(void);
/* This hart's timer hook runs once at or after `ns`; UINT64_MAX: never.  Critical section or handler. */
void hal_timer_set(uint64_t ns);

/* ---- devices, console, end -------------------------------------------------------------------------------------- */

/* A device interrupt handler.  It runs in a handler, with interrupts off, on one hart; it may call what says "any" or
 * "handler"; it may not wait, allocate, or store a reference into the heap. */
typedef void hal_irq_fn(void *arg);
enum { HAL_OK = 0, HAL_EIRQ = -1 /* no such line, no handler, or it has one already */ };
/* Routes line `irq` to hart `hart` with priority `prio` (1 lowest).  Task.
 * [L-irq-entry.route, L-irq-entry.claim] */
int hal_irq_register(unsigned irq, unsigned hart, unsigned prio, hal_irq_fn *fn, void *arg);
/* When it returns, no handler of the line runs.  [L-irq-gone.inside, L-irq-gone.silent]
 * [L-irq-done.done, L-irq-lock.take, L-irq-lock.give] */
void hal_irq_unregister(unsigned irq);

/* Writes to the console, waiting for the device.  Any context.  Not serialised: the kernel's printf is. */
void hal_console_write(const char *s, size_t n);
/* Next character from the console, or -1.  Any context. */
int hal_console_getc(void);
/* The interrupt line of the console's input, or 0 if it must be polled. */
unsigned hal_console_irq(void);

/* Ends the machine; `status` 0 to 255 reaches the host.  Any context. */
__attribute__((noreturn)) void hal_exit(int status);

/* The memory that nothing uses yet: [*lo, *hi), page-aligned.  start() and later. */
void hal_memory(uintptr_t *lo, uintptr_t *hi);

/* What the machine was told as it started: /chosen/bootargs of the device tree, on the host the variable BOOTARGS; "" if
 * nothing.  start() and later. */
const char *hal_boot_args(void);

/* ---- contexts --------------------------------------------------------------------------------------------------- */

/* Prepares `ctx` so that the first switch to it calls entry(arg) on the stack [lo, hi), *inside* a critical section:
 * entry ends it with hal_crit_exit(HAL_CRIT_OPEN).  entry never returns.  With HAL_GUARD_SIZE the lowest that many
 * bytes of the stack are the guard. */
void hal_ctx_init(struct hal_ctx *ctx, void *lo, void *hi, void (*entry)(void *), void *arg);
/* Ends what hal_ctx_init began: nobody switches to `ctx` any more, it has left its hart, and its stack becomes memory
 * for other things.  Before the stack is given back, or prepared once more.  Any context. */
void hal_ctx_fini(struct hal_ctx *ctx);
/* Saves this context in `from`, then stores 0 to *busy with release (from then on another hart may resume `from`;
 * busy may be NULL), and goes on in `to`.  Called in exactly one level of critical section, not in a handler; returns
 * when somebody switches back, perhaps on another hart.  [L-leave.saved] */
void hal_switch(struct hal_ctx *from, struct hal_ctx *to, uint32_t *busy);
/* The same from trap_exit or fault: the interrupted task's context is `from`; when the trap returns, `to` goes on. */
void hal_switch_trap(struct hal_ctx *from, struct hal_ctx *to, uint32_t *busy);

/* Where a context that does not run (or whose hart stands in a handler) keeps what its task can reach: its stack from
 * `sp` up, and registers that are not on the stack. */
struct hal_roots {
    uintptr_t sp;
    const uintptr_t *regs;
    unsigned nregs;
};
void hal_ctx_roots(const struct hal_ctx *ctx, struct hal_roots *r);
/* Saves the callee-saved registers on the stack and calls fn(arg, sp): everything that the caller can reach is then
 * at or above sp.  Task. */
void hal_spill(void (*fn)(void *arg, uintptr_t sp), void *arg);

/* Prints registers and a backtrace of `ctx` through `out`, one line a call.  Handler or any. */
void hal_ctx_dump(const struct hal_ctx *ctx, uintptr_t stack_hi, void (*out)(const char *line));

/* ---- restartable sequences -------------------------------------------------------------------------------------- */

/* A sequence registers [start, end) in the section .hgc_restart.  If an interrupt finds pc with start < pc < end, the
 * HAL sets it back to start, in the interrupted frame, before any hook runs.  hal_seq.h has the sequences. */
/* How often this hart rewound one.  Any context. */
uint32_t hal_restarts(unsigned hart);

#endif
