/* SPDX-License-Identifier: Apache-2.0 */
/* aarch64: registers on stacks and in signal frames. */
#define _GNU_SOURCE
#include "hal_internal.h"

#if defined(__aarch64__)
#include <asm/sigcontext.h>
#include <string.h>
#include <ucontext.h>

_Static_assert(offsetof(struct hal_ctx, sp) == 0, "hal_ctx_save and hal_ctx_load");
_Static_assert(offsetof(mcontext_t, pstate) - offsetof(mcontext_t, regs) == (HAL_REGS - 1) * 8, "aarch64.h: the order");

/* What hal_ctx_first builds is what hal_ctx_save pushes, with hal_ctx_begin for x30.  In hal_ctx_begin: x19 = entry,
 * x20 = arg.
 * hal_ctx_load zeroes the registers that a call may clobber: what another context left there would look like a reference
 * of this one as soon as a compiler stores it for no reason, or a signal saves it (see x86_64.c). */
#define FRAME "176"
#define FORGET_VECTORS                                                                                                \
    ".irp i, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"               \
    "movi v\\i\\().2d, #0\n\t"                                                                                       \
    ".endr\n\t"
__asm__(
    ".text\n"
    ".globl hal_ctx_save, hal_ctx_load, hal_ctx_begin, hal_spill\n"
    ".macro each_saved op\n\t"
    "\\op x19, x20, [sp, #0]\n\t"
    "\\op x21, x22, [sp, #16]\n\t"
    "\\op x23, x24, [sp, #32]\n\t"
    "\\op x25, x26, [sp, #48]\n\t"
    "\\op x27, x28, [sp, #64]\n\t"
    "\\op x29, x30, [sp, #80]\n\t"
    "\\op d8, d9, [sp, #96]\n\t"
    "\\op d10, d11, [sp, #112]\n\t"
    "\\op d12, d13, [sp, #128]\n\t"
    "\\op d14, d15, [sp, #144]\n"
    ".endm\n"

    ".type hal_ctx_save, %function\n"
    "hal_ctx_save:\n\t"
    "sub sp, sp, #" FRAME "\n\t"
    "each_saved stp\n\t"
    "mrs x9, fpcr\n\t"
    "str x9, [sp, #160]\n\t"
    "mov x9, sp\n\t"
    "str x9, [x0]\n\t"
    "mov sp, x1\n\t"
    "mov x0, x3\n\t"
    "mov x1, x4\n\t"
    "mov x29, xzr\n\t"
    "blr x2\n\t"
    "brk #1\n"

    ".type hal_ctx_load, %function\n"
    "hal_ctx_load:\n\t"
    "ldr x9, [x0]\n\t"
    "mov sp, x9\n\t"
    "ldr x9, [sp, #160]\n\t"
    "msr fpcr, x9\n\t"
    "each_saved ldp\n\t"
    "add sp, sp, #" FRAME "\n\t"
    ".irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18\n\t"
    "mov x\\i, xzr\n\t"
    ".endr\n\t"
    FORGET_VECTORS
    "ret\n"

    ".type hal_ctx_begin, %function\n"
    "hal_ctx_begin:\n\t"
    "mov x0, x20\n\t"
    "blr x19\n\t"
    "brk #1\n"

    ".type hal_spill, %function\n"
    "hal_spill:\n\t"
    "sub sp, sp, #" FRAME "\n\t"
    "each_saved stp\n\t"
    FORGET_VECTORS
    "mov x9, x0\n\t"
    "mov x0, x1\n\t"
    "mov x1, sp\n\t"
    "blr x9\n\t"
    "each_saved ldp\n\t"
    "add sp, sp, #" FRAME "\n\t"
    "ret\n");

void hal_ctx_begin(void);

