/* SPDX-License-Identifier: Apache-2.0 */
/* gc/bits.c against a plain array of booleans, at every border of a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gc/gc_internal.h"

enum { N = 3 * WORD_BITS };

static uintptr_t map[3];
static bool model[N];

static void same(void)
{
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(map[i / WORD_BITS] >> (i % WORD_BITS) & 1, model[i]);
}

static void reset(bool value)
{
    memset(map, value ? 0xff : 0, sizeof map);
    memset(model, value, sizeof model);
}

static void set_and_clear_ranges(void **state)
{
    (void)state;
    for (unsigned from = 0; from <= N; from++)
        for (unsigned to = from; to <= N; to++) {
            reset(false);
            bits_set(map, from, to);
            memset(model + from, true, to - from);
            same();
            reset(true);
            bits_clear(map, from, to);
            memset(model + from, false, to - from);
            same();
        }
}

static unsigned model_find(bool value, unsigned from, unsigned n)
{
    while (from < n && model[from] != value)
        from++;
    return from < n ? from : n;
}

static void find_first(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < 2000; round++) {
        reset(rand() & 1);
        for (unsigned k = rand() % 4; k > 0; k--) {
            unsigned i = rand() % N;
            map[i / WORD_BITS] ^= (uintptr_t)1 << (i % WORD_BITS);
            model[i] = !model[i];
        }
        unsigned n = rand() % (N + 1), from = rand() % (N + 1);
        if (from > n)
            from = n;
        assert_int_equal(bits_zero(map, from, n), model_find(false, from, n));
        assert_int_equal(bits_one(map, from, n), model_find(true, from, n));
    }
}

static void lowest_and_valid(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WORD_BITS; i++) {
        assert_int_equal(bits_lowest((uintptr_t)1 << i), i);
        assert_int_equal(bits_lowest(~(uintptr_t)0 << i), i);
    }
    assert_true(bits_valid(0, 0) == 0);
    assert_true(bits_valid(0, 3) == 7);
    assert_true(bits_valid(0, WORD_BITS) == ~(uintptr_t)0);
    assert_true(bits_valid(1, WORD_BITS) == 0);
    assert_true(bits_valid(1, WORD_BITS + 1) == 1);
}

static void counts(void **state)
{
    (void)state;
    uintptr_t x = 1;
    assert_int_equal(bits_count(0), 0);
    assert_int_equal(bits_count(~(uintptr_t)0), WORD_BITS);
    for (unsigned i = 0; i < 10000; i++) {
        unsigned n = 0;
        x = x * (uintptr_t)0x5851f42d4c957f2du + 0x14057b7f;
        uintptr_t y = i % 3 ? x : x & x >> 7 & x << 9;
        for (unsigned b = 0; b < WORD_BITS; b++)
            n += y >> b & 1;
        assert_int_equal(bits_count(y), n);
    }
}

static void firsts(void **state)
{
    (void)state;
    assert_true(bits_first(0, 3) == 0);
    assert_true(bits_first(0xb4, 0) == 0);
    assert_true(bits_first(0xb4, 1) == 4);
    assert_true(bits_first(0xb4, 3) == 0x34);
    assert_true(bits_first(0xb4, 4) == 0xb4 && bits_first(0xb4, 5) == 0xb4);
    assert_true(bits_first(~(uintptr_t)0, WORD_BITS - 1) == ~(uintptr_t)0 >> 1);
    assert_true(bits_first(~(uintptr_t)0, WORD_BITS) == ~(uintptr_t)0);
}

/* The kernel wants one wherever it is linked. */
int app_main(void)
{
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_and_clear_ranges),
        cmocka_unit_test(find_first),
        cmocka_unit_test(lowest_and_valid),
        cmocka_unit_test(counts),
        cmocka_unit_test(firsts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
