/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcpy and its kin, a word at a time where both ends are aligned alike.  Weak: a C library's own come first.  Built with
 * -fno-tree-loop-distribute-patterns, or the compiler would make each loop a call of the function that it is in.
 */
#include "kernel/string.h"

#include "hal/hal.h"

/* A HAL on top of a C library says so: that one is better, and its sanitizers know it. */
#ifndef HAL_HAS_LIBC

#define WEAK __attribute__((weak))

typedef uintptr_t __attribute__((may_alias)) word_t;
enum { W = sizeof(word_t), MASK = W - 1 };

static bool alike(const void *a, const void *b)
{
    return (((uintptr_t)a ^ (uintptr_t)b) & MASK) == 0;
}

static bool aligned(const void *p)
{
    return ((uintptr_t)p & MASK) == 0;
}

static void copy_up(unsigned char *to, const unsigned char *from, size_t n)
{
    if (alike(to, from)) {
        for (; n > 0 && !aligned(to); n--)
            *to++ = *from++;
        for (; n >= 4 * W; n -= 4 * W, to += 4 * W, from += 4 * W) {
            word_t *d = (word_t *)to;
            const word_t *s = (const word_t *)from;
            word_t a = s[0], b = s[1], c = s[2], e = s[3];
            d[0] = a;
            d[1] = b;
            d[2] = c;
            d[3] = e;
        }
        for (; n >= W; n -= W, to += W, from += W)
            *(word_t *)to = *(const word_t *)from;
    }
    for (; n > 0; n--)
        *to++ = *from++;
}

static void copy_down(unsigned char *to, const unsigned char *from, size_t n)
{
    to += n;
    from += n;
    if (alike(to, from)) {
        for (; n > 0 && !aligned(to); n--)
            *--to = *--from;
        for (; n >= W; n -= W) {
            to -= W;
            from -= W;
            *(word_t *)to = *(const word_t *)from;
        }
    }
    for (; n > 0; n--)
        *--to = *--from;
}

WEAK void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    copy_up(to, from, n);
    return to;
}

WEAK void *memmove(void *to, const void *from, size_t n)
{
    if ((uintptr_t)to - (uintptr_t)from >= n)       /* also when `to` lies below */
        copy_up(to, from, n);
    else
        copy_down(to, from, n);
    return to;
}

WEAK void *memset(void *to, int byte, size_t n)
{
    unsigned char *at = to;
    word_t pattern = (unsigned char)byte * (UINTPTR_MAX / 255);
    for (; n > 0 && !aligned(at); n--)
        *at++ = (unsigned char)byte;
    for (; n >= 4 * W; n -= 4 * W, at += 4 * W) {
        word_t *d = (word_t *)at;
        d[0] = pattern;
        d[1] = pattern;
        d[2] = pattern;
        d[3] = pattern;
    }
    for (; n >= W; n -= W, at += W)
        *(word_t *)at = pattern;
    for (; n > 0; n--)
        *at++ = (unsigned char)byte;
    return to;
}

WEAK int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;
    for (; n > 0; n--, p++, q++)
        if (*p != *q)
            return *p < *q ? -1 : 1;
    return 0;
}

WEAK size_t strlen(const char *s)
{
    const char *end = s;
    while (*end)
        end++;
    return (size_t)(end - s);
}

#endif
