/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pacer in the collector: feeds pacer.c with what was measured, and publishes its answers as single words that anybody
 * reads without a lock.  The settings of percent and limit, the levels of pressure, and the time trigger.
 *
 * gc.pacer and gc.limiter belong to pace_lock, or to who has stopped the world (who holds a spinlock cannot be stopped).
 * Times that are compared are 32-bit counts of microseconds or milliseconds, which no machine tears; they wrap, and only
 * differences are used.
 */
#include "gc/gc_internal.h"

enum {
    WINDOW_US = 10000,          /* the limiter looks at no shorter stretch of time */
    FORGET_US = 60000000,       /* and at no longer one: what is older says nothing */
};
#define MS UINT64_C(1000000)
#define PERIOD_DEFAULT_NS (120000 * MS)

static uint32_t ms(uint64_t ns)
{
    return (uint32_t)(ns / MS);
}

static uint32_t now_us(void)
{
    return (uint32_t)(hal_time_ns() / 1000);
}

/* ---- publishing -------------------------------------------------------------------------------------------------- */

/* All below: pace_lock, or world stopped. */

static void publish_sweep(void)
{
    uintptr_t used = ld_rlx(&gc.used);
    uint32_t next = ld_rlx(&gc.sweep_next);
    uint32_t left = next < gc.nblocks ? gc.nblocks - next : 0;
    st_rlx(&gc.sweep_from, used);
    st_rlx(&gc.sweep_first, gc.nblocks - left);
    uint64_t step = pacer_sweep_step(&gc.pacer, used, left);
    st_rlx(&gc.sweep_step, step < UINTPTR_MAX ? (uintptr_t)step : UINTPTR_MAX);
}

static void publish(void)
{
    st_rlx(&gc.goal, (uintptr_t)gc.pacer.goal);
    st_rlx(&gc.trigger, (uintptr_t)gc.pacer.trigger);
    st_rlx(&gc.limit, (uintptr_t)gc.pacer.limit);
    publish_sweep();
}

static uint64_t work_done(void)
{
    uint64_t work = 0;
    for (unsigned i = 0; i < hal_hart_count(); i++)
        work += hart_work(gc_of(hal_hart(i)));
    return work;
}

/* Asked again when the heap has come another 1/32 nearer to its goal. */
static void publish_assist(uintptr_t used)
{
    uintptr_t goal = ld_rlx(&gc.goal), room = used < goal ? goal - used : 0;
    st_rlx(&gc.revise_at, used + room / 32 + HGC_BLOCK);
    st_rlx(&gc.assist_ratio, gc.pacer.assist);
}

/* ---- the limiter ------------------------------------------------------------------------------------------------- */

/* Tasks' time spent in waiting so far, those that wait now included. */
static uint32_t waited(void)
{
    return gc.wait_done + gc.wait_tasks * now_us() - gc.wait_starts;
}

/* Microseconds since the start; the unsigned 32-bit sums wrap as their terms do. */
static struct pace_sums sums(void)
{
    struct pace_sums s = {.stopped = (uint32_t)(gc.pause_total / 1000) * hal_hart_count(), .waited = waited()};
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        s.idle += ld_rlx(&hal_hart(i)->idle_us);
        const struct gc_hart *g = gc_of(hal_hart(i));
        s.idle += (uint32_t)ld_rlx(&g->mode_us[WORKER_IDLE]);
        s.worker += (uint32_t)(ld_rlx(&g->mode_us[WORKER_DEDICATED]) + ld_rlx(&g->mode_us[WORKER_FRACTIONAL]));
    }
    return s;
}

static uint32_t over(uint32_t a, uint32_t b)
{
    return a > b ? a - b : 0;
}

/* The window since the last look.  Idle workers' time counts as idle.  Verify mode spends its time in stops, so its
 * figures say nothing. */
static void limiter_look(void)
{
    uint32_t now = now_us(), wall = now - gc.limiter_us, all = wall * hal_hart_count();
    if (gc.cfg.verify || wall < WINDOW_US)
        return;
    struct pace_sums s = sums(), was = gc.limiter_sums;
    gc.limiter_sums = s;
    gc.limiter_us = now;
    uint32_t worker = s.worker - was.worker, assist = amo_swap_rlx(&gc.limiter_assist_us, 0);
    uint32_t stopped = s.stopped - was.stopped, tasks = over(all, s.idle - was.idle + worker + stopped);
    uint64_t gc_us = (uint64_t)worker + assist + (s.waited - was.waited) + stopped;
    if (wall > FORGET_US)
        limiter_init(&gc.limiter, hal_hart_count());
    else
        limiter_update(&gc.limiter, (gc_us < all ? gc_us : all) * 1000, (uint64_t)over(tasks, assist) * 1000);
    if (gc.limiter.limiting) {
        amo_or_rlx(&gc.pressure_due, 1u << HGC_PRESSURE_HARD);
        st_rlx(&gc.limiter_cycle, ld_rlx(&gc.cycle));
    } else {
        st_rlx(&gc.chances, 0);
    }
    st_rlx(&gc.limiting, gc.limiter.limiting);
}

