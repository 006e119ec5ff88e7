/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device interrupts: the platform-level interrupt controller (RISC-V PLIC specification 1.0).
 *
 * Each line goes to one hart.  A line with priority 0 is off.  The table entry of a line is written only while its
 * priority is 0 and no hart can be about to run its handler, so handlers read it without a lock.
 */
#include "boot/boot.h"
#include "hal/riscv/hal_internal.h"

static struct line {
    hal_irq_fn *fn;         /* NULL: free */
    void *arg;
    unsigned hart;
} lines[BOARD_PLIC_SOURCES];

/* Registering and the enable words that lines share.  atomic: 1 held.  The holder is in a critical section.  Memory's order says
 * nothing of devices: the fences keep the holder's accesses to the device between taking and releasing (L1, L2). */
static uint32_t plic_lock;

static uintptr_t priority(unsigned irq) { return BOARD_PLIC + 4 * (uintptr_t)irq; }
static uintptr_t context(unsigned hart) { return BOARD_PLIC_CONTEXT((uintptr_t)boot_hartid[hart]); }
static uintptr_t enable(unsigned hart, unsigned irq) { return BOARD_PLIC + 0x2000 + 0x80 * context(hart) + irq / 32 * 4; }
static uintptr_t threshold(unsigned hart) { return BOARD_PLIC + 0x200000 + 0x1000 * context(hart); }
static uintptr_t claim(unsigned hart) { return threshold(hart) + 4; }

static hal_crit_t lock(void)
{
    hal_crit_t c = hal_crit_enter();
    while (amo_swap_acq(&plic_lock, 1u))    /* partner: unlock */
        ;
    riscv_fence(r, io);                     /* L1, partner L2: after what the last holder wrote */
    return c;
}

static void unlock(hal_crit_t c)
{
    riscv_fence(io, w);                     /* L2, partner L1 */
    st_rel(&plic_lock, 0u);                 /* partner: lock */
    hal_crit_exit(c);
}

static void route(unsigned hart, unsigned irq, bool on)
{
    uint32_t bit = (uint32_t)1 << irq % 32, word = mmio_r32(enable(hart, irq));
    mmio_w32(enable(hart, irq), on ? word | bit : word & ~bit);
}

/* What was enabled before reset is unknown. */
void hal_device_init_hart(struct hal_hart *me)
{
    for (unsigned irq = 0; irq < BOARD_PLIC_SOURCES; irq += 32)
        mmio_w32(enable(me->index, irq), 0);
    mmio_w32(threshold(me->index), 0);
}

void hal_device_interrupt(struct hal_hart *me)
{
    own_add(&me->in_device, 1u);    /* a count: a handler may open a window for another */
    riscv_fence(w, i);      /* G1, partner G2: if a claim still finds the line, its unregister sees in_device */
    unsigned irq;
    while ((irq = mmio_r32(claim(me->index))) != 0) {
        riscv_fence(i, r);  /* partner: the fence in hal_irq_register; the entry is that of the line that was claimed */
        lines[irq].fn(lines[irq].arg);
        mmio_w32(claim(me->index), irq);
    }
    riscv_fence(o, w);      /* G3, partner L1 of who unregisters: the completion comes before */
    st_rel(&me->in_device, ld_rlx(&me->in_device) - 1);  /* partner: the acquire in hal_irq_unregister */
}

int hal_irq_register(unsigned irq, unsigned hart, unsigned prio, hal_irq_fn *fn, void *arg)
{
    if (!fn || irq == 0 || irq >= BOARD_PLIC_SOURCES || hart >= hal_hart_count())
        return HAL_EIRQ;
    hal_crit_t c = lock();
    bool is_free = !lines[irq].fn;
    if (is_free) {
        lines[irq] = (struct line){ fn, arg, hart };
        riscv_fence(w, o);  /* partner: the fence after the claim */
        route(hart, irq, true);
        mmio_w32(priority(irq), prio < 1 ? 1 : prio > BOARD_PLIC_PRIO_MAX ? BOARD_PLIC_PRIO_MAX : prio);
    }
    unlock(c);
    return is_free ? HAL_OK : HAL_EIRQ;
}

/* The line stays routed until no handler can run, because a completion for a line that is not enabled is ignored, and the
 * line would stay claimed for ever. */
void hal_irq_unregister(unsigned irq)
{
    if (irq == 0 || irq >= BOARD_PLIC_SOURCES || !lines[irq].fn)
        return;
    unsigned hart = lines[irq].hart;
    mmio_w32(priority(irq), 0);
    riscv_fence(o, r);      /* G2, partner G1 */
    while (ld_acq(&hal_of(hart)->in_device))    /* as long as a handler runs; ours has returned, we are in a task */
        ;
    hal_crit_t c = lock();
    route(hart, irq, false);
    lines[irq].fn = NULL;
    unlock(c);
}
