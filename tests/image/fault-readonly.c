/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 60 */
/* match: task code ended on hart \d+: store to read-only memory */
/* match: task constant ended on hart \d+: store to read-only memory */
/* match: task literal ended on hart \d+: store to read-only memory */
/* match: task first ended on hart \d+: store to read-only memory */
/* match: task last ended on hart \d+: store to read-only memory */
/* match: task atomic ended on hart \d+: store to read-only memory */
/* match: task barrier ended on hart \d+: store to read-only memory */
/*
 * Stores of tasks to code and constants: each ends its task with a report that says so, on every hart, and changes nothing; the
 * first byte of the data behind can be written.
 */
#include "gc/hgc.h"
#include "kernel/hart.h"
#include "tap.h"

enum { ARENA = 1 << 20 };
extern char __text_start[], __constants_end[];

static const uint32_t constant = 0x600dc0de;
static uint32_t data = 1;       /* atomic */

static void stores(void *arg) { *(volatile uint8_t *)arg ^= 0xff; }
static void adds(void *arg) { amo_add_rlx((uint32_t *)arg, 1); }
static void sets(void *arg) { hgc_set((hgc_ref(void) *)arg, NULL); }

static uint32_t sum(void)
{
    uint32_t s = 0;
    for (const volatile char *p = __text_start; p < __constants_end; p++)
        s = s * 31 + (unsigned char)*p;
    return s;
}

static void ends(const char *name, void (*fn)(void *), const volatile void *arg)
{
    for (unsigned hart = 0; hart < hk_harts(); hart++) {
        struct hk_task_config config = { .name = name, .hart_plus_1 = 1 + (int)hart };
        struct task *t;
        hk_task_create(&t, &config, fn, (void *)(uintptr_t)arg);
        is(hk_task_join(t, NULL), HK_EFAULT, name);
    }
}

/* A mark stays open until all stores in it were tried. */
static uint32_t kept_open;      /* atomic */

static enum hgc_quiet keep_open(void)
{
    return ld_rlx(&kept_open) ? HGC_QUIET_LATER : HGC_QUIET;
}

static void goes_on(void *arg)
{
    adds(arg);
}

int app_main(void)
{
    static const struct hgc_runtime hooks = { .quiet = keep_open };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA };
    is(hgc_init(&config), HGC_OK, "the heap starts");
    is(hgc_runtime(&hooks), HGC_OK, "its marks may be held open");
    uint32_t before = sum();
    ends("code", stores, (const void *)stores);
    ends("constant", stores, &constant);
    ends("literal", stores, "a string");
    ends("first", stores, __text_start);
    ends("last", stores, (const void *)((uintptr_t)__constants_end - 1));
    ends("atomic", adds, &constant);
    ends("barrier", sets, __text_start);
    st_rlx(&kept_open, 1);
    hgc_collect(HGC_START);
    ends("barrier", sets, __text_start);
    ok(hgc_marking(), "all that in a mark");
    st_rlx(&kept_open, 0);
    ok(sum() == before, "code and constants are as they were");
    stores(__constants_end);
    stores(__constants_end);
    ok(true, "what lies behind can be written");
    struct task *t;
    hk_task_create(&t, NULL, goes_on, &data);
    is(hk_task_join(t, NULL), HK_OK, "other tasks go on");
    is(data, 2, "and store");
    is(hgc_collect(HGC_WAIT), HGC_OK, "and the collector");
    return tap_end();
}
