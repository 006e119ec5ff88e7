/* SPDX-License-Identifier: Apache-2.0 */
/* Does a task wait for something of the kernel's?  A test that wants it to have come so far looks, instead of giving it
 * some time: the host may keep its hart from running for longer than any. */
#ifndef WAITS_H
#define WAITS_H

#include "kernel/task.h"

/* `t` has not been joined yet. */
static inline bool waits(const struct task *t)
{
    uint32_t state = ld_acq(&t->state);
    return (state & TASK_STATE_MASK) == TASK_PARKED && (state & TASK_WAIT);
}

static inline void until_waits(const struct task *t)
{
    while (!waits(t))
        hk_sleep(100000);
}

#endif
