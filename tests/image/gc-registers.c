/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/*
 * A task that was preempted is searched with all of its registers: an object whose address is in one register, and nowhere
 * else, lives, whichever register it is.
 */
#include "gc/gc_internal.h"
#include "tap.h"
#include "wipe.h"

enum { ARENA = 1 << 20, WORDS = 6 };
#define MAGIC ((uintptr_t)0x72656773u)

static uintptr_t hidden;                /* ~address */
static uint32_t held, go;               /* atomic */
static uint32_t lost, wrong;

/* Forms the address in `reg`, says so, and keeps it there until it may go on. */
#define HOLDS(reg, other)                                                                                            \
    static __attribute__((noinline)) uintptr_t hold_##reg(uintptr_t inverse)                                         \
    {                                                                                                                \
        uintptr_t out;                                                                                               \
        __asm__ volatile("not " #reg ", %[in]\n\t"                                                                   \
                         "li " #other ", 1\n\t"                                                                      \
                         "sw " #other ", 0(%[held])\n"                                                               \
                         "1: lw " #other ", 0(%[go])\n\t"                                                            \
                         "beqz " #other ", 1b\n\t"                                                                   \
                         "not %[out], " #reg "\n\t"                                                                  \
                         "li " #reg ", 0"                                                                            \
                         : [out] "=&r"(out) : [in] "r"(inverse), [held] "r"(&held), [go] "r"(&go)                    \
                         : #reg, #other, "memory");                                                                  \
        return out;                                                                                                  \
    }
#define ALL(X)                                                                                                       \
    X(ra, t0) X(t0, t1) X(t1, t0) X(t2, t0) X(t3, t0) X(t4, t0) X(t5, t0) X(t6, t0) X(a0, t0) X(a1, t0) X(a2, t0)    \
    X(a3, t0) X(a4, t0) X(a5, t0) X(a6, t0) X(a7, t0) X(s0, t0) X(s1, t0) X(s2, t0) X(s3, t0) X(s4, t0) X(s5, t0)    \
    X(s6, t0) X(s7, t0) X(s8, t0) X(s9, t0) X(s10, t0) X(s11, t0)
ALL(HOLDS)

static const struct {
    const char *name;
    uintptr_t (*hold)(uintptr_t inverse);
} registers[] = {
#define ENTRY(reg, other) {#reg, hold_##reg},
    ALL(ENTRY)
};
enum { REGISTERS = sizeof registers / sizeof registers[0] };

/* In a task of its own, whose stack is gone afterwards; no cycle comes between. */
static void makes(void *arg)
{
    (void)arg;
    uintptr_t *p = hgc_new(HGC_LEAF, WORDS * sizeof(uintptr_t));
    if (p)
        p[0] = MAGIC;
    hidden = ~(uintptr_t)p;
}

static void holds(void *arg)
{
    wipe();
    uintptr_t address = ~registers[(uintptr_t)arg].hold(hidden);
    if (address != ~hidden)
        wrong++;
    else if (!hgc_size((void *)address) || *(uintptr_t *)address != MAGIC)
        lost++;
}

static void check_one(unsigned i)
{
    struct task *t;
    uint32_t before = lost;
    hk_task_create(&t, NULL, makes, NULL);
    hk_task_join(t, NULL);
    st_rlx(&held, 0);
    st_rlx(&go, 0);
    hk_task_create(&t, NULL, holds, (void *)(uintptr_t)i);
    while (!ld_rlx(&held))
        hk_sleep(100000);
    hgc_collect(HGC_WAIT);
    hgc_collect(HGC_WAIT);
    st_rlx(&go, 1);
    hk_task_join(t, NULL);
    if (lost != before)
        hk_printf("# lost: what %s held\n", registers[i].name);
}

int app_main(void)
{
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .no_auto = true, .clobber = true};
    struct task *t;
    is(hgc_init(&config), HGC_OK, "the heap starts");
    for (unsigned i = 0; i < REGISTERS; i++)
        check_one(i);
    is(wrong, 0, "every register keeps its value over a preemption");
    is(lost, 0, "what a register alone holds is kept");
    hk_task_create(&t, NULL, makes, NULL);
    hk_task_join(t, NULL);
    hgc_collect(HGC_WAIT);
    is((unsigned)hgc_size((void *)~hidden), 0, "what none holds is not");
    return tap_end();
}
