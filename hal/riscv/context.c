/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: making one, leaving one for another, and what a scan must see of one. */
#include "hal_internal.h"
#include "layout.h"

#define AT(type, field, offset) _Static_assert(offsetof(struct type, field) == (offset), "layout.h: " #type "." #field)
AT(hal_ctx, reg, CTX_PC);
AT(hal_ctx, mstatus, CTX_MSTATUS);
AT(hal_ctx, fcsr, CTX_FCSR);
_Static_assert(sizeof(struct hal_ctx) <= CTX_FRAME, "layout.h: CTX_FRAME");
AT(hal_hart, sc_sink, 0);
AT(hal_hart, nest, HART_NEST);
AT(hal_hart, ctx, HART_CTX);
AT(hal_hart, trap_hi, HART_TRAP_HI);
AT(hal_hart, trap_lo, HART_TRAP_LO);
AT(hal_hart, scratch[0], HART_T0);
AT(hal_hart, scratch[1], HART_T1);
AT(hal_hart, scratch[2], HART_T2);

/* Floating point of a new context: its zeros are loaded, and whether it changes them shows in FS.  Built without, it
 * stays off, and an instruction that slips in faults instead of mixing tasks up. */
#ifdef __riscv_flen
#define FS_NEW MSTATUS_FS_INIT
AT(hal_ctx, f, CTX_F);

static void fp_leave(struct hal_ctx *ctx)
{
    if ((ctx->mstatus & MSTATUS_FS) != MSTATUS_FS)
        return;                         /* not changed since it was loaded */
    hal_fp_save(ctx);
    ctx->mstatus = (ctx->mstatus & ~(uintptr_t)MSTATUS_FS) | MSTATUS_FS_CLEAN;
}

static void fp_enter(const struct hal_ctx *ctx)
{
    if (ctx->mstatus & MSTATUS_FS)
        hal_fp_load(ctx);
}
#else
#define FS_NEW 0
static void fp_leave(struct hal_ctx *ctx) { (void)ctx; }
static void fp_enter(const struct hal_ctx *ctx) { (void)ctx; }
#endif

void hal_ctx_init(struct hal_ctx *ctx, void *lo, void *hi, void (*entry)(void *), void *arg)
{
    uintptr_t guard = (uintptr_t)lo;
    *ctx = (struct hal_ctx){
        .mstatus = MSTATUS_MPP | MSTATUS_MPRV | FS_NEW,
        .guard = guard % RISCV_PAGE ? 0 : guard,
    };
    ctx->reg[0] = (uintptr_t)entry;
    ctx->reg[2] = (uintptr_t)hi & ~(uintptr_t)15;
    ctx->reg[10] = (uintptr_t)arg;
}

/* The guard moves with the running task: a stack that nobody runs on has none. */
void hal_ctx_fini(struct hal_ctx *ctx)
{
    (void)ctx;
}

void hal_switch_trap(struct hal_ctx *from, struct hal_ctx *to, uint32_t *busy)
{
    struct hal_hart *me = hal_me();
    fp_leave(from);
    me->ctx = to;
    if (busy)
        st_rel(busy, 0);                /* partner: whoever reads 0 with acquire, then resumes or scans `from` */
    fp_enter(to);
    hal_guard_set(me, to);
}

/* All registers, the pc too: an ambiguous word more does no harm.  Floating-point registers hold no references: the
 * compiler never keeps a pointer there. */
void hal_ctx_roots(const struct hal_ctx *ctx, struct hal_roots *r)
{
    r->sp = ctx->reg[2];
    r->regs = ctx->reg;
    r->nregs = 32;
}
