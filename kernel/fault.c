/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults.  One in a task ends that task with a report; the others go on.  One in a handler, or while the task is in a
 * critical or pinned section, may have left something half done that others rely on: a panic.  So is one of a task of the
 * kernel's or collector's own, without which they do not work.
 *
 * The report is written with interrupts off: rare enough, and it must not mix with what comes after.
 */
#include "kernel/kernel_internal.h"

static bool must_go_on(const struct hart *h, const struct task *t)
{
    return h->pin > 0 || t->no_stack_roots;
}

/* In its trap: its mutexes go to the next, the C library's state is given back, its joiner wakes, another task runs when the
 * trap returns. */
static void end_in_trap(struct hart *h, struct task *t)
{
    t->exited_by_fault = true;
    mutex_abandon(t);
    if (t->reent_end)
        t->reent_end(t, true);
    st_rlx(&t->result, 0);
    task_end(h, t);
    struct task *next = sched_next(h);
    sched_run_trap(h, next ? next : sched_take_idle(h));
}

/* An access in the guard, a stack pointer outside, or a canary that is gone. */
static bool is_overflow(const struct task *t, const struct hal_fault *f)
{
    return (f->addr < t->stack_lo && t->stack_lo - f->addr <= HAL_GUARD_SIZE) || !stack_ok(t, f->sp);
}

static void advise(const struct task *t)
{
    hk_printf("  its stack has %u bytes: give it a larger stack_size, or less depth\n", (unsigned)(t->stack_hi - t->stack_lo));
}

void fault_hook(const struct hal_fault *f)
{
    struct hart *h = hal_self();
    struct task *t = ld_rlx(&h->current);
    if (t == NULL)
        panic_at(f->ctx, "%s at %p, address %p, during boot", f->what, (void *)f->pc, (void *)f->addr);
    bool overflow = f->ctx == &t->ctx && is_overflow(t, f);
    const char *what = overflow ? "stack overflow" : f->what;
    if (f->nested || must_go_on(h, t))
        panic_at(f->ctx, "%s at %p, address %p, sp %p, in a %s", what, (void *)f->pc, (void *)f->addr, (void *)f->sp,
                 f->nested ? "critical section or handler" : h->pin ? "pinned section" : "task of the kernel's own");
    hk_printf("task %s ended on hart %u: %s\n", t->name, h->index, what);
    hk_printf("  pc %p address %p sp %p stack %p to %p\n", (void *)f->pc, (void *)f->addr, (void *)f->sp,
              (void *)t->stack_lo, (void *)t->stack_hi);
    if (overflow)
        advise(t);
    hal_ctx_dump(f->ctx, t->stack_hi, console_line);
    end_in_trap(h, t);
}

void fault_check_stack(struct hart *h)
{
    struct task *t = ld_rlx(&h->current);
    struct hal_roots roots;
    hal_ctx_roots(&t->ctx, &roots);
    if (stack_ok(t, roots.sp))
        return;
    if (must_go_on(h, t))
        panic_at(&t->ctx, "stack overflow of task %s, sp %p, stack %p to %p", t->name, (void *)roots.sp,
                 (void *)t->stack_lo, (void *)t->stack_hi);
    hk_printf("task %s ended on hart %u: stack overflow\n", t->name, h->index);
    hk_printf("  sp %p stack %p to %p\n", (void *)roots.sp, (void *)t->stack_lo, (void *)t->stack_hi);
    advise(t);
    hal_ctx_dump(&t->ctx, t->stack_hi, console_line);
    end_in_trap(h, t);
}
