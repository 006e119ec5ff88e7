/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pacer in a simulated program.  Time goes in steps: the background workers have a quarter of it, tasks the rest, which
 * they spend on allocating and, as far as the ratio asks for it and the workers' credit does not pay it, on assists.
 * Stopped time and sweeping cost nothing.  Each scenario says what it may miss the goal by, what share of a mark the
 * collector may have, and after how many cycles it must be at rest again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gc/pacer.h"

#define KIB 1024.0
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

enum { HARTS = 4, STEPS = 500 };    /* steps in a mark that has only its background workers */

struct machine {
    struct pacer p;
    struct limiter l;
    double mark_rate;           /* bytes per ns of a hart */
    double used, fails;
    bool limited;               /* the limiter limited in this cycle */
};

/* What the program does in one cycle. */
struct load {
    double live;                /* bytes that the mark finds */
    double rate;                /* bytes allocated per ns of a hart's time */
    double stacks, roots;
};

struct result {
    double peak, goal, trigger, live;
    double share;               /* of the harts' time while it marked, that the collector had */
    double assist;              /* of it, by assists */
    double wall;                /* ns that it marked */
    double over;                /* peak over goal, as a part of the goal; negative: below */
};

static struct machine machine(double arena, double limit, unsigned percent)
{
    struct machine m = {.mark_rate = 0.5};
    pacer_init(&m.p, (uint64_t)arena, (uint64_t)limit, (uint64_t)(arena / 16), percent);
    limiter_init(&m.l, HARTS);
    return m;
}

static void check_order(const struct pacer *p)
{
    assert_true(p->live <= p->trigger && p->trigger <= p->goal);
    assert_true(p->goal <= p->limit || p->goal == p->live);
}

/* The program allocates `bytes` while no mark runs. */
static void run(struct machine *m, const struct load *w, double bytes)
{
    m->used += bytes;
    limiter_update(&m->l, 0, (uint64_t)(bytes / w->rate));
}

struct mark {
    double work, left, credit, assist, wall;
};

/* One step of `dt` ns. */
static void step(struct machine *m, const struct load *w, struct mark *k, double dt)
{
    double own = HARTS * dt * 0.25 * m->mark_rate, tasks = HARTS * dt * 0.75;
    double ratio = pacer_revise(&m->p, (uint64_t)m->used, (uint64_t)k->work) / (double)(1 << PACER_SHIFT);
    k->credit += own;
    double alloc = tasks;
    if (m->l.limiting) {
        m->limited = true;
    } else if (ratio * w->rate * tasks > k->credit) {
        alloc = (m->mark_rate * tasks + k->credit) / (ratio * w->rate + m->mark_rate);
        alloc = alloc < tasks ? alloc : tasks;
    }
    double helped = tasks - alloc, owed = ratio * w->rate * alloc;
    k->credit = k->credit > owed ? k->credit - owed : 0;
    k->work += own + helped * m->mark_rate;
    k->left -= own + helped * m->mark_rate;
    k->assist += helped;
    k->wall += dt;
    double bytes = w->rate * alloc;
    if (pacer_refuses(&m->p, m->l.limiting, (uint64_t)m->used, (uint64_t)bytes)) {
        m->fails += bytes;
        bytes = 0;
    }
    m->used += bytes;
    limiter_update(&m->l, (uint64_t)(HARTS * dt * 0.25 + helped), (uint64_t)alloc);
}

