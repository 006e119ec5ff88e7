/* SPDX-License-Identifier: Apache-2.0 */
/* From boot to the kernel: the order in which a machine is set up. */
#include "boot/boot.h"
#include "hal_internal.h"

extern unsigned char __trap_stacks[];

static void hart_init(unsigned index)
{
    struct hal_hart *me = hal_of(index);
    uintptr_t stack = (uintptr_t)__trap_stacks + index * (uintptr_t)(RISCV_PAGE + BOARD_TRAP_STACK);
    me->index = index;
    me->hartid = boot_hartid[index];
    me->trap_lo = stack + RISCV_PAGE;
    me->trap_hi = me->trap_lo + BOARD_TRAP_STACK;
    __asm__ volatile("mv tp, %0" : : "r"(me) : "memory");
    csr_write(mscratch, me);
    csr_write(mtvec, hal_trap_entry);

    hal_guard_init_hart(me);
    hal_timer_init_hart(me);
    hal_device_init_hart(me);
    csr_write(mie, MIE_MSIE | MIE_MTIE | MIE_MEIE);     /* which; mstatus.MIE says whether */
}

_Noreturn void boot_first(const void *fdt)
{
    hal_console_init();
    boot_find_harts();
    hal_args_init(fdt);
    hal_memory_init(fdt);
    hal_restart_init();
    hart_init(0);
    hal_hooks.start();
    boot_release();
    hal_hooks.start_hart();
    hal_die("start_hart returned");
}

_Noreturn void boot_next(unsigned hart)
{
    hart_init(hart);
    hal_hooks.start_hart();
    hal_die("start_hart returned");
}
