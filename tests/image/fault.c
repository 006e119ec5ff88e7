/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 60 */
/* match: task reads ended on hart \d+: load access fault */
/* match: task writes ended on hart \d+: store access fault */
/* match: task jumps ended on hart \d+: illegal instruction */
/* match: address 0xdead0 */
/* match: at +[0-9a-f]+ */
/* A fault ends the task that made it, with a report; the others, its mutexes and its memory go on. */
#include "tap.h"

static struct hk_mutex lock;
static uint32_t others;

static void reads(void *arg)
{
    hk_mutex_lock(&lock);
    hk_task_exit((void *)(uintptr_t)*(volatile uint32_t *)arg);
}

static void writes(void *arg)
{
    hk_mutex_lock(&lock);
    *(volatile uint32_t *)arg = 1;
}

static void jumps(void *arg)
{
    (void)arg;
    hk_mutex_lock(&lock);
    __asm__ volatile(".word 0");
}

static void bad_mutex(void *arg)
{
    hk_mutex_lock(arg);
}

static void works(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        amo_add_rlx(&others, 1);
        hk_sleep(100000);
    }
}

static void ends(const char *name, void (*fn)(void *), bool held)
{
    struct hk_task_config config = { .name = name };
    struct task *t;
    void *result = &t;
    hk_task_create(&t, &config, fn, (void *)0xdead0);
    is(hk_task_join(t, &result), HK_EFAULT, "the join tells that it ended by a fault");
    ok(result == NULL, "without a result");
    is(hk_mutex_lock(&lock), held ? HK_EOWNERDEAD : HK_OK, "its mutex is told to the next");
    hk_mutex_unlock(&lock);
}

int app_main(void)
{
    struct task *t;
    hk_task_create(&t, NULL, works, NULL);
    ends("reads", reads, true);
    ends("writes", writes, true);
    ends("jumps", jumps, true);
    ends("bad mutex", bad_mutex, false);
    size_t before = hk_mem_largest();
    for (int i = 0; i < 30; i++)
        ends("reads", reads, true);
    is(hk_mem_largest(), before, "their memory comes back");
    hk_task_join(t, NULL);
    is(others, 100, "the others are not disturbed");
    return tap_end();
}
