/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mark workers: one task a hart, parked where the scheduler finds it.
 *
 * Together they get a quarter of the harts' time.  Dedicated: the whole hart, for as many harts as make a quarter.
 * Fractional: where that is not a whole number within 30 %, a share of every hart, in turns of a tenth of a millisecond,
 * each started by a timer.  Idle: what a hart would sleep through.  Where harts idle, those mark, and the busy ones are left alone.
 * The hook only says whether a worker has a reason to run; the worker itself takes its mode as it starts, so nothing has to
 * be given back when the scheduler cannot run it after all.
 *
 * A worker that parks is looked at again by its hart's scheduler, after it has parked: no wake-up is lost between "found
 * nothing" and "parked".
 *
 * A hart may be given to marking: its worker is dedicated in each mark, and counts toward the quarter.  Or it is kept free: its
 * worker never starts there, only one that is ending a mark finishes that.  One hart at least is not kept free, and whatever
 * makes work wakes or calls only those; a worker whose hart has been kept free meanwhile calls one as it leaves.
 *
 * In a mark that steps drive no worker has a share but on harts given to marking: idle ones help, and any hart's worker runs
 * an errand, which is to scan a task that stands still for that, or to end the mark.  As soon as a task waits for the mark
 * (worker_hurry) workers get their shares.  So whoever waits, waits for workers that run.
 */
#include "gc/gc_internal.h"
#include "hal_mark.h"

enum { SHARE = 1024, CREDIT_SLACK = 2048 };
/* The longest that a fractional worker keeps a task from its hart at a time, in time and in bytes searched: whichever ends first. */
#define TURN_NS 100000u
#define TURN_BYTES (4u * 1024)
#define TURN_BYTES_ALONE (16u * 1024)

/* ---- shares and roles -------------------------------------------------------------------------------------------- */

struct worker_shares worker_shares(unsigned harts, unsigned given, unsigned kept_free)
{
    unsigned others = harts - given - kept_free;
    if (others == 0 || 4 * given >= harts)
        return (struct worker_shares){0, 0};
    unsigned wanted = harts - 4 * given;        /* in quarters of a hart */
    unsigned dedicated = (wanted + 2) / 4;
    unsigned off = 4 * dedicated > wanted ? 4 * dedicated - wanted : wanted - 4 * dedicated;
    bool exact = off * 10 <= 3 * harts;
    if (!exact && 4 * dedicated > wanted)
        dedicated--;
    if (dedicated >= others)
        return (struct worker_shares){others, 0};
    return (struct worker_shares){dedicated, exact ? 0 : (wanted * (SHARE / 4) - dedicated * SHARE) / (others - dedicated)};
}

static enum hgc_role role_of(unsigned hart)
{
    return (enum hgc_role)ld_rlx(&gc_of(hal_hart(hart))->role);
}

struct roles { unsigned of[HGC_ROLE_FREE + 1]; };
static struct roles count_roles(void)
{
    struct roles n = {{0}};
    for (unsigned i = 0, harts = hal_hart_count(); i < harts; i++)
        n.of[role_of(i)]++;
    return n;
}

/* role_lock.  Whoever has a seat too many keeps it until its drain ends: gc.dedicated is below 0 then. */
static void share_out(const struct roles *roles)
{
    unsigned n = hal_hart_count(), kept_free = roles->of[HGC_ROLE_FREE];
    struct worker_shares s = worker_shares(n, roles->of[HGC_ROLE_MARK], kept_free);
    if (gc.mode >= HGC_FORCE)
        s = (struct worker_shares){n - kept_free, 0};
    amo_add_rlx(&gc.dedicated, s.dedicated - gc.seats);
    gc.seats = s.dedicated;
    st_rlx(&gc.fraction, s.fraction);
}

/* World stopped.  Under the lock all the same, and worker_finish: handlers run, and may give roles.  Between the two a role that
 * is given changes the shares. */
void worker_prepare(bool stepped)
{
    hal_crit_t c = spin_lock_crit(&gc.role_lock);
    st_rlx(&gc.stepped, stepped && gc.mode < HGC_FORCE && !ld_rlx(&gc.waiters));
    struct roles roles = count_roles();
    st_rlx(&gc.errands, gc.stepped || roles.of[HGC_ROLE_FREE] > 0);
    st_rlx(&gc.dedicated, 0);
    st_rlx(&gc.fraction, 0);
    gc.seats = 0;
    if (!gc.stepped)
        share_out(&roles);
    gc.sharing = true;
    spin_unlock_crit(&gc.role_lock, c);
}

