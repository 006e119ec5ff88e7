/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks that wait for ever: for an object that nobody but they, and others like them, can reach.
 *
 * A cycle that was asked to look puts off the stacks of all tasks that wait, without a limit of time, for something inside a
 * collected object.  When all else is marked, those whose object is marked are scanned after all, and what they lead to;
 * and so on, until none is left whose object is marked.  What is left is leaked: each waits for somebody to whom no path
 * leads.  Then their stacks are scanned like all others, and nothing is freed that one of them holds.
 *
 * L1  A stack may stay grey as long as it likes: the barrier's insertion half keeps it from hiding what it holds.  A task that
 *     was put off may be woken and run meanwhile.
 * L2  Before the phase goes to OFF every stack has been scanned (I10): leak_end lets no mark end while one is put off.
 * L3  The judgement is made in a stop in which it is quiet: then all is marked that can be reached without the stacks that are
 *     put off (with plain roots, unbarriered_end has looked before).
 */
#include "gc/gc_internal.h"

static struct hk_mutex asking;
static uint32_t wanted;         /* atomic: the next cycle shall look */
static uint32_t looked;         /* world stopped: the last cycle that did */
static uint32_t putting_off;    /* atomic, written with the world stopped: this one does, and has not judged yet */

void leak_begin(void)
{
    bool now = amo_swap_rlx(&wanted, 0);
    st_rlx(&putting_off, now);
    if (now)
        looked = gc.cycle;
}

/* ---- which tasks ------------------------------------------------------------------------------------------------- */

/* The table is locked, or the world stopped, in all of these. */

/* Waits it for something in a collected object that is not marked? */
static bool waits_for_unmarked(const struct task *t)
{
    struct object o;
    uintptr_t queue = task_waits_for(t);
    return queue && find_object(queue, &o) && !object_marked(&o);
}

static bool unscanned(const struct task *t)
{
    uint32_t state = ld_rlx(&t->state) & TASK_STATE_MASK;
    return !t->no_stack_roots && state != TASK_DEAD && state != TASK_FREE && ld_rlx(&t->gc_seen) != ld_rlx(&gc.cycle);
}

bool leak_puts_off(const struct task *t)
{
    return ld_rlx(&putting_off) && unscanned(t) && waits_for_unmarked(t);
}

/* Was it put off, and must be scanned now? */
static bool comes_due(const struct task *t)
{
    return unscanned(t) && !waits_for_unmarked(t);
}

/* ---- the end of a mark ------------------------------------------------------------------------------------------- */

static bool any_due(void)
{
    bool due = false;
    for (unsigned i = 0; i < task_slots() && !due; i++) {
        hal_crit_t c = hal_crit_enter();
        const struct task *t = task_lock_slot(i);
        due = t && comes_due(t);
        task_unlock_slot();
        hal_crit_exit(c);
    }
    return due;
}

bool leak_look(void)
{
    if (!ld_rlx(&putting_off) || !any_due())
        return false;
    root_again();
    return true;
}

bool leak_end(void)
{
    unsigned due = 0, left = 0;
    if (!ld_rlx(&putting_off))
        return true;
    for (unsigned i = 0; i < task_slots(); i++) {
        const struct task *t = task_at(i);
        left += t && unscanned(t);
        due += t && comes_due(t);
    }
    for (unsigned i = 0; due == 0 && i < task_slots(); i++) {
        struct task *t = task_at(i);
        if (t && unscanned(t))
            st_rlx(&t->gc_leaked, gc.cycle);
    }
    if (due == 0)
        st_rlx(&putting_off, 0);
    if (left)
        root_again();
    return left == 0;
}

/* ---- the report -------------------------------------------------------------------------------------------------- */

/* What the task in this slot waits for, if the last look found that it waits for ever.  That it still waits is what keeps the
 * object now; the reference passes from no slot and no hook, so it is shaded here (I11). */
static bool leaked(unsigned slot, struct hgc_leak *leak)
{
    struct object o;
    bool is = false;
    hal_crit_t c = hal_crit_enter();
    const struct task *t = task_lock_slot(slot);
    uintptr_t queue = t && ld_rlx(&t->gc_leaked) == looked ? task_waits_for(t) : 0;
    if (queue && find_object(queue, &o)) {
        memcpy(leak->name, t->name, sizeof(leak->name));
        leak->object = newborn(object_start(&o));
        if (gc_is_on())
            mark_reference(object_start(&o));
        is = true;
    }
    task_unlock_slot();
    hal_crit_exit(c);
    return is;
}

static void print(const struct hgc_leak *leak, void *arg)
{
    (void)arg;
    hk_printf("hgc: task %s waits for ever for %p, which nobody else can reach\n", leak->name, leak->object);
}

unsigned hgc_leaks(void (*fn)(const struct hgc_leak *leak, void *arg), void *arg)
{
    unsigned n = 0;
    hk_mutex_lock(&asking);
    st_rlx(&wanted, 1);
    hgc_collect(HGC_WAIT);
    for (unsigned i = 0; i < task_slots(); i++) {
        struct hgc_leak leak;
        if (leaked(i, &leak)) {
            n++;
            (fn ? fn : print)(&leak, arg);
        }
    }
    hk_mutex_unlock(&asking);
    return n;
}
