/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The task table, and a task's life: created, entered, ended, joined.
 *
 * A task and its stack are one allocation: the stack below, struct task above it, where an overflow does not reach it.
 * The table owns nothing; it lets the collector find all tasks.  A task stands in it from its creation until it is joined
 * (detached: until it has left its hart); table_lock keeps it from going away.
 */
#include "kernel/kernel_internal.h"
#include "kernel/string.h"

#define ALIGN 16u

static struct spinlock table_lock;
/* A task, or in a free slot FREE(next free slot).  Atomic words; written under table_lock. */
static uintptr_t table[HK_MAX_TASKS];
#define FREE(slot) ((uintptr_t)(slot) << 1 | 1)
static unsigned slots;                          /* atomic: those ever used; written under table_lock; never falls */
static unsigned first_free = HK_MAX_TASKS;      /* table_lock; HK_MAX_TASKS: none below `slots` */

/* ---- the collector's hooks -------------------------------------------------------------------------------------- */

static struct task_hooks hooks;
static const struct task_hooks *published;      /* atomic: &hooks, or NULL */

void task_hooks_set(const struct task_hooks *h)
{
    hk_assert(ld_rlx(&published) == NULL);
    hooks = *h;
    /* [L-mp.rel] */
    st_rel(&published, &hooks);         /* partner: the acquires below, on harts that look for work already */
}

void task_hook_claimed(struct task *t)
{
    const struct task_hooks *h = ld_acq(&published);    /* [L-mp.acq] */
    hk_assert(h && h->claimed);         /* nobody else makes claims */
    h->claimed(t);                      /* it may run, and end, on another hart by now */
}

void task_hook_died(struct task *t)
{
    const struct task_hooks *h = ld_acq(&published);    /* [L-mp.acq] */
    if (h && h->died)
        h->died(t);
}

void task_hook_handover(uintptr_t word)
{
    const struct task_hooks *h = ld_acq(&published);    /* [L-mp.acq] */
    hk_assert(hal_crit_held());
    if (h && h->handover)
        h->handover(word);
}

