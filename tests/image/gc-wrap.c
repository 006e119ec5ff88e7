/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/* The number of a cycle wraps.  What a task that was born between two cycles holds on its stack alone is kept in each of them. */
#include "cycle.h"
#include "tap.h"

enum { ARENA = 2 << 20, SIZE = 64, CONTENT = 0x1234 };

static uint32_t holds, go, kept;        /* atomic */

static __attribute__((noinline)) void hold(void *arg)
{
    (void)arg;
    uintptr_t *volatile p = hgc_alloc(HGC_AMBIGUOUS, SIZE);
    p[0] = CONTENT;
    st_rlx(&holds, 1);
    while (!ld_rlx(&go))
        hk_sleep(1000000);
    st_rlx(&kept, hgc_size(p) == SIZE && p[0] == CONTENT);
}

static bool survives_cycle(void)
{
    struct task *t;
    st_rlx(&holds, 0);
    st_rlx(&go, 0);
    hk_task_create(&t, NULL, hold, NULL);
    while (!ld_rlx(&holds))
        hk_sleep(1000000);
    hgc_collect(HGC_WAIT);
    st_rlx(&go, 1);
    hk_task_join(t, NULL);
    return ld_rlx(&kept);
}

static void cycles_from(uint32_t n)
{
    set_cycle(n);
    for (unsigned i = 0; i < 4; i++) {
        bool good = survives_cycle();
        hk_printf("# cycle %u\n", (unsigned)ld_rlx(&gc.cycle));
        ok(good, "what a stack holds is kept");
    }
}

int app_main(void)
{
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .period_ns = HGC_PERIOD_OFF, .clobber = true, .no_auto = true};
    is(hgc_init(&config), HGC_OK, "the heap starts");
    cycles_from(UINT32_MAX - 1);
    is(ld_rlx(&gc.cycle), 2, "the number has wrapped");
    return tap_end();
}
