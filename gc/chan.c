/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels of references (I11).  The ring is part of a collected object, and every reference enters and leaves it through
 * the barrier: a receiver whose stack was scanned already gets a reference that taking it out has shaded.
 * Semaphores count items and spaces; the lock only guards the indices.
 */
#include "gc/gc_internal.h"

struct hgc_chan {
    struct hk_sem items, spaces;
    struct spinlock lock;
    uint32_t head, count, capacity;     /* lock */
    uint32_t closed;                    /* atomic: written under lock; peeked at without */
    hgc_ref(void) ring[];
};

/* It is ambiguous: the waiters' queues hold pointers to tasks, which are no objects. */
struct hgc_chan *hgc_chan_new(unsigned capacity)
{
    if (capacity < 1 || capacity > 1024)
        return NULL;
    struct hgc_chan *c = hgc_alloc(HGC_AMBIGUOUS, sizeof(*c) + capacity * sizeof(void *));
    if (!c)
        return NULL;
    c->capacity = capacity;
    hk_sem_init(&c->items, 0);
    hk_sem_init(&c->spaces, capacity);
    return c;
}

/* One wait, told apart: a close posts both semaphores for ever (each waiter passes it on). */
static int wait_for(struct hgc_chan *c, struct hk_sem *s, uint64_t timeout_ns)
{
    if (hk_sem_wait(s, timeout_ns) != HK_OK)
        return ld_acq(&c->closed) ? HGC_ECLOSED : HGC_ETIMEOUT;     /* [L-mp.acq] */
    return HGC_OK;
}

int hgc_chan_send(struct hgc_chan *c, void *reference, uint64_t timeout_ns)
{
    int r = wait_for(c, &c->spaces, timeout_ns);
    if (r != HGC_OK)
        return r;
    hal_crit_t k = spin_lock_crit(&c->lock);
    if (ld_rlx(&c->closed)) {           /* under the lock: a receiver that found it closed and empty was right */
        spin_unlock_crit(&c->lock, k);
        hk_sem_post(&c->spaces);
        return HGC_ECLOSED;
    }
    hgc_slow_set((void **)(uintptr_t)&c->ring[(c->head + c->count++) % c->capacity].hgc_p, reference);
    spin_unlock_crit(&c->lock, k);
    hk_sem_post(&c->items);
    return HGC_OK;
}

int hgc_chan_recv(struct hgc_chan *c, void **reference, uint64_t timeout_ns)
{
    hal_probe((uintptr_t *)reference);  /* it is stored to under the lock */
    int r = wait_for(c, &c->items, timeout_ns);
    hal_crit_t k = spin_lock_crit(&c->lock);
    if (r != HGC_OK) {                  /* who has sent may not have posted yet: closed, but not empty */
        bool empty = c->count == 0;
        spin_unlock_crit(&c->lock, k);
        return empty ? r : HGC_ETIMEOUT;
    }
    if (c->count == 0) {                /* only a close posts more items than there are */
        spin_unlock_crit(&c->lock, k);
        hk_sem_post(&c->items);
        return HGC_ECLOSED;
    }
    void **slot = (void **)(uintptr_t)&c->ring[c->head].hgc_p;
    c->head = (c->head + 1) % c->capacity;      /* it never wraps: capacity need not divide 2^32 */
    c->count--;
    *reference = ld_rlx(slot);
    hgc_slow_set(slot, NULL);           /* its deletion half shades what the receiver takes */
    spin_unlock_crit(&c->lock, k);
    hk_sem_post(&c->spaces);
    return HGC_OK;
}

void hgc_chan_close(struct hgc_chan *c)
{
    hal_crit_t k = spin_lock_probed(&c->lock);
    bool before = ld_rlx(&c->closed);
    st_rel(&c->closed, 1);              /* [L-mp.rel] */
    spin_unlock_crit(&c->lock, k);
    if (before)
        return;
    hk_sem_post(&c->items);
    hk_sem_post(&c->spaces);
}
