/* SPDX-License-Identifier: Apache-2.0 */
/* Bitmaps of words.  Reads are relaxed: who needs more says so where it calls. */
#include "gc/gc_internal.h"

const uint8_t bits_index[WORD_BITS] = {
#if UINTPTR_MAX > UINT32_MAX
    0, 1, 48, 2, 57, 49, 28, 3, 61, 58, 50, 42, 38, 29, 17, 4, 62, 55, 59, 36, 53, 51, 43, 22, 45, 39, 33, 30, 24,
    18, 12, 5, 63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21, 44, 32, 23, 11, 46, 26, 40, 15, 34, 20, 31, 10, 25,
    14, 19, 9, 13, 8, 7, 6,
#else
    0, 1, 28, 2, 29, 14, 24, 3, 30, 22, 20, 15, 25, 17, 4, 8, 31, 27, 13, 23, 21, 19, 16, 7, 26, 12, 18, 6, 11, 5,
    10, 9,
#endif
};

static unsigned find(const uintptr_t *map, unsigned from, unsigned n, uintptr_t flip)
{
    while (from < n) {
        uintptr_t w = (ld_rlx(&map[from / WORD_BITS]) ^ flip) >> (from % WORD_BITS);
        if (w) {
            from += bits_lowest(w);
            return from < n ? from : n;
        }
        from = (from / WORD_BITS + 1) * WORD_BITS;
    }
    return n;
}

unsigned bits_zero(const uintptr_t *map, unsigned from, unsigned n)
{
    return find(map, from, n, ~(uintptr_t)0);
}

unsigned bits_one(const uintptr_t *map, unsigned from, unsigned n)
{
    return find(map, from, n, 0);
}

/* Sums of 2, 4, 8 bits side by side; the product adds the bytes up in its highest one.  No instruction of the base ISA does
 * it. */
unsigned bits_count(uintptr_t x)
{
    const uintptr_t ones = ~(uintptr_t)0 / 255;
    x -= (x >> 1) & ones * 0x55;
    x = (x & ones * 0x33) + ((x >> 2) & ones * 0x33);
    x = (x + (x >> 4)) & ones * 0x0f;
    return (unsigned)(x * ones >> (WORD_BITS - 8));
}

/* The bits [from, to) that lie in word w. */
static uintptr_t part(unsigned w, unsigned from, unsigned to)
{
    unsigned lo = w * WORD_BITS, hi = lo + WORD_BITS;
    uintptr_t m = ~(uintptr_t)0;
    if (from > lo)
        m &= ~(uintptr_t)0 << (from - lo);
    if (to < hi)
        m &= ~(uintptr_t)0 >> (hi - to);
    return m;
}

uintptr_t bits_valid(unsigned w, unsigned n)
{
    return n <= w * WORD_BITS ? 0 : part(w, 0, n);
}

void bits_set(uintptr_t *map, unsigned from, unsigned to)
{
    for (unsigned w = from / WORD_BITS; from < to && w <= (to - 1) / WORD_BITS; w++)
        amo_or_rlx(&map[w], part(w, from, to));
}

void bits_clear(uintptr_t *map, unsigned from, unsigned to)
{
    for (unsigned w = from / WORD_BITS; from < to && w <= (to - 1) / WORD_BITS; w++)
        amo_and_rlx(&map[w], ~part(w, from, to));
}

uintptr_t bits_first(uintptr_t x, uintptr_t n)
{
    uintptr_t rest = x;
    while (n-- && rest)
        rest &= rest - 1;
    return x & ~rest;
}
