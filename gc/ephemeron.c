/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ephemerons: the value is reached once the ephemeron and the key are, whichever comes second.  The scan of a key looks up
 * the ephemerons in its list, and the scan of an ephemeron looks at its key.  So each is looked at twice a cycle at most, in
 * any order of marking, and no pass over all of them is needed: the mark is over when the queues are dry.
 *
 * Both may be scanned at once, each by one hart.  Mark first, fence, then the look at the other: one of the two sees both
 * marks.
 */
#include "gc/gc_internal.h"

static bool is_reached(uintptr_t p, bool (*marked)(const struct object *o))
{
    struct object o;
    return find_object(p, &o) && marked(&o);
}

unsigned ephemeron_values(const struct object *o, bool (*marked)(const struct object *o), struct hgc_visitor *v)
{
    unsigned n = 0;
    fence_rr();                         /* own mark before the other's [L-ephemeron.key, L-ephemeron.ephemeron] */
    fence_full();                       /* [L-none: for hosts on which an amo is a loop, not one step] */
    if (o->block->kind == GC_KIND_SPECIAL) {
        const struct special *s = (const struct special *)object_start(o);
        n = ld_rlx(&s->type) == SPECIAL_EPHEMERON;
        if (n && is_reached(ld_rlx(&s->object), marked))
            hgc_visit(v, (void *)ld_rlx(&s->value));
    }
    const struct special_table *t = special_table_of(o->block);
    for (struct special *s = t ? special_first(t, o->cell) : NULL; s; s = special_next(s))
        if (ld_rlx(&s->type) == SPECIAL_EPHEMERON) {
            n++;
            if (is_reached((uintptr_t)s, marked))
                hgc_visit(v, (void *)ld_rlx(&s->value));
        }
    return n;
}

struct hgc_ephemeron *hgc_ephemeron_new(const void *key, const void *value)
{
    struct special *s = special_new();
    if (!s || special_add(s, SPECIAL_EPHEMERON, key, 0, value) != HGC_OK)
        return NULL;
    return (struct hgc_ephemeron *)s;
}

/* The key, or the value if the key is there; shaded. */
static void *get(struct special *s, bool value)
{
    (void)ld_rlx(&s->object);           /* a bad pointer faults here, where that ends only the task */
    for (;;) {
        hal_crit_t c = hal_crit_enter();
        uintptr_t p = special_target(s);
        if (p && value)
            p = ld_rlx(&s->value);
        void *result = newborn(p);
        bool now = special_revive((uintptr_t)result);
        uint32_t n = ld_rlx(&gc.cycle);
        hal_crit_exit(c);
        if (now)
            return result;
        cycle_wait(n);
    }
}

void *hgc_ephemeron_key(struct hgc_ephemeron *e)
{
    return get((struct special *)e, false);
}

void *hgc_ephemeron_get(struct hgc_ephemeron *e)
{
    return get((struct special *)e, true);
}

bool hgc_ephemeron_set(struct hgc_ephemeron *e, const void *value)
{
    struct special *s = (struct special *)e;
    hal_probe(&s->value);
    hal_crit_t c = hal_crit_enter();
    bool alive = special_target(s) != 0;
    if (alive) {
        if (gc_is_on())
            mark_reference((uintptr_t)value);
        st_rlx(&s->value, (uintptr_t)value);
    }
    hal_crit_exit(c);
    return alive;
}
