/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* expect: exit 42 */
/* match: ^ok - a program that feeds its watchdog goes on$ */
/* match: panic: the program has not fed its watchdog for 20 ms */
/* match: hook: interrupts off, after the report */
/*
 * A watchdog of the program's own: a timer that panics unless it was fed, and a hook that resets the board, here by an
 * exit with another status.  It lets a program that feeds it go on, and ends one that does not.
 */
#include "tap.h"

enum { PERIOD = 20000000, CHECKS = 5 };

static struct hk_timer timer;
static uint32_t fed, checks;    /* atomic */

static void resets(void)
{
    hk_printf("hook: interrupts %s, after the report\n", hal_crit_held() ? "off" : "on");
    hal_exit(42);
}

static void check(void *arg)
{
    (void)arg;
    if (amo_swap_rlx(&fed, 0) == 0)
        hk_panic("the program has not fed its watchdog for %u ms", PERIOD / 1000000);
    amo_add_rlx(&checks, 1);
}

static void one_period(void)
{
    hk_timer_start(&timer, hk_now() + PERIOD, check, NULL);
}

int app_main(void)
{
    hk_panic_hook(resets);
    for (uint32_t i = 0; i < CHECKS; i++) {
        st_rlx(&fed, 1);                /* before the period begins: the host may stand still for all of it */
        one_period();
        while (ld_rlx(&checks) == i)
            ;
    }
    ok(true, "a program that feeds its watchdog goes on");
    one_period();
    for (;;)
        ;
}
