/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPIs and time: SiFive's CLINT (also the ACLINT of QEMU's virt machine).
 *
 * Who sends an IPI has written a request to memory; who takes it reads that.  The bits .aq and .rl do not order memory
 * against devices, so both sides use fences that name them: F1 and F2.
 */
#include "boot/boot.h"
#include "hal/riscv/hal_internal.h"

#if BOARD_TIMER_HZ == 0 || 1000000000 % BOARD_TIMER_HZ != 0
#error "BOARD_TIMER_HZ: clint.c wants a whole number of nanoseconds a tick"
#endif
enum { NS_PER_TICK = 1000000000 / BOARD_TIMER_HZ };

#define NEVER UINT64_MAX

static uintptr_t msip(uint32_t hartid) { return BOARD_CLINT + 4 * (uintptr_t)hartid; }
static uintptr_t mtimecmp(uint32_t hartid) { return BOARD_CLINT + 0x4000 + 8 * (uintptr_t)hartid; }
#define MTIME ((uintptr_t)BOARD_CLINT + 0xbff8)

/* ---- IPIs ---- */

void hal_ipi_send(unsigned index)
{
    riscv_fence(rw, o);     /* F1, partner F2: the request is visible before the interrupt; rw: so is what we read */
    mmio_w32(msip(boot_hartid[index]), 1);
}

/* First clear, then read requests: the other way round a request that comes between is lost with its interrupt.  Taking
 * the interrupt counts as device input, the clear as output; both come before the reads. */
void hal_ipi_clear(struct hal_hart *me)
{
    mmio_w32(msip(me->hartid), 0);
    riscv_fence(io, rw);    /* F2, partner F1 */
}

/* ---- time ---- */

#if __riscv_xlen == 64
static uint64_t mtime(void) { return *(volatile uint64_t *)MTIME; }
static void set_mtimecmp(uint32_t hartid, uint64_t t) { *(volatile uint64_t *)mtimecmp(hartid) = t; }
#else
static uint64_t mtime(void)
{
    uint32_t hi, lo;
    do {
        hi = mmio_r32(MTIME + 4);
        lo = mmio_r32(MTIME);
    } while (hi != mmio_r32(MTIME + 4));
    return (uint64_t)hi << 32 | lo;
}

/* Never below the later of the two values meanwhile: no interrupt comes from a half-written one. */
static void set_mtimecmp(uint32_t hartid, uint64_t t)
{
    mmio_w32(mtimecmp(hartid) + 4, UINT32_MAX);
    mmio_w32(mtimecmp(hartid), (uint32_t)t);
    mmio_w32(mtimecmp(hartid) + 4, (uint32_t)(t >> 32));
}
#endif

/* The counter starts at reset; no board of ours sets it. */
uint64_t hal_time_ns(void)
{
    return mtime() * NS_PER_TICK;
}

static void set_deadline(struct hal_hart *me, uint64_t ticks)
{
    me->deadline = ticks;
    set_mtimecmp(me->hartid, ticks);
}

void hal_timer_set(uint64_t ns)
{
    set_deadline(hal_me(), ns == UINT64_MAX ? NEVER : ns / NS_PER_TICK + (ns % NS_PER_TICK != 0));
}

/* At reset the comparator may hold 0: pending at once. */
void hal_timer_init_hart(struct hal_hart *me)
{
    set_deadline(me, NEVER);
}

/* A change of the comparator may take a while to show as mip.MTIP, so an interrupt for the old value can still come. */
bool hal_timer_expired(struct hal_hart *me)
{
    bool due = me->deadline != NEVER && mtime() >= me->deadline;
    set_deadline(me, due ? NEVER : me->deadline);
    return due;
}