struct task *task_hook_pick(struct hart *hart, bool idle)
{
    const struct task_hooks *h = ld_acq(&published);    /* [L-mp.acq] */
    return h && h->pick ? h->pick(hart, idle) : NULL;
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

unsigned task_slots(void)
{
    return ld_acq(&slots);              /* [L-mp.acq] */
}

struct task *task_at(unsigned slot)
{
    uintptr_t word = slot < ld_acq(&slots) ? ld_acq(&table[slot]) : FREE(0);    /* [L-mp.acq] */
    return word & 1 ? NULL : (struct task *)word;
}

struct task *task_lock_slot(unsigned slot)
{
    spin_lock(&table_lock);
    return task_at(slot);
}

void task_unlock_slot(void)
{
    spin_unlock(&table_lock);
}

bool task_words(unsigned slot, uintptr_t *arg, uintptr_t *result)
{
    hal_crit_t c = spin_lock_crit(&table_lock);
    struct task *t = task_at(slot);
    if (t) {
        *arg = ld_rlx(&t->arg);
        *result = ld_rlx(&t->result);
    }
    spin_unlock_crit(&table_lock, c);
    return t != NULL;
}

/* Table locked.  A slot for `t`, the ones used before first; HK_MAX_TASKS: there is none. */
static unsigned take_slot(struct task *t)
{
    unsigned slot = first_free;
    if (slot < HK_MAX_TASKS)
        first_free = (unsigned)(ld_rlx(&table[slot]) >> 1);
    else
        slot = ld_rlx(&slots);
    if (slot == HK_MAX_TASKS)
        return slot;
    t->slot = slot;
    st_rel(&table[slot], (uintptr_t)t);     /* partner: task_at [L-mp.rel] */
    if (slot == ld_rlx(&slots))
        st_rel(&slots, slot + 1);           /* partner: task_slots, task_at [L-mp.rel] */
    return slot;
}

/* I11: argument, shade and linking are one critical section. */
static bool link_task(struct task *t, uintptr_t arg)
{
    const struct task_hooks *h = ld_acq(&published);    /* [L-mp.acq] */
    hal_crit_t c = spin_lock_crit(&table_lock);
    st_rlx(&t->arg, arg);
    task_hook_handover(arg);
    bool linked = take_slot(t) < HK_MAX_TASKS;
    if (linked && h && h->born)
        h->born(t);
    spin_unlock_crit(&table_lock, c);
    return linked;
}

static void unlink_task(struct task *t)
{
    hal_crit_t c = spin_lock_crit(&table_lock);
    hk_assert(ld_rlx(&table[t->slot]) == (uintptr_t)t);
    st_rlx(&table[t->slot], FREE(first_free));
    first_free = t->slot;
    spin_unlock_crit(&table_lock, c);
}

/* ---- creation --------------------------------------------------------------------------------------------------- */

static void setup(struct task *t, const char *name, void *lo, void *hi, void (*entry)(void *))
{
    memset(t, 0, sizeof *t);
    for (size_t i = 0; i < sizeof t->name - 1 && name[i]; i++)
        t->name[i] = name[i];
    t->stack_lo = (uintptr_t)lo + HAL_GUARD_SIZE;
    t->stack_hi = (uintptr_t)hi;
    t->affinity = -1;
    t->prio = t->base_prio = HK_NORMAL;
    t->state = TASK_READY;
    hal_ctx_init(&t->ctx, lo, hi, entry, t);
    stack_mark(t);
}

/* The start of every task: what any code does behind a switch, then its own function. */
static void enter(void *self)
{
    struct task *t = self;
    sched_after(hal_self());
    uintptr_t arg = ld_rlx(&t->arg);
    task_hook_handover(arg);            /* from a root to this stack, which may have been scanned */
    st_rlx(&t->arg, 0);
    hal_crit_exit(HAL_CRIT_OPEN);
    t->fn((void *)arg);
    hk_task_exit(NULL);
}

struct task *task_make(const char *name, size_t stack_size, void (*entry)(void *))
{
    size_t top = (sizeof(struct task) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    stack_size = stack_size < (size_t)HAL_STACK_MIN + 1 ? HAL_STACK_MIN : stack_size;
    size_t size = (HAL_GUARD_SIZE + stack_size + top + HK_PAGE - 1) & ~(size_t)(HK_PAGE - 1);
    _Static_assert(HAL_STACK_ALIGN <= HK_PAGE, "stacks are page-aligned: HAL_STACK_ALIGN must not be more");
    char *mem = stack_get(size);
    if (mem == NULL)
        return NULL;
    struct task *t = (struct task *)(mem + size - top);
    setup(t, name, mem, t, entry);
    t->mem = mem;
    t->mem_size = size;
    return t;
}

/* Gives back what task_make took: nobody knows the task. */
static void unmake(struct task *t)
{
    hal_ctx_fini(&t->ctx);
    stack_put(t->mem, t->mem_size);
}

int hk_task_create(struct task **out, const struct hk_task_config *cfg, void (*fn)(void *), void *arg)
{
    static const struct hk_task_config defaults;
    size_t stack_size;
    if (cfg == NULL)
        cfg = &defaults;
    stack_size = cfg->stack_size ? cfg->stack_size : HK_STACK_SIZE;
    if (fn == NULL || (unsigned)cfg->prio >= HK_PRIOS || stack_size > SIZE_MAX / 4 || cfg->hart_plus_1 < 0
        || cfg->hart_plus_1 > HK_MAX_HARTS || (start_done() && cfg->hart_plus_1 > (int)hal_hart_count()))
        return HK_EINVAL;
    hk_assert(!start_done() || task_may_wait());
    struct task *t = task_make(cfg->name ? cfg->name : "task", stack_size, enter);
    if (t == NULL)
        return HK_ENOMEM;
    t->fn = fn;
    t->affinity = cfg->hart_plus_1 - 1;
    t->prio = t->base_prio = cfg->set_prio ? cfg->prio : HK_NORMAL;
    t->detached = cfg->detached;
    t->system = cfg->system;
    t->joined = cfg->detached;          /* so that nobody joins it */
    t->hart = hk_hart();
    if (out)
        *out = t;
    if (!link_task(t, (uintptr_t)arg)) {
        unmake(t);
        return HK_ENOMEM;
    }
    hal_crit_t c = hal_crit_enter();
    queue_put(t);
    hal_crit_exit(c);
    return HK_OK;
}

struct task *task_create_bound(const char *name, unsigned hart, void (*fn)(void *), void *arg)
{
    struct task *t = task_make(name, HK_STACK_SIZE, enter);
    if (t == NULL)
        return NULL;
    t->fn = fn;
    t->affinity = (int)hart;
    t->hart = hart;
    t->bound = t->system = t->no_stack_roots = true;
    t->state = TASK_PARKED;
    if (link_task(t, (uintptr_t)arg))
        return t;
    unmake(t);
    return NULL;
}

/* ---- end -------------------------------------------------------------------------------------------------------- */

void task_end(struct hart *h, struct task *t)
{
    hk_assert(ld_rlx(&h->current) == t && t->held == NULL);
    sched_leave(h, t, TASK_DEAD);       /* claims fail from here on; its wish, if any, is in t->claim_want */
    task_hook_died(t);
    if (!t->detached)
        hk_event_set(&t->done);         /* who joins it waits for `busy` too */
}

_Noreturn void hk_task_exit(void *result)
{
    struct task *t = task_self();
    hk_assert(task_may_wait());
    if (t->reent_end)
        t->reent_end(t, false);
    mutex_abandon(t);
    (void)hal_crit_enter();
    struct hart *h = hal_self();
    task_hook_handover((uintptr_t)result);
    st_rlx(&t->result, (uintptr_t)result);
    task_end(h, t);
    struct task *next = sched_next(h);
    sched_run(h, next ? next : sched_take_idle(h));
    hk_panic("a task that has ended was resumed");
}

void task_free(struct task *t)
{
    hk_assert(ld_rlx(&t->state) == TASK_DEAD);
    unlink_task(t);
    hal_ctx_fini(&t->ctx);
    stack_put(t->mem, t->mem_size);
}

int hk_task_join(struct task *t, void **result)
{
    hk_assert(task_may_wait());
    if (t == task_self())
        return HK_EDEADLK;
    if (result)
        hal_probe((uintptr_t *)result); /* a bad pointer faults here, where that ends only the task, and `t` can be joined yet */
    if (amo_swap_rlx(&t->joined, 1))
        return HK_EINVAL;
    hk_event_wait(&t->done, HK_FOREVER);
    /* [L-leave.busy] */
    while (ld_acq(&t->busy) != 0)       /* partner: hal_switch.  Its hart is in the critical section of its end */
        ;
    hal_crit_t c = hal_crit_enter();
    uintptr_t word = ld_rlx(&t->result);
    task_hook_handover(word);
    if (result)
        *result = (void *)word;
    bool fault = t->exited_by_fault;
    task_free(t);
    hal_crit_exit(c);
    return fault ? HK_EFAULT : HK_OK;
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

struct task *task_self(void)
{
    hal_crit_t c = hal_crit_enter();    /* between finding tp and reading through it the task could change its hart */
    struct task *t = ld_rlx(&hal_self()->current);
    hal_crit_exit(c);
    return t;
}

bool task_may_wait(void)
{
    if (hal_crit_held() || !start_done())
        return false;
    hal_crit_t c = hal_crit_enter();
    struct hart *h = hal_self();
    bool may = h->pin == 0 && ld_rlx(&h->current) != h->idle && !hal_in_trap();
    hal_crit_exit(c);
    return may;
}

struct task *hk_task_self(void)
{
    return task_self();
}

const char *hk_task_name(const struct task *t)
{
    return t->name;
}
