/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */
/* harts: 2 4 8 */
/* bootargs: harts=2 percent=50,gctrace=1 verify=1 clobber=1 limit=3M mintrigger=64k stress=100 stress=200 -- mine=1 */
/* match: ^hgc: percent=50 gctrace=1 verify=1 clobber=1 limit=3M mintrigger=64k stress=100 stress=200 .boot arguments.$ */
/* match: ^hgc: in the configuration: percent=20000: wants percent=n, 0 .the default. or a number from 1 to 10000$ */
/* match: ^gc 1 @ */
/* Boot arguments reach the kernel, which starts fewer harts, and the collector, where they win over the program's; and freed
 * memory reads as HGC_CLOBBER. */
#include "gc/gc_internal.h"
#include "tap.h"

enum { ARENA = 4 << 20, OBJECTS = 64, WORDS = 6, BIG = 3 * HGC_BLOCK };

#define HIDE(p) (~(uintptr_t)(p))

static uintptr_t hidden[OBJECTS], hidden_big;

/* In a task of its own: with it go its stack and registers. */
static void make(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < OBJECTS; i++)
        hidden[i] = HIDE(hgc_alloc(HGC_LEAF, WORDS * sizeof(uintptr_t)));
    hidden_big = HIDE(hgc_alloc(HGC_LEAF, BIG));
}

/* The objects, but a few that some word on a stack may still hold, are rubbish from end to end. */
static void read_after_free(void)
{
    unsigned whole = 0, none = 0;
    for (unsigned i = 0; i < OBJECTS; i++) {
        unsigned n = 0;
        for (unsigned w = 0; w < WORDS; w++)
            n += ((volatile uintptr_t *)HIDE(hidden[i]))[w] == HGC_CLOBBER;
        whole += n == WORDS;
        none += n == 0;
    }
    ok(whole >= OBJECTS - 4, "who reads freed objects reads rubbish");
    is(whole + none, OBJECTS, "and all of it");
    unsigned n = 0;
    for (unsigned w = 0; w < BIG / sizeof(uintptr_t); w++)
        n += ((volatile uintptr_t *)HIDE(hidden_big))[w] == HGC_CLOBBER;
    is(n, BIG / sizeof(uintptr_t), "a large object too, from end to end");
}

static void starts(void)
{
    struct hgc_config c = {.base = hk_mem_alloc(ARENA), .size = ARENA, .percent = 20000};
    is(hgc_init(&c), HGC_EINVAL, "a field out of its range is refused");
    c.percent = 200;
    is(hgc_init(&c), HGC_OK, "the right ones are taken");
    is(gc.cfg.percent, 50, "the boot argument wins over the field");
    ok(gc.cfg.trace && gc.cfg.verify && gc.cfg.clobber && !gc.cfg.no_auto, "switches");
    is(gc.cfg.limit, 3 << 20, "a size with a letter");
    is(gc.cfg.min_trigger, 64 << 10, "a small letter");
    is(gc.cfg.stress, 200, "the last one of a name counts");
}

int app_main(void)
{
    is(hk_harts(), 2, "as many harts as the boot argument says");
    size_t n = strlen(hk_boot_args());
    ok(n > 6 && memcmp(hk_boot_args() + n - 6, "mine=1", 6) == 0, "the program reads its own");
    starts();
    struct task *t;
    ok(hk_task_create(&t, NULL, make, NULL) == HK_OK && hk_task_join(t, NULL) == HK_OK, "objects, dropped");
    ok(((volatile uintptr_t *)HIDE(hidden[0]))[0] != HGC_CLOBBER, "nothing is filled before it is freed");
    is(hgc_collect(HGC_WAIT), HGC_OK, "a collection");
    read_after_free();
    uintptr_t *p = hgc_alloc(HGC_LEAF, WORDS * sizeof *p);
    unsigned zeroes = 0;
    for (unsigned w = 0; p && w < WORDS; w++)
        zeroes += p[w] == 0;
    is(zeroes, WORDS, "a new object is zeroed");
    return tap_end();
}
