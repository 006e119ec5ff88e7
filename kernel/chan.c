/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded channels of words.
 *
 * Invariant (under the lock): receivers wait only while the buffer is empty, senders only while it is full; a closed
 * channel has no waiters but those that hk_chan_close is about to wake.
 */
#include "kernel/kernel_internal.h"

void hk_chan_init(struct hk_chan *c, uintptr_t *buf, uint32_t cap)
{
    hk_assert(cap > 0);
    *c = (struct hk_chan){ .buf = buf, .cap = cap };
}

static void put(struct hk_chan *c, uintptr_t word)
{
    hk_assert(c->count < c->cap);
    uint32_t at = c->cap - c->head > c->count ? c->head + c->count : c->head + c->count - c->cap;
    c->buf[at] = word;
    c->count++;
}

static uintptr_t get(struct hk_chan *c)
{
    hk_assert(c->count > 0);
    uintptr_t word = c->buf[c->head];
    c->head = c->head + 1 == c->cap ? 0 : c->head + 1;
    c->count--;
    return word;
}

static int leave(struct hk_chan *c, hal_crit_t crit, struct task *wake, int result)
{
    spin_unlock(&c->lock);
    if (wake)
        wait_wake(wake);
    hal_crit_exit(crit);
    return result;
}

int hk_chan_send(struct hk_chan *c, uintptr_t word, uint64_t timeout_ns)
{
    hk_assert(timeout_ns == 0 || task_may_wait());
    struct task *t;
    hal_crit_t crit = spin_lock_probed(&c->lock);
    if (c->closed)
        return leave(c, crit, NULL, HK_ECLOSED);
    if ((t = wait_pop(&c->receivers, HK_OK)) != NULL) {
        t->wait_value = word;           /* it reads it after it woke */
        return leave(c, crit, t, HK_OK);
    }
    if (c->count < c->cap) {
        put(c, word);
        return leave(c, crit, NULL, HK_OK);
    }
    if (timeout_ns == 0)
        return leave(c, crit, NULL, HK_EAGAIN);
    ld_rlx(&hal_self()->current)->wait_value = word;
    return wait_on(&c->senders, &c->lock, crit, timeout_ns);
}

int hk_chan_recv(struct hk_chan *c, uintptr_t *word, uint64_t timeout_ns)
{
    hk_assert(timeout_ns == 0 || task_may_wait());
    uintptr_t got = 0;
    hal_crit_t crit = spin_lock_probed(&c->lock);
    if (c->count > 0) {
        got = get(c);
        struct task *t = wait_pop(&c->senders, HK_OK);
        if (t)
            put(c, t->wait_value);      /* its word takes the place that became free */
        leave(c, crit, t, HK_OK);
        *word = got;
        return HK_OK;
    }
    if (c->closed)
        return leave(c, crit, NULL, HK_ECLOSED);
    if (timeout_ns == 0)
        return leave(c, crit, NULL, HK_EAGAIN);
    int result = wait_on(&c->receivers, &c->lock, crit, timeout_ns);
    if (result == HK_OK)
        *word = task_self()->wait_value;
    return result;
}

void hk_chan_close(struct hk_chan *c)
{
    hal_crit_t crit = spin_lock_probed(&c->lock);
    c->closed = true;
    wait_wake_all(c->senders.head ? &c->senders : &c->receivers, &c->lock, crit, HK_ECLOSED);
}
