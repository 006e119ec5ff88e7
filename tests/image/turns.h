/* SPDX-License-Identifier: Apache-2.0 */
/* Under -icount QEMU lets the harts take turns, which end at the next timer of any hart: one hart's timer alone would take its own
 * turns away.  So each has one, and they follow each other. */
#ifndef TURNS_H
#define TURNS_H

#include "kernel/hk.h"

enum { TURN_HARTS = 8, TURN_NS = 400000 };
static struct hk_timer turn[TURN_HARTS];

static void turn_over(void *arg)
{
    hk_timer_start(arg, hk_now() + TURN_NS, turn_over, arg);
}

static void start_turn(void *arg)
{
    struct hk_timer *t = arg;
    hk_timer_start(t, hk_now() + TURN_NS / hk_harts() * (unsigned)(t - turn) + TURN_NS, turn_over, t);
}

static void start_turns(void)
{
    for (unsigned i = 0; i < hk_harts() && hk_harts() > 1; i++) {
        struct task *t;
        hk_task_create(&t, &(struct hk_task_config){.hart_plus_1 = (int)i + 1}, start_turn, &turn[i]);
        hk_task_join(t, NULL);
    }
}

#endif
