/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel without the collector.  Each schedule draws one scene: tasks that use one sort of thing against each
 * other, and what must hold is counted in sim_truth, where counting is no step.  Whatever a lock or a wait puts in order
 * is also an ordinary variable here, for the race detector.
 */
#include "kernel/hk.h"
#include "kernel/task.h"
#include "kernel/world.h"
#include "sim.h"
#include "workload.h"

enum { TASKS = 5, MUTEXES = 3, WORDS = 12, GATES = 6, TIMERS = 2, SLOTS = 64, NOTES = 12 };
#define TRUTH HAL_NO_SANITIZE __attribute__((noinline))

struct facts {
    const void *pinned[HK_MAX_HARTS];           /* who must not leave this hart */
    struct { const void *owner; unsigned times; bool orphan; } mutex[MUTEXES];
    int out;                                    /* units of the semaphore in use */
    unsigned arrived[GATES];                    /* at gates, by number */
    bool sent[TASKS][WORDS], got[TASKS][WORDS];
    struct { unsigned runs; bool inside, over; } timer[TASKS][TIMERS];
    int alive, done;
    unsigned mailed[TASKS];
    const void *stopper;
    unsigned stops, moves, share[TASKS][HK_MAX_HARTS];
    const void *claimer[SLOTS];
    unsigned steps[SLOTS], wishes, answers;
};
_Static_assert(sizeof(struct facts) <= SIM_TRUTH_BYTES, "sim_truth has too little memory");

static struct facts *facts(void)
{
    return sim_truth();
}

/* For each schedule, drawn by main. */
static unsigned tasks;
static bool patient;                    /* nobody's time runs out */

/* ---- what tasks do between --------------------------------------------------------------------------------------- */

/* Nobody waits in this hart's queue, not even for a slice, who comes before the one that runs. */
TRUTH static void look_at_queue(const struct hart *h)
{
    if (!sim_settled() || h->resched)
        return;
    for (unsigned prio = h->current->prio + 1; prio < HK_PRIOS; prio++)
        for (const struct task *t = h->queue_head[prio]; t; t = t->next)
            if (!t->busy && (t->affinity < 0 || t->affinity == (int)h->index))
                sim_fail("a task of priority %u waits for one of %u on hart %u", prio, h->current->prio, h->index);
}

/* A task that runs where another has pinned itself: then that one was switched away. */
TRUTH static void look(void)
{
    hal_crit_t c = hal_crit_enter();
    look_at_queue(hal_self());
    const void *who = facts()->pinned[hk_hart()];
    if (who && who != hk_task_self())
        sim_fail("a task runs on hart %u although another is pinned to it", hk_hart());
    hal_crit_exit(c);
}

TRUTH static void pinned_spin(void)
{
    hart_pin();
    unsigned hart = hk_hart();
    facts()->pinned[hart] = hk_task_self();
    for (unsigned n = sim_choose(8); n > 0; n--) {
        hk_now();
        if (hk_hart() != hart)
            sim_fail("a pinned task moved from hart %u to %u", hart, hk_hart());
    }
    facts()->pinned[hart] = NULL;
    hart_unpin();
}

static uint64_t some_time(void)
{
    return sim_choose(4) ? 1 + sim_choose(4000) : 1 + sim_choose(30000);
}

static void nap(void)
{
    uint64_t ns = some_time(), begin = hk_now();
    hk_sleep(ns);
    if (hk_now() - begin < ns)
        sim_fail("a sleep of %lu ns ended early", (unsigned long)ns);
}

static void dawdle(void)
{
    look();
    switch (sim_choose(6)) {
    case 0:  hk_yield(); break;
    case 1:  nap(); break;
    case 2:  pinned_spin(); break;
    default: break;
    }
    look();
}

static uint64_t timeout(void)
{
    return patient || sim_choose(3) == 0 ? HK_FOREVER : sim_choose(3) == 0 ? 0 : some_time();
}

static struct hk_task_config any_config(void)
{
    return (struct hk_task_config){
        .set_prio = sim_choose(2), .prio = (enum hk_prio)sim_choose(4),
        .hart_plus_1 = sim_choose(4) == 0 ? 1 + (int)sim_choose(hk_harts()) : 0,
    };
}

