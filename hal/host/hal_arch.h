/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's part of hal/hal.h on the host: a hart is a POSIX thread, an interrupt is a signal.
 *
 * What must hold:
 *   H1  A hart's `crit` is 1 in critical sections and handlers.  The signal handler that finds it 1 leaves the interrupt
 *       in `pending` and returns; whoever makes crit 0 again looks at `pending` after that.
 *   H2  Handlers run on the hart's trap stack, so they never change their hart.  A task changes it at any instruction
 *       while crit is 0: what it then reads or writes of its hart's words takes one instruction, or is a restartable
 *       sequence.  The compiler must not see a thread-local variable there, because it would keep its address.
 *   H3  A context is kept in one of two ways.  It called (hal_switch, or the end of a critical section that had to take an
 *       interrupt): its callee-saved registers are on its stack and it goes on with crit = 1.  Or a signal interrupted it
 *       (`full`): all its registers and errno are in struct hal_ctx and it goes on with crit = 0.
 *   H4  `busy` of a context is cleared on the trap stack, when the stack that is left is in use no longer.
 */
#ifndef HAL_ARCH_H
#define HAL_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal_mark.h"
#include "machine.h"
#include "sanitizer.h"

struct hart;

#define HAL_GUARD_SIZE  4096
#define HAL_STACK_ALIGN 4096

/* 1: no signals; interrupts are taken where critical sections end, in hal_wait and hal_irq_window, and at atomic loads of
 * tasks.  ThreadSanitizer holds signals back and does not survive a switch inside one. */
#define HAL_POLLED HAL_TSAN

struct hal_ctx {
    uintptr_t sp;               /* first, for assembly.  Called: below it nothing is in use, above it the registers */
    uint32_t full;              /* H3 */
    uint32_t image_words;       /* of reg[] and fp[] together that hold something, if full */
    int error;                  /* if full: errno, which is the thread's and shall be the context's */
    uintptr_t lo, hi;           /* its stack, the guard too */
    uintptr_t guard;            /* the page that must not be touched, or 0: none */
#if HAL_TSAN
    void *fiber;                /* what ThreadSanitizer calls this context */
#endif
    uintptr_t reg[HAL_REGS];    /* if full, as the next; reg[HAL_REG_PC] and so on, in the order of the signal frame */
    uintptr_t fp[HAL_FP_BYTES / sizeof(uintptr_t)];     /* floating-point and vector registers, as the kernel saves them */
};

struct hal_hart {
    struct hal_ctx *ctx;        /* owner: the context that runs; NULL until the first switch: no interrupts till then */
    uint32_t *pending;          /* constant: this hart's hal_tls_pending */
    uint32_t waiting;           /* atomic: in hal_wait, to be woken by futex instead of signal; see ipi.c */
    uint32_t arriving;          /* owner, its signal handler too: the next signal goes on in `ctx` */
    uint32_t restarts;          /* atomic: owner writes, others peek */
    uint32_t polls;             /* owner: counts hal_poll */
    uint32_t switched;          /* owner, in a signal handler: contexts were switched since it began */
    uint64_t deadline;          /* owner, its signal handler too: see timer.c */
    uint64_t armed;             /* the same: what the timer of the operating system is set to */
    void *timer;                /* constant: timer_t */
    int tid;                    /* constant */
    uintptr_t trap_lo, trap_hi; /* constant: the trap stack, its guard left out */
    void *fiber;                /* constant: ThreadSanitizer's name for the thread itself */
};

/* A hart's words that tasks use.  0 and NULL in threads that are no harts. */
extern HAL_TLS struct hart *hal_tls_hart;
extern HAL_TLS uint32_t hal_tls_crit;
extern HAL_TLS uint32_t hal_tls_pending;        /* atomic: enum hal_irq */
extern HAL_TLS uint32_t hal_tls_trap;           /* 1 in a handler */
enum hal_irq { HAL_IRQ_IPI = 1, HAL_IRQ_TIMER = 2 };

/* 1: this section is the outermost. */
typedef uint32_t hal_crit_t;
#define HAL_CRIT_OPEN ((hal_crit_t)1)

void hal_irq_take(void);        /* trap.c: crit is 0, and something was pending */
void hal_poll(void);            /* trap.c: HAL_POLLED only */

static inline struct hart *hal_self(void)
{
    return hal_tls_self();
}

static inline hal_crit_t hal_crit_enter(void)
{
    return !hal_tls_crit_swap_1();
}

static inline void hal_crit_exit(hal_crit_t c)
{
    if (!c) {
        __asm__ volatile("" : : : "memory");
        return;
    }
    hal_tls_set(hal_tls_crit, 0);
#if HAL_POLLED
    hal_poll();
#else
    if (__builtin_expect(hal_tls_get(hal_tls_pending) != 0, 0))
        hal_irq_take();
#endif
}

static inline bool hal_crit_held(void)
{
    return hal_tls_get(hal_tls_crit) != 0;
}

static inline uintptr_t hal_self_load(size_t offset)
{
    hal_crit_t c = hal_crit_enter();
    uintptr_t v = *(uintptr_t *)((char *)hal_self() + offset);
    hal_crit_exit(c);
    return v;
}

#endif
