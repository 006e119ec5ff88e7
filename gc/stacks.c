/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks that a task has beside its C stack.
 *
 * They are read in the same claim as the C stack, so all that the task can reach without the heap is taken at one instant, at
 * any instruction of its.  From then on the task is black: what it reads from the heap was reachable at that instant, and the
 * deletion half has it marked, or it is younger than the cycle.
 */
#include "gc/stacks.h"
#include "gc/gc_internal.h"

struct hgc_stacks *hgc_stacks_set(struct hgc_stacks *s)
{
    struct task *t = task_self();
    struct hgc_stacks *before = ld_rlx(&t->gc_stacks);
    st_rlx(&t->gc_entered, NULL);
    st_rel(&t->gc_stacks, s);           /* what is in *s; partner: a runtime that looks at a task that runs [L-mp.rel] */
    return before;
}

bool hgc_stacks_only(bool on)
{
    struct task *t = task_self();
    bool before = t->gc_stacks_only != 0;
    t->gc_stacks_only = on ? STACKS_ONLY_ALLOWED : 0;
    return before;
}

bool hgc_exempt(bool on)
{
    struct task *t = task_self();
    bool before = t->gc_exempt;
    t->gc_exempt = on;
    return before;
}

/* A claim orders these with who scans the task: it runs only before and after. */
void stacks_wait_begin(void)
{
    struct task *t = task_self();
    if (t->gc_stacks_only)
        t->gc_stacks_only = STACKS_ONLY_NOW;
}

void stacks_wait_end(void)
{
    struct task *t = task_self();
    if (t->gc_stacks_only)
        t->gc_stacks_only = STACKS_ONLY_ALLOWED;
}

void hgc_scan_stack(struct task *t)
{
    root_mark_stack(t);
}

void task_trace_own(struct task *t, struct hgc_visitor *v)
{
    struct hgc_stacks *s = ld_rlx(&t->gc_stacks);
    if (s)
        s->trace(s, t, v);
}