/* The program runs up to the trigger, and a whole cycle. */
static struct result cycle(struct machine *m, struct load w)
{
    if (m->used < m->p.trigger)
        run(m, &w, m->p.trigger - m->used + 1);
    struct result r = {.goal = m->p.goal, .trigger = m->p.trigger};
    double began = m->used, live = w.live < began ? w.live : began;
    struct mark k = {.left = live};
    m->limited = false;
    pacer_begin(&m->p, (uint64_t)began);
    double dt = live / (HARTS * 0.25 * m->mark_rate) / STEPS + 1;
    while (k.left > 0)
        step(m, &w, &k, dt);
    r.peak = m->used;
    r.wall = k.wall;
    r.over = (r.peak - r.goal) / r.goal;
    r.assist = k.assist / (HARTS * k.wall);
    r.share = 0.25 + r.assist;
    struct pacer_cycle c = {
        .live = (uint64_t)(live + m->used - began), .stacks = (uint64_t)w.stacks, .roots = (uint64_t)w.roots,
        .work = (uint64_t)live, .allocated = (uint64_t)(m->used - began),
        .mark_ns = (uint64_t)(HARTS * k.wall * 0.25 + k.assist), .assist_ns = (uint64_t)k.assist,
        .wall_ns = (uint64_t)k.wall, .harts = HARTS,
    };
    m->used = r.live = (double)c.live;
    pacer_end(&m->p, &c);
    check_order(&m->p);
    if (getenv("PACER_SHOW"))
        print_message("live %8.2f MiB, trigger %8.2f, goal %8.2f, peak %8.2f (%+5.1f %%), share %4.1f %%, low "
                      "%u, fill %u ms%s, next trigger at %4.1f %%\n", w.live / MIB, r.trigger / MIB, r.goal / MIB, r.peak / MIB, r.over * 100,
                      r.share * 100, (unsigned)m->p.low, (unsigned)(m->l.fill / 1000000), m->limited ? "!" : "",
                      100 * (m->p.trigger - r.live) / (m->p.goal - r.live + 1));
    return r;
}

static struct result cycles(struct machine *m, struct load w, int n)
{
    struct result r = {0};
    while (n-- > 0)
        r = cycle(m, w);
    return r;
}

/* At rest: next to no assists, and the mark ends below the goal, not far below it. */
static void assert_rest(struct result r, double under)
{
    if (r.over > 0.01 || r.over < -under || r.share > 0.28)
        fail_msg("goal missed by %.1f %%, share %.1f %%", r.over * 100, r.share * 100);
}

/* ---- scenarios --------------------------------------------------------------------------------------------------- */

static void steady(void **state)
{
    (void)state;
    static const double rates[] = {0.001, 0.005, 0.01, 0.02, 0.04};
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct machine m = machine(64 * MIB, 0, 100);
        struct load w = {.live = 8 * MIB, .rate = rates[i]};
        cycles(&m, w, 3);
        for (int n = 0; n < 20; n++)
            assert_rest(cycle(&m, w), 0.05);
    }
}

/* Five times the rate from one cycle to the next, and back. */
static void step_in_rate(void **state)
{
    (void)state;
    static const double rates[] = {0.004, 0.01, 0.02, 0.04};
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct machine m = machine(128 * MIB, 0, 100);
        struct load slow = {.live = 16 * MIB, .rate = rates[i]}, fast = {.live = 16 * MIB, .rate = 5 * rates[i]};
        cycles(&m, slow, 10);
        for (int n = 0; n < 3; n++)
            assert_true(cycle(&m, fast).over < 0.1);
        for (int n = 0; n < 10; n++)
            assert_true(cycle(&m, fast).over < 0.02);
        if (5 * rates[i] <= 0.05)
            assert_rest(cycle(&m, fast), 0.05);
        cycles(&m, slow, PACER_PAST + 1);
        assert_rest(cycle(&m, slow), 0.05);
    }
}

/* The same while a mark runs: nothing was known of it when the trigger was set. */
static void step_in_rate_after_trigger(void **state)
{
    (void)state;
    struct machine m = machine(128 * MIB, 0, 100);
    struct load slow = {.live = 16 * MIB, .rate = 0.02}, fast = {.live = 16 * MIB, .rate = 0.1};
    cycles(&m, slow, 10);
    run(&m, &slow, m.p.trigger - m.used + 1);
    struct result r = cycle(&m, fast);
    assert_true(r.over < 0.1);
    assert_true(r.assist > 0.02);       /* it was assists that held it */
    for (int n = 0; n < 3; n++)
        r = cycle(&m, fast);
    assert_rest(r, 0.05);
}

