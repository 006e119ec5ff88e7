/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Into a handler and out of it.
 *
 * There are two ways in, both to the trap stack: by signal, which saves all registers, and by call, where a critical
 * section ends with something pending, which saves those that a call keeps.  And two ways out: into what called, by
 * loading those (hal_resume), and into what was interrupted, by the return of a signal handler whose frame it is put into.
 * So a context may go on, on another hart, in a frame that it never saw; what the frame holds besides registers (mask,
 * alternate stack) is the thread's, and stays.
 *
 * SIGURG is blocked in its handler, until the return lets it in together with the interrupted context.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>

#include "hal_internal.h"

/* ---- what is done in a handler ---------------------------------------------------------------------------------- */

static void serve(struct hal_hart *me)
{
    uint32_t irqs = amo_swap_ar(me->pending, 0);        /* acq: what senders did before; partner: hal_interrupt */
    if (irqs & HAL_IRQ_IPI)
        hal_hooks.ipi();
    if (irqs & HAL_IRQ_TIMER)
        hal_timer_serve(me);
}

/* Trap stack.  A context in a critical section looks at `pending` by itself; one that was interrupted cannot, so all is
 * served before it goes on. */
static void trap(struct hal_hart *me)
{
    hal_tls_set(hal_tls_trap, 1);
    do {
        serve(me);
        hal_hooks.trap_exit();
    } while (me->ctx->full && ld_rlx(me->pending));
    hal_tls_set(hal_tls_trap, 0);
}

/* ---- by call ---------------------------------------------------------------------------------------------------- */

static HAL_NO_TRACE void trap_by_call(void *me_, void *unused)
{
    struct hal_hart *me = me_;
    (void)unused;
    hal_san_trap(me);
    trap(me);
    hal_resume(me->ctx);
}

void hal_trap_call(struct hal_hart *me)
{
    me->ctx->full = 0;
    hal_ctx_save(me->ctx, me->trap_hi, trap_by_call, me, NULL);
}

void hal_irq_take(void)
{
    do {
        hal_tls_set(hal_tls_crit, 1);
        struct hal_hart *me = hal_me();
        bool up = me && me->ctx;
        if (up && ld_rlx(me->pending))
            hal_trap_call(me);
        hal_tls_set(hal_tls_crit, 0);           /* of the hart where it is now */
        if (!up)
            return;
    } while (hal_tls_get(hal_tls_pending));
}

#if HAL_POLLED
/* The clock is read now and then only: it costs more than all the rest. */
void hal_poll(void)
{
    enum { EVERY = 16 };
    struct hal_hart *me = hal_me();             /* no signals: it cannot change here */
    if (me == NULL || hal_crit_held())
        return;
    if (me->polls++ % EVERY == 0)
        hal_timer_look(me);
    if (__atomic_load_n(me->pending, __ATOMIC_RELAXED))
        hal_irq_take();
}
#endif

void hal_irq_window(void)
{
    struct hal_hart *me = hal_me();
    if (HAL_POLLED)
        hal_timer_look(me);
    if (!ld_rlx(me->pending))
        return;
    if (hal_in_trap())
        serve(me);
    else if (me->ctx)
        hal_trap_call(me);
}

bool hal_in_trap(void)
{
    return hal_tls_get(hal_tls_trap) != 0;
}

/* ---- by signal -------------------------------------------------------------------------------------------------- */

/* The end of a signal handler: goes on in me->ctx.  `frame_of` is the context whose registers the frame holds, unless it was left: it
 * may have gone on elsewhere since, and come back. */
static void leave(struct hal_hart *me, void *frame, const struct hal_ctx *frame_of)
{
    if (me->ctx->full && ld_rlx(me->pending))
        trap(me);
    struct hal_ctx *to = me->ctx;
    if (!to->full) {
        hal_frame_call(frame, hal_resume, to, me->trap_hi);
        return;
    }
    errno = to->error;
    if (to == frame_of && !me->switched) {
        hal_frame_set_pc(frame, to->reg[HAL_REG_PC]);
    } else {
        hal_san_enter(to);
        hal_frame_load(to, frame);
    }
    hal_tls_set(hal_tls_crit, 0);
}

static void on_interrupt(int sig, siginfo_t *info, void *frame)
{
    struct hal_hart *me = hal_me();
    int error = errno;
    (void)sig, (void)info;
    if (me == NULL)
        return;
    hal_timer_look(me);
    if (ld_rlx(&me->arriving)) {                /* sent by hal_resume */
        st_rlx(&me->arriving, 0);
        leave(me, frame, NULL);
        return;
    }
    if (!hal_crit_held() && ld_rlx(me->pending) && me->ctx) {
        struct hal_ctx *ctx = me->ctx;
        hal_tls_set(hal_tls_crit, 1);
        hal_frame_save(ctx, frame);
        ctx->error = error;
        hal_restart_fix(me, &ctx->reg[HAL_REG_PC]);     /* before anything looks at it */
        me->switched = 0;
        trap(me);
        leave(me, frame, ctx);
        return;
    }
    errno = error;
}

static const char *what(int sig, const void *frame)
{
    switch (sig) {
    case SIGSEGV: return hal_frame_access(frame);
    case SIGBUS:  return "bus error";
    case SIGILL:  return "illegal instruction";
    case SIGFPE:  return "arithmetic fault";
    default:      return "breakpoint";
    }
}

/* A fault that is nested has nowhere to be saved but here.  If it overflowed a stack it is the running context's. */
static void on_fault(int sig, siginfo_t *info, void *frame)
{
    struct hal_hart *me = hal_me();
    if (me == NULL) {                           /* of a thread that is no hart: it happens again, and is fatal */
        signal(sig, SIG_DFL);
        return;
    }
    struct hal_ctx here = { 0 };
    bool nested = hal_crit_held() || me->ctx == NULL;
    if (me->ctx)
        here.lo = me->ctx->lo, here.hi = me->ctx->hi, here.guard = me->ctx->guard;
    struct hal_ctx *ctx = nested ? &here : me->ctx;
    hal_tls_set(hal_tls_crit, 1);
    hal_tls_set(hal_tls_trap, 1);
    hal_frame_save(ctx, frame);
    struct hal_fault fault = {
        .what = what(sig, frame),
        .pc = ctx->reg[HAL_REG_PC],
        .addr = (uintptr_t)info->si_addr,
        .sp = ctx->reg[HAL_REG_SP],
        .nested = nested,
        .ctx = ctx,
    };
    hal_hooks.fault(&fault);
    if (nested || me->ctx == ctx)
        hal_die("the fault hook returned and did not switch");
    hal_tls_set(hal_tls_trap, 0);
    leave(me, frame, NULL);
}

/* ---- set-up ----------------------------------------------------------------------------------------------------- */

static void handle(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | flags };
    sigaddset(&action.sa_mask, SIGURG);
    if (sigaction(sig, &action, NULL) != 0)
        hal_die("sigaction");
}

void hal_trap_init(void)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
    if (!HAL_POLLED)
        handle(SIGURG, on_interrupt, 0);
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++)
        handle(faults[i], on_fault, SA_NODEFER);        /* a fault in a fault's handler is reported as well */
}
