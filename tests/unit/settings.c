/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: every one of them, and each error that they can end in, word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "gc/gc_internal.h"
#include "kernel/args.h"

static char error[HGC_SETTINGS_ERROR];

static struct hgc_config taken(const char *text)
{
    struct hgc_config c = {.size = HGC_ARENA_MAX};
    error[0] = 0;
    assert_int_equal(hgc_settings(&c, text, error, sizeof error), HGC_OK);
    assert_string_equal(error, "");
    assert_true(settings_valid(&c, error, sizeof error));
    return c;
}

static void refused(const char *text, const char *why)
{
    struct hgc_config c = {.size = 1 << 20, .percent = 30, .verify = true}, before = c;
    assert_int_equal(hgc_settings(&c, text, error, sizeof error), HGC_EINVAL);
    assert_string_equal(error, why);
    assert_memory_equal(&c, &before, sizeof c);
}

/* Whether the harts are there is no question of the text. */
static struct hgc_config taken_roles(const char *text)
{
    struct hgc_config c = {.size = HGC_ARENA_MAX};
    assert_int_equal(hgc_settings(&c, text, error, sizeof error), HGC_OK);
    return c;
}

static void each_is_taken(void **state)
{
    (void)state;
    assert_true(taken("gctrace=1").trace);
    assert_true(taken("verify=1").verify);
    assert_true(taken("clobber=1").clobber);
    assert_true(taken("noauto=1").no_auto);
    assert_int_equal(taken("stoptheworld=2").stoptheworld, 2);
    assert_int_equal(taken("stress=4294967295").stress, UINT32_MAX);
    assert_int_equal(taken("percent=1").percent, 1);
    assert_int_equal(taken("percent=10000").percent, 10000);
    assert_int_equal(taken("mintrigger=1M").min_trigger, 1 << 20);
    assert_int_equal(taken("limit=65536").limit, 65536);
    assert_int_equal(taken("limit=64K").limit, 65536);
    assert_int_equal(taken("limit=3g").limit, 3u << 30);
    assert_int_equal(taken("limit=16m").limit, 16 << 20);
    assert_int_equal(taken_roles("markharts=0").mark_harts, 1);
    assert_int_equal(taken_roles("freeharts=3+1+63").free_harts, 1ull << 63 | 8 | 2);
    assert_int_equal(taken_roles("markharts=2 markharts=5+5").mark_harts, 32);
}

static void zero_is_the_default(void **state)
{
    (void)state;
    struct hgc_config none = taken(""), zero = taken("gctrace=0 verify=0 clobber=0 noauto=0 stoptheworld=0 stress=0 percent=0 "
                                                    "mintrigger=0 limit=0");
    assert_memory_equal(&none, &zero, sizeof none);
}

static void words_and_separators(void **state)
{
    (void)state;
    struct hgc_config c = taken(" ,\tgctrace=1,percent=50\r\n stress=7  ");
    assert_true(c.trace && c.percent == 50 && c.stress == 7);
    assert_int_equal(taken("percent=50 percent=60").percent, 60);
    assert_int_equal(taken("percent=50 -- percent=60 what=ever").percent, 50);
    assert_int_equal(taken("percent=00050").percent, 50);
}

static void each_error(void **state)
{
    (void)state;
    refused("percent=0x10", "percent=0x10: wants percent=n, 0 (the default) or a number from 1 to 10000");
    refused("percent=10001", "percent=10001: wants percent=n, 0 (the default) or a number from 1 to 10000");
    refused("percent=-1", "percent=-1: wants percent=n, 0 (the default) or a number from 1 to 10000");
    refused("percent=1K", "percent=1K: wants percent=n, 0 (the default) or a number from 1 to 10000");
    refused("percent=", "percent=: wants percent=n, 0 (the default) or a number from 1 to 10000");
    refused("percent", "percent: wants percent=n, 0 (the default) or a number from 1 to 10000");
    refused("percent=18446744073709551617",
            "percent=18446744073709551617: wants percent=n, 0 (the default) or a number from 1 to 10000");
    refused("stoptheworld=3", "stoptheworld=3: wants stoptheworld=n, a number from 0 to 2");
    refused("stress=4294967296", "stress=4294967296: wants stress=n, a number from 0 to 4294967295");
    refused("verify", "verify: wants verify=0 or verify=1");
    refused("verify=yes", "verify=yes: wants verify=0 or verify=1");
    refused("gctrace=2", "gctrace=2: wants gctrace=0 or gctrace=1");
    refused("limit=65535", "limit=65535: wants limit=size, 0 (the default) or a number from 65536 on, or one with K, M or G");
    refused("limit=K", "limit=K: wants limit=size, 0 (the default) or a number from 65536 on, or one with K, M or G");
    refused("limit=99999999999G",
            "limit=99999999999G: wants limit=size, 0 (the default) or a number from 65536 on, or one with K, M or G");
    refused("mintrigger=1T", "mintrigger=1T: wants mintrigger=size, a number from 0 on, or one with K, M or G");
    const char *numbers[] = {"64", "1+", "+1", "1++2", "", "1-2", "x"};
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[40], why[120];
        hk_snprintf(text, sizeof text, "freeharts=%s", numbers[i]);
        hk_snprintf(why, sizeof why, "%s: wants freeharts=n or freeharts=n+n+..., numbers of harts from 0 to 63", text);
        refused(text, why);
    }
    refused("markharts", "markharts: wants markharts=n or markharts=n+n+..., numbers of harts from 0 to 63");
    refused("harts=2", "harts=: the kernel takes it, and from the boot arguments only");
    refused("stress=3 colour=blue verify=9", "colour=blue: there is no such setting; known are gctrace= stoptheworld= verify= "
            "clobber= noauto= stress= percent= mintrigger= limit= markharts= freeharts= harts=");
    refused("Percent=5", "Percent=5: there is no such setting; known are gctrace= stoptheworld= verify= clobber= noauto= stress= "
            "percent= mintrigger= limit= markharts= freeharts= harts=");
    refused("=5", "=5: there is no such setting; known are gctrace= stoptheworld= verify= clobber= noauto= stress= percent= "
            "mintrigger= limit= markharts= freeharts= harts=");
    refused("a-very-long-word-that-somebody-has-typed-or-that-came-by-chance=1",
            "a-very-long-word-that-somebody-has-typed: there is no such setting; known are gctrace= stoptheworld= verify= "
            "clobber= noauto= stress= percent= mintrigger= limit= markharts= freeharts= harts=");
}

