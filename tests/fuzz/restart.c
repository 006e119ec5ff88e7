/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hal/host/restart.c and hal/riscv/restart.c: the table of restartable sequences.
 *
 * Both are included here, once for each of some table sizes, with what they need of their HAL replaced.  The table is refused
 * if and only if a sequence is empty, too long, outside the code, or overlaps another; otherwise a pc between start and end
 * goes to the start, and any other stays.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sanitizer/asan_interface.h>

#include "tests/fuzz/bytes.h"

#define HAL_INTERNAL_H          /* both include a header with this guard */
struct hal_hart { uint32_t restarts; };
struct hal_ctx { uintptr_t reg[1]; };
static struct hal_hart fuzz_hart;
static jmp_buf refused;
#define ld_rlx(p) (*(p))
#define own_add(p, n) (*(p) += (n))
#define hal_of(hart) ((void)(hart), &fuzz_hart)

_Noreturn static void hal_die(const char *why)
{
    (void)why;
    longjmp(refused, 1);
}

enum { TABLE_MAX = 33, TEXT = 2048, OUTSIDE = 96 };
struct entry { uintptr_t start, end; };
/* A table of n entries is the last n of these; the sequences lie in fuzz_text, OUTSIDE bytes from both ends of the buffer. */
__attribute__((used)) struct entry fuzz_table[TABLE_MAX];
__attribute__((used)) char fuzz_text[TEXT + 2 * OUTSIDE];

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define N(name) PASTE(name, ONE)
#define seq N(seq_)
#define sort N(sort_)
#define by_start N(by_start_)
#define SEQ_BYTES_MAX N(seq_bytes_max_)
#define hal_restart_init N(init_)
#define hal_restart_fix N(fix_)
#define hal_restarts N(restarts_)
#define __start_hgc_restart N(lo_)
#define __stop_hgc_restart N(hi_)
#define hal_restart_lo N(lo_)
#define hal_restart_hi N(hi_)
#define __text_start N(text_lo_)
#define __text_end N(text_hi_)
uint32_t restarts_host1(unsigned), restarts_host2(unsigned), restarts_host3(unsigned), restarts_host4(unsigned),
    restarts_host7(unsigned), restarts_host16(unsigned), restarts_host33(unsigned);

