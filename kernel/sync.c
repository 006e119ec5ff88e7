/* SPDX-License-Identifier: Apache-2.0 */
/* Semaphores and events. */
#include "kernel/kernel_internal.h"

void hk_sem_init(struct hk_sem *s, uint32_t count)
{
    *s = (struct hk_sem){ .count = count };
}

int hk_sem_wait(struct hk_sem *s, uint64_t timeout_ns)
{
    hk_assert(timeout_ns == 0 || task_may_wait());
    hal_crit_t c = spin_lock_probed(&s->lock);
    if (s->count == 0 && timeout_ns != 0)
        return wait_on(&s->waiters, &s->lock, c, timeout_ns);
    bool got = s->count > 0;
    s->count -= got;
    spin_unlock_crit(&s->lock, c);
    return got ? HK_OK : HK_EAGAIN;
}

/* The unit goes to the first waiter, not to the count: who comes later cannot take it away. */
void hk_sem_post(struct hk_sem *s)
{
    hal_crit_t c = spin_lock_probed(&s->lock);
    struct task *t = wait_pop(&s->waiters, HK_OK);
    if (t == NULL) {
        hk_assert(s->count < UINT32_MAX);
        s->count++;
    }
    spin_unlock(&s->lock);
    if (t)
        wait_wake(t);
    hal_crit_exit(c);
}

void hk_event_set(struct hk_event *e)
{
    hal_crit_t c = spin_lock_probed(&e->lock);
    e->set = true;
    wait_wake_all(&e->waiters, &e->lock, c, HK_OK);
}

void hk_event_clear(struct hk_event *e)
{
    hal_crit_t c = spin_lock_probed(&e->lock);
    e->set = false;
    spin_unlock_crit(&e->lock, c);
}

int hk_event_wait(struct hk_event *e, uint64_t timeout_ns)
{
    hk_assert(timeout_ns == 0 || task_may_wait());
    hal_crit_t c = spin_lock_probed(&e->lock);
    if (!e->set && timeout_ns != 0)
        return wait_on(&e->waiters, &e->lock, c, timeout_ns);
    bool set = e->set;
    spin_unlock_crit(&e->lock, c);
    return set ? HK_OK : HK_EAGAIN;
}

void hk_sleep(uint64_t ns)
{
    struct hk_event never = { 0 };
    if (ns == 0)
        hk_yield();
    else
        (void)hk_event_wait(&never, ns);
}

uint64_t hk_now(void)
{
    return hal_time_ns();
}
