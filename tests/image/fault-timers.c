/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 60 */
/*
 * A storm of timers: on each hart one whose function starts it again for now.  Tasks make
 * progress all the same, sequences are not restarted for ever, and other timers run.
 */
#include "gc/hgc.h"
#include "tap.h"

enum { ARENA = 1 << 20, HARTS = 8, OBJECTS = 20000, ENOUGH = 1000 };

static struct hk_timer storm[HARTS];
static uint32_t over, fired, begun, wrong;

static void again(void *arg)
{
    struct hk_timer *t = arg;
    amo_add_rlx(&fired, 1);
    if (!ld_rlx(&over))
        hk_timer_start(t, hk_now(), again, t);
}

static void works(void *arg)
{
    struct hk_timer *t = arg;
    hk_timer_start(t, hk_now(), again, t);
    amo_add_rlx(&begun, 1);
    for (int i = 0; i < OBJECTS || ld_rlx(&fired) < ENOUGH; i++) {
        uintptr_t *p = hgc_new(HGC_LEAF, 32);
        if (!p || p[0] || p[3])
            amo_add_rlx(&wrong, 1);
        else
            p[0] = p[3] = (uintptr_t)i;
    }
}

int app_main(void)
{
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true };
    struct task *t[HARTS];
    is(hgc_init(&config), HGC_OK, "the heap starts");
    for (unsigned i = 0; i < hk_harts(); i++) {
        struct hk_task_config on = { .hart_plus_1 = (int)i + 1 };
        hk_task_create(&t[i], &on, works, &storm[i]);
    }
    bool good = true;
    for (unsigned i = 0; i < hk_harts(); i++)
        good &= hk_task_join(t[i], NULL) == HK_OK;
    ok(good, "tasks end in the storm");
    hk_sleep(2000000);
    ok(true, "and timers of others run");
    is(hgc_collect(HGC_WAIT), HGC_OK, "a cycle, too");
    st_rlx(&over, 1);
    struct hgc_stats s;
    hgc_stats(&s);
    is(ld_rlx(&wrong), 0, "each object was new");
    ok(s.restarts <= ld_rlx(&fired), "sequences are restarted once an interrupt at most");
    hk_printf("# %u interrupts, %u restarts, %u cycles\n", (unsigned)ld_rlx(&fired), (unsigned)s.restarts,
              (unsigned)s.cycles);
    return tap_end();
}