/* World stopped, the mark over: all seats were given back. */
void worker_finish(void)
{
    hal_crit_t c = spin_lock_crit(&gc.role_lock);
    hk_assert(ld_rlx(&gc.dedicated) == gc.seats);
    gc.sharing = false;
    spin_unlock_crit(&gc.role_lock, c);
}

/* A critical section, so that no stop falls in between: it is one and the same mark. */
void worker_hurry(void)
{
    if (!ld_rlx(&gc.stepped))
        return;
    hal_crit_t c = spin_lock_crit(&gc.role_lock);
    if (gc.sharing && ld_rlx(&gc.stepped)) {
        struct roles roles = count_roles();
        st_rlx(&gc.stepped, 0);
        share_out(&roles);
    }
    spin_unlock_crit(&gc.role_lock, c);
}

void worker_call(void)
{
    hal_crit_t c = hal_crit_enter();
    unsigned n = hal_hart_count(), i = hal_self()->index, end = i + n;
    while (i < end && ld_rlx(&hal_hart(i % n)->kept_free))
        i++;
    hart_kick(i % n);
    hal_crit_exit(c);
}

void worker_call_if_quiet(void)
{
    if (gc_is_on() && cycle_quiet())
        worker_call();
}

static void set_role(unsigned hart, enum hgc_role role)
{
    st_rlx(&gc_of(hal_hart(hart))->role, role);
    st_rlx(&hal_hart(hart)->kept_free, role == HGC_ROLE_FREE);
    if (role == HGC_ROLE_FREE)
        st_rlx(&gc.errands, 1);
}

void worker_roles(uint64_t mark, uint64_t kept_free)
{
    for (unsigned i = 0; i < hal_hart_count(); i++)
        set_role(i, mark >> i & 1 ? HGC_ROLE_MARK : kept_free >> i & 1 ? HGC_ROLE_FREE : HGC_ROLE_NORMAL);
}

/* A wake-up for mark work that was spent on a hart just before it was kept free goes to another one.  Who spent it published
 * the work, then a full fence, then read `kept_free`; here it is written, then the full fence of the wake-up: so whom this
 * wakes, or who is about to sleep, sees the work. */
