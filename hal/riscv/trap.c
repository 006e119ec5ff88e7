/* SPDX-License-Identifier: Apache-2.0 */
/* What a trap is about, and whom it concerns. */
#include "hal_internal.h"

/* mcause: the top bit says interrupt. */
#define CAUSE_INTERRUPT ((uintptr_t)1 << (__riscv_xlen - 1))
enum { IRQ_SOFTWARE = 3, IRQ_TIMER = 7, IRQ_EXTERNAL = 11, CAUSE_STORE_ACCESS = 7 };

/* Handlers inside handlers; more is a fault that faults while it is reported. */
enum { NEST_MAX = 16 };

static const char *const cause_names[] = {
    "misaligned instruction", "instruction access fault", "illegal instruction", "breakpoint",
    "misaligned load", "load access fault", "misaligned store", "store access fault",
    "environment call from user mode", "environment call from supervisor mode", "exception 10",
    "environment call", "instruction page fault", "load page fault", "exception 14", "store page fault",
};

static void interrupt(struct hal_hart *me, uintptr_t cause)
{
    switch (cause & ~CAUSE_INTERRUPT) {
    case IRQ_SOFTWARE:
        hal_ipi_clear(me);
        hal_hooks.ipi();
        break;
    case IRQ_TIMER:
        if (hal_timer_expired(me))
            hal_hooks.timer();
        break;
    case IRQ_EXTERNAL:
        hal_device_interrupt(me);
        break;
    default:
        hal_die("an interrupt that was never enabled");
    }
}

static void fault(struct hal_hart *me, const struct hal_ctx *frame, uintptr_t cause, uintptr_t addr)
{
    struct hal_fault f = {
        .what = cause < sizeof(cause_names) / sizeof(cause_names[0]) ? cause_names[cause] : "unknown exception",
        .pc = frame->reg[0],
        .addr = addr,
        .sp = frame->reg[2],
        .nested = frame != me->ctx || !(frame->mstatus & MSTATUS_MPIE),
        .ctx = frame,
    };
    if (frame != me->ctx && (f.sp < me->trap_lo || f.sp > me->trap_hi || f.sp - me->trap_lo < sizeof(*frame)))
        f.what = "trap stack overflow (make BOARD_TRAP_STACK larger)";
    else if (cause == CAUSE_STORE_ACCESS && hal_guard_read_only(me, addr))
        f.what = "store to read-only memory";
    hal_hooks.fault(&f);
    if (f.nested || me->ctx == frame)
        hal_die("the fault hook returned and did not switch");
}

/* Called by the trap entry with the frame that it saved; returns the context to go on with. */
struct hal_ctx *hal_trap(struct hal_ctx *frame);
struct hal_ctx *hal_trap(struct hal_ctx *frame)
{
    struct hal_hart *me = hal_me();
    uintptr_t cause = csr_read(mcause), addr = csr_read(mtval);
    bool outermost = frame == me->ctx;
    if (++me->nest > NEST_MAX)
        hal_die("trap in trap in trap");

    if (cause & CAUSE_INTERRUPT) {
        hal_restart_fix(me, frame);     /* before anything looks at the frame, and before any acknowledgement */
        interrupt(me, cause);
    } else {
        fault(me, frame, cause, addr);
    }

    if (outermost && me->ctx == frame)  /* a fault has switched already */
        hal_hooks.trap_exit();
    me->nest--;
    return outermost ? me->ctx : frame;
}
