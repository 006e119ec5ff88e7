/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sampling interrupt, as a firmware's sensor would have: every 100 us a handler looks whether a mark phase is on.  It
 * tells what part of the run was marked beside the program, and it interrupts the program at any instruction.
 */
#include "apps/jsonstore/phases.h"
#include "gc/hgc.h"
#include "kernel/hk.h"

#define SAMPLE_NS 100000

static struct hk_timer timer;
static uint32_t samples, marking;               /* atomic: the handler's; others read */

static void sample(void *arg)
{
    (void)arg;
    own_add(&samples, 1);
    own_add(&marking, hgc_marking());
    hk_timer_start(&timer, hk_now() + SAMPLE_NS, sample, NULL);
}

void sample_start(void)
{
    hk_timer_start(&timer, hk_now() + SAMPLE_NS, sample, NULL);
}

void sample_stop(void)
{
    hk_timer_cancel(&timer);
    hk_printf("jsonstore: a mark phase was on in %u of %u samples\n", (unsigned)ld_rlx(&marking), (unsigned)ld_rlx(&samples));
}

uint32_t sample_count(void)
{
    return ld_rlx(&samples);
}
