/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* Mutex (exclusion, order, inheritance, death of the owner), semaphore, event, channel, and their timeouts. */
#include "kernel/string.h"
#include "tap.h"
#include "waits.h"

enum { WORKERS = 8, TURNS = 3000 };
#define MS 1000000ull

static struct hk_mutex lock, other;
static unsigned long shared;

/* ---- mutex ---- */

static void counts(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        hk_mutex_lock(&lock);
        unsigned long seen = *(volatile unsigned long *)&shared;
        if (i % 50 == 0)
            hk_yield();
        *(volatile unsigned long *)&shared = seen + 1;
        hk_mutex_unlock(&lock);
    }
}

static void exclusion(void)
{
    struct task *t[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        hk_task_create(&t[i], NULL, counts, NULL);
    for (int i = 0; i < WORKERS; i++)
        hk_task_join(t[i], NULL);
    is(shared, (long)WORKERS * TURNS, "a mutex excludes");
}

static struct hk_event go;

static void holds(void *arg)
{
    struct hk_mutex *m = arg;
    hk_mutex_lock(m);
    hk_event_wait(&go, HK_FOREVER);
    hk_mutex_unlock(m);
}

static void mutex_errors(void)
{
    struct task *t;
    is(hk_mutex_try(&lock), HK_OK, "a free mutex can be had");
    is(hk_mutex_lock(&lock), HK_EDEADLK, "not twice");
    is(hk_mutex_unlock(&lock), HK_OK, "unlock");
    is(hk_mutex_unlock(&lock), HK_EPERM, "not twice either");
    hk_task_create(&t, NULL, holds, &lock);
    until_waits(t);
    is(hk_mutex_try(&lock), HK_EAGAIN, "a held one cannot be had");
    uint64_t begin = hk_now();
    is(hk_mutex_lock_until(&lock, 10 * MS), HK_ETIMEOUT, "the time runs out");
    ok(hk_now() - begin >= 10 * MS, "not before it should");
    is(hk_mutex_unlock(&lock), HK_EPERM, "the mutex is not ours");
    hk_event_set(&go);
    hk_task_join(t, NULL);
    is(hk_mutex_lock_until(&lock, 10 * MS), HK_OK, "free again");
    hk_mutex_unlock(&lock);
    hk_event_clear(&go);
}

static uint32_t order[4], order_next;

static void takes_turn(void *arg)
{
    hk_mutex_lock(&lock);
    order[amo_add_rlx(&order_next, 1)] = (uint32_t)(uintptr_t)arg;
    hk_mutex_unlock(&lock);
}

static void by_priority(void)
{
    static const enum hk_prio prios[4] = { HK_NORMAL, HK_URGENT, HK_NORMAL, HK_HIGH };
    struct task *t[4];
    hk_mutex_lock(&lock);
    for (uintptr_t i = 0; i < 4; i++) {
        struct hk_task_config config = { .prio = prios[i], .set_prio = true };
        hk_task_create(&t[i], &config, takes_turn, (void *)i);
        until_waits(t[i]);
    }
    hk_mutex_unlock(&lock);
    for (int i = 0; i < 4; i++)
        hk_task_join(t[i], NULL);
    ok(order[0] == 1 && order[1] == 3 && order[2] == 0 && order[3] == 2,
       "waiters get it by priority, and among equals in their order");
}

/* ---- inheritance: background holds A; normal holds B and waits for A; urgent waits for B ---- */

static void holds_two(void *arg)
{
    (void)arg;
    hk_mutex_lock(&other);
    hk_mutex_lock(&lock);
    hk_mutex_unlock(&lock);
    hk_mutex_unlock(&other);
}

static void wants_other(void *arg)
{
    *(int *)arg = hk_mutex_lock_until(&other, arg ? HK_FOREVER : 0);
    hk_mutex_unlock(&other);
}

static void inheritance(void)
{
    struct hk_task_config low = { .prio = HK_BACKGROUND, .set_prio = true };
    struct hk_task_config mid = { .prio = HK_NORMAL, .set_prio = true };
    struct hk_task_config top = { .prio = HK_URGENT, .set_prio = true };
    struct task *a, *b, *c;
    int result = -100;
    hk_task_create(&a, &low, holds, &lock);
    until_waits(a);
    hk_task_create(&b, &mid, holds_two, NULL);
    until_waits(b);
    is(ld_rlx(&a->prio), HK_NORMAL, "who holds what a task waits for inherits its priority");
    hk_task_create(&c, &top, wants_other, &result);
    until_waits(c);
    is(ld_rlx(&b->prio), HK_URGENT, "again");
    is(ld_rlx(&a->prio), HK_URGENT, "and along the chain");
    hk_event_set(&go);
    hk_task_join(a, NULL);
    hk_task_join(b, NULL);
    hk_task_join(c, NULL);
    is(result, HK_OK, "all get what they waited for");
    hk_event_clear(&go);
}

static uint32_t rounds, enough;         /* atomic */

/* Again and again in vain, so that its time may run out before main looks, where the host lets main wait. */
static void waits_a_little(void *arg)
{
    (void)arg;
    do
        own_add(&rounds, 1);
    while (hk_mutex_lock_until(&lock, 20 * MS) == HK_ETIMEOUT && !ld_rlx(&enough));
}

/* main's priority while `t` waited in one and the same round. */
static uint32_t prio_while_waited_for(const struct task *t)
{
    uint32_t round, prio;
    do {
        round = ld_acq(&rounds);
        until_waits(t);
        prio = ld_acq(&task_self()->prio);
    } while (!waits(t) || ld_acq(&rounds) != round);
    return prio;
}

static void inheritance_ends(void)
{
    struct hk_task_config top = { .prio = HK_URGENT, .set_prio = true };
    struct task *t;
    hk_mutex_lock(&lock);
    hk_task_create(&t, &top, waits_a_little, NULL);
    is(prio_while_waited_for(t), HK_URGENT, "main inherits");
    st_rlx(&enough, 1);
    hk_task_join(t, NULL);
    is(ld_rlx(&task_self()->prio), HK_NORMAL, "until the waiter's time runs out");
    hk_mutex_unlock(&lock);
    ok(hk_mutex_try(&lock) == HK_OK && hk_mutex_unlock(&lock) == HK_OK, "and the mutex is as new");
}

static void locks_crosswise(void *arg)
{
    hk_mutex_lock(&other);
    *(int *)arg = hk_mutex_lock_until(&lock, HK_FOREVER);
    if (*(int *)arg == HK_OK)
        hk_mutex_unlock(&lock);
    hk_mutex_unlock(&other);
}

static void circle(void)
{
    struct task *t;
    int result = -100;
    hk_mutex_lock(&lock);
    hk_task_create(&t, NULL, locks_crosswise, &result);
    until_waits(t);
    is(hk_mutex_lock(&other), HK_EDEADLK, "waiting that would close a circle is refused");
    hk_mutex_unlock(&lock);
    hk_task_join(t, NULL);
    is(result, HK_OK, "and the others go on");
}

static uint32_t has_both;               /* atomic */

/* Ends when `waiter` waits for the first. */
static void dies_with_it(void *waiter)
{
    hk_mutex_lock(&lock);
    hk_mutex_lock(&other);
    st_rel(&has_both, 1);
    while (task_waits_for(waiter) != (uintptr_t)&lock.waiters)
        hk_sleep(100000);
}

static void owner_death(void)
{
    struct task *t;
    hk_task_create(&t, NULL, dies_with_it, hk_task_self());
    while (!ld_acq(&has_both))
        hk_sleep(100000);
    is(hk_mutex_lock(&lock), HK_EOWNERDEAD, "a waiter learns that the owner died");
    hk_task_join(t, NULL);
    is(hk_mutex_lock(&other), HK_EOWNERDEAD, "and so does who comes later");
    hk_mutex_unlock(&lock);
    hk_mutex_unlock(&other);
    is(hk_mutex_lock(&lock), HK_OK, "once");
    hk_mutex_unlock(&lock);
}

/* ---- semaphore ---- */

static struct hk_sem sem;
static uint32_t taken, all_posted;      /* atomic */

/* Until its time runs out after the last post: before, main may be held up. */
static void takes(void *arg)
{
    (void)arg;
    for (bool last = false; ;) {
        if (hk_sem_wait(&sem, 20 * MS) == HK_OK)
            amo_add_rlx(&taken, 1);
        else if (last)
            return;
        else
            last = ld_acq(&all_posted);
    }
}

static void semaphore(void)
{
    struct task *t[WORKERS];
    hk_sem_init(&sem, 2);
    is(hk_sem_wait(&sem, 0), HK_OK, "a semaphore has its count");
    is(hk_sem_wait(&sem, 0), HK_OK, "twice");
    is(hk_sem_wait(&sem, 0), HK_EAGAIN, "and no more");
    is(hk_sem_wait(&sem, 3 * MS), HK_ETIMEOUT, "not even later");
    for (int i = 0; i < WORKERS; i++)
        hk_task_create(&t[i], NULL, takes, NULL);
    for (int i = 0; i < TURNS; i++) {
        hk_sem_post(&sem);
        if (i % 16 == 0)
            hk_yield();
    }
    st_rel(&all_posted, 1);
    for (int i = 0; i < WORKERS; i++)
        hk_task_join(t[i], NULL);
    is(taken, TURNS, "no post is lost, none counts twice");
}

/* ---- event ---- */

static struct hk_event event;
static uint32_t through;

static void passes(void *arg)
{
    if (hk_event_wait(&event, arg ? HK_FOREVER : 2 * MS) == HK_OK)
        amo_add_rlx(&through, 1);
}

static void events(void)
{
    struct task *t[20];
    is(hk_event_wait(&event, 0), HK_EAGAIN, "an event is not set");
    for (int i = 0; i < 20; i++)
        hk_task_create(&t[i], NULL, passes, &event);
    hk_sleep(5 * MS);
    is(ld_rlx(&through), 0, "nobody passes");
    hk_event_set(&event);
    for (int i = 0; i < 20; i++)
        hk_task_join(t[i], NULL);
    is(through, 20, "set, everybody does");
    is(hk_event_wait(&event, 0), HK_OK, "later ones as well");
    hk_event_clear(&event);
    is(hk_event_wait(&event, 2 * MS), HK_ETIMEOUT, "until it is cleared");
}

/* More than are woken at once, each above who sets it; the first to go on clears it. */
static struct hk_event brief;

static void clears(void *arg)
{
    (void)arg;
    hk_event_wait(&brief, HK_FOREVER);
    hk_event_clear(&brief);
    amo_add_rlx(&through, 1);
}

static void cleared_at_once(void)
{
    struct hk_task_config high = { .prio = HK_HIGH, .set_prio = true };
    struct task *t[20];
    through = 0;
    for (int i = 0; i < 20; i++) {
        hk_task_create(&t[i], &high, clears, NULL);
        until_waits(t[i]);
    }
    hk_event_set(&brief);
    for (int i = 0; i < 20; i++)
        hk_task_join(t[i], NULL);
    is(through, 20, "all that waited go on, though the first clears it");
}

/* Waits that end by time and by a wake-up at the same moment. */
static void races_with_time(void)
{
    static struct task *t[4];
    bool good = true;
    through = 0;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 4; i++)
            hk_task_create(&t[i], NULL, passes, NULL);
        hk_sleep(2 * MS - 20000 + (uint64_t)round * 400);
        hk_event_set(&event);
        for (int i = 0; i < 4; i++)
            good &= hk_task_join(t[i], NULL) == HK_OK;
        hk_event_clear(&event);
    }
    ok(good, "time and wake-up may come together");
    hk_printf("# %u of 400 were woken\n", (unsigned)through);
}

