/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers and a backtrace for a report.  There are no frame pointers, so the backtrace is a guess: words on the stack
 * that point just behind a call in the code.  Old frames leave such words behind, hence "possibly".
 */
#include "hal_internal.h"

extern const char __text_start[], __text_end[];

enum { HEX = __riscv_xlen / 4, PER_LINE = 4, CALLS_MAX = 24, WORDS_MAX = 4096 };

static const char names[32][4] = {
    "pc", "ra", "sp", "", "", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
    "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};

static char *put(char *p, const char *s)
{
    while (*s)
        *p++ = *s++;
    return p;
}

static char *put_hex(char *p, uintptr_t v)
{
    for (int shift = __riscv_xlen - 4; shift >= 0; shift -= 4)
        *p++ = "0123456789abcdef"[v >> shift & 15];
    return p;
}

static void dump_registers(const struct hal_ctx *ctx, void (*out)(const char *line))
{
    char line[PER_LINE * (6 + HEX) + 1], *p = line;
    unsigned on_line = 0;
    for (unsigned i = 0; i < 32; i++) {
        if (!names[i][0])
            continue;
        p = put(p, names[i][2] ? " " : "  ");
        p = put(put(p, names[i]), " ");
        p = put_hex(p, ctx->reg[i]);
        if (++on_line < PER_LINE && i != 31)
            continue;
        *p = 0;
        out(line);
        p = line;
        on_line = 0;
    }
}

/* Does the code just before `pc` look like a call: jal ra or jalr ra, or their 16-bit forms? */
static bool behind_call(uintptr_t pc)
{
    if (pc % 2 || pc < (uintptr_t)__text_start + 4 || pc >= (uintptr_t)__text_end)
        return false;
    const uint16_t *p = (const uint16_t *)pc;
    uint32_t wide = (uint32_t)p[-1] << 16 | p[-2];
    bool jal = (wide & 0xfff) == 0x0ef, jalr = (wide & 0x7fff) == 0x00e7;
    bool c_jalr = (p[-1] & 0xf07f) == 0x9002 && (p[-1] & 0x0f80);
    bool c_jal = __riscv_xlen == 32 && (p[-1] & 0xe003) == 0x2001;
    return jal || jalr || c_jalr || c_jal;
}

static void dump_call(const char *what, uintptr_t pc, void (*out)(const char *line))
{
    char line[64];
    *put_hex(put(line, what), pc) = 0;
    out(line);
}

void hal_ctx_dump(const struct hal_ctx *ctx, uintptr_t stack_hi, void (*out)(const char *line))
{
    dump_registers(ctx, out);
    dump_call("  at                 ", ctx->reg[0], out);
    if (behind_call(ctx->reg[1]))
        dump_call("  possibly called by ", ctx->reg[1], out);

    /* sp may be anything: only read what is memory. */
    uintptr_t lo, hi, sp = ctx->reg[2];
    hal_memory(&lo, &hi);
    if (sp % sizeof(uintptr_t) || sp < BOARD_RAM_BASE || stack_hi > hi || sp >= stack_hi) {
        out("  the stack pointer is not in the stack: no backtrace");
        return;
    }
    /* Nor may a handler read its own stack's guard: one that overran it left sp there, and a wild sp may be below. */
    uintptr_t trap_lo = hal_me()->trap_lo;
    if (sp < trap_lo && stack_hi > trap_lo - RISCV_PAGE && trap_lo - sp <= RISCV_PAGE + WORDS_MAX * sizeof(uintptr_t))
        sp = trap_lo;
    const uintptr_t *p = (const uintptr_t *)sp;
    size_t words = sp < stack_hi ? (stack_hi - sp) / sizeof(*p) : 0, calls = 0;
    for (size_t i = 0; i < words && i < WORDS_MAX && calls < CALLS_MAX; i++)
        if (behind_call(p[i]) && p[i] != ctx->reg[1]) {
            dump_call("  possibly called by ", p[i], out);
            calls++;
        }
}
