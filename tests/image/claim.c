/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 120 */
/* hal: riscv host */ /* host-harts: 1 4 */
/*
 * Claims, as the collector makes them: tasks that run, wait, wake each other, sleep and die are claimed all the time, by
 * a task on each hart.  A claimed task does not run, its context is saved, and every wish has exactly one answer.
 */
#include "kernel/task.h"
#include "tap.h"

enum { VICTIMS = 12, CLAIMERS = 4, CLAIMS = 1500, CLAIMS_MAX = 100 * CLAIMS, COMPUTES = 5000000 };

static uint32_t over;
static uint32_t steps[HK_MAX_TASKS];        /* by slot */
static uint32_t ran_while_claimed, unsaved, by_hand, as_they_left, died_instead, none;

static uint32_t answer[HK_MAX_TASKS];       /* by slot: answers that the hooks gave */
static struct task *claimed_task[HK_MAX_TASKS];

static void claimed(struct task *t)
{
    if (ld_acq(&t->busy) != 0)
        amo_add_rlx(&unsaved, 1);
    claimed_task[t->slot] = t;
    amo_add_ar(&answer[t->slot], 1);
}

static void died(struct task *t)
{
    if (!t->claim_want)
        return;
    claimed_task[t->slot] = NULL;
    amo_add_ar(&answer[t->slot], 1);
}

/* ---- victims ---- */

static struct hk_sem sem;

static void step(void)
{
    own_add(&steps[hk_task_self()->slot], 1);
}

static void computes(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over))
        step();
}

static void waits(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over)) {
        step();
        hk_sem_wait(&sem, 100000);
        hk_sem_post(&sem);
    }
}

static void yields(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over)) {
        step();
        hk_yield();
    }
}

static void lives_briefly(void *arg)
{
    for (int i = 0; i < 50; i++)
        step();
    hk_task_exit(arg);
}

/* Dies as soon as somebody wants it, before the kick comes, if it can. */
static void dies_when_wanted(void *arg)
{
    uint32_t *state = &hk_task_self()->state;
    uint64_t end = hk_now() + 300000;
    while (!(ld_rlx(state) & TASK_WANT) && hk_now() < end)
        ;
    hk_task_exit(arg);
}

static void breeds(void *arg)
{
    bool detach = arg != NULL;
    struct hk_task_config config = { .name = "brief", .stack_size = 4096, .detached = detach };
    while (!ld_rlx(&over)) {
        struct task *t;
        step();
        void (*child)(void *) = hk_now() / 100 % 2 ? dies_when_wanted : lives_briefly;
        if (hk_task_create(&t, &config, child, NULL) != HK_OK)
            hk_sleep(100000);
        else if (!detach)
            hk_task_join(t, NULL);
        else
            hk_sleep(30000);
    }
}

/* ---- claimers: one at a time for each slot, as the collector's job for a task is ---- */

static uint32_t taken[HK_MAX_TASKS];

static void look_at(struct task *t, unsigned slot)
{
    uint32_t before = ld_rlx(&steps[slot]);
    struct hal_roots roots;
    if (ld_acq(&t->busy) != 0)
        amo_add_rlx(&unsaved, 1);
    hal_ctx_roots(&t->ctx, &roots);
    if (roots.sp < t->stack_lo || roots.sp > t->stack_hi)
        amo_add_rlx(&unsaved, 1);
    for (volatile int i = 0; i < 300; i++)
        ;
    if (ld_rlx(&steps[slot]) != before || t->slot != slot)
        amo_add_rlx(&ran_while_claimed, 1);
}

/* Pinned.  False: the wish was granted by `claimed` or `died`; then the hook's answer is awaited outside. */
static bool claim_now(unsigned slot)
{
    struct task *t;
    enum task_claim got = task_claim(slot, &t);
    if (got == TASK_ON_HART)
        got = task_claim_leave(slot, &t);
    if (got == TASK_ON_HART)
        return false;
    if (got == TASK_CLAIMED) {
        look_at(t, slot);
        task_unclaim(t);
    }
    amo_add_rlx(got == TASK_CLAIMED ? &by_hand : &none, 1);
    return true;
}

static void finish_wish(unsigned slot)
{
    while (ld_acq(&answer[slot]) == 0)
        hk_sleep(20000);
    struct task *t = claimed_task[slot];
    hart_pin();
    if (amo_swap_ar(&answer[slot], 0) != 1)
        amo_add_rlx(&unsaved, 1000);
    if (t) {
        look_at(t, slot);
        task_unclaim(t);
    }
    amo_add_rlx(t ? &as_they_left : &died_instead, 1);
    hart_unpin();
}

/* Claimers that claim each other would wait for each other for ever: the collector's workers have no stack to scan. */
static struct task *claimer[CLAIMERS];
static struct hk_mutex begin;
static struct hk_event finished[CLAIMERS];

static bool is_claimer(unsigned slot)
{
    for (int i = 0; i < CLAIMERS; i++)
        if (claimer[i] && claimer[i]->slot == slot)
            return true;
    return false;
}

