/* SPDX-License-Identifier: Apache-2.0 */
/* The region that malloc grows in. */
#include "libc/libc_internal.h"

#include <errno.h>

static struct __lock lock = { .what = "sbrk" };
static char *lo, *hi, *brk;     /* lock: the region, and where malloc's part of it ends; lo NULL: none yet */
static bool told;               /* lock */

void *_sbrk(ptrdiff_t n);

static void tell(const char *what, size_t size)
{
    if (!told)
        hk_printf("libc: %s %u KiB for malloc; LIBC_HEAP_SIZE or libc_heap() says how many\n", what, (unsigned)(size >> 10));
    told = true;
}

static bool set(void *base, size_t size)
{
    if (lo || base == NULL || size == 0)
        return false;
    lo = brk = base;
    hi = lo + size;
    return true;
}

int libc_heap(void *base, size_t size)
{
    __retarget_lock_acquire_recursive(&lock);
    bool good = set(base, size);
    __retarget_lock_release_recursive(&lock);
    return good ? HK_OK : HK_EINVAL;
}

/* Lock held.  Moves the end by n; NULL: there is no room. */
static char *move(ptrdiff_t n)
{
    if (lo == NULL && !set(hk_mem_alloc(LIBC_HEAP_SIZE), LIBC_HEAP_SIZE)) {
        tell("there are no", LIBC_HEAP_SIZE);
        return NULL;
    }
    char *old = brk;
    if (n > hi - brk || n < lo - brk) {
        tell("used up: the", (size_t)(hi - lo));
        return NULL;
    }
    brk += n;
    return old;
}

void *_sbrk(ptrdiff_t n)
{
    __retarget_lock_acquire_recursive(&lock);
    char *old = move(n);
    __retarget_lock_release_recursive(&lock);
    if (old == NULL)
        errno = ENOMEM;
    return old ? old : (void *)-1;
}
