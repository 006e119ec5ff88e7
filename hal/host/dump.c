/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers and a backtrace for a report.  There are no frame pointers, so the backtrace is a guess: words on the stack
 * that point just behind a call in the code.  Old frames leave such words behind, hence "possibly".  The linker chooses
 * the addresses; addr2line wants what is printed behind the plus sign.
 */
#include "hal_internal.h"

extern const char __executable_start[], etext[];

enum { PER_LINE = 4, CALLS_MAX = 24, WORDS_MAX = 4096 };

static char *put(char *p, const char *s)
{
    while (*s)
        *p++ = *s++;
    return p;
}

static char *put_hex(char *p, uintptr_t v, int digits)
{
    for (int shift = 4 * digits - 4; shift >= 0; shift -= 4)
        *p++ = "0123456789abcdef"[v >> shift & 15];
    return p;
}

static void dump_registers(const struct hal_ctx *ctx, void (*out)(const char *line))
{
    char line[PER_LINE * 24 + 1], *p = line;
    unsigned on_line = 0;
    for (unsigned i = 0; i < HAL_REGS; i++) {
        if (hal_reg_names[i] == NULL)
            continue;
        p = put(put(p, "  "), hal_reg_names[i]);
        p = put_hex(put(p, " "), ctx->reg[i], 16);
        if (++on_line == PER_LINE) {
            *p = 0;
            out(line);
            p = line;
            on_line = 0;
        }
    }
    *p = 0;
    if (on_line)
        out(line);
}

static bool in_code(uintptr_t pc)
{
    return pc >= (uintptr_t)__executable_start && pc < (uintptr_t)etext;
}

static void dump_call(const char *what, uintptr_t pc, void (*out)(const char *line))
{
    char line[80], *p = put_hex(put(line, what), pc, 16);
    if (in_code(pc))
        p = put_hex(put(p, " +"), pc - (uintptr_t)__executable_start, 8);
    *p = 0;
    out(line);
}

/* Reads red zones and what another hart may be writing: a report is worth more than tidiness. */
static HAL_NO_SANITIZE uintptr_t word_at(const uintptr_t *p)
{
    return *p;
}

void hal_ctx_dump(const struct hal_ctx *ctx, uintptr_t stack_hi, void (*out)(const char *line))
{
    uintptr_t lo, hi, sp = ctx->full ? ctx->reg[HAL_REG_SP] : ctx->sp;
    if (ctx->full) {
        dump_registers(ctx, out);
        dump_call("  at                 ", ctx->reg[HAL_REG_PC], out);
    }
    /* sp may be anything: only read what is memory. */
    hal_memory(&lo, &hi);
    uintptr_t usable = ctx->guard ? ctx->guard + HAL_GUARD_SIZE : ctx->lo;
    if (sp < usable && sp >= ctx->guard && ctx->guard)
        sp = usable;                    /* it overflowed by a little */
    if (sp % sizeof(uintptr_t) || sp < lo || sp < usable || stack_hi > hi || sp >= stack_hi) {
        out("  the stack pointer is not in the stack: no backtrace");
        return;
    }
    size_t words = (stack_hi - sp) / sizeof(uintptr_t), calls = 0;
    for (size_t i = 0; i < words && i < WORDS_MAX && calls < CALLS_MAX; i++) {
        uintptr_t pc = word_at((const uintptr_t *)sp + i);
        if (!in_code(pc) || !in_code(pc - 8) || !hal_behind_call(pc))
            continue;
        dump_call("  possibly called by ", pc, out);
        calls++;
    }
}
