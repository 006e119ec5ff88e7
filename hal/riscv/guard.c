/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stack guards and read-only memory by physical memory protection (privileged specification 1.12, 3.7).
 *
 *   entry 0     the trap stack's guard: no access, locked, so that it binds handlers too
 *   entry 1     the running task's guard: no access; it moves at every switch.  Unlocked entries bind only what is checked
 *               as user mode: tasks, through mstatus.MPRV (see entry.S).  No task guard: it repeats entry 0.
 *   entry 2, 3  code and constants, from the one's address to the other's: no stores, locked, so by nobody until a reset
 *   entry 4     everything else: all access
 *
 * The first entry that matches an access decides.  The borders of code and constants are those of pages, so that any granule
 * that PMP may have will do.  A hart without PMP, or without user mode, works the same but for the guards and the protection;
 * so do all harts of a board with fewer entries.
 */
#include "hal_internal.h"

enum { PMP_R = 1, PMP_X = 4, PMP_RWX = 7, PMP_TOR = 1 << 3, PMP_NAPOT = 3 << 3, PMP_LOCK = 1 << 7 };
#define PMP_ALL (~(uintptr_t)0)
#define PMP_CFG (PMP_LOCK | PMP_NAPOT | PMP_NAPOT << 8 | (uintptr_t)(PMP_LOCK | PMP_TOR | PMP_R | PMP_X) << 24)
enum { ENTRIES = 5, PMP_CFG4 = PMP_NAPOT | PMP_RWX };

extern const char __text_start[], __constants_end[];

/* One aligned page, as a NAPOT address: bits 2 up, the size in the number of low ones. */
static uintptr_t napot_page(uintptr_t page)
{
    return page >> 2 | (RISCV_PAGE / 8 - 1);
}

/* The CSR is there if touching it does not trap.  mtvec leads to the end of the probe meanwhile; the trap leaves MPP at
 * machine mode and interrupts off, as they are. */
static bool has_pmp(void)
{
    uintptr_t there, vec;
    __asm__ volatile("la %1, 1f\n\t"
                     "csrrw %1, mtvec, %1\n\t"
                     "li %0, 0\n\t"
                     "csrw pmpaddr1, %2\n\t"
                     "csrr %0, pmpaddr1\n\t"
                     ".balign 4\n"
                     "1: csrw mtvec, %1"
                     : "=&r"(there), "=&r"(vec) : "r"(PMP_ALL) : "memory");
    return there != 0;
}

/* Cached translations, those of bare mode too, may hold old permissions. */
static void permissions_changed(const struct hal_hart *me)
{
    if (me->has_supervisor)
        __asm__ volatile("sfence.vma" : : : "memory");
}

void hal_guard_init_hart(struct hal_hart *me)
{
    me->has_supervisor = csr_read(misa) >> ('S' - 'A') & 1;
    if (me->has_supervisor)
        csr_write(satp, 0);         /* after reset it may hold anything, and would translate what MPRV makes user mode's */
    me->has_pmp = BOARD_PMP_ENTRIES >= ENTRIES && has_pmp();
    if (!me->has_pmp)
        return;
    me->guard_now = napot_page(me->trap_lo - RISCV_PAGE);
    csr_write(pmpaddr0, me->guard_now);
    csr_write(pmpaddr1, me->guard_now);
    csr_write(pmpaddr2, (uintptr_t)__text_start >> 2);
    csr_write(pmpaddr3, (uintptr_t)__constants_end >> 2);
    csr_write(pmpaddr4, PMP_ALL);
#if __riscv_xlen == 32
    csr_write(pmpcfg1, PMP_CFG4);       /* before entry 1 comes to bind tasks */
    csr_write(pmpcfg0, PMP_CFG);
#else
    csr_write(pmpcfg0, PMP_CFG | (uintptr_t)PMP_CFG4 << 32);
#endif
    permissions_changed(me);
}

bool hal_guard_read_only(const struct hal_hart *me, uintptr_t addr)
{
    return me->has_pmp && addr >= (uintptr_t)__text_start && addr < (uintptr_t)__constants_end;
}

void hal_guard_set(struct hal_hart *me, const struct hal_ctx *ctx)
{
    uintptr_t want = napot_page(ctx->guard ? ctx->guard : me->trap_lo - RISCV_PAGE);
    if (!me->has_pmp || want == me->guard_now)
        return;
    csr_write(pmpaddr1, want);
    me->guard_now = want;
    permissions_changed(me);
}
