/* SPDX-License-Identifier: Apache-2.0 */
/*
 * newlib's state of a task: errno, its three standard streams, strtok, the numbers that printf and strtod compute with.
 *
 * newlib finds it by __getreent, which looks it up through the running task: a switch costs nothing.  A task gets its own
 * when it first asks.  "main" has newlib's global one, whose streams are those that exit closes; so has the boot hart
 * before there are tasks.
 *
 * Invariants:
 *   - t->reent is NULL, the global state, or a state that no other task has; the task alone reads and writes it.
 *   - A state is given back once: by its task as it ends, or, after a fault, from the list `ended` by whoever takes it off.
 *     In the trap of a fault nothing can be given back, because malloc's lock may have to be waited for.
 * So at most as many states are kept as tasks ended by faults since the last task got or gave back one.
 */
#include "libc/libc_internal.h"

#include <reent.h>
#include <stdio.h>
#include <stdlib.h>

struct state {
    struct _reent reent;        /* first */
    struct state *next;         /* ended_lock */
};

static struct spinlock ended_lock;
static struct state *ended;     /* ended_lock */
static uint32_t main_has_it;    /* atomic */
static uint32_t watched;        /* atomic: exit calls leave */

/* ---- giving back ------------------------------------------------------------------------------------------------ */

/* Its task died in the middle of something: what its streams hold is dropped, and their locks are nobody's. */
static void drop_streams(struct _reent *r)
{
    if (!r->__sdidinit)
        return;
    for (int i = 0; i < 3; i++) {
        __FILE *f = &r->__sf[i];
        libc_lock_forgive(f->_lock);
        f->_p = f->_bf._base;
        f->_r = f->_w = f->_ur = 0;
    }
}

/* Frees what belongs to it; __cleanup, in _reclaim_reent, flushes and closes its streams. */
static void give_back(struct _reent *r)
{
    while (r->_p5s) {           /* _reclaim_reent forgets these two */
        struct _Bigint *power = r->_p5s;
        r->_p5s = power->_next;
        _free_r(r, power);
    }
    _free_r(r, r->_sig_func);
    _reclaim_reent(r);
}

static void bury(void)
{
    for (;;) {
        hal_crit_t c = spin_lock_crit(&ended_lock);
        struct state *s = ended;
        if (s)
            ended = s->next;
        spin_unlock_crit(&ended_lock, c);
        if (s == NULL)
            return;
        drop_streams(&s->reent);
        give_back(&s->reent);
        hk_mem_free(s, sizeof *s);
    }
}

/* The task's state is there until the last of it is given back: closing a stream sets errno. */
static void end(struct task *t, bool fault)
{
    struct state *s = t->reent;
    t->reent_end = NULL;        /* a fault below leaves the state where it is: nobody gives back the same thing twice */
    if (fault) {
        hal_crit_t c = spin_lock_crit(&ended_lock);
        s->next = ended;
        ended = s;
        spin_unlock_crit(&ended_lock, c);
        return;
    }
    bury();
    give_back(&s->reent);
    t->reent = NULL;
    hk_mem_free(s, sizeof *s);
}

/* First of all that exit does at last: the caller's streams, which newlib's exit does not know. */
static void leave(void)
{
    struct _reent *r = __getreent();
    libc_lock_leave();
    if (r != _GLOBAL_REENT && r->__cleanup)
        r->__cleanup(r);
}

/* ---- finding ---------------------------------------------------------------------------------------------------- */

static bool give_own(struct task *t)
{
    struct state *s = hk_mem_alloc(sizeof *s);
    if (s == NULL)
        return false;
    _REENT_INIT_PTR(&s->reent);
    t->reent = s;
    t->reent_end = end;
    return true;
}

static bool attach(struct task *t)
{
    (void)libc_alone();
    if (t->slot == 0 && !amo_swap_rlx(&main_has_it, 1))     /* the kernel's first task */
        t->reent = _GLOBAL_REENT;
    else if (!give_own(t))
        return false;
    if (!amo_swap_rlx(&watched, 1))
        (void)atexit(leave);
    bury();
    return true;
}

struct _reent *__getreent(void)
{
    struct task *t = hk_task_self();
    if (t == NULL)
        return _GLOBAL_REENT;
    if (t->reent == NULL && !attach(t))
        hk_panic("no page for newlib's state of the task %s; libc_attach tells before", t->name);
    return t->reent;
}

int libc_attach(void)
{
    struct task *t = hk_task_self();
    return t->reent || attach(t) ? HK_OK : HK_ENOMEM;
}
