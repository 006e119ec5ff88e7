/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: making one, leaving one for another, and what a scan must see of one.  H3 and H4 are in hal_arch.h. */
#include "hal_internal.h"

void hal_ctx_init(struct hal_ctx *ctx, void *lo, void *hi, void (*entry)(void *), void *arg)
{
    ctx->lo = (uintptr_t)lo;
    ctx->hi = (uintptr_t)hi & ~(uintptr_t)15;
    ctx->full = 0;
    ctx->guard = hal_guard_set(ctx->lo, ctx->hi);
    ctx->sp = hal_ctx_first(ctx->hi, entry, arg);
    hal_san_init(ctx);
}

void hal_ctx_fini(struct hal_ctx *ctx)
{
    hal_san_fini(ctx);
    hal_guard_clear(ctx->guard);
    ctx->guard = 0;
}

/* Registers that a signal interrupted come back by the return from a signal only; so the hart sends itself one, and its
 * handler (trap.c) goes on in `to`. */
_Noreturn void hal_resume(struct hal_ctx *to)
{
    struct hal_hart *me = hal_me();
    me->ctx = to;
    if (to->full) {
        st_rlx(&me->arriving, 1);
        for (;;)
            hal_signal_self(me);
    }
    hal_san_enter(to);
    hal_ctx_load(to);
}

/* Apart, because what is not traced by ThreadSanitizer does not synchronise either. */
static __attribute__((noinline)) void release(uint32_t *busy)
{
    if (busy)
        st_rel(busy, 0);        /* partner: whoever reads 0 with acquire, then resumes or scans the context */
}

/* Trap stack: the context that was left is saved and its stack out of use, so another hart may have it (H4). */
static HAL_NO_TRACE void switch_away(void *to, void *busy)
{
    hal_san_trap(hal_me());
    release(busy);
    hal_resume(to);
}

void hal_switch(struct hal_ctx *from, struct hal_ctx *to, uint32_t *busy)
{
    from->full = 0;
    hal_ctx_save(from, hal_me()->trap_hi, switch_away, to, busy);
}

/* The context that was interrupted is saved since the trap's beginning. */
void hal_switch_trap(struct hal_ctx *from, struct hal_ctx *to, uint32_t *busy)
{
    struct hal_hart *me = hal_me();
    if (!hal_in_trap() || me->ctx != from)
        hal_die("hal_switch_trap from a context that was not interrupted");
    me->ctx = to;
    me->switched = 1;
    release(busy);
}

/* Vector registers too: compilers move pairs of pointers through them. */
void hal_ctx_roots(const struct hal_ctx *ctx, struct hal_roots *r)
{
    r->sp = ctx->full ? ctx->reg[HAL_REG_SP] - HAL_RED_ZONE : ctx->sp;
    r->regs = ctx->reg;
    r->nregs = ctx->full ? ctx->image_words : 0;
}
