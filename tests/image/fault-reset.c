/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/* reset: unchecked_rubbish */
/*
 * At reset nothing is known but the code and the data that were loaded: here all harts come from a piece of code that
 * fills the zeroed data, the handlers' stacks and free memory with rubbish, and each register and CSR that boot might
 * trust; then they go on where the machine begins.  The image comes up and works as ever.
 */
#include "gc/hgc.h"
#include "tap.h"

enum { ARENA = 1 << 20 };

/* What the image takes for zero, if nobody clears it. */
static uint64_t zeroes[4096];

/* Memory up to 48 MiB of 64: QEMU's device tree lies behind.  Not in mstatus: MIE, since what is pending would go
 * through mtvec before boot has its turn.  Not in pmpcfg: locks, which nothing but a reset opens.  MPRV with MPP at
 * user mode makes loads and stores fault, so it comes last.  At 0x1000 is QEMU's own reset code, and in its ninth word the
 * device tree's address; a1 is the one register that boot may trust. */
extern const char unchecked_rubbish[];
__asm__(".text\n"
        ".globl unchecked_rubbish\n"
        "unchecked_rubbish:\n\t"
        "li t6, 0x9e3779b97f4a7c15\n\t"
        "csrr t0, mhartid\n\t"
        "bnez t0, 2f\n\t"
        "la t0, __bss_start\n\t"
        "li t1, 0x83000000\n\t"
        "mv t2, t6\n"
        "1: slli t3, t2, 13\n\t"            /* xorshift */
        "xor t2, t2, t3\n\t"
        "srli t3, t2, 7\n\t"
        "xor t2, t2, t3\n\t"
        "slli t3, t2, 17\n\t"
        "xor t2, t2, t3\n\t"
        "sd t2, (t0)\n\t"
        "addi t0, t0, 8\n\t"
        "bltu t0, t1, 1b\n"
        "2: li t0, 0x1000\n\t"
        "ld a1, 32(t0)\n\t"
        ".irp csr, mie, mtvec, mscratch, mepc, mcause, mtval, medeleg, mideleg, mcounteren, satp, pmpaddr0\n\t"
        "csrw \\csr, t6\n\t"
        ".endr\n\t"
        "csrw pmpaddr1, t6\n\t"
        "csrw pmpaddr5, t6\n\t"
        "li t0, 0x1f191b0f1f1d1b1f\n\t"
        "csrw pmpcfg0, t0\n\t"
        ".irp i, 1, 2, 3, 4, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29\n\t"
        "addi x\\i, t6, \\i\n\t"
        ".endr\n\t"
        "la t0, _start\n\t"
        "li t1, 0xe66a2\n\t"                /* MPRV, SUM, MXR, FS and VS dirty, MPP user, MPIE, SPIE */
        "csrw mstatus, t1\n\t"
        "jr t0\n");

static void allocates(void *arg)
{
    uint32_t *good = arg;
    for (int i = 0; i < 20000; i++) {
        uintptr_t *p = hgc_new(HGC_LEAF, 48);
        if (!p || p[0] || p[5])
            return;
        p[0] = p[5] = ~(uintptr_t)0;
    }
    amo_add_rlx(good, 1);
}

int app_main(void)
{
    static uint32_t good;
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true };
    struct task *t[8];
    bool zero = true;
    hk_printf("# the harts came from %p\n", (const void *)unchecked_rubbish);
    for (int i = 0; i < 4096; i++)
        zero &= zeroes[i] == 0;
    ok(zero, "what shall be zero is");
    is(*(uint64_t *)hk_mem_alloc(4096) == 0, false, "and free memory is not: the rubbish was there");
    is(hgc_init(&config), HGC_OK, "the heap starts");
    for (unsigned i = 0; i < hk_harts(); i++) {
        struct hk_task_config on = { .hart_plus_1 = (int)i + 1 };
        hk_task_create(&t[i], &on, allocates, &good);
    }
    for (unsigned i = 0; i < hk_harts(); i++)
        hk_task_join(t[i], NULL);
    is(good, hk_harts(), "every hart runs tasks that allocate");
    is(hgc_collect(HGC_WAIT), HGC_OK, "and cycles");
    return tap_end();
}
