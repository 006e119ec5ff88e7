/* SPDX-License-Identifier: Apache-2.0 */
/* Which harts are there, and letting them go. */
#include "boot/boot.h"
#include "boot/riscv.h"

uint32_t boot_hartid[BOARD_MAX_HARTS];
uint32_t boot_hart_count;
extern uint32_t boot_go;

static uintptr_t msip(uint32_t hartid)
{
    return BOARD_CLINT + 4 * (uintptr_t)hartid;
}

/* The MSIP bit of a hart that does not exist reads 0 whatever was written to it.  One that does exist sleeps in start.S
 * or is on its way there, has interrupts off, and does not touch the bit; it is awake for the moment that it is set. */
static int hart_exists(uint32_t hartid)
{
    mmio_w32(msip(hartid), 1);
    int there = mmio_r32(msip(hartid)) & 1;
    mmio_w32(msip(hartid), 0);
    return there;
}

void boot_find_harts(void)
{
    boot_hartid[0] = BOARD_BOOT_HART;
    boot_hart_count = 1;
    for (uint32_t id = 0; id < BOARD_MAX_HARTS; id++)
        if (id != BOARD_BOOT_HART && boot_hart_count < BOARD_MAX_HARTS && hart_exists(id))
            boot_hartid[boot_hart_count++] = id;
}

void boot_release(void)
{
    riscv_fence(rw, w);     /* partner: the fence in start.S after it saw boot_go */
    *(volatile uint32_t *)&boot_go = BOOT_GO;
    riscv_fence(w, o);      /* who wakes by the IPI finds boot_go set; else it would sleep for ever */
    for (uint32_t i = 1; i < boot_hart_count; i++)
        mmio_w32(msip(boot_hartid[i]), 1);
}