/* On one hart nobody else is on a hart while a claimer is. */
static bool all_sorts_met(void)
{
    return ld_rlx(&by_hand) > 0 && (ld_rlx(&as_they_left) > 0 || hk_harts() == 1);
}

static void claims(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg * 7919 + 1;
    hk_mutex_lock(&begin);      /* until all are known */
    hk_mutex_unlock(&begin);
    for (int i = 0; i < CLAIMS || (i < CLAIMS_MAX && !all_sorts_met()); i++) {
        if (i >= CLAIMS)
            hk_sleep(20000);        /* they run, on each hart, and are on it when the next one is claimed */
        seed = seed * 1664525 + 1013904223;
        unsigned slot = (seed >> 8) % task_slots();
        if (is_claimer(slot) || amo_swap_acq(&taken[slot], 1))
            continue;
        hart_pin();
        bool done = claim_now(slot);
        hart_unpin();
        if (!done)
            finish_wish(slot);
        st_rel(&taken[slot], 0);
        if (i % 16 == 0)
            hk_yield();
    }
    hk_event_set(&finished[(uintptr_t)arg]);
}

/* A task that leaves its hart of itself, to one that was preempted and then computes without a tick: nobody but the
 * scheduler's IPI to itself is left to call `claimed`, before the other has made many steps. */
static uint32_t wanted_seen;

static void pins_until_wanted(void *arg)
{
    uint32_t *state = &hk_task_self()->state;
    (void)arg;
    while (!ld_rlx(&over)) {
        hart_pin();
        for (uint64_t end = hk_now() + 3000000; hk_now() < end && !hart_resched_due(); )
            ;
        if (ld_rlx(state) & TASK_WANT)
            st_rlx(&wanted_seen, 1);
        hart_unpin();
    }
}

static void leaves_of_itself(void)
{
    struct hk_task_config there = { .hart_plus_1 = (int)hk_harts() };
    struct task *spins, *pins;
    unsigned granted = 0, tried = 0;
    if (hk_harts() == 1)
        return;
    st_rlx(&over, 0);
    hk_task_create(&spins, &there, computes, NULL);
    hk_task_create(&pins, &there, pins_until_wanted, NULL);
    while (granted == tried && (tried < 20 || (!ld_rlx(&wanted_seen) && tried < 2000))) {
        struct task *t;
        hk_sleep(1000000 + tried++ % 7 * 100000);         /* it is on its hart about every second time */
        hart_pin();
        enum task_claim got = task_claim_leave(pins->slot, &t);
        hart_unpin();
        uint32_t *turns = &steps[spins->slot], begin = ld_rlx(turns);
        for (bool last = false; got == TASK_ON_HART && !last;) {
            last = ld_acq(turns) - begin >= COMPUTES;   /* then look once more: this task may have stood still meanwhile */
            if (ld_acq(&answer[pins->slot])) {
                st_rlx(&answer[pins->slot], 0);
                got = TASK_CLAIMED;
            }
        }
        granted += got == TASK_CLAIMED;
        hart_pin();
        if (got == TASK_CLAIMED)
            task_unclaim(t);
        hart_unpin();
    }
    st_rlx(&over, 1);
    hk_task_join(spins, NULL);
    hk_task_join(pins, NULL);
    is(granted, tried, "a wish is granted to one that leaves of itself, too");
    ok(wanted_seen, "that was tried");
}

int app_main(void)
{
    static const struct task_hooks hooks = { .claimed = claimed, .died = died };
    void (*const bodies[])(void *) = { computes, waits, yields, breeds, waits, breeds };
    struct task *victim[VICTIMS];
    task_hooks_set(&hooks);
    hk_sem_init(&sem, 2);
    for (uintptr_t i = 0; i < VICTIMS; i++)
        hk_task_create(&victim[i], NULL, bodies[i % 6], i % 6 == 5 ? &sem : NULL);
    hk_mutex_lock(&begin);
    for (uintptr_t i = 0; i < CLAIMERS; i++) {
        struct hk_task_config config = { .name = "claimer", .prio = HK_HIGH, .set_prio = true };
        hk_task_create(&claimer[i], &config, claims, (void *)i);
    }
    hk_mutex_unlock(&begin);
    for (int i = 0; i < CLAIMERS; i++)
        hk_event_wait(&finished[i], HK_FOREVER);    /* none is joined, and its slot used again, before all have */
    for (int i = 0; i < CLAIMERS; i++)
        hk_task_join(claimer[i], NULL);
    st_rlx(&over, 1);
    for (int i = 0; i < VICTIMS; i++)
        hk_task_join(victim[i], NULL);
    ok(true, "every wish was answered, and every task goes on");
    is(ran_while_claimed, 0, "a claimed task does not run");
    is(unsaved, 0, "and its context is saved");
    ok(by_hand > 0, "tasks were claimed where they waited");
    ok(as_they_left > 0 || hk_harts() == 1, "and as they left their harts");
    hk_printf("# claimed %u, as they left %u, died instead %u, none %u\n", (unsigned)by_hand, (unsigned)as_they_left,
              (unsigned)died_instead, (unsigned)none);
    leaves_of_itself();
    return tap_end();
}
