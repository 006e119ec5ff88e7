/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 2 4 */
/* seconds: 60 */
/* expect: exit 3 */
/* match: watchdog: hart 1 did not answer stop \d+ for \d+ ms; task stuck */
/* match: panic: hart 1 cannot be stopped */
/* A hart that stays in a critical section is named when the world is stopped, instead of a silent hang. */
#include "kernel/world.h"
#include "tap.h"

static uint32_t ready;

static void stuck(void *arg)
{
    (void)arg;
    (void)hal_crit_enter();
    st_rel(&ready, 1);
    for (;;)
        ;
}

int app_main(void)
{
    struct hk_task_config config = { .name = "stuck", .hart_plus_1 = 2 };
    ok(true, "up");
    hk_task_create(NULL, &config, stuck, NULL);
    while (!ld_acq(&ready))
        ;
    world_stop(WORLD_OTHER, NULL, NULL);
    return 0;
}
