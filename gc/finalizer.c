/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finalizers and cleanups.  The sweep queues the records of dead objects; a task of the collector's, or hgc_finalize, runs
 * them.  The queue grows only while the phase is OFF, and it is a root: job 0 of the specials marks its first record, and each
 * record keeps the next.  Taking the first one out shades what the root job may no longer find (I11).
 *
 * Order: what is reachable from an object with a finalizer is marked as from a root, so it is dead only in a later cycle.
 */
#include "gc/gc_internal.h"

enum { STEP = 16 };             /* run one after another before other tasks get their turn */

/* ---- the queue --------------------------------------------------------------------------------------------------- */

void finalizer_queue(struct special *s)
{
    struct special *last = gc_special.queue_last;
    st_rlx(&s->block, NO_BLOCK);        /* from now on it keeps its object and the next one */
    st_rlx(&s->next, NULL);
    if (last)
        st_rlx(&last->next, s);
    else
        st_rlx(&gc_special.queue, s);
    gc_special.queue_last = s;
    own_add(&gc_special.pending, 1);
    own_add(ld_rlx(&s->type) == SPECIAL_FINALIZER ? &gc_special.finalizers_queued : &gc_special.cleanups_queued, 1);
    st_rlx(&gc_special.queued, 1);
}

void finalizer_wake(void)
{
    if (ld_rlx(&gc_special.queued) && amo_swap_rlx(&gc_special.queued, 0))
        hk_event_set(&gc_special.wake);
}

struct job {
    uint32_t type;
    uintptr_t fn;
    void *object, *arg;
};

/* Lock held. */
static void take(struct special *s, struct job *j)
{
    struct special *next = ld_rlx(&s->next);
    *j = (struct job){ld_rlx(&s->type), ld_rlx(&s->fn), newborn(ld_rlx(&s->object)), newborn(ld_rlx(&s->value))};
    if (gc_is_on()) {
        mark_reference((uintptr_t)s);   /* the caller's stack has been scanned, perhaps, and goes on to hold it */
        mark_reference((uintptr_t)next);
        mark_reference((uintptr_t)j->object);
        mark_reference((uintptr_t)j->arg);
    }
    st_rlx(&gc_special.queue, next);
    if (!next)
        gc_special.queue_last = NULL;
    st_rlx(&s->type, SPECIAL_NONE);     /* nothing stale keeps anything */
    st_rlx(&s->next, NULL);
    st_rlx(&s->object, 0);
    st_rlx(&s->value, 0);
    own_add(&gc_special.pending, -1);
    own_add(j->type == SPECIAL_FINALIZER ? &gc_special.finalizers : &gc_special.cleanups, 1);
}

static bool run_one(void)
{
    struct job j;
    hal_crit_t c = spin_lock_crit(&gc_special.lock);
    struct special *s = ld_rlx(&gc_special.queue);
    if (s)
        take(s, &j);
    spin_unlock_crit(&gc_special.lock, c);
    if (!s)
        return false;
    if (j.type == SPECIAL_FINALIZER)
        ((hgc_finalizer_fn *)j.fn)(j.object, j.arg);
    else
        ((hgc_cleanup_fn *)j.fn)(j.arg);
    return true;
}

unsigned hgc_finalize(unsigned max)
{
    unsigned n = 0;
    while (n < max && run_one())
        n++;
    return n;
}

/* ---- the task that runs them ------------------------------------------------------------------------------------- */

static void runner(void *arg)
{
    (void)arg;
    for (;;) {
        hk_event_clear(&gc_special.wake);       /* before it looks: who sets it later wants another look */
        while (hgc_finalize(STEP) == STEP)
            hk_yield();
        hk_event_wait(&gc_special.wake, HK_FOREVER);
    }
}

/* A finalizer that faults ends the task: the next registration or cycle starts another.  False: no memory for it. */
static bool ensure(void)
{
    if (gc.cfg.own_finalizers)
        return true;
    hk_mutex_lock(&gc_special.start);
    struct task *t = gc_special.runner;
    if (t && (ld_rlx(&t->state) & TASK_STATE_MASK) == TASK_DEAD) {
        hk_task_join(t, NULL);
        gc_special.runner = t = NULL;
    }
    if (!t && hk_task_create(&t, &(struct hk_task_config){.name = "finalize"}, runner, NULL) == HK_OK)
        gc_special.runner = t;
    bool any = gc_special.runner != NULL;
    hk_mutex_unlock(&gc_special.start);
    return any;
}

void finalizer_ensure(void)
{
    if (ld_rlx(&gc_special.queue))
        ensure();
}

/* ---- registering ------------------------------------------------------------------------------------------------- */

static int take_back(const void *object)
{
    struct object o;
    int result = HGC_EINVAL;
    hal_crit_t c = spin_lock_crit(&gc_special.lock);
    struct special_table *t = find_object((uintptr_t)object, &o) ? special_table_of(o.block) : NULL;
    struct special *s = t ? special_first(t, o.cell) : NULL;
    if (s && ld_rlx(&s->type) == SPECIAL_FINALIZER && ld_rlx(&s->fn)) {
        st_rlx(&s->fn, 0);
        st_rlx(&s->value, 0);
        result = HGC_OK;
    }
    spin_unlock_crit(&gc_special.lock, c);
    return result;
}

static int add(enum special_type type, const void *object, uintptr_t fn, const void *arg)
{
    struct special *s = ensure() ? special_new() : NULL;
    return s ? special_add(s, type, object, fn, arg) : HGC_ENOMEM;
}

int hgc_finalizer(void *object, hgc_finalizer_fn *fn, void *arg)
{
    return fn ? add(SPECIAL_FINALIZER, object, (uintptr_t)fn, arg) : take_back(object);
}

int hgc_cleanup(const void *object, hgc_cleanup_fn *fn, void *arg)
{
    struct object o;
    if (!fn || !find_object((uintptr_t)object, &o) || (uintptr_t)arg - object_start(&o) < object_size(&o))
        return HGC_EINVAL;              /* the last: the object would keep itself */
    return add(SPECIAL_CLEANUP, object, (uintptr_t)fn, arg);
}