int hgc_hart_role(unsigned hart, enum hgc_role role)
{
    if (hart >= hal_hart_count() || (unsigned)role > HGC_ROLE_FREE)
        return HGC_EINVAL;
    hal_crit_t c = spin_lock_crit(&gc.role_lock);
    enum hgc_role old = role_of(hart);
    struct roles roles = count_roles();
    bool last = role == HGC_ROLE_FREE && old != HGC_ROLE_FREE && roles.of[HGC_ROLE_FREE] + 1 == hal_hart_count();
    if (!last) {
        set_role(hart, role);
        roles.of[old]--;
        roles.of[role]++;
        if (gc.sharing && !ld_rlx(&gc.stepped))
            share_out(&roles);
    }
    spin_unlock_crit(&gc.role_lock, c);
    if (last)
        return HGC_EINVAL;
    hart_wake_helper();
    hart_kick(hart);
    return (int)old;
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

static bool work_any(void)
{
    return root_any() || markq_any();
}

/* Does a task stand still until somebody scans it, and perhaps nobody with a share comes soon? */
static bool errand(void)
{
    return ld_rlx(&gc.errands) && ld_rlx(&gc.claimed);
}

/* Has the fractional worker had more than its share of the hart's time since the mark began? */
static bool over_share(const struct gc_hart *g, uint64_t now)
{
    uint64_t used = g->mode_ns[WORKER_FRACTIONAL];
    if (g->mode == WORKER_FRACTIONAL)
        used += now - g->drain_from;
    return used * SHARE > (now - g->cycle_ns) * ld_rlx(&gc.fraction);
}

/* Does a hart that has nothing else to do mark, or is about to?  Then this one, which has, need not: an idle hart marks faster than
 * any share of this one, and takes a seat before it takes the idle mode.  In the background only: elsewhere all should mark. */
static bool others_idle(void)
{
    if (gc.mode >= HGC_FORCE)
        return false;
    if (ld_rlx(&gc.idle_drains) > 0)
        return (int32_t)ld_rlx(&gc.dedicated) <= (int32_t)ld_rlx(&gc.idle_drains);
    if (!hart_any_idle())
        return false;
    hart_wake_helper();
    return true;
}

struct task *worker_pick(struct hart *h, bool idle)
{
    struct gc_hart *g = gc_of(h);
    if (ld_rlx(&gc.terminating) == 1 + h->index)
        return g->worker;           /* all may wait for what it ends: a task of higher priority does not keep it from that */
    if (ld_rlx(&hgc_phase) != GC_MARK)
        return NULL;
    if (ld_rlx(&h->kept_free)) {
        if (work_any())                 /* what it pushed just before it was kept free, and others may not see yet */
            hart_wake_helper();
        return NULL;
    }
    if (!work_any())
        return !ld_rlx(&gc.terminating) && cycle_quiet() ? g->worker : NULL;
    g->asked_idle = idle;
    if (idle)
        return g->worker;
    if (g->gives_way) {
        g->gives_way = false;
        return NULL;
    }
    if (ld_rlx(&g->role) == HGC_ROLE_MARK || errand())
        return g->worker;
    bool wanted = (int32_t)ld_rlx(&gc.dedicated) > 0 || (ld_rlx(&gc.fraction) && !over_share(g, hal_time_ns()));
    return wanted && !others_idle() ? g->worker : NULL;
}

static bool take_dedicated(void)
{
    for (uint32_t n; (int32_t)(n = ld_rlx(&gc.dedicated)) > 0;)
        if (cas_acq(&gc.dedicated, n, n - 1))   /* [L-none: only the atomicity counts] */
            return true;
    return false;
}

/* Pinned. */
static enum worker_mode take_mode(struct gc_hart *g, uint64_t now)
{
    uint32_t role = ld_rlx(&g->role);
    if (role == HGC_ROLE_FREE)
        return WORKER_NONE;
    if (role == HGC_ROLE_MARK || (g->seat = take_dedicated()))
        return WORKER_DEDICATED;
    if (g->asked_idle)
        return WORKER_IDLE;
    if (ld_rlx(&gc.fraction) && !over_share(g, now))
        return WORKER_FRACTIONAL;
    return errand() ? WORKER_FRACTIONAL : WORKER_NONE;
}

/* ---- draining ---------------------------------------------------------------------------------------------------- */

void drain_enter(void)
{
    hart_pin();
    /* [L-quiet-take.acq, L-pin.look] */
    amo_add_ar(&gc.active, 1);          /* before it takes; partner: cycle_quiet reads work first, then active */
}

void drain_leave(void)
{
    amo_add_ar(&gc.active, -1);         /* [L-quiet-leave.rel, L-last-one.rel, L-last-one.acq] */
    if (ld_rlx(&hal_self()->kept_free))
        worker_call_if_quiet();         /* no worker of this hart looks; and it may be the mark's end that lets this task run again */
    hart_unpin();
}

bool drain_piece(bool brief)
{
    struct block *b;
    if (root_job())
        return true;
    if (!(b = markq_take()))
        return false;
    mark_block(b, brief && hal_hart_count() > 1 ? HGC_SLICE : HGC_BLOCK);
    return true;
}

static uintptr_t turn_bytes(void)
{
    return hal_hart_count() > 1 ? TURN_BYTES : TURN_BYTES_ALONE;
}

/* May the drain go on?  A dedicated one hands the hart's queue to the others first; tasks that must run here cannot go, so it
 * gives way to them for once, unless the hart is given to marking.  An errand ends with the last claimed task. */
static bool goes_on(struct gc_hart *g, uintptr_t searched)
{
    uint32_t role = ld_rlx(&g->role);
    if (role == HGC_ROLE_FREE || (g->mode == WORKER_DEDICATED && !g->seat && role != HGC_ROLE_MARK))
        return false;                   /* its role has changed */
    if (!hart_resched_due())
        return g->mode != WORKER_FRACTIONAL
            || (ld_rlx(&gc.fraction) && searched < turn_bytes() && hal_time_ns() - g->drain_from < TURN_NS) || errand();
    if (g->mode != WORKER_DEDICATED)
        return false;
    hart_shed();
    g->gives_way = role != HGC_ROLE_MARK && hart_others_wait();
    return !g->gives_way;
}

static void drain(struct gc_hart *g)
{
    uintptr_t from = hart_searched(g), paid = hart_work(g);
    bool idle = g->mode == WORKER_IDLE;
    amo_add_rlx(&gc.idle_drains, idle);
    if (idle)
        hart_gives_way();
    while (gc_is_on() && drain_piece(g->mode == WORKER_FRACTIONAL)) {
        uintptr_t done = hart_work(g);
        if (done - paid >= CREDIT_SLACK) {
            assist_credit(done - paid);
            paid = done;
        }
        if (!goes_on(g, hart_searched(g) - from))
            break;
    }
    amo_add_rlx(&gc.idle_drains, -(uint32_t)idle);
    assist_credit(hart_work(g) - paid);
}

/* In the drain still, so its mark cannot end before the seat is given back.  In a critical section: the scheduler, which asks
 * over_share, sees the time that is over in one place or in the other. */
static void account(struct gc_hart *g, enum worker_mode mode, uint64_t ns)
{
    hal_crit_t c = hal_crit_enter();
    g->mode = WORKER_NONE;
    uint64_t rest = ns + g->mode_rest[mode];
    own_add(&g->mode_us[mode], rest / 1000);
    g->mode_rest[mode] = (uint32_t)(rest % 1000);
    g->mode_ns[mode] += ns;
    if (g->seat)
        amo_add_rlx(&gc.dedicated, 1);
    g->seat = false;
    hal_crit_exit(c);
}

static void turn_due(void *hart)
{
    hart_kick((unsigned)(uintptr_t)hart);
}

/* Asks the scheduler again as soon as the worker has had no more than its share.  In the drain: the mark goes on. */
static void next_turn(struct gc_hart *g)
{
    uint32_t fraction = ld_rlx(&gc.fraction);
    if (fraction && !ld_rlx(&g->turn.hart))
        hk_timer_start(&g->turn, g->cycle_ns + g->mode_ns[WORKER_FRACTIONAL] * SHARE / fraction, turn_due,
                       (void *)(uintptr_t)hk_hart());
}

/* The counting plugin adds up what a drain executes (hal_mark.h). */
static void count_begin(enum worker_mode mode)
{
    switch (mode) {
    case WORKER_DEDICATED:  HAL_MARK(HAL_MARK_SECTION(HAL_MARK_DEDICATED)); break;
    case WORKER_FRACTIONAL: HAL_MARK(HAL_MARK_SECTION(HAL_MARK_FRACTIONAL)); break;
    default:                HAL_MARK(HAL_MARK_SECTION(HAL_MARK_IDLE)); break;
    }
}

static void count_end(enum worker_mode mode)
{
    switch (mode) {
    case WORKER_DEDICATED:  HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_DEDICATED)); break;
    case WORKER_FRACTIONAL: HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_FRACTIONAL)); break;
    default:                HAL_MARK(HAL_MARK_SECTION_END(HAL_MARK_IDLE)); break;
    }
}