#define SYMBOL(name, one, place) ".weak " #name #one "\n.set " #name #one ", " place "\n"
/* 16, 2048 and 96 are the size of an entry, TEXT and OUTSIDE. */
#define TABLE(one, n)                                                                                                \
    __asm__(SYMBOL(lo_, one, "fuzz_table + 16 * (33 - " #n ")") SYMBOL(hi_, one, "fuzz_table + 16 * 33")             \
                SYMBOL(text_lo_, one, "fuzz_text + 96") SYMBOL(text_hi_, one, "fuzz_text + 96 + 2048"))

TABLE(host1, 1);
TABLE(host2, 2);
TABLE(host3, 3);
TABLE(host4, 4);
TABLE(host7, 7);
TABLE(host16, 16);
TABLE(host33, 33);
TABLE(riscv1, 1);
TABLE(riscv2, 2);
TABLE(riscv3, 3);
TABLE(riscv4, 4);
TABLE(riscv7, 7);
TABLE(riscv16, 16);
TABLE(riscv33, 33);
#define ONE host1
#include "hal/host/restart.c"
#undef ONE
#define ONE host2
#include "hal/host/restart.c"
#undef ONE
#define ONE host3
#include "hal/host/restart.c"
#undef ONE
#define ONE host4
#include "hal/host/restart.c"
#undef ONE
#define ONE host7
#include "hal/host/restart.c"
#undef ONE
#define ONE host16
#include "hal/host/restart.c"
#undef ONE
#define ONE host33
#include "hal/host/restart.c"
#undef ONE
#define ONE riscv1
#include "hal/riscv/restart.c"
#undef ONE
#define ONE riscv2
#include "hal/riscv/restart.c"
#undef ONE
#define ONE riscv3
#include "hal/riscv/restart.c"
#undef ONE
#define ONE riscv4
#include "hal/riscv/restart.c"
#undef ONE
#define ONE riscv7
#include "hal/riscv/restart.c"
#undef ONE
#define ONE riscv16
#include "hal/riscv/restart.c"
#undef ONE
#define ONE riscv33
#include "hal/riscv/restart.c"
#undef ONE

#define HOST(n) { n, seq_bytes_max_host##n, false, init_host##n, fix_host##n, NULL }
#define RISCV(n) { n, seq_bytes_max_riscv##n, true, init_riscv##n, NULL, fix_riscv##n }
static const struct {
    unsigned n, bytes_max;
    bool in_text;
    void (*init)(void);
    void (*fix_pc)(struct hal_hart *, uintptr_t *);
    void (*fix_frame)(struct hal_hart *, struct hal_ctx *);
} versions[] = {
    HOST(1), HOST(2), HOST(3), HOST(4), HOST(7), HOST(16), HOST(33),
    RISCV(1), RISCV(2), RISCV(3), RISCV(4), RISCV(7), RISCV(16), RISCV(33),
};
enum { VERSIONS = sizeof versions / sizeof versions[0] };

/* The rules, each entry and each pair by itself. */
static bool is_good(const struct entry *t, unsigned n, unsigned bytes_max, bool in_text)
{
    uintptr_t lo = (uintptr_t)fuzz_text + OUTSIDE, hi = lo + TEXT;
    for (unsigned i = 0; i < n; i++) {
        if (t[i].end <= t[i].start || t[i].end - t[i].start > bytes_max)
            return false;
        if (in_text && (t[i].start < lo || t[i].end > hi))
            return false;
        for (unsigned j = 0; j < i; j++)
            if (t[i].start < t[j].end && t[j].start < t[i].end)
                return false;
    }
    return true;
}

static uintptr_t expected(const struct entry *t, unsigned n, uintptr_t pc)
{
    for (unsigned i = 0; i < n; i++)
        if (t[i].start < pc && pc < t[i].end)
            return t[i].start;
    return pc;
}

static void check_pc(unsigned v, const struct entry *t, uintptr_t pc)
{
    struct hal_ctx frame = { { pc } };
    uint32_t before = fuzz_hart.restarts;
    uintptr_t want = expected(t, versions[v].n, pc);
    if (versions[v].fix_pc)
        versions[v].fix_pc(&fuzz_hart, &frame.reg[0]);
    else
        versions[v].fix_frame(&fuzz_hart, &frame);
    if (frame.reg[0] != want)
        fail(want == pc ? "a pc outside of all sequences was moved" : "a pc in a sequence was not set to its start");
    if (fuzz_hart.restarts - before != (want != pc))
        fail("the restarts were miscounted");
}

static void make_table(struct bytes *in, struct entry *t, unsigned n)
{
    /* Mostly good: one after another, shuffled; now and then anything. */
    uintptr_t base = (uintptr_t)fuzz_text, at = base + OUTSIDE;
    bool wild = take(in) % 8 == 0;
    for (unsigned i = 0; i < n; i++) {
        uint8_t gap = take(in), length = take(in);
        at += gap % 8 == 7 ? gap / 8 : 0;
        t[i].start = at;
        t[i].end = at += 1 + length % 32;
        if (wild && length >= 128) {
            t[i].start = base + take16(in) % sizeof fuzz_text;
            t[i].end = t[i].start + (uintptr_t)(int8_t)take(in);
        }
    }
    for (unsigned i = n - 1; i > 0; i--) {
        unsigned j = take(in) % (i + 1);
        struct entry e = t[i];
        t[i] = t[j];
        t[j] = e;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, data + size };
    unsigned v = take(&in) % VERSIONS, n = versions[v].n;
    struct entry t[TABLE_MAX], *table = fuzz_table + TABLE_MAX - n;
    make_table(&in, t, n);
    ASAN_UNPOISON_MEMORY_REGION(fuzz_table, sizeof fuzz_table);
    memcpy(table, t, n * sizeof *t);
    ASAN_POISON_MEMORY_REGION(fuzz_table, (TABLE_MAX - n) * sizeof *t);
    bool good = is_good(t, n, versions[v].bytes_max, versions[v].in_text), taken = false;
    if (setjmp(refused) == 0) {
        versions[v].init();
        taken = true;
    }
    if (taken != good)
        fail(good ? "a good table was refused" : "a bad table was taken");
    for (unsigned i = 1; taken && i < n; i++)
        if (table[i].start < table[i - 1].start)
            fail("the table is not in order");
    for (unsigned i = 0; taken && i < n; i++)
        for (int d = -2; d <= 2; d++) {
            check_pc(v, t, t[i].start + (uintptr_t)d);
            check_pc(v, t, t[i].end + (uintptr_t)d);
        }
    if (taken) {
        check_pc(v, t, 0);
        check_pc(v, t, UINTPTR_MAX);
        for (unsigned i = 0; i < 8; i++)
            check_pc(v, t, (uintptr_t)fuzz_text + take16(&in) % sizeof fuzz_text);
    }
    return 0;
}
