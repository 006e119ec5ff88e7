/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* expect: exit 3 */
/* match: panic: store access fault at 0x[0-9a-f]+, address 0xdead0, .* in a critical section or handler */
/* A fault in a critical section is a panic. */
#include "tap.h"

int app_main(void)
{
    ok(true, "up");
    (void)hal_crit_enter();
    *(volatile int *)0xdead0 = 1;
    return 0;
}