static void step_in_live(void **state)
{
    (void)state;
    struct machine m = machine(256 * MIB, 0, 100);
    struct load little = {.live = 8 * MIB, .rate = 0.02}, much = {.live = 32 * MIB, .rate = 0.02};
    cycles(&m, little, 10);
    for (int n = 0; n < 4; n++)         /* more is live than the heap was to grow to: the goal moves, by `percent` at most */
        assert_true(cycle(&m, much).over < 1);
    assert_rest(cycle(&m, much), 0.05);
    struct result r = cycle(&m, little);
    assert_true(r.over < 0.01);
    cycles(&m, little, 2);
    assert_rest(cycle(&m, little), 0.10);
}

/* Both at once: three times as much to mark as was foretold, while the program allocates faster than before. */
static void step_in_both(void **state)
{
    (void)state;
    struct machine m = machine(1 * GIB, 0, 200);
    struct load little = {.live = 16 * MIB, .rate = 0.01}, much = {.live = 64 * MIB, .rate = 0.25};
    m.p.least = 0;
    cycles(&m, little, 10);
    assert_true(cycle(&m, much).over < 0.1);
    for (int n = 0; n < 10; n++)
        assert_true(cycle(&m, much).over < 0.1);
}

static double spread(double low, double high)
{
    static uint32_t seed = 1;
    seed = seed * 1664525u + 1013904223u;
    return low + (high - low) * (seed >> 8) / (1 << 24);
}

static void jitter(void **state)
{
    (void)state;
    struct machine m = machine(128 * MIB, 0, 100);
    cycles(&m, (struct load){.live = 16 * MIB, .rate = 0.03}, 5);
    double share = 0;
    for (int n = 0; n < 200; n++) {
        struct result r = cycle(&m, (struct load){.live = 16 * MIB * spread(0.95, 1.05), .rate = 0.03 * spread(0.7, 1.3)});
        assert_true(r.over < 0.05 && r.over > -0.15);
        share += r.share;
    }
    assert_true(share / 200 < 0.27);
}

static void heavy_jitter(void **state)
{
    (void)state;
    struct machine m = machine(128 * MIB, 0, 100);
    double share = 0;
    for (int n = 0; n < 200; n++) {
        struct result r = cycle(&m, (struct load){.live = 16 * MIB * spread(0.6, 1.4), .rate = 0.03 * spread(0.1, 3)});
        assert_true(n < 3 || (r.over < 0.25 && r.over > -0.45));
        share += r.share;
    }
    assert_true(share / 200 < 0.30);
}

static void oscillating(void **state)
{
    (void)state;
    struct machine m = machine(128 * MIB, 0, 100);
    double share = 0;
    for (int n = 0; n < 60; n++) {
        double rate = n % 8 < 4 ? 0.01 + 0.01 * (n % 4) : 0.04 - 0.01 * (n % 4);
        struct result r = cycle(&m, (struct load){.live = 16 * MIB, .rate = rate});
        assert_true(n < 4 || (r.over < 0.02 && r.over > -0.15 && r.share < 0.35));
        share += r.share;
    }
    assert_true(share / 60 < 0.29);
}

static void small_heap(void **state)
{
    (void)state;
    for (double live = 1 * KIB; live <= 36 * KIB; live += KIB) {
        struct machine m = machine(56 * KIB, 0, 100);
        struct load w = {.live = live, .rate = 0.01};
        for (int n = 0; n < 20; n++) {
            struct result r = cycle(&m, w);
            assert_true(r.over < 0.2 && r.peak <= 56 * KIB);
        }
        assert_true(cycle(&m, w).share < 0.40);
    }
}