static void harts_is_a_boot_argument(void **state)
{
    (void)state;
    struct hgc_config c = {0}, before = c;
    assert_int_equal(settings_boot(&c, "harts=3 percent=20", error, sizeof error), HGC_OK);
    assert_int_equal(c.percent, 20);
    c = before;
    assert_int_equal(settings_boot(&c, "percent=20 harts=none", error, sizeof error), HGC_EINVAL);
    assert_string_equal(error, "harts=none: wants harts=n, a number from 1 to 64");
    assert_memory_equal(&c, &before, sizeof c);
}

static void invalid(struct hgc_config c, const char *why)
{
    assert_false(settings_valid(&c, error, sizeof error));
    assert_string_equal(error, why);
}

static void fields_are_checked(void **state)
{
    (void)state;
    struct hgc_config c = {.size = 1 << 20};
    assert_true(settings_valid(&c, error, sizeof error));
    c.percent = 10001;
    invalid(c, "percent=10001: wants percent=n, 0 (the default) or a number from 1 to 10000");
    c = (struct hgc_config){.size = 1 << 20, .stoptheworld = 3};
    invalid(c, "stoptheworld=3: wants stoptheworld=n, a number from 0 to 2");
    c = (struct hgc_config){.size = 1 << 20, .limit = 1};
    invalid(c, "limit=1: wants limit=size, 0 (the default) or a number from 65536 on, or one with K, M or G");
    c = (struct hgc_config){.size = 1 << 20, .min_trigger = (1 << 20) + 1};
    invalid(c, "mintrigger=1048577: is more than the arena has");
    c = (struct hgc_config){.size = (size_t)1 << 36};
    assert_true(settings_valid(&c, error, sizeof error));
    c.size++;
    invalid(c, "size=68719476737: an arena has at most 64 GiB");
    c = (struct hgc_config){.size = 1 << 20, .mark_harts = 1};
    invalid(c, "markharts=: names a hart that is not there; this machine has 0");       /* it has not started */
    c = (struct hgc_config){.size = 1 << 20, .free_harts = UINT64_C(1) << 63};
    invalid(c, "freeharts=: names a hart that is not there; this machine has 0");
    c = (struct hgc_config){.size = 1 << 20, .free_harts = 1, .mark_harts = 1};
    invalid(c, "markharts=, freeharts=: name the same hart");
}

/* The error is cut, and ends. */
static void short_buffers(void **state)
{
    (void)state;
    struct hgc_config c = {0};
    assert_int_equal(hgc_settings(&c, "nothing=1", error, sizeof error), HGC_EINVAL);
    size_t whole = strlen(error);
    for (size_t n = 1; n < sizeof error; n++) {
        char buffer[sizeof error];
        memset(buffer, 'x', sizeof buffer);
        assert_int_equal(hgc_settings(&c, "nothing=1", buffer, n), HGC_EINVAL);
        assert_int_equal(strlen(buffer), n - 1 < whole ? n - 1 : whole);
        for (size_t i = n; i < sizeof buffer; i++)
            assert_int_equal(buffer[i], 'x');
    }
}

static void numbers(void **state)
{
    (void)state;
    uint64_t v = 0;
    struct args_word w;
    const char *at = "a=18446744073709551615 b=16777216T c=17179869183G d=17179869184G";
    assert_true(args_next(&at, &w) && args_number(&w, false, UINT64_MAX, &v));
    assert_true(v == UINT64_MAX && !args_number(&w, false, UINT64_MAX - 1, &v));
    assert_true(args_next(&at, &w) && !args_number(&w, true, UINT64_MAX, &v));
    assert_true(args_next(&at, &w) && args_number(&w, true, UINT64_MAX, &v) && v == 17179869183ull << 30);
    assert_true(args_next(&at, &w) && !args_number(&w, true, UINT64_MAX, &v));
    assert_false(args_next(&at, &w));
}

/* The kernel wants one wherever it is linked. */
int app_main(void)
{
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_taken),
        cmocka_unit_test(zero_is_the_default),
        cmocka_unit_test(words_and_separators),
        cmocka_unit_test(each_error),
        cmocka_unit_test(harts_is_a_boot_argument),
        cmocka_unit_test(fields_are_checked),
        cmocka_unit_test(short_buffers),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
