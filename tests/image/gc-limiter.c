/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 */
/* seconds: 60 */
/* qemu: -icount shift=4,sleep=off */
/* The limiter counts stops as the collector's time, and not as the program's.  In instructions: under icount QEMU runs one hart at a
 * time, so more harts would mostly wait for their turns. */
#include "gc/gc_internal.h"
#include "tap.h"

enum { ARENA = 2 << 20, STOPS = 9, STOP_NS = 20000000, BETWEEN_NS = 2000000, HARTS = 2 };

static uint32_t over;           /* atomic */

static void spin(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over)) {
    }
}

static void for_ns(uint64_t ns)
{
    uint64_t begin = hal_time_ns();
    while (hal_time_ns() - begin < ns) {
    }
}

/* Nine tenths of the time of a mark. */
static void stops(void)
{
    for (unsigned i = 0; i < STOPS; i++) {
        world_stop(WORLD_OTHER, NULL, NULL);
        uint64_t stopped = hal_time_ns();
        for_ns(STOP_NS);
        stats_pause(stopped);
        world_start();
        for_ns(BETWEEN_NS);
    }
}

int app_main(void)
{
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .period_ns = HGC_PERIOD_OFF, .no_auto = true};
    struct task *t[HARTS];
    is(hgc_init(&config), HGC_OK, "the heap starts");
    for (unsigned i = 0; i < hk_harts(); i++)
        hk_task_create(&t[i], NULL, spin, NULL);
    hgc_collect(HGC_WAIT);
    gc.limiter.fill = 0;
    hgc_collect(HGC_START);
    stops();
    hgc_collect(HGC_WAIT);
    uint64_t fill = gc.limiter.fill, least = (uint64_t)hk_harts() * STOPS * STOP_NS / 2;
    hk_printf("# %u us of %u us of stops\n", (unsigned)(fill / 1000), (unsigned)(2 * least / 1000));
    ok(fill > least, "stops fill it");
    st_rlx(&over, 1);
    for (unsigned i = 0; i < hk_harts(); i++)
        hk_task_join(t[i], NULL);
    return tap_end();
}