static void work(void)
{
    drain_enter();
    struct gc_hart *g = gc_self();
    uint64_t begin = hal_time_ns();
    g->drain_from = begin;
    g->mode = gc_is_on() ? take_mode(g, begin) : WORKER_NONE;
    enum worker_mode mode = g->mode;
    if (mode != WORKER_NONE) {
        count_begin(mode);
        drain(g);
        count_end(mode);
        account(g, mode, hal_time_ns() - begin);
        if (mode == WORKER_FRACTIONAL)
            next_turn(g);
    }
    drain_leave();
}

static void worker_main(void *arg)
{
    (void)arg;
    for (;;) {
        if (gc_is_on()) {
            if (work_any())             /* or who is ending the mark would find a drain each time he looks */
                work();
            cycle_try_end();
            if (ld_rlx(&hal_hart(hk_hart())->kept_free))
                worker_call();          /* nobody asks for this one again, and it may leave work, or an end that failed */
        }
        task_park(NULL, hal_crit_enter());
    }
}

bool worker_init(void)
{
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        char name[20];
        hk_snprintf(name, sizeof(name), "mark/%u", i);
        struct gc_hart *g = gc_of(hal_hart(i));
        g->work_from = i + 1;
        if (!g->worker)
            g->worker = task_create_bound(name, i, worker_main, NULL);
        if (!g->worker)
            return false;
    }
    return true;
}
