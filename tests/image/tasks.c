/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* The life of tasks: creation, join, detachment, affinity, park and ready, errors, and reuse of their memory. */
#include "kernel/task.h"
#include "tap.h"

enum { MANY = 40, ROUNDS = 50, PINGS = 2000 };

static uint32_t count;

static void adds(void *arg)
{
    for (int i = 0; i < 10; i++) {
        amo_add_rlx(&count, 1);
        if (i % 3 == (int)(uintptr_t)arg % 3)
            hk_yield();
    }
    hk_task_exit(arg);
}

static void joined(void)
{
    struct task *t[MANY];
    bool good = true;
    for (uintptr_t i = 0; i < MANY; i++)
        good &= hk_task_create(&t[i], NULL, adds, (void *)i) == HK_OK;
    for (uintptr_t i = 0; i < MANY; i++) {
        void *result;
        good &= hk_task_join(t[i], &result) == HK_OK && result == (void *)i;
    }
    ok(good, "tasks are created and joined, each with its result");
    is(ld_rlx(&count), 10 * MANY, "and did all their work");
}

static struct hk_sem gone;

static void detached_body(void *arg)
{
    (void)arg;
    hk_sem_post(&gone);
}

static void detached(void)
{
    static const struct hk_task_config config = { .name = "detached", .detached = true };
    size_t before = 0;
    bool good = true;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 20; i++)
            good &= hk_task_create(NULL, &config, detached_body, NULL) == HK_OK;
        for (int i = 0; i < 20; i++)
            hk_sem_wait(&gone, HK_FOREVER);
        hk_sleep(1000000);
        if (round == 0)
            before = hk_mem_largest();
    }
    ok(good, "detached tasks come and go");
    ok(hk_mem_largest() + 40 * HK_STACK_SIZE >= before, "and their memory comes back");
}

static void refuses(void)
{
    struct hk_task_config config = { .hart_plus_1 = (int)hk_harts() + 1 };
    struct task *t;
    is(hk_task_create(NULL, &config, adds, NULL), HK_EINVAL, "refuses a hart that does not exist");
    config = (struct hk_task_config){ .stack_size = SIZE_MAX };
    is(hk_task_create(NULL, &config, adds, NULL), HK_EINVAL, "refuses an absurd stack");
    config = (struct hk_task_config){ .stack_size = SIZE_MAX / 8 };
    is(hk_task_create(NULL, &config, adds, NULL), HK_ENOMEM, "tells that there is no memory for a stack");
    is(hk_task_create(NULL, NULL, NULL, NULL), HK_EINVAL, "refuses a task without a function");
    is(hk_task_join(hk_task_self(), NULL), HK_EDEADLK, "a task cannot join itself");
    config = (struct hk_task_config){ .detached = true };
    hk_task_create(&t, &config, detached_body, NULL);
    hk_sem_wait(&gone, HK_FOREVER);
}

static void table_full(void)
{
    static struct task *t[HK_MAX_TASKS];
    static const struct hk_task_config config = { .stack_size = 1024 };
    unsigned n = 0;
    int result = HK_OK;
    while (n < HK_MAX_TASKS && (result = hk_task_create(&t[n], &config, adds, NULL)) == HK_OK)
        n++;
    is(result, HK_ENOMEM, "the full task table is reported");
    is(n, HK_MAX_TASKS - 1, "after as many tasks as it has places");
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
    is(hk_task_create(&t[0], NULL, adds, NULL), HK_OK, "and has places again");
    hk_task_join(t[0], NULL);
}

/* Two tasks hand a ball over with park and ready alone. */
static struct spinlock ball_lock;
static uint32_t ball;         /* ball_lock; peeked at without */
static struct task *player[2];

static void plays(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    for (unsigned i = 0; i < PINGS; i++) {
        hal_crit_t c = spin_lock_crit(&ball_lock);
        if (ball % 2 != me) {
            task_park(&ball_lock, c);
            c = spin_lock_crit(&ball_lock);
        }
        hk_assert(ball % 2 == me);
        own_add(&ball, 1);
        spin_unlock_crit(&ball_lock, c);
        while (!task_ready(player[1 - me]) && ld_rlx(&ball) % 2 != me && i + 1 < PINGS)
            hk_yield();
    }
}

static void park_and_ready(void)
{
    hal_crit_t c = spin_lock_crit(&ball_lock);      /* nobody plays before both are known */
    spin_unlock_crit(&ball_lock, c);
    ball = 2 * PINGS;                               /* even: player 0 begins */
    hk_task_create(&player[1], NULL, plays, (void *)1);
    hk_sleep(2000000);
    hk_task_create(&player[0], NULL, plays, (void *)0);
    hk_task_join(player[0], NULL);
    hk_task_join(player[1], NULL);
    is(ball, 4 * PINGS, "two tasks play with park and ready");
}

static uint32_t wrong_hart;

static void stays(void *arg)
{
    for (int i = 0; i < 200; i++) {
        if (hk_hart() != (unsigned)(uintptr_t)arg)
            amo_add_rlx(&wrong_hart, 1);
        if (i % 10 == 0)
            hk_sleep(10000);
        else
            hk_yield();
    }
}

static void affinity(void)
{
    struct task *t[64];
    unsigned n = 2 * hk_harts() < 64 ? 2 * hk_harts() : 64;
    for (unsigned i = 0; i < n; i++) {
        struct hk_task_config config = { .hart_plus_1 = (int)(i % hk_harts()) + 1 };
        hk_task_create(&t[i], &config, stays, (void *)(uintptr_t)(i % hk_harts()));
    }
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
    is(wrong_hart, 0, "a task with a hart stays there");
}

int app_main(void)
{
    joined();
    detached();
    refuses();
    affinity();
    park_and_ready();
    table_full();
    return tap_end();
}