static void large_heap(void **state)
{
    (void)state;
    static const double live[] = {1 * GIB, 16 * GIB, 512 * GIB};
    for (unsigned i = 0; i < 3; i++) {
        struct machine m = machine(8 * live[i], 0, 100);
        struct load w = {.live = live[i], .rate = 0.02};
        cycles(&m, w, 8);
        assert_rest(cycle(&m, w), 0.05);
    }
    /* Nothing wraps, however absurd. */
    struct pacer p;
    pacer_init(&p, UINT64_MAX, 0, 1, 10000);
    for (int n = 0; n < 10; n++) {
        uint64_t most = UINT64_MAX >> (n * 6);
        pacer_begin(&p, most);
        pacer_revise(&p, most - 1, most / 2);
        pacer_end(&p, &(struct pacer_cycle){most / 4, most, most, most, most, most, most / 64, most, 64});
        check_order(&p);
        assert_true(pacer_sweep_step(&p, 0, UINT32_MAX) >= 1);
    }
}

/* Big stacks and roots count in the goal. */
static void big_roots(void **state)
{
    (void)state;
    struct machine m = machine(256 * MIB, 0, 100);
    struct load w = {.live = 8 * MIB, .rate = 0.01, .stacks = 16 * MIB, .roots = 8 * MIB};
    cycles(&m, w, 5);
    assert_true(m.p.goal > 40 * MIB && m.p.goal < 42 * MIB);
    assert_rest(cycle(&m, w), 0.05);
}

static void high_and_low_percent(void **state)
{
    (void)state;
    static const unsigned percents[] = {1, 10, 25, 50, 200, 400, 1000, 10000};
    for (unsigned i = 0; i < sizeof percents / sizeof percents[0]; i++) {
        struct machine m = machine(2 * GIB, 0, percents[i]);
        struct load w = {.live = 4 * MIB, .rate = 0.01};
        m.p.least = 0;
        cycles(&m, w, 10);
        struct result r = cycle(&m, w);
        assert_true(r.over < 0.01);
        if (percents[i] >= 10)
            assert_rest(r, 0.06);
        double goal = r.live * (1 + percents[i] / 100.0);
        assert_true(m.p.goal > 0.99 * goal && m.p.goal < 1.01 * goal);
    }
}

/* Without a percent the limit is the goal. */
static void percent_off(void **state)
{
    (void)state;
    struct machine m = machine(64 * MIB, 32 * MIB, PACER_PERCENT_OFF);
    struct load w = {.live = 8 * MIB, .rate = 0.01};
    cycles(&m, w, 4);
    assert_true(m.p.goal == 32 * MIB);
    assert_rest(cycle(&m, w), 0.05);
}

/* The settings change between two cycles. */
static void at_run_time(void **state)
{
    (void)state;
    struct machine m = machine(128 * MIB, 0, 100);
    struct load w = {.live = 16 * MIB, .rate = 0.02};
    cycles(&m, w, 5);
    pacer_set_percent(&m.p, 50);
    check_order(&m.p);
    double goal = cycle(&m, w).goal;
    assert_true(goal < 27 * MIB && goal > 24 * MIB);
    assert_rest(cycle(&m, w), 0.05);
    pacer_set_percent(&m.p, 200);
    pacer_set_limit(&m.p, (uint64_t)(24 * MIB));
    check_order(&m.p);
    assert_true(cycle(&m, w).goal == 24 * MIB);
    assert_rest(cycle(&m, w), 0.05);
    pacer_set_limit(&m.p, 0);
    assert_true(m.p.limit == 112 * MIB && m.p.goal > 45 * MIB);
    cycle(&m, w);
    assert_rest(cycle(&m, w), 0.05);
}

/* The limit is near: the goal stays below it, and so does the heap. */
static void near_the_limit(void **state)
{
    (void)state;
    struct machine m = machine(64 * MIB, 0, 100);
    struct load w = {.live = 0.5 * 64 * MIB, .rate = 0.06};
    cycles(&m, w, 10);
    for (int n = 0; n < 20; n++) {
        struct result r = cycle(&m, w);
        assert_true(r.peak <= m.p.limit * 1.001 && r.assist < 0.05);
    }
    assert_true(m.fails == 0);
}

