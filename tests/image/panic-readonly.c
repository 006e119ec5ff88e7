/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* expect: exit 3 */
/* match: panic: store to read-only memory at 0x[0-9a-f]+, address 0x[0-9a-f]+, .* in a critical section or handler */
/* match: hart \d+, task main, in a handler */
/* A store of a handler to code is a panic that says so. */
#include "tap.h"

static struct hk_timer timer;
static uint32_t stored;         /* atomic */

static void stores(void *arg)
{
    *(volatile uint32_t *)arg = 0;
    st_rlx(&stored, 1);
}

int app_main(void)
{
    ok(true, "up");
    hk_timer_start(&timer, hk_now(), stores, (void *)(uintptr_t)app_main);
    while (!ld_rlx(&stored))
        ;
    ok(false, "the store was refused");
    return tap_end();
}