uintptr_t hal_ctx_first(uintptr_t hi, void (*entry)(void *), void *arg)
{
    enum { X19 = 0, X20 = 1, X30 = 11, WORDS = 22 };
    uintptr_t *frame = (uintptr_t *)hi - WORDS;
    memset(frame, 0, WORDS * sizeof(*frame));           /* fpcr 0: as a process begins */
    frame[X19] = (uintptr_t)entry;
    frame[X20] = (uintptr_t)arg;
    frame[X30] = (uintptr_t)hal_ctx_begin;
    return (uintptr_t)frame;
}

/* ---- signal frames ---------------------------------------------------------------------------------------------- */

/* Behind the general registers stands a list of records, each with its length, ended by one of length 0.  They hold
 * offsets only, so they may be moved, but for the record that says that more of them lie elsewhere. */
static size_t records_bytes(const void *records)
{
    size_t n = 0;
    for (;;) {
        struct _aarch64_ctx head;
        memcpy(&head, (const char *)records + n, sizeof head);
        if (head.magic == EXTRA_MAGIC)
            hal_die("this processor has more vector registers than HAL_FP_BYTES has room for");
        if (head.magic == 0)
            return n + sizeof head;
        n += head.size;
        if (head.size == 0 || n + sizeof head > HAL_FP_BYTES)
            hal_die("a signal frame that makes no sense");
    }
}

void hal_frame_save(struct hal_ctx *ctx, const void *frame)
{
    const mcontext_t *m = &((const ucontext_t *)frame)->uc_mcontext;
    size_t n = records_bytes(m->__reserved);
    memcpy(ctx->reg, m->regs, sizeof ctx->reg);
    memcpy(ctx->fp, m->__reserved, n);
    ctx->image_words = HAL_REGS + (uint32_t)(n / sizeof(uintptr_t));
    ctx->full = 1;
}

void hal_frame_load(const struct hal_ctx *ctx, void *frame)
{
    mcontext_t *m = &((ucontext_t *)frame)->uc_mcontext;
    memcpy(m->regs, ctx->reg, sizeof ctx->reg);
    memcpy(m->__reserved, ctx->fp, records_bytes(ctx->fp));
}

void hal_frame_set_pc(void *frame, uintptr_t pc)
{
    ((ucontext_t *)frame)->uc_mcontext.pc = pc;
}

void hal_frame_call(void *frame, void (*fn)(struct hal_ctx *), struct hal_ctx *arg, uintptr_t sp)
{
    mcontext_t *m = &((ucontext_t *)frame)->uc_mcontext;
    m->pc = (uintptr_t)fn;
    m->regs[0] = (uintptr_t)arg;
    m->sp = sp;
}

/* Bit 6 of the syndrome says write; the exception class, from bit 26, is 0x20 or 0x21 for an instruction. */
const char *hal_frame_access(const void *frame)
{
    const mcontext_t *m = &((const ucontext_t *)frame)->uc_mcontext;
    const char *records = (const char *)m->__reserved;
    size_t end = records_bytes(records);
    struct esr_context esr;
    for (size_t n = 0; n + sizeof esr <= end; n += esr.head.size) {
        memcpy(&esr, records + n, sizeof esr);
        if (esr.head.magic == ESR_MAGIC)
            return (esr.esr >> 26 & ~1u) == 0x20 ? "instruction access fault" : esr.esr & 1 << 6 ? "store access fault"
                                                                                                 : "load access fault";
    }
    return "access fault";
}

/* ---- reports ---------------------------------------------------------------------------------------------------- */

bool hal_behind_call(uintptr_t pc)
{
    if (pc % 4)
        return false;
    uint32_t before = ((const uint32_t *)pc)[-1];
    return (before & 0xfc000000) == 0x94000000 || (before & 0xfffffc1f) == 0xd63f0000;     /* bl, blr */
}

const char *const hal_reg_names[HAL_REGS] = {
    "x0 ",  "x1 ",  "x2 ",  "x3 ",  "x4 ",  "x5 ",  "x6 ",  "x7 ",  "x8 ",  "x9 ",  "x10", "x11",
    "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23",
    "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp ", "pc ", "psr",
};
#endif
