/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 60 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* Timers: order, cancelling, many at once, restarting themselves, and sleep. */
#include "tap.h"

enum { MANY = 60 };
#define MS 1000000ull

static uint32_t fired, order[4];
static struct hk_timer timer[MANY];

static void notes(void *arg)
{
    uint32_t i = amo_add_rlx(&fired, 1);
    if (i < 4)
        order[i] = (uint32_t)(uintptr_t)arg;
}

/* One for a time that is over counts as for now: so it is with the later ones when the host lets the first start last. */
static bool by_their_time(void)
{
    bool good = true;
    for (int i = 1; i < 4; i++) {
        const struct hk_timer *a = &timer[order[i - 1]], *b = &timer[order[i]];
        good &= a->when < b->when || (a->when == b->when && a < b);
    }
    return good;
}

static void in_order(void)
{
    static const uint8_t ms[4] = { 6, 2, 9, 2 };
    hal_crit_t c = hal_crit_enter();    /* all on one hart */
    uint64_t now = hk_now();
    for (uintptr_t i = 0; i < 4; i++)
        hk_timer_start(&timer[i], now + ms[i] * MS, notes, (void *)i);
    hal_crit_exit(c);
    hk_sleep(20 * MS);
    is(ld_rlx(&fired), 4, "timers fire");
    ok(by_their_time(), "by their time, those of one moment in their order");
    ok(!hk_timer_cancel(&timer[0]), "one that fired cannot be cancelled");
}

static void cancelled(void)
{
    st_rlx(&fired, 0);
    hal_crit_t c = hal_crit_enter();    /* or the first may be due before it is cancelled, on a host that is busy */
    hk_timer_start(&timer[0], hk_now() + 5 * MS, notes, NULL);
    hk_timer_start(&timer[1], hk_now() + 6 * MS, notes, NULL);
    bool gone = hk_timer_cancel(&timer[0]);
    hal_crit_exit(c);
    ok(gone, "a timer is cancelled");
    hk_sleep(15 * MS);
    is(ld_rlx(&fired), 1, "then only the other one fires");
    hk_timer_start(&timer[0], hk_now() + 3600000 * MS, notes, NULL);
    hk_yield();
    ok(hk_timer_cancel(&timer[0]), "so is one that was started a while ago");
}

static void many(void)
{
    st_rlx(&fired, 0);
    uint64_t when = hk_now() + 3 * MS;
    for (int i = 0; i < MANY; i++)
        hk_timer_start(&timer[i], when, notes, NULL);
    hk_sleep(20 * MS);
    is(ld_rlx(&fired), MANY, "many at the same moment");
}

static struct hk_timer periodic;

static void again(void *arg)
{
    if (amo_add_rlx(&fired, 1) < 9)
        hk_timer_start(&periodic, hk_now() + MS, again, arg);
}

static void restarts(void)
{
    st_rlx(&fired, 0);
    hk_timer_start(&periodic, hk_now(), again, NULL);
    while (ld_rlx(&fired) < 10)         /* or the test hangs: on a busy host they come later than 9 ms */
        hk_sleep(MS);
    hk_sleep(5 * MS);
    is(ld_rlx(&fired), 10, "a timer starts itself again, as often as it wants");
}

static void sleeps(void *arg)
{
    uint64_t ns = (uint64_t)(uintptr_t)arg, begin = hk_now();
    hk_sleep(ns);
    uint64_t took = hk_now() - begin;
    hk_task_exit((void *)(uintptr_t)(took >= ns));
}

/* Of 20, of 20 ms each: a host that is busy makes some of them longer. */
static uint64_t shortest_sleep(void)
{
    uint64_t shortest = UINT64_MAX;
    for (int i = 0; i < 20; i++) {
        uint64_t begin = hk_now();
        hk_sleep(20 * MS);
        uint64_t took = hk_now() - begin;
        shortest = took < shortest ? took : shortest;
    }
    return shortest;
}

static void sleeping(void)
{
    struct task *t[20];
    unsigned good = 0;
    for (uintptr_t i = 0; i < 20; i++)
        hk_task_create(&t[i], NULL, sleeps, (void *)(i * 700000));
    for (int i = 0; i < 20; i++) {
        void *result;
        hk_task_join(t[i], &result);
        good += result != NULL;
    }
    is(good, 20, "nobody wakes early");
    ok(shortest_sleep() < 100 * MS, "nor far too late");
}

/* A timer whose memory goes away right after it was cancelled, while other harts fire theirs. */
static void cancels_often(void *arg)
{
    uint32_t seen = 0;
    for (int i = 0; i < 2000; i++) {
        struct hk_timer local = { 0 };
        hk_timer_start(&local, hk_now() + (uint64_t)(i % 7) * 3000, notes, NULL);
        if (i % 5 == 0)
            hk_yield();
        seen += hk_timer_cancel(&local);
        local.fn = NULL;            /* would be called if it still stood in a list */
    }
    *(uint32_t *)arg = seen;
}

static void cancel_races(void)
{
    struct task *t[4];
    uint32_t cancelled_by[4], sum = 0;
    st_rlx(&fired, 0);
    for (int i = 0; i < 4; i++)
        hk_task_create(&t[i], NULL, cancels_often, &cancelled_by[i]);
    for (int i = 0; i < 4; i++) {
        hk_task_join(t[i], NULL);
        sum += cancelled_by[i];
    }
    is(sum + ld_rlx(&fired), 8000, "each timer fired or was cancelled, never both");
}

/* One task starts a timer on its hart, another cancels it on another hart just then, and takes its memory away. */
enum { GOOD = 0x600d, GONE = 0xdead };
static struct hk_sem started, cancelled_now;
static struct hk_timer shared;
static uint32_t state, ran_too_late;

static void slow(void *arg)
{
    uint32_t *word = arg;
    for (int i = 0; i < 300; i++)
        if (ld_rlx(word) != GOOD)
            st_rlx(&ran_too_late, 1);
}

static void starts(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3000; i++) {
        st_rlx(&state, GOOD);
        hk_timer_start(&shared, hk_now() + (uint64_t)(i % 20) * 1000, slow, &state);
        hk_sem_post(&started);
        hk_sem_wait(&cancelled_now, HK_FOREVER);
    }
}

static void cancel_elsewhere(void)
{
    struct hk_task_config other = { .hart_plus_1 = 2 };
    struct task *t;
    if (hk_harts() < 2)
        return;
    hk_task_create(&t, &other, starts, NULL);
    for (int i = 0; i < 3000; i++) {
        hk_sem_wait(&started, HK_FOREVER);
        for (uint64_t end = hk_now() + (uint64_t)(i % 13) * 1000; hk_now() < end; )
            ;
        hk_timer_cancel(&shared);
        st_rlx(&state, GONE);
        hk_sem_post(&cancelled_now);
    }
    hk_task_join(t, NULL);
    is(ran_too_late, 0, "when cancelling returns, the timer does not run");
}

int app_main(void)
{
    in_order();
    cancelled();
    many();
    restarts();
    sleeping();
    cancel_races();
    cancel_elsewhere();
    return tap_end();
}
