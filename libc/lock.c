/* SPDX-License-Identifier: Apache-2.0 */
/*
 * newlib's locks, on the kernel's mutexes.
 *
 * A kernel mutex is not recursive: a lock counts in `depth` how often its owner has it.  `depth` is the owner's, and is set
 * anew by each who gets the mutex, because the last owner may have ended with any depth.  hk_mutex_try tells "mine already"
 * from all else by HK_EDEADLK; hk_mutex_lock does not, since it means a circle as well.
 *
 * newlib asks for recursive and plain locks; all are recursive here, which it cannot tell.
 */
#include "libc/libc_internal.h"

#include <stdlib.h>

#define STATIC(name, text) struct __lock __lock___##name = { .what = text }
STATIC(sinit_recursive_mutex, "the start of a stream");
STATIC(sfp_recursive_mutex, "the list of streams");
STATIC(atexit_recursive_mutex, "atexit");
STATIC(at_quick_exit_mutex, "at_quick_exit");
STATIC(malloc_recursive_mutex, "malloc");
STATIC(env_recursive_mutex, "the environment");
STATIC(tz_mutex, "the time zone");
STATIC(dd_hash_mutex, "directories");
STATIC(arc4random_mutex, "arc4random");

/* For streams that came when memory was short: one for all of them is slower, not wrong. */
static struct __lock shared = { .what = "streams without a lock of their own" };
static uint32_t leaving;        /* atomic */

bool libc_alone(void)
{
    if (hk_task_self() == NULL)
        return true;
    if (!task_may_wait())
        hk_panic("newlib called in a handler, or in a critical or pinned section");
    return false;
}

/* ---- streams' locks --------------------------------------------------------------------------------------------- */

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
    struct __lock *l = malloc(sizeof *l);
    if (l)
        *l = (struct __lock){ .what = "a stream" };
    *lock = l ? l : &shared;
}

void __retarget_lock_init(_LOCK_T *lock)
{
    __retarget_lock_init_recursive(lock);
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
    if (lock != &shared && !ld_rlx(&leaving))
        free(lock);
}

void __retarget_lock_close(_LOCK_T lock)
{
    __retarget_lock_close_recursive(lock);
}

void libc_lock_leave(void)
{
    st_rlx(&leaving, 1);
}

void libc_lock_forgive(struct __lock *lock)
{
    int e = hk_mutex_try(&lock->mutex);
    if (e == HK_OK || e == HK_EOWNERDEAD)
        (void)hk_mutex_unlock(&lock->mutex);
}

/* ---- locking ---------------------------------------------------------------------------------------------------- */

/* What a mutex said that the caller owns now, or does not. */
static bool owned(struct __lock *lock, int e)
{
    if (e == HK_EOWNERDEAD)
        hk_panic("newlib: a task ended by a fault while it held the lock of %s, and may have left it half changed",
                 lock->what);
    if (e == HK_EDEADLK)
        hk_panic("newlib: waiting for the lock of %s would never end: its owner waits for this task", lock->what);
    if (e == HK_OK)
        lock->depth = 1;
    return e == HK_OK;
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    if (libc_alone())
        return 1;
    int e = hk_mutex_try(&lock->mutex);
    if (e != HK_EDEADLK)
        return owned(lock, e);
    lock->depth++;
    return 1;
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    if (!__retarget_lock_try_acquire_recursive(lock))
        (void)owned(lock, hk_mutex_lock(&lock->mutex));
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    if (libc_alone())
        return;
    hk_assert(lock->depth > 0);
    if (--lock->depth == 0 && hk_mutex_unlock(&lock->mutex) != HK_OK)
        hk_panic("newlib: the lock of %s is unlocked by a task that does not own it", lock->what);
}

int __retarget_lock_try_acquire(_LOCK_T lock)
{
    return __retarget_lock_try_acquire_recursive(lock);
}

void __retarget_lock_acquire(_LOCK_T lock)
{
    __retarget_lock_acquire_recursive(lock);
}

void __retarget_lock_release(_LOCK_T lock)
{
    __retarget_lock_release_recursive(lock);
}
