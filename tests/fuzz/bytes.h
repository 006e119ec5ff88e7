/* SPDX-License-Identifier: Apache-2.0 */
/* The input of a fuzz target, taken byte by byte; after its end there are zeroes.  And how a target fails. */
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct bytes {
    const uint8_t *at, *end;
};

static inline size_t left(const struct bytes *b)
{
    return (size_t)(b->end - b->at);
}

static inline uint8_t take(struct bytes *b)
{
    return b->at < b->end ? *b->at++ : 0;
}

static inline uint16_t take16(struct bytes *b)
{
    uint16_t low = take(b);
    return (uint16_t)(low | take(b) << 8);
}

static inline uint32_t take32(struct bytes *b)
{
    uint32_t low = take16(b);
    return low | (uint32_t)take16(b) << 16;
}

static inline uint64_t take64(struct bytes *b)
{
    uint64_t low = take32(b);
    return low | (uint64_t)take32(b) << 32;
}

/* libFuzzer keeps the input of a process that aborts. */
_Noreturn static inline void fail(const char *why)
{
    fprintf(stderr, "FAILED: %s\n", why);
    abort();
}

#endif
