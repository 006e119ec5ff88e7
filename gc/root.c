/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roots: registered ranges, and one job per task.
 *
 * A stack is scanned while its task does not run.  One that is off its hart is claimed and scanned at once.  One that runs
 * is asked to leave; as it leaves, the kernel claims it and calls root_claimed, and any worker scans it from the list of
 * claimed tasks.  If it dies first, root_died closes the job; if it scans itself first, hgc_scan_self does.  Exactly one of the
 * four closes each job.
 * A task that is born while marking runs is black: what it was given is shaded (I11), and what it reads is shaded or black.
 */
#include "gc/gc_internal.h"

/* root_lock held. */
static struct root_range *find_range(uintptr_t base)
{
    for (unsigned i = 0; i < gc.nroots; i++)
        if (gc.roots[i].base == base && gc.roots[i].bytes)
            return &gc.roots[i];
    return NULL;
}

/* A place for a range, root_lock held.  Those that were emptied are used again, but not in a cycle, which knows them by
 * number. */
static struct root_range *take_place(void)
{
    for (unsigned i = 0; !gc_is_on() && i < gc.nroots; i++)
        if (!gc.roots[i].bytes)
            return &gc.roots[i];
    return gc.nroots < ROOTS_MAX ? &gc.roots[gc.nroots] : NULL;
}

static struct root_range *link(const void *base, size_t bytes, bool plain)
{
    hal_crit_t c = spin_lock_crit(&gc.root_lock);
    struct root_range *r = take_place();
    if (r) {
        st_rlx(&r->base, (uintptr_t)base);
        st_rlx(&r->bytes, bytes);
        r->plain = plain;
        gc.plain_roots += plain;
        if (plain)
            st_rlx(&gc.plain, 1);
        if (r == &gc.roots[gc.nroots])
            st_rel(&gc.nroots, gc.nroots + 1);      /* [L-none: the stop of the next cycle orders it] */
    }
    spin_unlock_crit(&gc.root_lock, c);
    return r;
}

static void shade_range(uintptr_t base, size_t bytes)
{
    for (uintptr_t p = base, end = base + bytes; p < end;) {
        hal_crit_t c = hal_crit_enter();
        for (unsigned i = 0; i < BARRIER_PIECE && p < end && gc_is_on(); i++, p += WORD)
            mark_word(ld_rlx((uintptr_t *)p));
        bool on = gc_is_on();
        hal_crit_exit(c);
        if (!on)
            return;
    }
}

/* What was stored before the mark, with no shade, may be on the caller's stack alone besides, and be gone from there before that is
 * scanned.  A mark that is on has no job for the range and does not end in a drain; the next one has. */
static int add(const void *base, size_t bytes, bool plain)
{
    if (!base || bytes == 0 || (uintptr_t)base % WORD || bytes % WORD || bytes > UINTPTR_MAX - (uintptr_t)base)
        return HGC_EINVAL;
    drain_enter();
    struct root_range *r = link(base, bytes, plain);
    if (r)
        shade_range((uintptr_t)base, bytes);
    drain_leave();
    worker_call_if_quiet();
    return r ? HGC_OK : HGC_ENOMEM;
}

int hgc_root_add(const void *base, size_t bytes)
{
    return add(base, bytes, false);
}

int hgc_root_add_plain(const void *base, size_t bytes)
{
    return add(base, bytes, true);
}

/* It keeps its place while a cycle may look at it by number. */
static void empty(struct root_range *r)
{
    hal_crit_t c = spin_lock_crit(&gc.root_lock);
    st_rlx(&r->bytes, 0);
    gc.plain_roots -= r->plain;
    while (!gc_is_on() && gc.nroots && !gc.roots[gc.nroots - 1].bytes)
        st_rlx(&gc.nroots, gc.nroots - 1);
    spin_unlock_crit(&gc.root_lock, c);
}

/* The range is shaded in pieces and emptied in one and the same cycle, or in none: no cycle begins under the start lock.  One
 * that is on may end.  A job that looks at the range was counted before it was emptied; it is in a drain, so it has its hart. */
