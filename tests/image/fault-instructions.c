/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 60 */
/* match: task ones ended on hart \d+: illegal instruction */
/* match: task no-csr ended on hart \d+: illegal instruction */
/* match: task ebreak ended on hart \d+: breakpoint */
/* match: task ecall ended on hart \d+: environment call */
/* match: task amo ended on hart \d+: misaligned (load|store) */
/* match: task lr ended on hart \d+: misaligned load */
/* match: task nowhere ended on hart \d+: instruction access fault */
/* match: pc 0xdead0 address 0xdead0 */
/* match: task null ended on hart \d+: instruction access fault */
/* match: task odd ended on hart \d+: illegal instruction */
/* An instruction that cannot be executed ends its task with a report; the others go on. */
#include "tap.h"

static uint32_t others, over;

static void ones(void *arg) { (void)arg; __asm__ volatile(".word -1"); }
static void no_csr(void *arg) { (void)arg; __asm__ volatile("csrr t0, 0x123" : : : "t0"); }
static void breaks(void *arg) { (void)arg; __asm__ volatile("ebreak"); }
static void calls(void *arg) { (void)arg; __asm__ volatile("ecall"); }
static void jumps(void *arg) { ((void (*)(void))arg)(); }

/* Atomics must be aligned on every hart; loads and stores need not.  QEMU with one hart calls it a load. */
static void amo(void *arg) { __asm__ volatile("amoadd.w zero, zero, (%0)" : : "r"((char *)arg + 1) : "memory"); }
static void unchecked_lr(void *arg) { __asm__ volatile("lr.w t0, (%0)" : : "r"((char *)arg + 2) : "t0", "memory"); }

static void works(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over)) {
        amo_add_rlx(&others, 1);
        hk_sleep(100000);
    }
}

static void ends(const char *name, void (*fn)(void *), uintptr_t arg)
{
    struct hk_task_config config = { .name = name };
    struct task *t;
    uint32_t before = ld_rlx(&others);
    hk_task_create(&t, &config, fn, (void *)arg);
    is(hk_task_join(t, NULL), HK_EFAULT, name);
    while (ld_rlx(&others) == before)   /* or the test hangs */
        hk_sleep(1000000);
    ok(true, "the others go on");
}

int app_main(void)
{
    static uint64_t word;
    static const uint16_t code[] = { 0xffff, 0xffff, 0, 0, 0, 0 };
    struct task *t;
    hk_task_create(&t, NULL, works, NULL);
    ends("ones", ones, 0);
    ends("no-csr", no_csr, 0);
    ends("ebreak", breaks, 0);
    ends("ecall", calls, 0);
    ends("amo", amo, (uintptr_t)&word);
    ends("lr", unchecked_lr, (uintptr_t)&word);
    ends("nowhere", jumps, 0xdead0);
    ends("null", jumps, 0);
    ends("odd", jumps, (uintptr_t)code + 5);    /* jalr drops the lowest bit */
    is(word, 0, "nothing was stored");
    st_rlx(&over, 1);
    is(hk_task_join(t, NULL), HK_OK, "the other task ends as it wants");
    return tap_end();
}
