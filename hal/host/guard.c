/* SPDX-License-Identifier: Apache-2.0 */
/* Stack guards: a page that may not be touched, from hal_ctx_init to hal_ctx_fini.  A stack that is not of hal_memory has
 * none: it may share its pages with other things. */
#include <sys/mman.h>
#include <unistd.h>

#include "hal_internal.h"

static bool pages_fit;      /* constant: the operating system's pages are no larger than the guard */

void hal_guard_init(void)
{
    pages_fit = sysconf(_SC_PAGESIZE) <= HAL_GUARD_SIZE;
}

uintptr_t hal_guard_set(uintptr_t lo, uintptr_t hi)
{
    uintptr_t memory_lo, memory_hi;
    hal_memory(&memory_lo, &memory_hi);
    if (!pages_fit || lo % HAL_GUARD_SIZE || hi - lo <= HAL_GUARD_SIZE || lo < memory_lo || hi > memory_hi)
        return 0;
    return mprotect((void *)lo, HAL_GUARD_SIZE, PROT_NONE) == 0 ? lo : 0;
}

void hal_guard_clear(uintptr_t page)
{
    if (page && mprotect((void *)page, HAL_GUARD_SIZE, PROT_READ | PROT_WRITE) != 0)
        hal_die("a stack guard cannot be taken away");
}