int hgc_root_remove(const void *base)
{
    hk_assert(task_may_wait());
    hk_mutex_lock(&gc.start_lock);
    hal_crit_t c = spin_lock_crit(&gc.root_lock);
    struct root_range *r = find_range((uintptr_t)base);
    size_t bytes = r ? r->bytes : 0;
    spin_unlock_crit(&gc.root_lock, c);
    if (r) {
        shade_range((uintptr_t)base, bytes);
        empty(r);
        while (ld_acq(&r->readers))     /* [L-countdown.acq] */
            hk_yield();
    }
    hk_mutex_unlock(&gc.start_lock);
    return r ? HGC_OK : HGC_EINVAL;
}

/* World stopped. */
void root_prepare(void)
{
    gc.root_jobs = gc.nroots;
    gc.jobs = special_jobs() + gc.nroots + task_slots();
    st_rlx(&gc.jobs_open, gc.jobs);
    st_rlx(&gc.jobs_again, 0);
    st_rlx(&gc.job_next, 0);
}

/* Who takes one of these jobs has seen job_next go back, so what it takes from jobs_open is taken from the new number.  That
 * it sees jobs_again is not certain, nor needed: the look that counts is the one in the stop. */
void root_again(void)
{
    st_rlx(&gc.jobs_again, 1);
    st_rlx(&gc.jobs_open, gc.jobs);
    st_rel(&gc.job_next, 0);            /* partner: the branch before amo_add_rel jobs_open [L-jobs-again.rel] */
    hart_wake_helper();
}

