/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 120 */
/* hal: riscv host */ /* host-harts: 1 4 */
/*
 * A storm of stops and handshakes from several tasks, among tasks that compute, wait and sleep, and IPIs that mean nothing.
 * I3: nobody runs between world_stop and world_start.  Each hart does its share exactly once.
 */
#include "kernel/task.h"
#include "kernel/world.h"
#include "tap.h"

enum { MUTATORS = 6, STOPPERS = 3, STOPS = 400 };

static uint32_t over;
static uint32_t steps[MUTATORS + 2];
static struct hk_sem sem;
static struct hk_mutex lock;

/* ---- the program ---- */

static void computes(void *arg)
{
    uint32_t *mine = &steps[(uintptr_t)arg];
    while (!ld_rlx(&over))
        own_add(mine, 1);
}

static void waits(void *arg)
{
    uint32_t *mine = &steps[(uintptr_t)arg];
    while (!ld_rlx(&over)) {
        own_add(mine, 1);
        hk_sem_post(&sem);
        hk_sem_wait(&sem, HK_FOREVER);
        hk_mutex_lock(&lock);
        own_add(mine, 1);
        hk_mutex_unlock(&lock);
        if (ld_rlx(mine) % 64 == 0)
            hk_sleep(50000);
    }
}

static void interrupts(void *arg)
{
    uint32_t *mine = &steps[(uintptr_t)arg];
    while (!ld_rlx(&over)) {
        own_add(mine, 1);
        hal_ipi_send(ld_rlx(mine) * 2654435761u % hk_harts());
        if (ld_rlx(mine) % 256 == 0)
            hk_yield();
    }
}

/* ---- who stops it ---- */

static uint32_t shares[64];         /* of the stop or handshake under way; written by its hart */
static uint32_t wrong_share, moved, handshakes;
static uint64_t longest_wait;

static void share(struct hart *h, void *arg)
{
    (void)arg;
    if (!hal_crit_held() || h != hal_self())
        amo_add_rlx(&wrong_share, 1);
    own_add(&shares[h->index], 1);
}

/* The world is stopped, or the lock of its initiator is ours: nobody else touches `shares`. */
static unsigned shares_not_one(void)
{
    unsigned wrong = 0;
    for (unsigned i = 0; i < hk_harts(); i++) {
        wrong += ld_rlx(&shares[i]) != 1;
        st_rlx(&shares[i], 0);
    }
    return wrong;
}

static void stop_once(void)
{
    uint32_t before[MUTATORS + 2];
    world_stop(WORLD_OTHER, share, NULL);
    if (!world_stopped() || shares_not_one())
        amo_add_rlx(&wrong_share, 1);
    for (int i = 0; i < MUTATORS + 2; i++)
        before[i] = ld_rlx(&steps[i]);
    for (volatile int i = 0; i < 2000; i++)
        ;
    for (int i = 0; i < MUTATORS + 2; i++)
        if (before[i] != ld_rlx(&steps[i]))
            amo_add_rlx(&moved, 1);
    if (world_times.last_wait_ns > longest_wait)
        longest_wait = world_times.last_wait_ns;
    world_start();
}

static uint32_t calls;

static void called(struct hart *h, void *arg)
{
    (void)h;
    (void)arg;
    amo_add_rlx(&calls, 1);
}

static void stops(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    for (int i = 0; i < STOPS; i++) {
        if ((i + (int)me) % 3 == 0) {
            world_each_hart(called, NULL);
            amo_add_rlx(&handshakes, 1);
        } else {
            stop_once();
        }
        if (i % 5 == 0)
            hk_sleep(20000 * me);
    }
}

/* A task of the system's below has the world again and again, and one above, which is none, takes its hart at any time. */
static uint32_t low_stops, low_over;    /* atomic */

static void stops_below(void *arg)
{
    (void)arg;
    while (!ld_rlx(&low_over)) {
        world_stop(WORLD_OTHER, NULL, NULL);
        world_start();
        own_add(&low_stops, 1);
    }
}

static void stops_above(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < STOPS; i++) {
        hk_sleep(100000 + i % 97 * 1000);
        world_stop(WORLD_OTHER, NULL, NULL);
        world_start();
    }
}

static void stands_still(void *arg)
{
    (void)arg;
    hk_panic("who has the world does not go on, because a task above it wants it");
}