/* ---- channel ---- */

static struct hk_chan chan;
static uintptr_t buf[5];
static uintptr_t sum;

static void sends(void *arg)
{
    for (uintptr_t i = 1; i <= TURNS; i++)
        if (hk_chan_send(&chan, i, HK_FOREVER) != HK_OK)
            *(int *)arg = 1;
}

static void receives(void *arg)
{
    (void)arg;
    uintptr_t word, mine = 0;
    while (hk_chan_recv(&chan, &word, HK_FOREVER) == HK_OK)
        mine += word;
    amo_add_rlx(&sum, mine);
}

static void channel(void)
{
    struct task *from[4], *to[3];
    uintptr_t word = 0;
    int failed = 0;
    hk_chan_init(&chan, buf, 5);
    is(hk_chan_recv(&chan, &word, 0), HK_EAGAIN, "a channel begins empty");
    is(hk_chan_recv(&chan, &word, 2 * MS), HK_ETIMEOUT, "nothing comes");
    bool fits = true, in_order = true;
    for (uintptr_t i = 0; i < 5; i++)
        fits &= hk_chan_send(&chan, i, 0) == HK_OK;
    ok(fits, "it takes as much as its buffer holds");
    is(hk_chan_send(&chan, 5, 2 * MS), HK_ETIMEOUT, "and no more");
    for (uintptr_t i = 0; i < 5; i++)
        in_order &= hk_chan_recv(&chan, &word, 0) == HK_OK && word == i;
    ok(in_order, "words come in order");
    for (int i = 0; i < 3; i++)
        hk_task_create(&to[i], NULL, receives, NULL);
    for (int i = 0; i < 4; i++)
        hk_task_create(&from[i], NULL, sends, &failed);
    for (int i = 0; i < 4; i++)
        hk_task_join(from[i], NULL);
    hk_chan_close(&chan);
    for (int i = 0; i < 3; i++)
        hk_task_join(to[i], NULL);
    is(failed, 0, "nobody failed to send");
    is(sum, 4l * TURNS * (TURNS + 1) / 2, "every word arrives once");
    is(hk_chan_send(&chan, 1, 0), HK_ECLOSED, "a closed one takes no more");
}

/* Its last user wakes by the close, above who closes it, and has other use for the memory. */
static struct hk_chan brief_chan;

static void uses_up(void *arg)
{
    uintptr_t room[1];
    hk_chan_init(&brief_chan, room, 1);
    hk_chan_send(&brief_chan, 1, HK_FOREVER);
    *(int *)arg = hk_chan_send(&brief_chan, 2, 5000 * MS);      /* long enough for the close to come, and not for ever if it tells nobody */
    memset(&brief_chan, 0x5a, sizeof(brief_chan));
}

static void closed_and_gone(void)
{
    struct hk_task_config high = { .prio = HK_HIGH, .set_prio = true };
    struct task *t;
    int result = HK_OK;
    hk_task_create(&t, &high, uses_up, &result);
    until_waits(t);
    hk_chan_close(&brief_chan);
    hk_task_join(t, NULL);
    is(result, HK_ECLOSED, "who closes a channel does not look at it when its users know");
}

int app_main(void)
{
    exclusion();
    mutex_errors();
    by_priority();
    inheritance();
    inheritance_ends();
    circle();
    owner_death();
    semaphore();
    events();
    cleared_at_once();
    races_with_time();
    channel();
    closed_and_gone();
    return tap_end();
}
