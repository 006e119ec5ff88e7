/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* harts: 1 2 4 8 */
/* bootargs: percent=50 verfiy=1 */
/* match: ^hgc: boot argument verfiy=1: there is no such setting; known are gctrace= .* percent= .* harts=$ */
/* A mistyped setting stops the collector's start; a program that does not want boot arguments does not see it. */
#include "gc/gc_internal.h"
#include "tap.h"

enum { ARENA = 1 << 20 };

int app_main(void)
{
    struct hgc_config c = {.base = hk_mem_alloc(ARENA), .size = ARENA};
    is(hgc_init(&c), HGC_EINVAL, "the collector does not start");
    is(gc.nblocks, 0, "and nothing was done");
    c.no_bootargs = true;
    is(hgc_init(&c), HGC_OK, "without them it does");
    is(gc.cfg.percent, 100, "and none of them counts");
    ok(hgc_alloc(HGC_LEAF, 100) != NULL, "it works");
    return tap_end();
}
