/* SPDX-License-Identifier: Apache-2.0 */
/* For runtimes with stacks of their own: an inline look at what hgc_stacks_set has set, and a note whether more is to be done. */
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

/* A note of a runtime's, for one compare at each call into it: the stacks that the calling task is in, and of which it has nothing to
 * do before it goes on.  The runtime sets it, and takes it back where that changes, because it wants the task to wait, say.
 * hgc_stacks_set takes it back, too.  Task.  Cost on the target: two loads. */
static inline struct hgc_stacks *hgc_stacks_entered(void)
{
    return ld_rlx(&((struct task *)hal_self_load(offsetof(struct hart, current)))->gc_entered);
}

static inline void hgc_stacks_enter(struct hgc_stacks *s)
{
    st_rlx(&task_self()->gc_entered, s);
}

/* For another task; the caller sees to it that it does not end meanwhile.  Any context. */
static inline void hgc_stacks_look_again(struct task *t)
{
    st_rlx(&t->gc_entered, NULL);
}

#endif
