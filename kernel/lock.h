/* SPDX-License-Identifier: Apache-2.0 */
/* Spinlocks.  I1: who holds one is in a critical section, and critical sections are short and bounded. */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include "hal/hal.h"

struct spinlock {
    uint32_t held;              /* atomic: 0 free, 1 + hart index of the holder */
};

/* Takes the lock.  The caller is in a critical section already (spin_lock asserts it).  Spins: the holder is in a
 * critical section too, so it leaves within its bound. */
void spin_lock(struct spinlock *l);
/* Takes it if it is free.  Critical section. */
bool spin_try(struct spinlock *l);
void spin_unlock(struct spinlock *l);
/* Does this hart hold it?  Critical section. */
bool spin_holding(struct spinlock *l);

/* Critical section and lock in one. */
static inline hal_crit_t spin_lock_crit(struct spinlock *l)
{
    hal_crit_t c = hal_crit_enter();
    spin_lock(l);
    return c;
}
/* The same for a lock in an object of the program's: a pointer that leads nowhere faults here, outside of the section, where that
 * ends only the task. */
static inline hal_crit_t spin_lock_probed(struct spinlock *l)
{
    hal_probe(&l->held);
    return spin_lock_crit(l);
}
static inline void spin_unlock_crit(struct spinlock *l, hal_crit_t c)
{
    spin_unlock(l);
    hal_crit_exit(c);
}

#endif
