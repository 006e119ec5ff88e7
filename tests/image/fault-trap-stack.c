/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* expect: exit 3 */
/* match: panic: trap stack overflow \(make BOARD_TRAP_STACK larger\) at 0x[0-9a-f]+, address 0x[0-9a-f]+, .* handler */
/* match: hart \d+, task main, in a handler */
/* match: possibly called by [0-9a-f]+ */
/* A handler that overruns the stack for handlers is a panic that says so, and touches nothing below that stack. */
#include "deep.h"
#include "tap.h"

static struct hk_timer timer;

int app_main(void)
{
    ok(true, "up");
    hk_timer_start(&timer, hk_now(), deep, NULL);
    for (;;)
        ;
}
