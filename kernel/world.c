/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping the world.  What must hold stands in world.h.
 *
 * The protocol, and who is partner of whom:
 *   initiator                                         each other hart, in its IPI hook
 *   1 writes `ask`, pending
 *   2 st_rel request; IPI                       ->    3 amo_swap_acq request: sees 1
 *                                                     4 its share of the work
 *   6 ld_acq pending == 0: sees 4, and all      <-    5 amo_add_rel pending - 1; the last one sends an IPI
 *     that the harts did before
 *   7 works; st_rel go = epoch; IPI             ->    8 ld_acq go == epoch: sees 7; leaves the trap
 *
 * The request word is taken in a loop, because IPIs merge: the HAL has cleared the interrupt before the hook runs, so
 * whatever is asked later brings an interrupt of its own, and whatever was asked before is found.  A hart that waits in
 * step 8 serves other interrupts in windows; an IPI there finds in_stop and leaves the request to the loop outside.
 */
#include "hal_mark.h"
#include "kernel/kernel_internal.h"

enum request { NOTHING, STOP, CALL };
enum { TRIES = 16 };                    /* to have the world, before a sleep */
#define RETRY_NS (HK_TICK_NS / 16)

static struct hk_mutex world_lock;

/* What is asked.  Written by who holds world_lock, while no request is out. */
static struct {
    void (*fn)(struct hart *h, void *arg);
    void *arg;
    enum world_reason reason;
    unsigned initiator;
    uint32_t epoch;
} ask;

static uint32_t pending;            /* atomic: harts that have not acknowledged */
static uint32_t go;                 /* atomic: epoch of the last stop that has ended */
static uint32_t stopped;            /* atomic: all have acknowledged, none was let go */
static uint64_t stopped_since;      /* world_lock */
struct world_times world_times;

/* Markers are instructions, so their numbers are constants. */
static void mark_begin(enum world_reason reason)
{
    HAL_MARK(HAL_MARK_STOP_BEGIN);
    switch (reason) {
    case WORLD_MARK_START: HAL_MARK(HAL_MARK_STOP_KIND(WORLD_MARK_START)); break;
    case WORLD_MARK_TERM:  HAL_MARK(HAL_MARK_STOP_KIND(WORLD_MARK_TERM)); break;
    case WORLD_HANDSHAKE:  HAL_MARK(HAL_MARK_STOP_KIND(WORLD_HANDSHAKE)); break;
    default:               HAL_MARK(HAL_MARK_STOP_KIND(WORLD_OTHER)); break;
    }
}

/* ---- the harts that are asked ----------------------------------------------------------------------------------- */

static void acknowledge(struct hart *h)
{
    unsigned initiator = ask.initiator;             /* before: afterwards the next one may write it */
    st_rlx(&h->stop_seen, ask.epoch);
    if (amo_add_rel(&pending, -1) == 1)             /* step 5 [L-stop.ack, L-stop-reuse.rel] */
        hal_ipi_send(initiator);
}

static void stand_still(struct hart *h)
{
    uint32_t epoch = ask.epoch;
    h->in_stop = 1 + ask.reason;                    /* before: from then on others change what this hart's handlers look at */
    acknowledge(h);
    HAL_MARK(HAL_MARK_WAIT_BEGIN);
    /* [L-stop.resume] */
    while (ld_acq(&go) != epoch) {                  /* step 8; the acquire also orders what the task reads next */
        hal_wait();
        hal_irq_window();
    }
    HAL_MARK(HAL_MARK_WAIT_END);
    h->in_stop = 0;
}

void world_ipi(struct hart *h)
{
    uint32_t request;
    if (h->in_stop)
        return;
    while ((request = amo_swap_acq(&h->request, NOTHING)) != NOTHING) {     /* step 3 [L-stop-ask.acq] */
        mark_begin(ask.reason);
        if (ask.fn)
            ask.fn(h, ask.arg);
        if (request == STOP)
            stand_still(h);
        else
            acknowledge(h);
        HAL_MARK(HAL_MARK_STOP_END);
    }
}

/* ---- the initiator ---------------------------------------------------------------------------------------------- */

static _Noreturn void watchdog(void)
{
    unsigned silent = 0;
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        struct hart *h = hal_hart(i);
        if (i == ask.initiator || ld_rlx(&h->stop_seen) == ask.epoch)
            continue;
        struct task *t = ld_rlx(&h->current);
        hk_printf("watchdog: hart %u did not answer stop %u for %llu ms; task %s, pin %u; its registers at its last trap:\n",
                  i, (unsigned)ask.epoch, (unsigned long long)(HK_WATCHDOG_NS / 1000000), t->name, (unsigned)h->pin);
        hal_ctx_dump(&t->ctx, t->stack_hi, console_line);
        silent = i;
    }
    hk_panic("hart %u cannot be stopped: it stays in a critical section or handler, or waits for one; \"make debug\" shows"
             " where it stands", silent);
}

