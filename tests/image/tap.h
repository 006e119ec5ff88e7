/* SPDX-License-Identifier: Apache-2.0 */
/* The least of TAP that the test images need.  The plan comes last; the runner numbers the lines, so that any task on any
 * hart may print one. */
#ifndef TAP_H
#define TAP_H

#include "kernel/hk.h"

static uint32_t tap_count, tap_failed;

static inline bool tap_ok(bool good, const char *text, const char *file, int line)
{
    amo_add_rlx(&tap_count, 1);
    if (!good)
        amo_add_rlx(&tap_failed, 1);
    hk_printf("%sok - %s\n", good ? "" : "not ", text);
    if (!good)
        hk_printf("# at %s:%d\n", file, line);
    return good;
}
#define ok(e, text) tap_ok((e), (text), __FILE__, __LINE__)
/* Compares two integers and shows them when they differ. */
#define is(a, b, text)                                                                                               \
    do {                                                                                                             \
        long long tap_a = (long long)(a), tap_b = (long long)(b);                                                    \
        if (!ok(tap_a == tap_b, text))                                                                               \
            hk_printf("# %s is %lld, not %lld\n", #a, tap_a, tap_b);                                                 \
    } while (0)

/* The last line, and app_main's result. */
static inline int tap_end(void)
{
    hk_printf("1..%u\n", (unsigned)tap_count);
    return tap_failed ? 1 : 0;
}

#endif
