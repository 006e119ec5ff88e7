/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 60 */
/* Preemption: by the tick among equals, at once by priority, never in a pinned section; no ticks when nobody needs them. */
#include "tap.h"
#include "waits.h"

#define MS 1000000ull

static uint32_t stop, turns[8];

static void spins(void *arg)
{
    uint32_t *mine = &turns[(uintptr_t)arg];
    while (!ld_rlx(&stop))
        own_add(mine, 1);
}

static void shares(void)
{
    struct task *t[8];
    unsigned n = hk_harts() + 2, ran = 0;
    for (uintptr_t i = 0; i < n; i++)
        hk_task_create(&t[i], NULL, spins, (void *)i);
    while (ran < n) {           /* or the test hangs; main must get its hart back, too */
        hk_sleep(MS);
        ran = 0;
        for (unsigned i = 0; i < n; i++)
            ran += ld_rlx(&turns[i]) > 0;
    }
    is(ran, n, "tasks that never wait share the harts");
    st_rlx(&stop, 1);
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
}

static uint32_t urgent_ran;

static void is_urgent(void *arg)
{
    (void)arg;
    st_rlx(&urgent_ran, 1);
}

/* An urgent task that may run only where main runs now. */
static void make_urgent_here(struct task **t)
{
    struct hk_task_config config = { .prio = HK_URGENT, .set_prio = true, .hart_plus_1 = (int)hk_hart() + 1 };
    st_rlx(&urgent_ran, 0);
    hk_task_create(t, &config, is_urgent, NULL);
}

static void by_priority(void)
{
    struct task *t;
    make_urgent_here(&t);
    uint64_t begin = hk_now();
    while (!ld_rlx(&urgent_ran) && hk_now() - begin < 1000 * MS)
        ;
    ok(ld_rlx(&urgent_ran), "an urgent task runs at once");
    hk_task_join(t, NULL);
}

static struct hk_sem wake;

static void is_woken(void *arg)
{
    (void)arg;
    hk_sem_wait(&wake, HK_FOREVER);
    st_rlx(&urgent_ran, 1);
}

/* main and an urgent task share a hart; main, pinned, wakes it. */
static void pin_holds(void)
{
    struct hk_task_config urgent = { .prio = HK_URGENT, .set_prio = true, .hart_plus_1 = 1 };
    struct task *t;
    hk_task_create(&t, &urgent, is_woken, NULL);
    until_waits(t);
    st_rlx(&urgent_ran, 0);
    hart_pin();
    hart_pin();
    unsigned home = hk_hart();
    uint32_t switches = ld_rlx(&hal_hart(home)->switches);
    hk_sem_post(&wake);
    uint64_t begin = hk_now();
    while (hk_now() - begin < 5 * MS)
        ;
    bool moved = ld_rlx(&hal_hart(home)->switches) != switches || hk_hart() != home, due = hart_resched_due();
    bool ran = ld_rlx(&urgent_ran);
    hart_unpin();
    moved |= ld_rlx(&hal_hart(home)->switches) != switches;
    hart_unpin();
    ok(!moved, "a pinned task is not switched away");
    if (hk_harts() == 1) {
        ok(due && !ran, "it is told that a switch is due");
        ok(ld_rlx(&urgent_ran), "which comes as the outermost pinned section ends");
    }
    hk_task_join(t, NULL);
}

static bool ticks_here(void)
{
    hal_crit_t c = hal_crit_enter();    /* pinned is not enough: a tick there ends one slice and does not begin the next */
    bool ticking = ld_rlx(&hal_self()->ticking);
    hal_crit_exit(c);
    return ticking;
}

/* Until the slice of now is over: the host may let time pass without the interrupt that ends it. */
static void until_next_slice(void)
{
    uint64_t first = 0, end;
    do {
        hal_crit_t c = hal_crit_enter();
        end = hal_self()->slice_end;
        hal_crit_exit(c);
        first = first ? first : end;
    } while (end == first && end != UINT64_MAX);        /* that: none is armed */
}

static void quiet(void)
{
    uint64_t begin;
    hk_sleep(10 * MS);
    begin = hk_now();
    while (hk_now() - begin < 20 * MS)
        ;
    ok(!ticks_here(), "a hart with one task has no tick");
    sched_ticks(true);
    ok(ticks_here(), "unless the collector wants one");
    for (int i = 0; i < 5 && ticks_here(); i++)
        until_next_slice();
    ok(ticks_here(), "and then it goes on");
    sched_ticks(false);
    until_next_slice();
    ok(!ticks_here(), "until it wants no more");
}

/* A bound task runs when the hook says so, is preempted, and hands over what the hart has to do besides. */
static struct task *bound;
static uint32_t bound_wanted, bound_runs, bound_wrong;

static struct task *pick(struct hart *h, bool idle)
{
    return h->index == 0 && !idle && ld_acq(&bound_wanted) ? bound : NULL;
}

static void bound_body(void *arg)
{
    (void)arg;
    for (;;) {
        st_rlx(&bound_wanted, 0);
        own_add(&bound_runs, 1);
        if (hk_hart() != 0)
            own_add(&bound_wrong, 1);
        for (int i = 0; i < 10; i++)
            hk_yield();
        hart_pin();
        hart_shed();
        hart_unpin();
        task_park(NULL, hal_crit_enter());
    }
}

static void worker(void)
{
    static const struct task_hooks hooks = { .pick = pick };
    struct task *t[3];
    bound = task_create_bound("worker", 0, bound_body, NULL);
    task_hooks_set(&hooks);
    st_rlx(&stop, 0);
    for (uintptr_t i = 0; i < 3; i++)
        hk_task_create(&t[i], NULL, spins, (void *)i);
    for (uint32_t i = 1; i <= 20; i++) {
        st_rel(&bound_wanted, 1);
        hart_kick(0);
        while (ld_rlx(&bound_runs) < i || (ld_acq(&bound->state) & TASK_STATE_MASK) != TASK_PARKED)
            hk_sleep(100000);
    }
    st_rlx(&stop, 1);
    for (int i = 0; i < 3; i++)
        hk_task_join(t[i], NULL);
    is(bound_runs, 20, "a bound task runs once for each time that the hook picks it");
    is(bound_wrong, 0, "on its hart");
}

int app_main(void)
{
    shares();
    by_priority();
    pin_holds();
    quiet();
    worker();
    return tap_end();
}
