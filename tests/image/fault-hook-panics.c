/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* expect: exit 3 */
/* match: panic: the first one */
/* match: hook runs once */
/* A hook that panics itself ends the machine; it is not called again. */
#include "tap.h"

static void panics(void)
{
    static uint32_t calls;
    hk_printf("hook runs %s\n", calls++ ? "again" : "once");
    if (calls > 1)
        hal_exit(1);
    *(volatile int *)0xdead0 = 1;
}

int app_main(void)
{
    ok(true, "up");
    hk_panic_hook(panics);
    hk_panic("the first one");
}
