/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* match: ^hgc: the pages that the arena has left are too few for the collector's tasks */
/* An arena that leaves no memory for the collector's own tasks is refused, and a smaller one is not. */
#include "gc/hgc.h"
#include "tap.h"

enum { ARENA = 4 << 20, REST = 16, OBJECTS = 10000, NODE = HGC_KIND_FIRST };

/* Nothing else is left, but what fits between. */
static struct { void *at; size_t size; } rest[REST];

static unsigned take_rest(void)
{
    unsigned n = 0;
    for (; n < REST && (rest[n].size = hk_mem_largest()) && (rest[n].at = hk_mem_alloc(rest[n].size)); n++)
        ;
    return n;
}

int app_main(void)
{
    struct hgc_config config = {.size = ARENA, .base = hk_mem_alloc(ARENA)};
    unsigned n = take_rest();
    ok(n > 0 && n < REST, "no memory is left");
    is(hgc_init(&config), HGC_ENOMEM, "then there are no mark workers, and no collector");
    is(hgc_init(&config), HGC_ENOMEM, "nor later");
    is(hgc_kind(NODE, &(struct hgc_kind){.name = "node"}), HGC_OK, "objects may be described");
    ok(!hgc_alloc(NODE, 64) && !hgc_alloc(NODE, 100000) && !hgc_new(NODE, 64), "but there is nothing to allocate from");
    is(hgc_collect(HGC_WAIT), HGC_EINVAL, "or to collect");
    is((unsigned)hgc_step(1000, HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE), 1000, "by steps, either");
    is((unsigned)hgc_leaks(NULL, NULL), 0, "nobody waits there");
    is((unsigned)hgc_size(config.base), 0, "and no object is there");
    while (n-- > 0)
        hk_mem_free(rest[n].at, rest[n].size);
    is(hgc_init(&config), HGC_OK, "with memory there is");
    is(hgc_init(&config), HGC_EBUSY, "once");
    unsigned made = 0;
    for (unsigned i = 0; i < OBJECTS; i++)
        made += hgc_alloc(HGC_LEAF, 64) != NULL;
    is(made, OBJECTS, "which allocates");
    is(hgc_collect(HGC_WAIT), HGC_OK, "it collects");
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.cycles >= 1 && s.free_bytes > OBJECTS * 32, "what nobody holds");
    return tap_end();
}
