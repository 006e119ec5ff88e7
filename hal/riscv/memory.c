/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What memory is free: from behind the trap stacks of the harts that are there to the end of the bank that the device
 * tree names.  The tree itself lies in that bank; all that is wanted of it is read here and in args.c, so its place is free as
 * well.
 */
#include "boot/boot.h"
#include "boot/fdt.h"
#include "hal_internal.h"

extern unsigned char __trap_stacks[];

static uintptr_t free_lo, free_hi;

void hal_memory_init(const void *fdt)
{
    uint64_t lo, hi;
    if (!fdt_memory(fdt, BOARD_RAM_BASE, &lo, &hi))
        hi = (uint64_t)BOARD_RAM_BASE + BOARD_RAM_SIZE;
    const uintptr_t last = UINTPTR_MAX & ~(uintptr_t)(RISCV_PAGE - 1);
    if (hi > last)      /* RV32: a bank may reach beyond what we can address */
        hi = last;
    free_lo = (uintptr_t)__trap_stacks + boot_hart_count * (uintptr_t)(RISCV_PAGE + BOARD_TRAP_STACK);
    free_hi = (uintptr_t)hi & last;
    if (free_hi <= free_lo)
        hal_die("the image leaves no free memory");
}

void hal_memory(uintptr_t *lo, uintptr_t *hi)
{
    *lo = free_lo;
    *hi = free_hi;
}
