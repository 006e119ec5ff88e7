/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Panic: states in which going on would corrupt.  The first hart to panic stops the others and reports; a second panic on
 * the same hart ends the machine at once; other harts stand still.
 */
#include "kernel/kernel_internal.h"

enum { STATUS = 3, MESSAGE = 200, STACK = 4096 };
#define OTHERS_NS 20000000      /* how long the others are given to stop: one may be stuck, that may be why we are here */

static uint32_t panicking;      /* atomic: 1 + the hart that reports */
static uint32_t halted;         /* atomic: harts that stand still */
static void (*hook)(void);      /* atomic: what hk_panic_hook was told; who calls it takes it out */
static char message[MESSAGE];   /* the reporting hart's, as the next two */
static struct hal_ctx here;
/* It begins off the boundary of a page: one that begins there has its lowest page for a guard, and this is no more than that. */
static _Alignas(32) unsigned char stack[16 + STACK];

bool panic_begun(void)
{
    return ld_rlx(&panicking) != 0;
}

_Noreturn void panic_halt(void)
{
    (void)hal_crit_enter();
    amo_add_rlx(&halted, 1);
    for (;;)
        hal_wait();
}

void hk_panic_hook(void (*fn)(void))
{
    st_rel(&hook, fn);                  /* [L-mp.rel] */
}

/* A hook that panics comes back here, and finds itself taken out. */
static _Noreturn void end(void)
{
    void (*fn)(void) = ld_acq(&hook);       /* [L-mp.acq] */
    st_rlx(&hook, NULL);
    if (fn)
        fn();
    hal_exit(STATUS);
}

static void stop_others(unsigned self)
{
    uint64_t end = hal_time_ns() + OTHERS_NS;
    for (unsigned i = 0; i < hal_hart_count(); i++)
        if (i != self)
            hal_ipi_send(i);
    while (ld_rlx(&halted) < hal_hart_count() - 1 && hal_time_ns() < end)
        ;
    console_break_lock();
}

/* From here on this hart is the only one that reports, with interrupts off. */
static void begin(const char *fmt, va_list ap)
{
    (void)hal_crit_enter();
    unsigned self = hal_self()->index;
    if (!cas_full(&panicking, 0, 1 + self)) {       /* [L-none: only the atomicity counts] */
        if (ld_rlx(&panicking) == 1 + self)
            end();                              /* the report itself failed */
        panic_halt();
    }
    hk_vsnprintf(message, sizeof message, fmt, ap);
    if (start_done())
        stop_others(self);
    else
        console_break_lock();
}

static _Noreturn void report(const struct hal_ctx *ctx)
{
    struct hart *h = hal_self();
    const struct task *t = ld_rlx(&h->current);
    hk_printf("\npanic: %s\n", message);
    hk_printf("hart %u, task %s%s%s, pin %u, %u of %u other harts stopped\n", h->index, t ? t->name : "(boot)",
              hal_in_trap() ? ", in a handler" : "", world_stopped() ? ", world stopped" : "", (unsigned)h->pin,
              (unsigned)ld_rlx(&halted), hal_hart_count() - 1);
    if (ctx)
        hal_ctx_dump(ctx, t ? t->stack_hi : 0, console_line);
    console_flush();
    end();
}

static void report_here(void *arg)
{
    (void)arg;
    report(&here);
}

_Noreturn void panic_at(const struct hal_ctx *ctx, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    begin(fmt, ap);
    va_end(ap);
    report(ctx);
}

/* A task's registers are had by switching away from it, to a stack that is surely whole.  In a handler they are those of
 * the task that it interrupted. */
_Noreturn void hk_panic(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    begin(fmt, ap);
    va_end(ap);
    const struct task *t = ld_rlx(&hal_self()->current);
    if (t == NULL || hal_in_trap())
        report(t ? &t->ctx : NULL);
    static struct hal_ctx there;
    hal_ctx_init(&there, stack + 16, stack + sizeof(stack), report_here, NULL);
    hal_switch(&here, &there, NULL);
    report(NULL);
}

_Noreturn void hk_assert_failed(const char *expr, const char *file, int line)
{
    hk_panic("%s:%d: assertion failed: %s", file, line, expr);
}