bool root_any(void)
{
    return ld_rlx(&gc.job_next) < gc.jobs || ld_rlx(&gc.claimed);
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

struct word_walk {
    struct task *task;
    void (*fn)(void *arg, uintptr_t word, uintptr_t where);
    void *arg;
};

/* A stack holds whatever its functions put there, red zones of the address sanitizer included. */
HAL_NO_SANITIZE static void each_word_from(void *walk, uintptr_t sp)
{
    const struct word_walk *w = walk;
    for (uintptr_t p = sp & ~(uintptr_t)(WORD - 1); p + WORD <= w->task->stack_hi; p += WORD)
        w->fn(w->arg, *(const volatile uintptr_t *)p, p);
}

/* What is saved of the calling task is of the last time that it left its hart or was interrupted: its registers, and words that
 * have been others since.  So it spills those that it has now. */
void task_each_word(struct task *t, void (*fn)(void *arg, uintptr_t word, uintptr_t where), void *arg)
{
    struct word_walk walk = {t, fn, arg};
    struct hal_roots r;
    if (t == task_self()) {
        hal_spill(each_word_from, &walk);
        return;
    }
    hal_ctx_roots(&t->ctx, &r);
    for (unsigned i = 0; i < r.nregs; i++)
        fn(arg, r.regs[i], i);
    each_word_from(&walk, r.sp);
}

static void mark_stack_word(void *arg, uintptr_t word, uintptr_t where)
{
    (void)arg, (void)where;
    mark_word(word);
}

void root_mark_stack(struct task *t)
{
    if (stacks_only_now(t))
        st_rlx(&t->gc_left_out, ld_rlx(&gc.cycle));
    else
        task_each_word(t, mark_stack_word, NULL);
    mark_own_stacks(t);
}

/* Verify mode compares with a second look at this stack at the end of the mark.  Stale words below sp would then be taken
 * for references that were missed, so they are cleared while the task cannot run, or by the task that scans itself. */
HAL_NO_SANITIZE static void clear_up_to(const struct task *t, uintptr_t sp)
{
    for (uintptr_t p = t->stack_lo + HK_STACK_CANARY_BYTES; p + WORD <= sp; p += WORD)
        *(volatile uintptr_t *)p = 0;
}

static uintptr_t saved_sp(const struct task *t)
{
    struct hal_roots r;
    hal_ctx_roots(&t->ctx, &r);
    return r.sp;
}

/* Marking leaves addresses of many objects behind.  Where it ran on a task's stack, a later frame may come to lie around
 * such a word and make it look like a reference of the task's. */
HAL_NO_SANITIZE __attribute__((noinline)) void root_wipe_below(void)
{
    volatile uintptr_t below[128];
    for (unsigned i = 0; i < sizeof(below) / WORD; i++)
        below[i] = 0;
}

/* Was its stack scanned in this cycle, and need it not be again?  Where there are plain roots, all stacks are looked at twice. */
static bool stack_done(const struct task *t)
{
    return ld_rlx(&t->gc_seen) == ld_rlx(&gc.cycle) && !(ld_rlx(&gc.jobs_again) && ld_rlx(&gc.plain));
}

static void count_stack(uintptr_t bytes, bool first)
{
    own_add(&gc_self()->scan_stacks, bytes);
    if (first)
        own_add(&gc_self()->stack_bytes, bytes);
}

/* Scans a claimed task, gives it back, and closes its job. */
static void scan_claimed(struct task *t)
{
    bool first = ld_rlx(&t->gc_seen) != ld_rlx(&gc.cycle);
    if (!stack_done(t)) {
        root_mark_stack(t);
        count_stack(t->stack_hi - saved_sp(t), first);
        if (gc.cfg.verify)
            clear_up_to(t, saved_sp(t));
    }
    st_rlx(&t->gc_seen, ld_rlx(&gc.cycle));
    task_unclaim(t);
    amo_add_rel(&gc.jobs_open, -1);     /* after all that it marked; partner: cycle_quiet [L-countdown.rel] */
}

/* Invariant: the task does nothing else from the first word that is looked at until it counts as seen, so all is taken at one instant
 * of its, as in a claim.  In a drain, in which the mark does not end: so others may see it as done at any time. */
static void scan_own(struct task *t)
{
    enum { NEAR = 512 };                /* below this frame: of functions that it calls */
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    root_mark_stack(t);
    count_stack(t->stack_hi - here, true);
    root_wipe_below();
    if (gc.cfg.verify)
        clear_up_to(t, here - NEAR);
    st_rlx(&t->gc_seen, ld_rlx(&gc.cycle));
    if (task_claim_take_back())
        amo_add_rel(&gc.jobs_open, -1); /* [L-countdown.rel] */
}

/* A second look, where there are plain roots, is left to a claim. */
static bool own_scan_due(const struct task *t)
{
    return gc_is_on() && !t->no_stack_roots && ld_rlx(&t->gc_seen) != ld_rlx(&gc.cycle) && !ld_rlx(&gc.jobs_again);
}

void hgc_scan_self(void)
{
    struct task *t = task_self();
    hk_assert(task_may_wait());
    if (!own_scan_due(t))               /* no drain for nothing: a mark that is about to end would have to try again */
        return;
    gc_need_stack();
    drain_enter();
    if (own_scan_due(t))
        scan_own(t);
    drain_leave();
    worker_call_if_quiet();             /* it may have been the last thing open */
}

void root_claimed(struct task *t)
{
    spin_lock(&gc.claimed_lock);
    t->gc_next = gc.claimed;
    st_rlx(&gc.claimed, t);
    spin_unlock(&gc.claimed_lock);
    hart_wake_helper();
    if (ld_rlx(&gc.errands))
        worker_call();                  /* no worker of those that run may have a share left */
}

void root_died(struct task *t)
{
    if (ld_rlx(&t->claim_want)) {
        amo_add_rel(&gc.jobs_open, -1);     /* [L-countdown.rel] */
        hart_wake_helper();             /* it may have been the last thing open */
    }
}

/* Inside the critical section that links it: no stop falls in between, so either the cycle's jobs include its slot, or it
 * is born with the phase on and is black. */
void root_born(struct task *t)
{
    uint32_t n = ld_rlx(&gc.cycle);     /* while none is on, the last one's, so the next looks at the task */
    st_rlx(&t->gc_seen, n);
    st_rlx(&t->gc_left_out, n - 1);
    st_rlx(&t->gc_leaked, n + (UINT32_C(1) << 31));     /* the number wraps, so there is none that means "never" */
    if (gc.cfg.verify)
        clear_up_to(t, saved_sp(t));
}

/* Its stack is to be left alone: for now (leak.c), or because it has been looked at, by the task itself or in a first look. */
static bool passed_over(unsigned slot)
{
    hal_crit_t c = hal_crit_enter();
    const struct task *t = task_lock_slot(slot);
    bool over = t && (stack_done(t) || leak_puts_off(t));
    task_unlock_slot();
    hal_crit_exit(c);
    return over;
}

static void task_job(unsigned slot)
{
    struct task *t;
    uintptr_t arg, result;
    if (task_words(slot, &arg, &result)) {
        mark_word(arg);
        mark_word(result);
    }
    if (passed_over(slot)) {
        amo_add_rel(&gc.jobs_open, -1);     /* [L-countdown.rel] */
        return;
    }
    switch (task_claim(slot, &t)) {
    case TASK_CLAIMED:
        scan_claimed(t);
        return;
    case TASK_ON_HART:                  /* it may end at any moment: t is not looked at */
        switch (task_claim_leave(slot, &t)) {
        case TASK_CLAIMED:
            scan_claimed(t);
            return;
        case TASK_ON_HART:
            return;                     /* root_claimed, root_died or hgc_scan_self closes it */
        case TASK_NONE:
            break;
        }
        break;
    case TASK_NONE:
        break;
    }
    amo_add_rel(&gc.jobs_open, -1);     /* [L-countdown.rel] */
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

/* With ordinary accesses, as the program's. */
HAL_NO_SANITIZE void root_scan_plain(const struct root_range *r)
{
    for (uintptr_t p = r->base, end = p + r->bytes; p < end; p += WORD)
        mark_word(*(const volatile uintptr_t *)p);
}

static void scan_range(const struct root_range *r)
{
    for (uintptr_t p = r->base, end = p + r->bytes; p < end; p += WORD)
        mark_word(ld_rlx((uintptr_t *)p));
}

/* As it is now, and nobody may unmap it until leave_range. */
static struct root_range enter_range(struct root_range *r)
{
    hal_crit_t c = spin_lock_crit(&gc.root_lock);
    struct root_range now = {.base = r->base, .bytes = r->bytes, .plain = r->plain};
    amo_add_rlx(&r->readers, 1);
    spin_unlock_crit(&gc.root_lock, c);
    return now;
}

static void leave_range(struct root_range *r)
{
    amo_add_rel(&r->readers, -1);       /* [L-countdown.rel] */
}

static void range_job(struct root_range *r)
{
    struct root_range now = enter_range(r);
    if (now.plain)
        root_scan_plain(&now);
    else if (!ld_rlx(&gc.jobs_again))
        scan_range(&now);
    own_add(&gc_self()->scan_roots, now.bytes);
    leave_range(r);
    amo_add_rel(&gc.jobs_open, -1);     /* [L-countdown.rel] */
}

static struct task *take_claimed(void)
{
    if (!ld_rlx(&gc.claimed))
        return NULL;
    hal_crit_t c = spin_lock_crit(&gc.claimed_lock);
    struct task *t = gc.claimed;
    if (t)
        st_rlx(&gc.claimed, t->gc_next);
    spin_unlock_crit(&gc.claimed_lock, c);
    return t;
}

bool root_job(void)
{
    struct task *t = take_claimed();
    if (t) {
        scan_claimed(t);
        return true;
    }
    if (ld_rlx(&gc.job_next) >= gc.jobs)
        return false;
    uint32_t i = amo_add_rlx(&gc.job_next, 1);
    if (i >= gc.jobs)
        return false;
    uint32_t special = gc_special.jobs;
    if (i < special)
        special_job(i);
    else if (i - special < gc.root_jobs)
        range_job(&gc.roots[i - special]);
    else
        task_job(i - special - gc.root_jobs);
    return true;
}
