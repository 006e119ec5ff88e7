/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this layer share.
 *
 * Lock order, outer first, as newlib takes its own: a stream > sinit, sfp, atexit, env, tz > malloc > sbrk.
 */
#ifndef LIBC_INTERNAL_H
#define LIBC_INTERNAL_H

#include <sys/lock.h>

#include "hal/atomic.h"
#include "kernel/hk.h"
#include "kernel/lock.h"
#include "kernel/task.h"
#include "libc/libc.h"

/* newlib's name for a lock; what is in it is ours. */
struct __lock {
    struct hk_mutex mutex;
    uint32_t depth;             /* how often its owner has it; owner */
    const char *what;           /* constant */
};

/* ---- lock.c ---- */
/* The boot hart, before there are tasks?  Else in a task that may wait, or a panic. */
bool libc_alone(void);
/* The owner of `lock` has ended by a fault, and nobody else knows the lock: makes it as new. */
void libc_lock_forgive(struct __lock *lock);
/* exit has begun: locks that are closed keep their memory, because other tasks still run. */
void libc_lock_leave(void);

/* ---- console.c ---- */
/* A line, edited and echoed, or what is left of the last: at most n characters; 0: ^D at the start of a line. */
size_t libc_console_read(char *to, size_t n);

#endif
