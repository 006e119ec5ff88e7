/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks that may run on one hart only pass a token around, while all other harts sleep: no hart can take over another's
 * work, so each lost wake-up shows as a machine in which every hart sleeps.  The token passes by semaphore, by event, by a
 * channel, by park and ready; sometimes a task of the same or a lower priority spins on the receiver's hart, which must be
 * preempted: by the tick, or at once.
 *
 * Or a task is preempted by one that spins till that task has run on: another hart must take it over.
 */
#include "kernel/hk.h"
#include "kernel/task.h"
#include "sim.h"
#include "workload.h"

enum { RING = 4, ROUNDS = 6 };

static struct hk_sem gate[RING];
static struct hk_event note[RING];
static struct hk_chan pipe[RING];
static uintptr_t slots[RING][1];
static struct task *task[RING];
static uint32_t parked_ready[RING];     /* atomic */
static unsigned n, how;
static uint32_t passed[RING], taken[RING];      /* atomic */
static uint32_t over;                   /* atomic */

static void wait_turn(unsigned i)
{
    uintptr_t word;
    switch (how) {
    case 0:
        hk_sem_wait(&gate[i], HK_FOREVER);
        break;
    case 1:
        hk_event_wait(&note[i], HK_FOREVER);
        hk_event_clear(&note[i]);
        break;
    case 2:
        hk_chan_recv(&pipe[i], &word, HK_FOREVER);
        break;
    default:
        while (!amo_swap_acq(&parked_ready[i], 0))
            hk_sem_wait(&gate[i], 1000000);     /* a timer's wake-up, if nobody else's */
        break;
    }
}

static void pass(unsigned i)
{
    switch (how) {
    case 0:  hk_sem_post(&gate[i]); break;
    case 1:  hk_event_set(&note[i]); break;
    case 2:  hk_chan_send(&pipe[i], i, HK_FOREVER); break;
    default: st_rel(&parked_ready[i], 1), hk_sem_post(&gate[i]); break;
    }
}

static void member(void *arg)
{
    unsigned i = (unsigned)(uintptr_t)arg;
    for (unsigned round = 0; round < ROUNDS; round++) {
        wait_turn(i);
        amo_add_rlx(&taken[i], 1);
        pass((i + 1) % n);
        amo_add_rel(&passed[(i + 1) % n], 1);   /* by now its hart has been told */
    }
}

/* Does somebody of higher priority, who was told to run on this hart, not do so? */
static bool one_waits(unsigned hart)
{
    for (unsigned i = hart; i < n; i += hk_harts()) {
        uint32_t before = ld_acq(&passed[i]), now = ld_rlx(&taken[i]);
        if ((int)(before - now) > 0 && now < ROUNDS)        /* the last is passed to one that has ended */
            return true;
    }
    return false;
}

/* Keeps a hart busy without ever giving way.  Interrupts are taken within so many steps (hal/sim/sched.c). */
static void spinner(void *arg)
{
    enum { STEPS = 300 };
    unsigned waits = 0, hart = hk_hart();
    while (!ld_acq(&over)) {
        waits = arg && one_waits(hart) ? waits + 1 : 0;
        if (waits > STEPS)
            sim_fail("a task spins on hart %u though one of higher priority was made ready for it", hart);
    }
}

/* ---- taken over -------------------------------------------------------------------------------------------------- */

static uint32_t where, begun;           /* atomic */

static void preempted(void *arg)
{
    (void)arg;
    st_rel(&where, 1 + hk_hart());
    while (!ld_acq(&begun))
        ;
    st_rel(&over, 1);
}

static void preempts(void *arg)
{
    (void)arg;
    st_rel(&begun, 1);
    while (!ld_acq(&over))
        ;
}

static void taken_over(void)
{
    struct task *low, *high;
    hk_task_create(&low, NULL, preempted, NULL);
    while (!ld_acq(&where))
        hk_sleep(1000);
    if (hk_task_create(&high, &(struct hk_task_config){.hart_plus_1 = (int)ld_acq(&where), .set_prio = true,
                                                       .prio = HK_HIGH}, preempts, NULL) != HK_OK)
        sim_fail("no memory for a task");
    hk_task_join(low, NULL);
    hk_task_join(high, NULL);
}

/* ------------------------------------------------------------------------------------------------------------------ */

int bound(void)
{
    struct task *low = NULL;
    unsigned harts = hk_harts();
    if (sim_choose(4) == 0) {
        taken_over();
        return 0;
    }
    n = 2 + sim_choose(RING - 1);
    how = sim_choose(4);
    bool equal = sim_choose(2);
    for (unsigned i = 0; i < n; i++)
        hk_chan_init(&pipe[i], slots[i], 1);
    if (sim_choose(3) == 0)
        hk_task_create(&low, &(struct hk_task_config){.prio = equal ? HK_NORMAL : HK_BACKGROUND, .set_prio = true,
                                                      .hart_plus_1 = 1 + (int)sim_choose(harts)},
                       spinner, equal ? NULL : &over);
    for (unsigned i = 0; i < n; i++)
        if (hk_task_create(&task[i], &(struct hk_task_config){.hart_plus_1 = 1 + (int)(i % harts), .set_prio = true,
                                                              .prio = HK_NORMAL + sim_choose(2)},
                           member, (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
    pass(0);
    amo_add_rel(&passed[0], 1);
    for (unsigned i = 0; i < n; i++)
        hk_task_join(task[i], NULL);
    st_rel(&over, 1);
    if (low)
        hk_task_join(low, NULL);
    return 0;
}