static void above_and_below(void)
{
    struct hk_timer late = { 0 };
    struct hk_task_config low = { .prio = HK_BACKGROUND, .set_prio = true, .system = true, .hart_plus_1 = 1 };
    struct hk_task_config high = { .prio = HK_HIGH, .set_prio = true, .hart_plus_1 = 1 };
    struct task *a, *b;
    hk_timer_start(&late, hk_now() + 30000000000, stands_still, NULL);
    hk_task_create(&a, &low, stops_below, NULL);
    hk_task_create(&b, &high, stops_above, NULL);
    hk_task_join(b, NULL);
    hk_timer_cancel(&late);
    st_rlx(&low_over, 1);
    hk_task_join(a, NULL);
    ok(ld_rlx(&low_stops) > 0, "who has the world goes on, though a task above it wants it");
}

/* Timers go on while the world is stopped. */
static struct hk_timer timer;
static uint32_t ticks, ticks_in_stop;

static void tick(void *arg)
{
    amo_add_rlx(&ticks, 1);
    if (world_stopped())
        amo_add_rlx(&ticks_in_stop, 1);
    if (!ld_rlx(&over))
        hk_timer_start(&timer, hk_now() + 30000, tick, arg);
}

static unsigned at_work(void)
{
    unsigned n = 0;
    for (int i = 0; i < MUTATORS + 2; i++)
        n += ld_rlx(&steps[i]) > 0;
    return n;
}

/* No tick, no timer: only world_start itself makes the harts go on. */
static void goes_on(void)
{
    struct task *t[64];
    unsigned n = hk_harts() - 1, went = 0;
    uint32_t before[MUTATORS + 2];
    if (n > MUTATORS)
        n = MUTATORS;
    st_rlx(&over, 0);
    unsigned home = hk_hart();
    for (uintptr_t i = 0; i < n; i++) {
        struct hk_task_config config = { .hart_plus_1 = (int)((home + 1 + i) % hk_harts()) + 1 };
        hk_task_create(&t[i], &config, computes, (void *)i);
    }
    hk_sleep(5000000);
    world_stop(WORLD_OTHER, NULL, NULL);
    for (unsigned i = 0; i < n; i++)
        before[i] = ld_rlx(&steps[i]);
    world_start();
    /* As long as a host with fewer processors takes to run each hart once. */
    for (uint64_t end = hk_now() + 20000000000ull; went < n && hk_now() < end; ) {
        went = 0;
        for (unsigned i = 0; i < n; i++)
            went += ld_rlx(&steps[i]) != before[i];
    }
    st_rlx(&over, 1);
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
    is(went, n, "all harts go on after a stop");
}

int app_main(void)
{
    struct task *m[MUTATORS + 2], *s[STOPPERS];
    void (*const bodies[MUTATORS + 2])(void *) = {
        computes, computes, computes, waits, waits, waits, interrupts, computes };
    for (uintptr_t i = 0; i < MUTATORS + 2; i++)
        hk_task_create(&m[i], NULL, bodies[i], (void *)i);
    hk_timer_start(&timer, hk_now(), tick, NULL);
    for (uintptr_t i = 0; i < STOPPERS; i++) {
        struct hk_task_config config = { .prio = i == 0 ? HK_NORMAL : HK_HIGH, .set_prio = true };
        hk_task_create(&s[i], &config, stops, (void *)i);
    }
    for (int i = 0; i < STOPPERS; i++)
        hk_task_join(s[i], NULL);
    while (at_work() < MUTATORS + 2)    /* or the test hangs */
        hk_sleep(1000000);
    st_rlx(&over, 1);
    for (int i = 0; i < MUTATORS + 2; i++) {
        hk_sem_post(&sem);
        hk_task_join(m[i], NULL);
    }
    hk_sleep(1000000);
    is(moved, 0, "nobody runs while the world is stopped");
    is(wrong_share, 0, "each hart does its share of a stop once, with interrupts off");
    is(calls, handshakes * hk_harts(), "each hart runs the function of a handshake once");
    is(at_work(), MUTATORS + 2, "and all tasks got on");
    ok(ticks > 10, "timers too");
    is(world_times.stops[WORLD_OTHER] + world_times.stops[WORLD_HANDSHAKE], STOPPERS * STOPS, "stops are counted");
    hk_printf("# longest wait for a stop %u us, longest stop %u us, %u timer ticks, %u of them in a stop\n",
              (unsigned)(longest_wait / 1000), (unsigned)(world_times.max_ns[WORLD_OTHER] / 1000), (unsigned)ticks,
              (unsigned)ticks_in_stop);
    goes_on();
    above_and_below();
    return tap_end();
}