/* Much is live and the rate is high: tasks assist, the trigger comes early, and the limiter has no reason. */
static void early_trigger(void **state)
{
    (void)state;
    struct machine m = machine(64 * MIB, 0, 100);
    struct load w = {.live = 0.5 * 64 * MIB, .rate = 0.1};
    double early = cycles(&m, w, 13).assist;
    struct machine fixed = machine(64 * MIB, 0, 100);
    double late = 0;
    for (int n = 0; n < 13; n++) {
        fixed.p.low = 45;
        late = cycle(&fixed, w).assist;
    }
    assert_true(early < 0.16 && early < late);
    w.rate = 0.01;
    cycles(&m, w, 30);
    assert_true(m.p.low >= 45);
    assert_rest(cycle(&m, w), 0.05);
}

/* All of the limit is live.  The collector runs all the time; the limiter keeps it to half, by a second of each hart, and
 * then allocations fail.  When there is less again it is at rest again. */
static void limit_reached(void **state)
{
    (void)state;
    struct machine m = machine(64 * MIB, 32 * MIB, 100);
    struct load w = {.live = 31.9 * MIB, .rate = 0.2};
    double gc = 0, all = 0, peak = 0;
    bool limited = false;
    for (int n = 0; n < 300; n++) {
        struct result r = cycle(&m, w);
        limited |= m.limited;
        if (n >= 100) {
            gc += r.share * r.wall;
            all += r.wall;
        }
        peak = r.peak > peak ? r.peak : peak;
    }
    assert_true(limited && m.fails > 0);
    assert_true(gc / all < 0.53);
    assert_true(peak < 33 * MIB);
    w.live = 8 * MIB;
    w.rate = 0.01;
    m.used = 8 * MIB;
    cycles(&m, w, 8);
    assert_false(m.l.limiting);
    assert_rest(cycle(&m, w), 0.05);
}

static void limiter(void **state)
{
    (void)state;
    struct limiter l;
    limiter_init(&l, 2);
    limiter_update(&l, 0, UINT64_MAX);  /* idle time buys nothing */
    limiter_update(&l, 2 * LIMITER_NS_PER_HART - 1, 0);
    assert_false(l.limiting);
    limiter_update(&l, 5, 4);
    assert_true(l.limiting);
    limiter_update(&l, UINT64_MAX, 0);
    assert_true(l.limiting && l.fill == l.capacity);
    limiter_update(&l, 4, 5);
    assert_true(l.limiting);
    limiter_update(&l, 0, l.capacity / 8);
    assert_false(l.limiting);
    limiter_update(&l, l.capacity / 8, 0);
    assert_false(l.limiting);
    limiter_update(&l, 1, 0);
    assert_true(l.limiting);
}

static void refusals(void **state)
{
    (void)state;
    struct pacer p;
    pacer_init(&p, 1000000, 800000, 1000, 100);
    p.live = 750000;
    assert_true(pacer_refuses(&p, true, 790000, 10001));
    assert_true(pacer_refuses(&p, true, 790000, UINT64_MAX));
    assert_false(pacer_refuses(&p, true, 790000, 10000));
    assert_false(pacer_refuses(&p, false, 790000, 10001));
    p.live = 600000;                    /* a cycle would gain something */
    assert_false(pacer_refuses(&p, true, 790000, 10001));
    pacer_end(&p, &(struct pacer_cycle){.live = 750000, .allocated = 700000, .work = 50000, .wall_ns = 1, .harts = 1});
    assert_false(pacer_refuses(&p, true, 790000, 10001));       /* next to nothing of it was there when the cycle began */
    pacer_end(&p, &(struct pacer_cycle){.live = 750000, .allocated = 10000, .work = 740000, .wall_ns = 1, .harts = 1});
    assert_true(pacer_refuses(&p, true, 790000, 10001));
}

