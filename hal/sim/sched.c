/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schedule: at each point, which hart takes the next step, what drains, and whether an interrupt is taken.
 *
 * Random: each point is a change with one chance for all of a schedule.  Round robin: after a fixed number of points.  PCT
 * (Burckhardt and others, 2010): the runnable hart of the highest priority runs; at a few random steps it falls to the
 * lowest.  A hart that only reads, again and again, waits for another, and one that has run for long may do so in a longer
 * loop, also one in which others of high priority take turns with it: they fall back too.
 */
#include "sim_internal.h"

enum { SPIN = 64, PCT_STEPS = 1500, PCT_SPANS = 6, PCT_TURN = 1500 };

unsigned sim_choose(unsigned n)
{
    if (n < 2)
        return 0;
    unsigned x = (unsigned)((sim_random() >> 32) * n >> 32);
    sim->result->hash = (sim->result->hash ^ x) * 0x100000001b3u;
    return x;
}

void sim_sched_init(void)
{
    static const unsigned chances[] = {2, 3, 4, 8, 16, 32, 64};
    sim->random = sim->cfg.seed * 0xd1342543de82ef95u + sim->cfg.strategy;
    sim->switch_in = chances[sim_choose(7)];
    sim->take_in = chances[sim_choose(7)] / 2;
    sim->drain_in = 2u << 2 * sim_choose(5);
    sim->stale_in = chances[sim_choose(4)];
    sim->plain_in = sim_choose(4) ? 512 : 16;
    sim->plain_left = 1;
    sim->step_ns = 16u << sim_choose(5);
    sim->quantum = 1 + sim_choose(40);
    sim->left = sim->quantum;
    sim->starved = sim_choose(4) == 0 ? sim_choose(sim->cfg.harts) : SIM_HARTS;
    sim->changes = 1 + sim_choose(7);
    unsigned span = PCT_STEPS << sim_choose(PCT_SPANS);     /* most schedules have between 1,500 and 48,000 steps */
    for (unsigned i = 0; i < sim->changes; i++)
        sim->change[i] = sim_choose(span);
    sim->next_prio = 100;
    for (unsigned i = 0; i < sim->cfg.harts; i++)
        sim->hart[i].prio = 1000 + sim_choose(1000);
}

/* ---- who can take a step ---------------------------------------------------------------------------------------- */

static bool runnable(struct sim_hart *h)
{
    return !h->sleeping || h->pending || sim->time >= h->deadline;
}

bool sim_alone(void)
{
    for (unsigned i = 0; i < sim->cfg.harts; i++)
        if (&sim->hart[i] != sim->cur ? runnable(&sim->hart[i]) : sim->cur->pending)
            return false;
    return true;
}

bool sim_settled(void)
{
    for (unsigned i = 0; i < sim->cfg.harts; i++)
        if (&sim->hart[i] != sim->cur && (sim->hart[i].crit || sim->hart[i].trap))
            return false;
    return !sim->cur->pending;
}

static unsigned runnables(struct sim_hart **out)
{
    unsigned n = 0;
    for (unsigned i = 0; i < sim->cfg.harts; i++)
        if (runnable(&sim->hart[i]))
            out[n++] = &sim->hart[i];
    return n;
}

/* All sleep: whatever was written comes out, and time goes on to the next deadline. */
static void skip_time(void)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < sim->cfg.harts; i++) {
        mem_flush(&sim->hart[i]);
        if (sim->hart[i].deadline < next)
            next = sim->hart[i].deadline;
    }
    if (sim->cfg.all_asleep)
        sim->cfg.all_asleep();
    if (next == UINT64_MAX)
        sim_fail("every hart sleeps, and nothing will wake one: a wake-up was lost");
    sim->time = next;
}

static struct sim_hart *highest(struct sim_hart **set, unsigned n)
{
    struct sim_hart *best = set[0];
    for (unsigned i = 1; i < n; i++)
        if (set[i]->prio > best->prio)
            best = set[i];
    return best;
}