/* The limiter looks here, too: where allocations fail no cycle may begin any more, and nobody else would find that the program
 * has had its share again. */
bool pace_refuses(size_t size)
{
    if (!pace_limiting())
        return false;
    hal_crit_t c = spin_lock_crit(&gc.pace_lock);
    limiter_look();
    bool no = pacer_refuses(&gc.pacer, gc.limiter.limiting, ld_rlx(&gc.used), size);
    spin_unlock_crit(&gc.pace_lock, c);
    return no;
}

bool pace_taken(void)
{
    hal_crit_t c = spin_lock_crit(&gc.pace_lock);
    bool taken = ld_rlx(&gc.used) > gc.pacer.live - gc.pacer.newborn;
    spin_unlock_crit(&gc.pace_lock, c);
    return taken;
}

void pace_assisted(uint64_t ns)
{
    amo_add_rlx(&gc.assist_us, (uint32_t)(ns / 1000));
    amo_add_rlx(&gc.limiter_assist_us, (uint32_t)(ns / 1000));
}

__attribute__((noinline)) void gc_need_stack(void)
{
    volatile unsigned char room[2048];
    room[0] = 0;
    (void)room[0];
}

uint32_t pace_wait_begin(void)
{
    gc_need_stack();
    hal_crit_t c = spin_lock_crit(&gc.pace_lock);
    uint32_t since = now_us();
    gc.wait_tasks++;
    gc.wait_starts += since;
    spin_unlock_crit(&gc.pace_lock, c);
    return since;
}

void pace_wait_end(uint32_t since)
{
    hal_crit_t c = spin_lock_crit(&gc.pace_lock);
    gc.wait_tasks--;
    gc.wait_starts -= since;
    gc.wait_done += now_us() - since;
    spin_unlock_crit(&gc.pace_lock, c);
}

/* ---- a cycle ----------------------------------------------------------------------------------------------------- */

void pace_begin(void)
{
    limiter_look();
    st_rlx(&gc.assist_us, 0);
    gc.wait_before = waited();
    st_rlx(&gc.period_due, 0);
    st_rlx(&gc.last_ms, ms(hal_time_ns()));
    pacer_begin(&gc.pacer, gc.used);
    publish_assist(gc.used);
}

void pace_revise(void)
{
    if (!gc_is_on() || ld_rlx(&gc.used) < ld_rlx(&gc.revise_at))
        return;
    hal_crit_t c = spin_lock_crit(&gc.pace_lock);
    uintptr_t used = ld_rlx(&gc.used);
    if (gc_is_on() && used >= ld_rlx(&gc.revise_at)) {
        limiter_look();
        pacer_revise(&gc.pacer, used, work_done());
        publish_assist(used);
    }
    spin_unlock_crit(&gc.pace_lock, c);
}

/* What is left of the limit decides.  The bits are told by the next task that allocates. */
static void pressure(void)
{
    uint32_t due = 0;
    uintptr_t limit = ld_rlx(&gc.limit);
    if (gc.live > limit - limit / 4)
        due |= 1u << HGC_PRESSURE_SOFT;
    if (gc.live > limit - limit / 8 || gc.limiter.limiting)
        due |= 1u << HGC_PRESSURE_HARD;
    st_rlx(&gc.pressure_due, due);
}

static uint64_t root_bytes(void)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < gc.nroots; i++)
        bytes += gc.roots[i].bytes;
    return bytes;
}

void pace_end(uint64_t marked_until)
{
    struct pacer_cycle c = {
        .live = gc.live,
        .roots = root_bytes(),
        .work = work_done(),
        .allocated = gc.times.used_end - gc.times.used_start,
        .assist_ns = (uint64_t)(ld_rlx(&gc.assist_us) + (waited() - gc.wait_before)) * 1000,
        .wall_ns = marked_until - gc.times.mark_ns,
        .harts = hal_hart_count(),
    };
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        struct gc_hart *g = gc_of(hal_hart(i));
        c.stacks += g->stack_bytes;
        c.mark_ns += g->assist_ns + g->step_ns;
        for (unsigned mode = WORKER_NONE + 1; mode < WORKER_MODES; mode++)
            c.mark_ns += g->mode_ns[mode];
    }
    st_rlx(&gc.last_ms, ms(hal_time_ns()));     /* again: a stopped cycle may last longer than the period */
    limiter_look();
    pacer_end(&gc.pacer, &c);
    publish();
    st_rlx(&gc.assist_ratio, 0);
    if (!pacer_refuses(&gc.pacer, true, gc.pacer.arena, 1))
        st_rlx(&gc.chances, 0);         /* this one gained something */
    st_rlx(&gc.pressure_told, 0);
    pressure();
}

