/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* expect: exit 3 */
/* match: task victim ended on hart \d+: load access fault */
/* match: panic: newlib: a task ended by a fault while it held the lock of a stream, and may have left it half changed */
/* A fault in the middle of a print to a stream that others use too: the next who prints to it panics. */
#include <stdio.h>

#include "tap.h"

static FILE *shared;

static void victim(void *arg)
{
    fprintf(shared, "%d %s\n", 1, (const char *)arg);
}

int app_main(void)
{
    struct hk_task_config config = { .name = "victim" };
    struct task *t;
    char *text;
    size_t size;
    shared = open_memstream(&text, &size);
    hk_task_create(&t, &config, victim, (void *)(uintptr_t)-4096);
    is(hk_task_join(t, NULL), HK_EFAULT, "the task dies");
    printf("# other streams go on\n");
    fprintf(shared, "not reached\n");
    ok(false, "a panic");
    return tap_end();
}
