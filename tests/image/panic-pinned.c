/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* expect: exit 3 */
/* match: panic: load access fault at 0x[0-9a-f]+, address 0xdead0, .* in a pinned section */
/* match: hart \d+, task main.*, pin 1, (\d+) of \1 other harts stopped */
/* A fault in a pinned section is a panic. */
#include "kernel/hart.h"
#include "tap.h"

int app_main(void)
{
    ok(true, "up");
    hart_pin();
    return *(volatile int *)0xdead0;
}
