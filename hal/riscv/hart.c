/* SPDX-License-Identifier: Apache-2.0 */
/* Harts, and the few instructions with which one waits or lets interrupts in. */
#include "boot/boot.h"
#include "hal_internal.h"
#include "layout.h"

unsigned hal_hart_count(void)
{
    return boot_hart_count;
}

/* boot_release goes by the count, and start.S parks a hart that is not in the map. */
void hal_hart_limit(unsigned n)
{
    boot_hart_count = n;
}

struct hart *hal_hart(unsigned index)
{
    return (struct hart *)(void *)(hal_hart_area + index * hal_hart_stride);
}

uint32_t hal_restarts(unsigned hart)
{
    return ld_rlx(&hal_of(hart)->restarts);
}

/* Wakes for what mie names though mstatus.MIE is off.  A wake-up that the caller's check does not see yet costs one more
 * turn of its loop and no more: the interrupt stays pending, so wfi does not sleep. */
void hal_wait(void)
{
    __asm__ volatile("wfi" : : : "memory");
}

/* What is pending is taken at the csrsi (privileged manual 3.1.9: conditions are evaluated right after a write to
 * mstatus).  Its mret leaves MPP at U; a handler goes on unchecked, as it was. */
void hal_irq_window(void)
{
    __asm__ volatile("slti x0, x0, %0\n\t"
                     "csrsi mstatus, %2\n\t"
                     "csrci mstatus, %2\n\t"
                     "slti x0, x0, %1"
                     : : "i"(HAL_MARK_IRQ_ON), "i"(HAL_MARK_IRQ_OFF), "i"(MSTATUS_MIE) : "memory");
    if (hal_in_trap())
        __asm__ volatile("slti x0, x0, %0\n\t"
                         "csrs mstatus, %1"
                         : : "i"(HAL_MARK_IRQ_OFF), "r"(MSTATUS_MPP) : "memory");
}

/* One load from tp: a task that asks may move between two instructions, but it never sees another hart's count. */
bool hal_in_trap(void)
{
    uint32_t nest;
    __asm__ volatile("lw %0, %1(tp)" : "=r"(nest) : "i"(HART_NEST) : "memory");
    return nest != 0;
}

_Noreturn void hal_die(const char *why)
{
    size_t n = 0;
    while (why[n])
        n++;
    hal_console_write("hal: ", 5);
    hal_console_write(why, n);
    hal_console_write("\n", 1);
    hal_exit(255);
}
