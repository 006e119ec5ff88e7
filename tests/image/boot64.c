/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 64 */
/* seconds: 120 */
/* mem: 256M */
/* All 64 harts come up, run a task each, and are stopped together. */
#include "kernel/world.h"
#include "tap.h"

enum { ROUNDS = 20 };

static uint32_t prepared[64], ran[64];

static void prepare(struct hart *h, void *arg)
{
    (void)arg;
    own_add(&prepared[h->index], 1);
}

static void on_hart(void *arg)
{
    (void)arg;
    own_add(&ran[hk_hart()], 1);
}

int app_main(void)
{
    struct task *t[64];
    unsigned good = 0, ran_there = 0, stopped = 0;
    is(hk_harts(), 64, "64 harts");
    for (unsigned i = 0; i < hk_harts(); i++) {
        struct hk_task_config config = { .hart_plus_1 = (int)i + 1, .stack_size = 4096 };
        good += hk_task_create(&t[i], &config, on_hart, NULL) == HK_OK;
    }
    for (unsigned i = 0; i < hk_harts(); i++) {
        hk_task_join(t[i], NULL);
        ran_there += ran[i] == 1;
    }
    is(good, 64, "a task for each");
    is(ran_there, 64, "ran where it should");
    for (int i = 0; i < ROUNDS; i++) {
        world_stop(WORLD_OTHER, prepare, NULL);
        for (unsigned j = 0; j < hk_harts(); j++)
            stopped += ld_rlx(&prepared[j]) == (uint32_t)i + 1;
        world_start();
    }
    is(stopped, 64 * ROUNDS, "every hart does its share of every stop");
    return tap_end();
}