static void start_tasks(struct task **t, void (*fn)(void *))
{
    for (unsigned i = 0; i < tasks; i++) {
        struct hk_task_config c = any_config();
        if (hk_task_create(&t[i], &c, fn, (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
    }
}

static void join_tasks(struct task **t)
{
    for (unsigned i = 0; i < tasks; i++)
        if (hk_task_join(t[i], NULL) != HK_OK)
            sim_fail("a task cannot be joined");
}

static void run_tasks(void (*fn)(void *))
{
    struct task *t[TASKS];
    start_tasks(t, fn);
    join_tasks(t);
}

/* ---- mutexes ----------------------------------------------------------------------------------------------------- */

static struct hk_mutex mutex[MUTEXES];
static unsigned guarded[MUTEXES];

TRUTH static void owns(unsigned i, const void *was, const void *is)
{
    if (facts()->mutex[i].owner != was)
        sim_fail("mutex %u has two owners", i);
    facts()->mutex[i].owner = is;
    facts()->mutex[i].times += is != NULL;
}

/* Its owner has ended, and nobody has been told. */
TRUTH static bool orphaned(unsigned i)
{
    bool was = facts()->mutex[i].orphan;
    facts()->mutex[i].orphan = false;
    return was;
}

TRUTH static void orphan(unsigned i)
{
    owns(i, hk_task_self(), NULL);
    facts()->mutex[i].orphan = true;
}

TRUTH static unsigned times_of(unsigned i)
{
    return facts()->mutex[i].times;
}

static bool lock(unsigned i, unsigned held)
{
    uint64_t ns = timeout();
    int r = hk_mutex_lock_until(&mutex[i], ns);
    bool got = r == HK_OK || r == HK_EOWNERDEAD;
    bool may = got || (ns == 0 && r == HK_EAGAIN) || (ns != HK_FOREVER && r == HK_ETIMEOUT)
               || (held && r == HK_EDEADLK);
    if (!may || (r == HK_EOWNERDEAD) != (got && orphaned(i)))
        sim_fail("locking a mutex returned %d", r);
    if (!got)
        return false;
    owns(i, NULL, hk_task_self());
    if (++guarded[i] != times_of(i))
        sim_fail("what mutex %u guards was changed by two tasks at a time", i);
    return true;
}

static void unlock(unsigned i)
{
    if (hk_mutex_lock_until(&mutex[i], timeout()) != HK_EDEADLK)
        sim_fail("a mutex was locked twice by one task");
    owns(i, hk_task_self(), NULL);
    if (hk_mutex_unlock(&mutex[i]) != HK_OK)
        sim_fail("the owner cannot unlock its mutex");
}

static void lock_unlock(void *arg)
{
    bool held[MUTEXES] = {0};
    unsigned n_held = 0;
    (void)arg;
    for (unsigned n = 4 + sim_choose(12); n > 0; n--) {
        unsigned i = sim_choose(MUTEXES);
        if (!held[i] && hk_mutex_unlock(&mutex[i]) != HK_EPERM)
            sim_fail("a task unlocked a mutex that it does not own");
        if (!held[i] && lock(i, n_held)) {
            held[i] = true;
            n_held++;
        } else {                                /* also when waiting would have closed a circle */
            for (unsigned k = 0; k < MUTEXES; k++)
                if (held[k])
                    unlock(k);
            n_held = held[0] = held[1] = held[2] = 0;
        }
        if (n_held == 0 && patient && ld_rlx(&task_self()->prio) != task_self()->base_prio)
            sim_fail("a task that holds no mutex keeps the priority of a waiter");
        dawdle();
    }
    bool dies = sim_choose(4) == 0;             /* with what it holds: the next owner is told */
    for (unsigned k = 0; k < MUTEXES; k++)
        if (held[k] && dies)
            orphan(k);
        else if (held[k])
            unlock(k);
}

static void mutexes(void)
{
    run_tasks(lock_unlock);
    for (unsigned i = 0; i < MUTEXES; i++)
        if (ld_rlx(&mutex[i].word) != 0 || mutex[i].waiters.head || guarded[i] != times_of(i))
            sim_fail("mutex %u is not as it was after all have unlocked it", i);
}

/* An owner of low priority, whose hart one of middle priority will not leave, is raised by who waits for it. */
static uint32_t stage;                          /* atomic */

static void owns_low(void *arg)
{
    (void)arg;
    hk_mutex_lock(&mutex[0]);
    st_rel(&stage, 1);
    while (ld_acq(&stage) < 2)
        hk_now();
    hk_mutex_unlock(&mutex[0]);
}

static void spins_between(void *arg)
{
    (void)arg;
    st_rel(&stage, 2);
    while (ld_acq(&stage) < 3)
        hk_now();
}

static void wants_high(void *arg)
{
    (void)arg;
    hk_mutex_lock(&mutex[sim_choose(2)]);       /* or behind another that waits for it */
    st_rel(&stage, 3);
}

static void waits_between(void *arg)
{
    (void)arg;
    hk_mutex_lock(&mutex[1]);
    st_rel(&stage, 1);
    hk_mutex_lock(&mutex[0]);
    hk_mutex_unlock(&mutex[0]);
    hk_mutex_unlock(&mutex[1]);
}

static struct task *start_at(unsigned prio, unsigned hart, void (*fn)(void *))
{
    struct task *t;
    struct hk_task_config c = {.set_prio = true, .prio = (enum hk_prio)prio, .hart_plus_1 = 1 + (int)hart};
    if (hk_task_create(&t, &c, fn, NULL) != HK_OK)
        sim_fail("no memory for a task");
    return t;
}

static void await_stage(unsigned n)
{
    while (ld_acq(&stage) < n)
        hk_sleep(1000);
}

static void inversion(void)
{
    struct task *t[4] = {0};
    unsigned hart = sim_choose(hk_harts());
    t[0] = start_at(HK_BACKGROUND, hart, owns_low);
    await_stage(1);
    if (sim_choose(2)) {
        st_rel(&stage, 0);
        t[1] = start_at(HK_BACKGROUND, (hart + 1) % hk_harts(), waits_between);
        await_stage(1);
    }
    t[2] = start_at(HK_NORMAL, hart, spins_between);
    await_stage(2);
    t[3] = start_at(HK_URGENT, (hart + 1) % hk_harts(), wants_high);
    for (unsigned i = 0; i < 4; i++)
        if (t[i])
            hk_task_join(t[i], NULL);
}

/* An owner is raised while it sleeps, and so is higher when it goes on.  Its waiter gives up, on another hart: from then on whoever
 * comes before the owner is let to its hart at once. */
static void comes_between(void *arg)
{
    (void)arg;
    st_rel(&stage, 1);
}

static void gives_up(void *arg)
{
    unsigned owners = (hk_hart() + hk_harts() - 1) % hk_harts();    /* see below */
    (void)arg;
    if (hk_mutex_lock_until(&mutex[0], 1000 + sim_choose(200000)) != HK_ETIMEOUT)
        sim_fail("a mutex that is held is had");
    hk_task_join(start_at(HK_NORMAL, owners, comes_between), NULL);
}

static void owns_to_the_end(void *arg)
{
    unsigned hart = hk_hart();
    (void)arg;
    hk_mutex_lock(&mutex[0]);
    struct task *t = start_at(HK_URGENT, (hart + 1) % hk_harts(), gives_up);
    hk_sleep(sim_choose(100000));
    while (!ld_acq(&stage))
        look();
    hk_mutex_unlock(&mutex[0]);
    hk_task_join(t, NULL);
}

static void gone_waiter(void)
{
    hk_task_join(start_at(HK_BACKGROUND, sim_choose(hk_harts()), owns_to_the_end), NULL);
}

/* ---- placement --------------------------------------------------------------------------------------------------- */

/* One that wakes while its hart runs a higher one is run elsewhere: where a task ends at about that moment, or where lower ones run,
 * of which some wait.  All others are where they stay. */
static uint64_t wakes_at;
static struct task *sleeper;
static bool others_end;

static void is_lower(void *arg)
{
    uint64_t end = wakes_at + sim_choose(1000) - 500;
    (void)arg;
    while (others_end ? hk_now() < end : !ld_acq(&stage))
        hk_now();
}

/* While the others run what is as high, it may wait here. */
TRUTH static void look_who_waits(void)
{
    hal_crit_t c = hal_crit_enter();
    const struct hart *h = hal_self();
    if (others_end ? sim_alone() : sim_settled())
        for (const struct task *t = h->queue_head[HK_NORMAL]; t; t = t->next)
            if (!t->busy && t->affinity < 0)
                sim_fail("a task waits for a higher one, though another hart could run it");
    hal_crit_exit(c);
}

/* Not before the other one sleeps: a task that is interrupted stays where it is. */
static void is_higher(void *arg)
{
    (void)arg;
    while (!ld_acq(&stage) && (ld_rlx(&sleeper->state) & TASK_STATE_MASK) != TASK_PARKED)
        hk_sleep(1000);
    while (!ld_acq(&stage)) {
        look_who_waits();
        hk_now();
    }
}

static void wakes_up(void *arg)
{
    (void)arg;
    sleeper = task_self();
    struct task *t = start_at(HK_HIGH, hk_hart(), is_higher);
    for (uint64_t now = hk_now(); now < wakes_at; now = hk_now())
        hk_sleep(wakes_at - now);
    st_rel(&stage, 1);
    hk_task_join(t, NULL);
}

static void placement(void)
{
    struct task *t[2 * HK_MAX_HARTS], *wakes;
    unsigned n = 0;
    if (hk_harts() == 1)
        return;
    others_end = sim_choose(2);
    wakes_at = hk_now() + 100000;
    for (unsigned i = 1; i < hk_harts(); i++)
        for (unsigned k = 0; k < (others_end ? 1 : 2); k++)
            t[n++] = start_at(others_end ? HK_NORMAL : HK_BACKGROUND, (hk_hart() + i) % hk_harts(), is_lower);
    if (hk_task_create(&wakes, NULL, wakes_up, NULL) != HK_OK)
        sim_fail("no memory for a task");
    hk_task_join(wakes, NULL);
    while (n > 0)
        hk_task_join(t[--n], NULL);
}

/* ---- a semaphore ------------------------------------------------------------------------------------------------- */

static struct hk_sem units;
static int all_units;
static struct hk_timer giver[TASKS];

TRUTH static void use(int n)
{
    facts()->out += n;
    if (facts()->out < 0 || facts()->out > all_units)
        sim_fail("%d units of %d are in use", facts()->out, all_units);
}

static void give(void *arg)
{
    (void)arg;
    use(-1);
    hk_sem_post(&units);
}

static void take_give(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    for (unsigned n = 4 + sim_choose(10); n > 0; n--) {
        uint64_t ns = timeout();
        int r = hk_sem_wait(&units, ns);
        if (r != HK_OK && (ns == HK_FOREVER || r != (ns ? HK_ETIMEOUT : HK_EAGAIN)))
            sim_fail("waiting for a unit returned %d", r);
        if (r != HK_OK)
            continue;
        use(1);
        dawdle();
        if (sim_choose(3)) {
            give(NULL);
            continue;
        }
        if (hk_timer_cancel(&giver[self]))
            give(NULL);                         /* the one of before, in its place */
        hk_timer_start(&giver[self], hk_now() + some_time(), give, NULL);
    }
}

TRUTH static void none_in_use(void)
{
    if (facts()->out != 0 || units.count != (uint32_t)all_units || units.waiters.head)
        sim_fail("the semaphore has %u units of %d at the end", units.count, all_units);
}

static void semaphores(void)
{
    all_units = 1 + (int)sim_choose(3);
    hk_sem_init(&units, (uint32_t)all_units);
    run_tasks(take_give);
    for (unsigned i = 0; i < tasks; i++)
        if (hk_timer_cancel(&giver[i]))
            give(NULL);
    none_in_use();
}

/* ---- events: gates that all pass together ------------------------------------------------------------------------ */

static struct hk_event gate[2];
static uint32_t arrivals[GATES];        /* atomic */
static unsigned papers[TASKS][GATES];   /* each writes its own before a gate, and reads its neighbour's behind it */

TRUTH static void arrive(unsigned n) { facts()->arrived[n]++; }

TRUTH static void passed(unsigned n)
{
    if (facts()->arrived[n] != tasks)
        sim_fail("gate %u opened when %u of %u had arrived", n, facts()->arrived[n], tasks);
}

static void pass_gates(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    for (unsigned n = 0; n < GATES; n++) {
        papers[self][n] = n + 1;
        arrive(n);
        if (amo_add_ar(&arrivals[n], 1) + 1 == tasks) {
            hk_event_clear(&gate[(n + 1) & 1]);         /* all have passed it */
            hk_event_set(&gate[n & 1]);
        }
        while (hk_event_wait(&gate[n & 1], timeout()) != HK_OK)
            dawdle();
        passed(n);
        if (papers[(self + 1) % tasks][n] != n + 1)
            sim_fail("behind gate %u a task does not see what another wrote before it", n);
        dawdle();
    }
}

static void events(void)
{
    run_tasks(pass_gates);
}

/* More than are woken in one critical section. */
enum { CROWD = 13 };

static uint32_t have_come;              /* atomic */
static struct task *spinner;

/* Lower than all who wait, higher than who lets them go, on the same hart. */
static void comes_after_all(void *arg)
{
    (void)arg;
    if (ld_rlx(&have_come) < CROWD)
        sim_fail("of %u who were let go, some wait until who did it runs again", CROWD);
}

static void wait_open(void *arg)
{
    (void)arg;
    if (hk_event_wait(&gate[0], HK_FOREVER) != HK_OK)
        sim_fail("waiting for an event failed");
}

static void wait_open_high(void *arg)
{
    wait_open(arg);
    if (amo_add_rlx(&have_come, 1) == 0)
        spinner = start_at(HK_NORMAL, hk_hart(), comes_after_all);
}

static void opens(void *arg)
{
    struct task *t[CROWD];
    (void)arg;
    for (unsigned i = 0; i < CROWD; i++)
        t[i] = start_at(HK_HIGH, hk_hart(), wait_open_high);
    hk_event_set(&gate[0]);
    for (unsigned i = 0; i < CROWD; i++)
        hk_task_join(t[i], NULL);
    hk_task_join(spinner, NULL);
}

static void crowd(void)
{
    struct task *t[CROWD];
    if (sim_choose(3) == 0) {
        hk_task_join(start_at(HK_BACKGROUND, sim_choose(hk_harts()), opens), NULL);
        return;
    }
    for (unsigned i = 0; i < CROWD; i++)
        if (hk_task_create(&t[i], &(struct hk_task_config){.stack_size = 8192}, wait_open, NULL) != HK_OK)
            sim_fail("no memory for a task");
    if (sim_choose(4))
        hk_sleep(100000);                       /* then all wait */
    hk_event_set(&gate[0]);
    for (unsigned i = 0; i < CROWD; i++)
        hk_task_join(t[i], NULL);
}

/* ---- a channel --------------------------------------------------------------------------------------------------- */

static struct hk_chan chan;
static uintptr_t chan_room[3];
static unsigned cargo[TASKS][WORDS];
static unsigned senders;

TRUTH static void sent(unsigned from, unsigned n) { facts()->sent[from][n] = true; }

TRUTH static void received(unsigned from, unsigned n)
{
    if (from >= senders || n >= WORDS || facts()->got[from][n])
        sim_fail("word %u of task %u was received twice, or was never sent", n, from);
    facts()->got[from][n] = true;
}

static void send_words(unsigned self)
{
    for (unsigned n = 0; n < WORDS; n++) {      /* one that did not go is never sent again */
        uint64_t ns = timeout();
        cargo[self][n] = 1000 * self + n;
        int r = hk_chan_send(&chan, self << 16 | n, ns);
        if (r == HK_ECLOSED)
            return;
        if (r == HK_OK)
            sent(self, n);
        else if (ns == HK_FOREVER || r != (ns ? HK_ETIMEOUT : HK_EAGAIN))
            sim_fail("sending returned %d", r);
        dawdle();
    }
}

static void receive_words(void)
{
    int last[TASKS] = {-1, -1, -1, -1, -1};
    for (;;) {
        uint64_t ns = timeout();
        uintptr_t word = 0;
        int r = hk_chan_recv(&chan, &word, ns);
        if (r == HK_ECLOSED)
            return;
        if (r != HK_OK) {
            if (ns == HK_FOREVER || r != (ns ? HK_ETIMEOUT : HK_EAGAIN))
                sim_fail("receiving returned %d", r);
            dawdle();
            continue;
        }
        unsigned from = (unsigned)(word >> 16), n = word & 0xffff;
        received(from, n);
        if ((int)n <= last[from] || cargo[from][n] != 1000 * from + n)
            sim_fail("word %u of task %u came after word %d, or without what was written before it", n, from,
                     last[from]);
        last[from] = (int)n;
    }
}

static void send_or_receive(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    if (self < senders)
        send_words(self);
    else
        receive_words();
}

TRUTH static void all_received(void)
{
    for (unsigned i = 0; i < senders; i++)
        for (unsigned n = 0; n < WORDS; n++)
            if (facts()->sent[i][n] != facts()->got[i][n])
                sim_fail("word %u of task %u was %s", n, i, facts()->sent[i][n] ? "lost" : "received and not sent");
}

static void channels(void)
{
    struct task *t[TASKS];
    senders = 1 + sim_choose(tasks - 1);
    hk_chan_init(&chan, chan_room, 1 + sim_choose(3));
    start_tasks(t, send_or_receive);
    if (sim_choose(2))
        for (unsigned i = 0; i < senders; i++)
            hk_event_wait(&t[i]->done, HK_FOREVER);
    else
        nap();
    hk_chan_close(&chan);
    join_tasks(t);
    all_received();
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

static struct timer {
    struct hk_timer t;
    unsigned who, which, again, told;
    uint64_t due;
} timers[TASKS][TIMERS];

TRUTH static void in_timer(const struct timer *t, bool inside)
{
    if (facts()->timer[t->who][t->which].over)
        sim_fail("a timer runs after its cancelling returned");
    if (facts()->timer[t->who][t->which].inside == inside)
        sim_fail("a timer runs twice at a time");
    facts()->timer[t->who][t->which].inside = inside;
    facts()->timer[t->who][t->which].runs += inside;
}

static void ring(void *arg)
{
    struct timer *t = arg;
    in_timer(t, true);
    if (hk_now() < t->due)
        sim_fail("a timer runs early");
    t->told++;
    if (t->again > 0) {
        t->again--;
        t->due = hk_now() + some_time();
        in_timer(t, false);                     /* from here on it may run on another hart */
        hk_timer_start(&t->t, t->due, ring, t);
        return;
    }
    in_timer(t, false);
}

TRUTH static void set_over(const struct timer *t, bool over)
{
    facts()->timer[t->who][t->which].over = over;
}

TRUTH static unsigned runs_of(const struct timer *t)
{
    return facts()->timer[t->who][t->which].runs;
}

static void arm(unsigned i, unsigned k)
{
    struct timer *t = &timers[i][k];
    t->who = i;
    t->which = k;
    t->again = sim_choose(3);
    t->due = hk_now() + (sim_choose(4) ? some_time() : 0);
    set_over(t, false);
    hk_timer_start(&t->t, t->due, ring, t);
}

static void disarm(unsigned i, unsigned k)
{
    struct timer *t = &timers[i][k];
    bool cancelled = hk_timer_cancel(&t->t);
    set_over(t, true);
    if (t->told != runs_of(t) || (!cancelled && t->again > 0))
        sim_fail("a timer was neither cancelled nor did it run as often as it should");
}

static void use_timers(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    for (unsigned k = 0; k < TIMERS; k++)
        disarm(self, k);                        /* main's */
    for (unsigned n = 2 + sim_choose(5); n > 0; n--) {
        for (unsigned k = 0; k < TIMERS; k++)
            arm(self, k);
        dawdle();
        dawdle();
        for (unsigned k = 0; k < TIMERS; k++)
            disarm(self, k);
    }
}

/* Those for one moment run in the order in which they were started. */
static unsigned in_order;               /* one hart's handlers only */

static void ring_in_order(void *arg)
{
    if ((uintptr_t)arg != in_order++)
        sim_fail("of several timers for one moment, number %u ran as %u", (unsigned)(uintptr_t)arg, in_order - 1);
}

static void same_moment(void)
{
    static struct hk_timer t[4];
    uint64_t when = hk_now() + 2000 + some_time();
    hal_crit_t c = hal_crit_enter();
    for (uintptr_t i = 0; i < 4; i++)
        hk_timer_start(&t[i], when, ring_in_order, (void *)i);
    hal_crit_exit(c);
    for (unsigned i = 0; i < 4; i++) {
        while (ld_rlx(&t[i].fired) == 0)
            hk_sleep(2000);
        hk_timer_cancel(&t[i]);                 /* its function is over */
    }
}

static void all_timers(void)
{
    if (sim_choose(4) == 0)
        same_moment();
    for (unsigned i = 0; i < tasks; i++)
        for (unsigned k = 0; k < TIMERS; k++)
            arm(i, k);
    run_tasks(use_timers);
    nap();
}

/* ---- tasks that make tasks --------------------------------------------------------------------------------------- */

TRUTH static void born(int n)
{
    facts()->alive += n;
    if (facts()->alive < 0)
        sim_fail("a task ran twice");
}

TRUTH static int alive(void) { return facts()->alive; }

static unsigned entries(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < task_slots(); i++)
        n += task_at(i) != NULL;
    return n;
}

/* Makes some more, and ends with twice its argument.  An argument is a number, and how many generations may follow. */
static void breed(void *arg)
{
    uintptr_t self = (uintptr_t)arg, left = self & 3;
    struct task *t;
    void *result;
    dawdle();
    for (unsigned n = left ? sim_choose(3) : 0; n > 0; n--) {
        struct hk_task_config c = any_config();
        uintptr_t child = (sim_choose(1000) << 2) | (left - 1);
        c.detached = sim_choose(2);
        born(1);
        if (hk_task_create(&t, &c, breed, (void *)child) != HK_OK) {
            born(-1);
            continue;
        }
        if (c.detached || sim_choose(2))
            dawdle();
        if (c.detached)
            continue;
        if (hk_task_join(t, &result) != HK_OK || result != (void *)(child * 2))
            sim_fail("a task that got %#lx ended with %p", (unsigned long)child, result);
    }
    born(-1);
    hk_task_exit((void *)(self * 2));
}

static void storm(void)
{
    struct task *t[TASKS];
    void *result;
    unsigned before = entries();
    for (unsigned i = 0; i < tasks; i++) {
        born(1);
        if (hk_task_create(&t[i], NULL, breed, (void *)(uintptr_t)2) != HK_OK)
            sim_fail("no memory for a task");
    }
    for (unsigned i = 0; i < tasks; i++)
        if (hk_task_join(t[i], &result) != HK_OK || result != (void *)(uintptr_t)4)
            sim_fail("a task that got 2 ended with %p", result);
    while (alive() > 0 || entries() != before)
        nap();
}

/* ---- park and ready ---------------------------------------------------------------------------------------------- */

static struct spinlock mail_lock;
static struct box { unsigned letters; struct task *owner; } box[TASKS];
enum { LETTERS = 8 };

TRUTH static void mailed(unsigned i, int n)
{
    facts()->mailed[i] += (unsigned)n;
    if ((int)facts()->mailed[i] < 0)
        sim_fail("a letter was taken twice");
}

/* Task 0 of each pair takes what task 1 brings. */
static void take_mail(unsigned i)
{
    for (unsigned n = 0; n < LETTERS;) {
        hal_crit_t c = spin_lock_crit(&mail_lock);
        if (box[i].letters == 0) {
            task_park(&mail_lock, c);
            continue;
        }
        box[i].letters--;
        mailed(i, -1);
        spin_unlock_crit(&mail_lock, c);
        n++;
        dawdle();
    }
}

static void bring_mail(unsigned i)
{
    for (unsigned n = 0; n < LETTERS; n++) {
        hal_crit_t c = spin_lock_crit(&mail_lock);
        mailed(i, 1);
        box[i].letters++;
        bool inside = sim_choose(2);
        if (inside)
            task_ready(box[i].owner);
        spin_unlock_crit(&mail_lock, c);
        if (!inside)
            task_ready(box[i].owner);
        dawdle();
    }
}

static void taker(void *arg) { take_mail((unsigned)(uintptr_t)arg); }
static void bringer(void *arg) { bring_mail((unsigned)(uintptr_t)arg); }

static void parks(void)
{
    struct task *brings[TASKS];
    for (unsigned i = 0; i < tasks; i++)
        if (hk_task_create(&box[i].owner, NULL, taker, (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
    start_tasks(brings, bringer);
    join_tasks(brings);
    for (unsigned i = 0; i < tasks; i++)
        hk_task_join(box[i].owner, NULL);
}

/* ---- the world --------------------------------------------------------------------------------------------------- */

static unsigned world_word;                     /* written in stops only, and read everywhere without a lock: I3 */
static unsigned shares[TASKS][HK_MAX_HARTS];

TRUTH static void share(struct hart *h, void *arg)
{
    facts()->share[(uintptr_t)arg][h->index]++;
}

static void do_share(struct hart *h, void *arg)
{
    if (h->index != hk_hart())
        sim_fail("a hart does the share of another");
    share(h, arg);
    hk_now();
    shares[(uintptr_t)arg][h->index]++;
}

/* All have done it, `n` times, and what they wrote is there. */
TRUTH static unsigned share_of(unsigned self, unsigned hart) { return facts()->share[self][hart]; }

static void check_shares(unsigned self, unsigned n)
{
    for (unsigned i = 0; i < hk_harts(); i++)
        if (share_of(self, i) != n || shares[self][i] != n)
            sim_fail("I3: hart %u did its share %u times instead of %u", i, share_of(self, i), n);
}

TRUTH static void move(void)
{
    if (facts()->stopper && facts()->stopper != hk_task_self())
        sim_fail("I3: a task runs on hart %u while the world is stopped", hk_hart());
    facts()->moves++;
}

TRUTH static void stopped(void)
{
    if (facts()->stopper || !world_stopped())
        sim_fail("I3: the world is stopped by two, or not at all");
    facts()->stopper = hk_task_self();
    unsigned moves = facts()->moves;
    for (unsigned n = sim_choose(40); n > 0; n--)
        hk_now();
    if (facts()->moves != moves)
        sim_fail("I3: another task made a step while the world was stopped");
    facts()->stops++;
}

TRUTH static void going(void) { facts()->stopper = NULL; }
TRUTH static unsigned stops(void) { return facts()->stops; }

static void in_crit(void)
{
    hal_crit_t c = hal_crit_enter();
    unsigned before = stops(), word = world_word;
    for (unsigned n = sim_choose(8); n > 0; n--) {
        move();
        hk_now();
    }
    if (stops() != before || world_word != word)
        sim_fail("I1: the world was stopped within a critical section");
    hal_crit_exit(c);
}

static void use_world(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg, done = 0;
    for (unsigned n = 3 + sim_choose(8); n > 0; n--) {
        unsigned word = world_word;
        move();
        switch (sim_choose(6)) {
        case 0: {
            bool each = sim_choose(2);
            world_stop(WORLD_OTHER, each ? do_share : NULL, arg);
            stopped();
            check_shares(self, done += each);
            world_word++;
            going();
            world_start();
            break;
        }
        case 1:
            world_each_hart(do_share, arg);
            check_shares(self, ++done);
            break;
        case 2: case 3:
            in_crit();
            break;
        default:
            dawdle();
            break;
        }
        move();
        if (world_word < word)
            sim_fail("what was written while the world was stopped was lost");
    }
}

static void world(void)
{
    run_tasks(use_world);
    if (world_word != stops() || world_times.stops[WORLD_OTHER] != stops())
        sim_fail("%u stops, %u seen by those who stopped", stops(), world_word);
}

/* ---- claims ------------------------------------------------------------------------------------------------------ */

static struct spinlock claimed_lock;
static struct task *claimed;            /* after task_claim_leave; claimed_lock */

TRUTH static void stride(void)
{
    unsigned slot = task_self()->slot;
    if (facts()->claimer[slot])
        sim_fail("a claimed task runs");
    facts()->steps[slot]++;
}

TRUTH static void wish(int wishes, int answers)
{
    facts()->wishes += (unsigned)wishes;
    facts()->answers += (unsigned)answers;
}

TRUTH static unsigned owed(void) { return facts()->wishes - facts()->answers; }

/* In the critical section in which the task left. */
static void on_claimed(struct task *t)
{
    spin_lock(&claimed_lock);
    t->gc_next = claimed;
    claimed = t;
    spin_unlock(&claimed_lock);
}

static void on_died(struct task *t)
{
    if (t->claim_want)
        wish(0, 1);
}

/* Pinned; the claim is ours. */
TRUTH static void hold_claim(struct task *t)
{
    unsigned slot = t->slot;
    if (facts()->claimer[slot] || !(ld_rlx(&t->state) & TASK_CLAIM) || ld_acq(&t->busy))
        sim_fail("a claim was given to two, or is none");
    facts()->claimer[slot] = hk_task_self();
    unsigned steps = facts()->steps[slot];
    for (unsigned n = sim_choose(20); n > 0; n--)
        hk_now();
    if (facts()->steps[slot] != steps)
        sim_fail("a claimed task made a step");
    facts()->claimer[slot] = NULL;
    task_unclaim(t);
}

/* Pinned. */
static void hold_claimed(void)
{
    for (;;) {
        hal_crit_t c = spin_lock_crit(&claimed_lock);
        struct task *t = claimed;
        if (t)
            claimed = t->gc_next;
        spin_unlock_crit(&claimed_lock, c);
        if (!t)
            return;
        hold_claim(t);
        wish(0, 1);
    }
}

static void claim_one(void)
{
    struct task *t;
    hart_pin();
    unsigned slot = sim_choose(task_slots());
    bool leave = slot != task_self()->slot && slot != 0 && sim_choose(2);      /* slot 0 is main's, which gives back */
    if (leave)
        wish(1, 0);
    switch (leave ? task_claim_leave(slot, &t) : task_claim(slot, &t)) {
    case TASK_CLAIMED:
        if (leave)
            wish(0, 1);
        hold_claim(t);
        break;
    case TASK_ON_HART:
        break;
    case TASK_NONE:
        if (leave)
            wish(0, 1);
        break;
    }
    hold_claimed();
    hart_unpin();
}

TRUTH static void finished(void) { facts()->done++; }
TRUTH static bool all_finished(void) { return facts()->done == (int)tasks; }

static void stride_and_claim(void *arg)
{
    (void)arg;
    for (unsigned n = 6 + sim_choose(12); n > 0; n--) {
        stride();
        switch (sim_choose(4)) {
        case 0: case 1:
            claim_one();
            break;
        case 2:
            if (hk_mutex_lock_until(&mutex[0], timeout()) == HK_OK) {
                stride();
                guarded[0]++;
                dawdle();
                hk_mutex_unlock(&mutex[0]);
            }
            break;
        default:
            dawdle();
            break;
        }
        stride();
    }
    finished();
}

static void claims(void)
{
    static const struct task_hooks hooks = {.claimed = on_claimed, .died = on_died};
    struct task *t[TASKS];
    task_hooks_set(&hooks);
    start_tasks(t, stride_and_claim);
    while (!all_finished() || owed() > 0) {
        hart_pin();
        hold_claimed();
        hart_unpin();
        nap();
    }
    join_tasks(t);
    if (owed() != 0)
        sim_fail("%d claims were never answered", (int)owed());
}

/* ---- what is handed on without a fence --------------------------------------------------------------------------- */

/* Task 0 writes notes and shows each behind a fence; the others hand on the note that they have read, without one.  It is as
 * task 0 wrote it wherever it is read: addresses and stored values depend on loads [L-relay]. */
static struct note { unsigned text; } note[NOTES];
static struct note *desk[TASKS];        /* atomic */

static void hand_on(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    struct note *last = NULL;
    for (unsigned n = 0; n < NOTES && last != &note[NOTES - 1]; n++) {
        if (self == 0) {
            last = &note[n];
            last->text = n + 1;
            fence_ww();
        } else {
            while (last == ld_rlx(&desk[self - 1]))
                nap();                  /* who is yielded to may have a lower priority */
            last = ld_rlx(&desk[self - 1]);
            if (last->text != (unsigned)(last - note) + 1)
                sim_fail("note %u was read before it was written", (unsigned)(last - note));
        }
        st_rlx(&desk[self], last);
    }
}

static void relay(void)
{
    run_tasks(hand_on);
}

/* ------------------------------------------------------------------------------------------------------------------ */

int sync_scenes(void)
{
    static void (*const scene[])(void) = {
        mutexes, inversion, gone_waiter, placement, semaphores, events, crowd, channels, all_timers, storm, parks, world, claims, relay,
    };
    tasks = 2 + sim_choose(TASKS - 1);
    patient = sim_choose(3) == 0;
    scene[sim_choose(sizeof scene / sizeof scene[0])]();
    return 0;
}
