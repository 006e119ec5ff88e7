/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks: their canary, and keeping those of ended tasks for new ones.
 *
 * The canary lies at the low end, right above the guard if the machine has one.  It is looked at whenever the task leaves
 * its hart and at every trap exit, so that an overflow is noticed and named soon even without a guard.
 */
#include "kernel/kernel_internal.h"

#define CANARY ((uintptr_t)0x5ca1ab1e)

void stack_mark(struct task *t)
{
    uintptr_t *low = (uintptr_t *)t->stack_lo;
    low[0] = CANARY;
    low[1] = ~CANARY;
}

bool stack_ok(const struct task *t, uintptr_t sp)
{
    const uintptr_t *low = (const uintptr_t *)t->stack_lo;
    return sp >= t->stack_lo && sp <= t->stack_hi && low[0] == CANARY && low[1] == ~CANARY;
}

/* ---- stacks that are kept, all of one size ---------------------------------------------------------------------- */

/* Lies at the high end of a kept stack: the low end may be a guard. */
struct kept { struct kept *next; };

static struct spinlock kept_lock;
static struct kept *kept;
static size_t kept_size;        /* kept_lock; of those that are kept now */
static unsigned kept_count;
static size_t in_use;           /* atomic: a figure */

static struct kept *link_of(void *mem, size_t size)
{
    return (struct kept *)((char *)mem + size) - 1;
}

void *stack_get(size_t size)
{
    void *mem = NULL;
    hal_crit_t c = spin_lock_crit(&kept_lock);
    if (kept && kept_size == size) {
        mem = (char *)(kept + 1) - size;
        kept = kept->next;
        kept_count--;
    }
    spin_unlock_crit(&kept_lock, c);
    if (!mem)
        mem = hk_mem_alloc(size);
    if (mem)
        amo_add_rlx(&in_use, size);
    return mem;
}

void stack_put(void *mem, size_t size)
{
    bool keep = false;
    amo_add_rlx(&in_use, -size);
    hal_crit_t c = spin_lock_crit(&kept_lock);
    if (kept == NULL)
        kept_size = size;
    if (kept_size == size && kept_count < HK_STACKS_KEPT) {
        struct kept *k = link_of(mem, size);
        k->next = kept;
        kept = k;
        kept_count++;
        keep = true;
    }
    spin_unlock_crit(&kept_lock, c);
    if (!keep)
        hk_mem_free(mem, size);
}

bool stack_give_back(void)
{
    hal_crit_t c = spin_lock_crit(&kept_lock);
    struct kept *k = kept;
    size_t size = kept_size;
    if (k) {
        kept = k->next;
        kept_count--;
    }
    spin_unlock_crit(&kept_lock, c);
    if (k)
        hk_mem_free((char *)(k + 1) - size, size);
    return k != NULL;
}

void task_stacks(size_t *used, size_t *spare)
{
    hal_crit_t c = spin_lock_crit(&kept_lock);
    *spare = kept_count * kept_size;
    spin_unlock_crit(&kept_lock, c);
    *used = ld_rlx(&in_use);
}
