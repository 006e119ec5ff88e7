/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 30 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* Every hart comes up and can run a task; the console, the page allocator and the formatter work. */
#include <limits.h>
#include <string.h>

#include "tap.h"

static uint32_t seen[64];

static void on_hart(void *arg)
{
    if (hk_hart() == (unsigned)(uintptr_t)arg)
        amo_add_rlx(&seen[hk_hart()], 1);
    hk_task_exit((void *)((uintptr_t)arg + 1));
}

static void each_hart(void)
{
    struct task *t[64];
    bool created = true, joined = true, there = true;
    for (unsigned i = 0; i < hk_harts(); i++) {
        struct hk_task_config config = { .hart_plus_1 = (int)i + 1 };
        created &= hk_task_create(&t[i], &config, on_hart, (void *)(uintptr_t)i) == HK_OK;
    }
    for (unsigned i = 0; i < hk_harts(); i++) {
        void *result;
        joined &= hk_task_join(t[i], &result) == HK_OK && (uintptr_t)result == i + 1;
        there &= ld_rlx(&seen[i]) == 1;
    }
    ok(created, "creates a task for each hart");
    ok(joined, "joins them, with their results");
    ok(there, "each ran on its hart");
}

static void formatter(void)
{
    char text[100];
    hk_snprintf(text, sizeof text, "%d|%5u|%-5x|%05d|%c|%s|%p|%%", -7, 42u, 0xabcu, -12, 'z', "word", (void *)0x10);
    ok(strcmp(text, "-7|   42|abc  |-0012|z|word|0x10|%") == 0, "formats");
    hk_snprintf(text, sizeof text, "%llu %lld %lx %zu", ~0ull, LLONG_MIN, 0xfful, sizeof(text));
    ok(strcmp(text, "18446744073709551615 -9223372036854775808 ff 100") == 0, "formats wide numbers");
    is(hk_snprintf(text, 4, "abcdef"), 6, "tells the length that it would have had");
    ok(strcmp(text, "abc") == 0, "and cuts what does not fit");
}

static void pages(void)
{
    size_t before = hk_mem_largest();
    char *a = hk_mem_alloc(10000), *b = hk_mem_alloc(1), *c = hk_mem_alloc(70 * 4096);
    ok(a && b && c, "allocates pages");
    ok(((uintptr_t)a | (uintptr_t)b | (uintptr_t)c) % 4096 == 0, "aligned to pages");
    memset(a, 1, 10000);
    memset(b, 2, 1);
    memset(c, 3, 70 * 4096);
    ok(a[9999] == 1 && b[0] == 2 && c[0] == 3 && c[70 * 4096 - 1] == 3, "that do not overlap");
    hk_mem_free(b, 1);
    ok(hk_mem_alloc(4096) == b, "takes the first that fits");
    hk_mem_free(a, 10000);
    hk_mem_free(c, 70 * 4096);
    hk_mem_free(b, 4096);
    is(hk_mem_largest(), before, "gets all of it back");
    ok(hk_mem_alloc(SIZE_MAX) == NULL, "an absurd size is refused");
    char *all = hk_mem_alloc(before);
    ok(all && (hk_mem_largest() < before), "the largest piece can be had");
    hk_mem_free(all, before);
}

int app_main(void)
{
    ok(hk_harts() >= 1 && hk_harts() <= 64, "has harts");
    ok(strcmp(hk_task_name(hk_task_self()), "main") == 0, "app_main runs in the task main");
    each_hart();
    formatter();
    pages();
    return tap_end();
}
