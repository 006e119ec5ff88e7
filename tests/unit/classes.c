/* SPDX-License-Identifier: Apache-2.0 */
/* Size classes: the rule of hgc.h, the table, the waste that is promised, and the division by multiplication. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gc/gc_internal.h"

static void each_size_fits(void **state)
{
    (void)state;
    class_init();
    unsigned last = 0;
    for (size_t size = 1; size <= HGC_SMALL_MAX; size++) {
        unsigned class = (unsigned)HGC_CLASS(size), cell = (unsigned)HGC_CELL(size);
        assert_true(class < HGC_CLASSES);
        assert_int_equal(gc_classes[class].cell, cell);
        assert_true(cell >= size && cell % GRAIN == 0);
        assert_true(class >= last);
        last = class;
    }
}

/* Of the whole block, its tail included: an eighth from 128 to 576 bytes (seven cells; cells of 577 to 585 bytes would fit
 * seven times too, but are no multiples of the grain), a third of sizes rounded to the grain above. */
static void waste_is_bounded(void **state)
{
    (void)state;
    if (HGC_BLOCK != 4096 || GRAIN != 16)
        skip();
    class_init();
    for (size_t size = 128; size <= HGC_SMALL_MAX; size++) {
        size_t rounded = (size + GRAIN - 1) & ~(size_t)(GRAIN - 1);
        size_t cells = gc_classes[HGC_CLASS(size)].cells;
        assert_true(size <= 576 ? cells * size * 8 >= HGC_BLOCK * 7 : cells * rounded * 3 >= HGC_BLOCK * 2);
    }
}

static void offset_to_cell(void **state)
{
    (void)state;
    class_init();
    for (unsigned class = 0; class < HGC_CLASSES; class++) {
        const struct class_entry *c = &gc_classes[class];
        if (!c->cell)
            continue;
        for (unsigned off = 0; off < HGC_BLOCK; off++)
            assert_int_equal((off / GRAIN * c->inverse) >> 20, off / c->cell);
    }
}

/* The kernel wants one wherever it is linked. */
int app_main(void)
{
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_size_fits),
        cmocka_unit_test(waste_is_bounded),
        cmocka_unit_test(offset_to_cell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