static void fall_back(struct sim_hart *h)
{
    h->prio = --sim->next_prio;
    h->idle_loads = h->turn = 0;
    if (sim->next_prio == 0) {              /* start over, in the same order */
        sim->next_prio = 500;
        for (unsigned i = 0; i < sim->cfg.harts; i++)
            sim->hart[i].prio += 500;
    }
}

static struct sim_hart *pct(struct sim_hart **set, unsigned n)
{
    for (unsigned i = 0; i < sim->changes; i++)
        if (sim->change[i] == sim->result->steps)
            fall_back(sim->cur);
    if (sim->cur->idle_loads > SPIN || ++sim->cur->turn > PCT_TURN)
        fall_back(sim->cur);
    return highest(set, n);
}

/* In some schedules one hart gets on slowly, though it serves its interrupts: whole handshakes fit between two steps. */
static struct sim_hart *other(struct sim_hart **set, unsigned n)
{
    struct sim_hart *h = set[sim_choose(n)];
    if (h->index == sim->starved && !h->trap && (h->crit || !h->pending) && sim_choose(32) != 0)
        h = set[sim_choose(n)];
    return h;
}

/* May the running hart go on, and another one, too? */
static bool is_decision(void)
{
    for (unsigned i = 0; i < sim->cfg.harts; i++)
        if (&sim->hart[i] != sim->cur && runnable(&sim->hart[i]))
            return true;
    return false;
}

static struct sim_hart *choose(void)
{
    struct sim_hart *set[SIM_HARTS];
    unsigned n;
    bool here = runnable(sim->cur);
    if (here && !is_decision())
        return sim->cur;
    if (here && sim->cfg.strategy == SIM_RANDOM && sim->cur->idle_loads <= SPIN && sim_choose(sim->switch_in) != 0) {
        sim->result->decisions++;
        return sim->cur;
    }
    while ((n = runnables(set)) == 0)
        skip_time();
    if (n == 1)
        return set[0];
    sim->result->decisions++;
    switch (sim->cfg.strategy) {
    case SIM_PCT:
        return pct(set, n);
    case SIM_ROUND_ROBIN:
        if (here && --sim->left > 0)
            return sim->cur;
        sim->left = sim->quantum;
        for (unsigned i = 1;; i++) {
            struct sim_hart *h = &sim->hart[(sim->cur->index + i) % sim->cfg.harts];
            if (runnable(h))
                return h;
        }
    default:
        return other(set, n);
    }
}

/* ---- a point ---------------------------------------------------------------------------------------------------- */

static void step(void)
{
    if (++sim->result->steps > sim->cfg.steps_max)
        sim_fail("no end after %lu steps", (unsigned long)sim->cfg.steps_max);
    sim->time += 1 + (sim_random() & (2 * sim->step_ns - 1));
    for (unsigned i = 0; sim->cfg.weak && i < sim->cfg.harts; i++)
        if (sim->hart[i].buffered && sim_choose(sim->drain_in) == 0)
            mem_drain_one(&sim->hart[i], sim_choose(sim->hart[i].buffered));
}

static void change_hart(void)
{
    struct sim_hart *h = sim->cur, *to = choose();
    if (to == h)
        return;
    if (h->idle_loads > SPIN)
        h->idle_loads = 0;
    sim->cur = to;
    sim_swap(&h->fiber, to->fiber);
}

void sim_point(void)
{
    if (sim->stopped)
        return;
    step();
    change_hart();
    struct sim_hart *h = sim->cur;
    if (h->crit)
        return;
    sim_look_at_timer(h);
    while (h->pending && sim_choose(sim->take_in) == 0) {       /* also several between two instructions */
        sim_take_interrupt(h);
        h = sim->cur;
    }
}

void sim_sleep(struct sim_hart *h)
{
    step();
    h->sleeping = true;
    change_hart();
    h->sleeping = false;
}