/* ---- sweeping ---------------------------------------------------------------------------------------------------- */

/* At most SWEEP_MOST blocks: a large object's share is swept by the allocations after it, too. */
void pace_sweep(void)
{
    if (ld_rlx(&gc.sweep_next) >= gc.nblocks)
        return;
    uintptr_t used = ld_rlx(&gc.used), from = ld_rlx(&gc.sweep_from), step = ld_rlx(&gc.sweep_step);
    uintptr_t due = ld_rlx(&gc.sweep_first) + (used > from ? (used - from) / step : 0) + 1;
    for (unsigned all = 0, spent = 1; all < SWEEP_MOST && spent && ld_rlx(&gc.sweep_next) < due; all += spent)
        spent = sweep_some(SWEEP_PIECE);
}

/* ---- pressure ---------------------------------------------------------------------------------------------------- */

bool pace_tell(enum hgc_pressure level)
{
    if (!gc.cfg.pressure)
        return false;
    bool any = false;
    for (unsigned i = HGC_PRESSURE_SOFT; i <= level; i++)
        if (!(amo_or_rlx(&gc.pressure_told, 1u << i) & (1u << i))) {
            gc.cfg.pressure((enum hgc_pressure)i, ld_rlx(&gc.live), ld_rlx(&gc.limit));
            any = true;
        }
    return any;
}

void pace_tell_due(void)
{
    uint32_t due = ld_rlx(&gc.pressure_due) ? amo_swap_rlx(&gc.pressure_due, 0) : 0;
    if (due)
        pace_tell(due >> HGC_PRESSURE_HARD & 1 ? HGC_PRESSURE_HARD : HGC_PRESSURE_SOFT);
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

/* The goal of a running cycle moves as well; the sweep is spread over what is left to the new trigger; what was tight may be
 * wide now. */
static void repaced(hal_crit_t c)
{
    publish();
    pressure();
    if (gc_is_on()) {
        uintptr_t used = ld_rlx(&gc.used);
        pacer_revise(&gc.pacer, used, work_done());
        publish_assist(used);
    }
    spin_unlock_crit(&gc.pace_lock, c);
}

unsigned hgc_set_percent(unsigned percent)
{
    if (percent == 0)
        percent = PACE_PERCENT;
    if (percent > PACE_PERCENT_MAX && percent != HGC_PERCENT_OFF)
        percent = PACE_PERCENT_MAX;
    hal_crit_t c = spin_lock_crit(&gc.pace_lock);
    unsigned old = gc.pacer.percent;
    pacer_set_percent(&gc.pacer, percent);
    repaced(c);
    return old;
}

size_t hgc_set_limit(size_t bytes)
{
    hal_crit_t c = spin_lock_crit(&gc.pace_lock);
    size_t old = (size_t)gc.pacer.limit;
    pacer_set_limit(&gc.pacer, bytes);
    repaced(c);
    return old;
}

/* ---- the time trigger -------------------------------------------------------------------------------------------- */

/* period_over runs in stops, too, so what it has seen of last_ms may be from before the one that begins or ends a cycle. */
bool pace_period_due(void)
{
    return ld_rlx(&gc.period_due) && ms(hal_time_ns()) - ld_rlx(&gc.last_ms) >= ms(gc.cfg.period_ns);
}

/* In a handler: the sweeper's task starts the cycle, or a task that allocates before it comes to run. */
static void period_over(void *arg)
{
    (void)arg;
    uint64_t now = hal_time_ns();
    uint32_t period = ms(gc.cfg.period_ns), age = ms(now) - ld_rlx(&gc.last_ms);
    uint64_t wait = gc.cfg.period_ns;
    if (age >= period) {
        st_rlx(&gc.period_due, 1);
        hk_event_set(&gc.sweep_wake);
    } else {
        wait = (uint64_t)(period - age) * MS;
    }
    hk_timer_start(&gc.period_timer, now + wait, period_over, NULL);
}

void pace_init(void)
{
    pacer_init(&gc.pacer, gc.bytes, gc.cfg.limit, gc.cfg.min_trigger, gc.cfg.percent);
    limiter_init(&gc.limiter, hal_hart_count());
    gc.limiter_us = now_us();
    publish();
    if (!gc.cfg.period_ns)
        gc.cfg.period_ns = PERIOD_DEFAULT_NS;
    gc.last_ms = ms(gc.born_ns);
    if (gc.cfg.period_ns != HGC_PERIOD_OFF)
        hk_timer_start(&gc.period_timer, gc.born_ns + gc.cfg.period_ns, period_over, NULL);
}
