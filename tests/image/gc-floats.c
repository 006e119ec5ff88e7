/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* harts: 1 4 */
/* seconds: 60 */
/* What a function holds in floating-point registers is there after an allocation, though the program's hooks compute with some. */
#include "gc/hgc.h"
#include "tap.h"

enum { ARENA = 256 << 10, LIST = 4096 };

struct leaf { double v[60]; };

static void *list[LIST];
static volatile double sink, two = 2, half = 0.5;
static volatile unsigned asked;         /* see hgc_config.oom */

static __attribute__((noinline)) double mixed(double a, double b)
{
    double c = a * 0.5, d = b * 0.25, e = a + b, f = a - b;
    for (int i = 0; i < 10; i++) {
        c = c * 0.75 + d;
        d = d * 0.5 + e;
        e = e * 0.25 + f;
        f = f * 0.125 + c;
    }
    return c + d + e + f;
}

static void out_of_memory(size_t bytes)
{
    sink = mixed(sink, (double)bytes);
    asked++;
}

static __attribute__((noinline)) double filled(double x, double y, void **at)
{
    static double none[2];
    double *p = hgc_new(HGC_LEAF, sizeof(struct leaf));
    *at = p;
    if (!p)
        p = none;
    p[0] = x;
    p[1] = y;
    return p[0] * 3 + p[1];
}

int app_main(void)
{
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .oom = out_of_memory,
                                 .percent = 10000 };
    unsigned wrong = 0, i = 0;
    is(hgc_init(&config) | hgc_root_add_plain(list, sizeof(list)), HGC_OK, "the heap starts");
    while (i < LIST && !asked)
        wrong += filled(two, half, &list[i++]) != 6.5;
    ok(asked > 0, "the heap fills up, and the program is asked for memory");
    is(wrong, 0, "doubles are the same after each allocation");
    return tap_end();
}
