/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time.  No board has a clock that goes on without power: time() counts from the start of the machine until settimeofday
 * says what time it is.  clock() and times() give the time since the start: tasks have no account of what they used.
 */
#include "libc/libc_internal.h"

#include <errno.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

enum { US = 1000000 };
static struct spinlock lock;
static int64_t ahead_us;        /* lock: what is added to the time since the start */

int _gettimeofday(struct timeval *tv, void *zone);
clock_t _times(struct tms *buf);

static int64_t now_us(void)
{
    return (int64_t)(hk_now() / 1000);
}

int _gettimeofday(struct timeval *tv, void *zone)
{
    (void)zone;
    hal_crit_t c = spin_lock_crit(&lock);
    int64_t us = now_us() + ahead_us;
    spin_unlock_crit(&lock, c);
    tv->tv_sec = (time_t)(us / US);
    tv->tv_usec = (suseconds_t)(us % US);
    return 0;
}

int settimeofday(const struct timeval *tv, const struct timezone *zone)
{
    (void)zone;
    int64_t seconds = tv->tv_sec, us = tv->tv_usec;
    if (seconds < 0 || seconds > INT64_MAX / US - US || us < 0 || us >= US) {
        errno = EINVAL;
        return -1;
    }
    hal_crit_t c = spin_lock_crit(&lock);
    ahead_us = seconds * US + us - now_us();
    spin_unlock_crit(&lock, c);
    return 0;
}

clock_t _times(struct tms *buf)
{
    clock_t now = (clock_t)(hk_now() / (1000000000 / CLOCKS_PER_SEC));
    *buf = (struct tms){ .tms_utime = now };
    return now;
}
