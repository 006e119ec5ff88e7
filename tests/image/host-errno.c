/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 */
/* hal: host */ /* host-variants: plain asan arm64 */
/* errno of the host's C library is a task's own, though it is kept for each thread: tasks of one hart interrupt each other. */
#include <errno.h>

#include "tap.h"

enum { TASKS = 3, FIRST = 1000, ROUNDS = 40000000 };

static unsigned lost[TASKS];

static void looks(void *arg)
{
    uintptr_t i = (uintptr_t)arg;
    errno = FIRST + (int)i;
    for (unsigned n = 0; n < ROUNDS; n++) {
        __asm__ volatile("" : : : "memory");
        if (errno != FIRST + (int)i) {
            lost[i]++;
            errno = FIRST + (int)i;
        }
    }
}

int app_main(void)
{
    struct task *task[TASKS];
    for (uintptr_t i = 0; i < TASKS; i++) {
        const struct hk_task_config config = { .name = "looks", .hart_plus_1 = 1 };
        if (hk_task_create(&task[i], &config, looks, (void *)i)) {
            ok(false, "no task");
            return tap_end();
        }
    }
    unsigned all = 0;
    for (unsigned i = 0; i < TASKS; i++) {
        hk_task_join(task[i], NULL);
        all += lost[i];
    }
    is(all, 0, "each task found its own");
    return tap_end();
}
