/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roots that the program stores to without a barrier, and the end of a cycle while there are some.
 *
 * The rule is that of a barrier with the insertion half alone: no black object refers to a white one, and roots and stacks
 * count as grey until the end.  Two looks at such a root are not enough, because a white object may pass from it to a stack
 * that was scanned already.  So all of them, and all stacks, are looked at again with the world stopped.
 *
 * So that there is little left to find, the same is done just before, with the world running.  Yet who takes objects out of
 * lists that are being marked, without shading, hides some behind each look, for ever.  So what the stopped look finds is
 * marked in the stop as long as it leads to little.  If it leads to more, the phase stays MARK, the world starts, and the end is
 * tried again; the third time, what is left is marked in that stop, which then has no bound (I9), and is counted.
 */
#include "gc/gc_internal.h"

enum {
    ATTEMPTS = 3,
    LITTLE = HGC_BLOCK,         /* bytes searched in a stop, and one block of small objects: some 100,000 instructions at most */
};

void unbarriered_begin(void)
{
    st_rlx(&gc.plain, gc.plain_roots != 0);
    gc.plain_looked = false;
    gc.plain_failed = 0;
}

bool unbarriered_look(void)
{
    if (!ld_rlx(&gc.plain) || gc.plain_looked)
        return false;
    gc.plain_looked = true;
    root_again();
    return true;
}

/* ---- with the world stopped -------------------------------------------------------------------------------------- */

static void scan_task(struct task *t)
{
    uint32_t state = ld_rlx(&t->state) & TASK_STATE_MASK;
    if (!t->no_stack_roots && state != TASK_DEAD && state != TASK_FREE && !leak_puts_off(t))
        root_mark_stack(t);
}

/* Pins, too: what a handler has pinned in a stop that did not end the mark may come from a root that is looked at here only. */
static void look_at_all(void)
{
    special_mark_pins();
    for (unsigned i = 0; i < gc.nroots; i++)
        if (gc.roots[i].plain)
            root_scan_plain(&gc.roots[i]);
    for (unsigned i = 0; i < task_slots(); i++) {
        struct task *t = task_at(i);
        if (t)
            scan_task(t);
    }
}

/* False: it is more than a little, or a large object.  The queues have the rest. */
static bool mark_a_little(void)
{
    uintptr_t from = hart_work(gc_self());
    struct block *b;
    while ((b = markq_take())) {
        if (hart_work(gc_self()) - from >= LITTLE || ld_rlx(&b->state) != BLOCK_SMALL) {
            markq_push(b);
            return false;
        }
        mark_block(b, HGC_BLOCK);
    }
    return true;
}

static void mark_the_rest(void)
{
    struct block *b;
    while ((b = markq_take()))
        mark_block(b, HGC_BLOCK);
    gc.stopped_marks += gc.plain_failed == ATTEMPTS;
}

bool unbarriered_end(void)
{
    if (!ld_rlx(&gc.plain))
        return true;
    hk_assert(task_self()->no_stack_roots);     /* a worker: its saved context is an old one, but no root */
    look_at_all();
    if (mark_a_little())
        return true;
    gc.plain_looked = false;
    if (++gc.plain_failed >= ATTEMPTS) {        /* once more if a runtime goes on marking after that */
        mark_the_rest();
        return true;
    }
    gc.plain_retries++;
    return false;
}
