/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* expect: exit 3 */
/* match: panic: .*sync.c:\d+: assertion failed: .*task_may_wait */
/* match: in a handler */
/* match: possibly called by */
/* A handler that waits is a bug that an assertion names. */
#include "tap.h"

static struct hk_sem sem;
static struct hk_timer timer;

static void waits(void *arg)
{
    (void)arg;
    hk_sem_wait(&sem, HK_FOREVER);
}

int app_main(void)
{
    ok(true, "up");
    hk_timer_start(&timer, hk_now(), waits, NULL);
    for (;;)
        ;
}