/* The sweep is over before the trigger, and not all of it at the first allocation. */
static void sweeping(void **state)
{
    (void)state;
    for (uint64_t blocks = 1; blocks < 300000; blocks = blocks * 3 + 1)
        for (uint64_t room = 1; room < 1u << 30; room = room * 5 + 3) {
            struct pacer p = {.trigger = 1000 + room};
            uint64_t step = pacer_sweep_step(&p, 1000, blocks);
            assert_true(step >= 1 && (step == 1 || step * blocks <= room));
            assert_true(step == 1 || step * blocks * 2 >= room - room / 16);
        }
    struct pacer p = {.trigger = 1000};
    assert_true(pacer_sweep_step(&p, 2000, 5) == 1);
    assert_true(pacer_sweep_step(&p, 0, 0) == UINT64_MAX);
}

static void assist_ratio(void **state)
{
    (void)state;
    struct pacer p;
    pacer_init(&p, 1 << 20, 0, 1000, 100);
    pacer_end(&p, &(struct pacer_cycle){.live = 100000, .work = 100000, .wall_ns = 1, .harts = 1});
    pacer_begin(&p, p.trigger);
    uint64_t room = p.goal - p.trigger;
    assert_int_equal(p.assist, (100000ull << PACER_SHIFT) / room);
    assert_int_equal(pacer_revise(&p, p.trigger + room / 2, 50000), (50000ull << PACER_SHIFT) / (room - room / 2));
    assert_true(pacer_revise(&p, p.trigger + 10, 100000 - 10) <= (4096ull << PACER_SHIFT) / (room - 10));
    /* More work than foretold: all that was in use, and the goal moves in proportion. */
    uint32_t more = pacer_revise(&p, p.trigger + 10, 110000);
    assert_true(more >= (4096ull << PACER_SHIFT) / (4 * room) && more < 4 * p.assist + (100ull << PACER_SHIFT));
    pacer_set_limit(&p, 100000);        /* no room at all */
    assert_int_equal(pacer_revise(&p, 150000, 0), UINT32_MAX);
}

static void arithmetic(void **state)
{
    (void)state;
    assert_true(pacer_scale(100, 3, 4) == 75);
    assert_true(pacer_scale(UINT64_MAX, 1, 1) == UINT64_MAX);
    assert_true(pacer_scale(UINT64_MAX, 2, 1) == UINT64_MAX);
    assert_true(pacer_scale(UINT64_MAX, 1, 0) == UINT64_MAX);
    assert_true(pacer_scale(UINT64_MAX / 3, 3, 1) == UINT64_MAX);
    assert_true(pacer_scale(1ull << 40, 3ull << 40, 1ull << 41) == 3ull << 39);
    assert_true(pacer_scale(7, UINT32_MAX, UINT32_MAX) == 7);
    assert_true(pacer_scale(12345678901234ull, 100, 100) == 12345678901234ull);
}

/* The kernel wants one wherever it is linked. */
int app_main(void)
{
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady),
        cmocka_unit_test(step_in_rate),
        cmocka_unit_test(step_in_rate_after_trigger),
        cmocka_unit_test(step_in_live),
        cmocka_unit_test(step_in_both),
        cmocka_unit_test(jitter),
        cmocka_unit_test(heavy_jitter),
        cmocka_unit_test(oscillating),
        cmocka_unit_test(small_heap),
        cmocka_unit_test(large_heap),
        cmocka_unit_test(big_roots),
        cmocka_unit_test(high_and_low_percent),
        cmocka_unit_test(percent_off),
        cmocka_unit_test(at_run_time),
        cmocka_unit_test(near_the_limit),
        cmocka_unit_test(early_trigger),
        cmocka_unit_test(limit_reached),
        cmocka_unit_test(limiter),
        cmocka_unit_test(refusals),
        cmocka_unit_test(sweeping),
        cmocka_unit_test(assist_ratio),
        cmocka_unit_test(arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
