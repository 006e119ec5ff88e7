/* SPDX-License-Identifier: Apache-2.0 */
/* For runtimes with stacks of their own: an inline look at what hgc_stacks_set has set. */
#ifndef GC_STACKS_H
#define GC_STACKS_H

#include "gc/hgc.h"
#include "kernel/hart.h"
#include "kernel/task.h"

/* What hgc_stacks_set was last given by the calling task.  Task.  Cost on the target: two loads.  (The first is one
 * instruction, so that an interrupt cannot move the task to another hart between finding its hart and reading from it.) */
static inline struct hgc_stacks *hgc_stacks_mine(void)
{
    return ld_rlx(&((struct task *)hal_self_load(offsetof(struct hart, current)))->gc_stacks);
}

#endif