static void send(struct hart *self, enum request request)
{
    for (unsigned i = 0; i < hal_hart_count(); i++)
        if (i != self->index) {
            st_rel(&hal_hart(i)->request, request); /* step 2 [L-stop-ask.rel] */
            hal_ipi_send(i);
        }
}

static void await_all(struct hart *self)
{
    uint64_t deadline = hal_time_ns() + HK_WATCHDOG_NS;
    self->alarm = deadline;                         /* so that hal_wait ends */
    timer_arm(self);
    HAL_MARK(HAL_MARK_WAIT_BEGIN);
    while (ld_acq(&pending) != 0) {                 /* step 6 [L-stop.all, L-stop-reuse.acq] */
        hal_wait();
        hal_irq_window();
        if (hal_time_ns() >= deadline && ld_rlx(&pending) != 0)
            watchdog();
    }
    HAL_MARK(HAL_MARK_WAIT_END);
    self->alarm = UINT64_MAX;
}

/* Takes the world lock and pins.  A mutex is handed to who waits for it, and if that is a task which the gate of a stopped
 * collection keeps off the harts (queue.c), it keeps the lock for as long; but the collection needs it to end.  So only the
 * system's tasks wait.  Others try: the gate closes in a stop, so not while they have the lock; and who has it is pinned.  After
 * some tries they sleep: who has it may be of a lower priority, and wait for this very hart. */
static void take_world(void)
{
    if (task_self()->system) {
        hk_mutex_lock(&world_lock);
        hart_pin();
        return;
    }
    bool got = false;
    for (unsigned tries = 1; !got; tries++) {
        hal_crit_t c = hal_crit_enter();
        int error = hk_mutex_try(&world_lock);
        got = error == HK_OK || error == HK_EOWNERDEAD;
        if (got)
            hart_pin();
        hal_crit_exit(c);
        if (!got && tries % TRIES)
            hk_yield();
        else if (!got)
            hk_sleep(RETRY_NS);
    }
}

/* Leaves the caller pinned, with the world lock, once every hart has done its share. */
static void ask_all(enum request request, enum world_reason reason, void (*fn)(struct hart *, void *), void *arg)
{
    take_world();
    hal_crit_t c = hal_crit_enter();
    struct hart *self = hal_self();
    uint64_t begin = hal_time_ns();
    mark_begin(reason);
    HAL_MARK(HAL_MARK_INITIATOR);
    ask.fn = fn;
    ask.arg = arg;
    ask.reason = reason;
    ask.initiator = self->index;
    ask.epoch++;
    st_rlx(&pending, hal_hart_count() - 1);
    send(self, request);
    if (fn)
        fn(self, arg);
    await_all(self);
    st_rlx(&self->stop_seen, ask.epoch);
    world_times.stops[reason]++;
    if (request == STOP) {
        stopped_since = hal_time_ns();
        world_times.last_wait_ns = stopped_since - begin;
        st_rlx(&stopped, 1);
    }
    hal_crit_exit(c);
}

void world_stop(enum world_reason reason, void (*prepare)(struct hart *h, void *arg), void *arg)
{
    ask_all(STOP, reason, prepare, arg);
}

void world_start(void)
{
    hal_crit_t c = hal_crit_enter();
    struct hart *self = hal_self();
    hk_assert(ld_rlx(&stopped) && ask.initiator == self->index && self->pin > 0);
    uint64_t ns = hal_time_ns() - stopped_since;
    world_times.last_ns = ns;
    world_times.total_ns[ask.reason] += ns;
    if (ns > world_times.max_ns[ask.reason])
        world_times.max_ns[ask.reason] = ns;
    st_rlx(&stopped, 0);
    st_rel(&go, ask.epoch);                         /* step 7 [L-stop.go] */
    for (unsigned i = 0; i < hal_hart_count(); i++)
        if (i != self->index)
            hal_ipi_send(i);
    HAL_MARK(HAL_MARK_STOP_END);
    hal_crit_exit(c);
    hk_mutex_unlock(&world_lock);       /* before the pin's end: a task that must leave its hart may be kept off it for long */
    hart_unpin();
}

void world_each_hart(void (*fn)(struct hart *h, void *arg), void *arg)
{
    ask_all(CALL, WORLD_HANDSHAKE, fn, arg);
    HAL_MARK(HAL_MARK_STOP_END);
    hk_mutex_unlock(&world_lock);
    hart_unpin();
}

bool world_stands(enum world_reason reason)
{
    return hal_self()->in_stop == 1 + (uint32_t)reason;
}

bool world_stopped(void)
{
    return ld_rlx(&stopped);
}
