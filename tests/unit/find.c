/* SPDX-License-Identifier: Apache-2.0 */
/* gc/find.c: any word of any block, also where a tail names a head that is no head of its object any more, as hgc_size meets
 * it when the block is given back and taken for something else between its two looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "gc/gc_internal.h"

enum { BLOCKS = 8, BASE = 0x100000 };

static struct block blocks[BLOCKS];

static int start(void **state)
{
    (void)state;
    class_init();
    memset(blocks, 0, sizeof blocks);
    gc.base = BASE;
    gc.bytes = (size_t)BLOCKS * HGC_BLOCK;
    gc.nblocks = BLOCKS;
    gc.blocks = blocks;
    blocks[2].state = BLOCK_LARGE;      /* an object of three blocks */
    blocks[2].large.blocks_or_head = 3;
    blocks[3].state = blocks[4].state = BLOCK_TAIL;
    blocks[3].large.blocks_or_head = blocks[4].large.blocks_or_head = 2;
    return 0;
}

static uintptr_t in_block(unsigned i)
{
    return BASE + i * (uintptr_t)HGC_BLOCK + 40;
}

static void a_large_object(void **state)
{
    struct object o;
    (void)state;
    for (unsigned i = 0; i < BLOCKS; i++) {
        assert_int_equal(find_object(in_block(i), &o), i >= 2 && i <= 4);
        assert_int_equal(hgc_size((void *)in_block(i)), i >= 2 && i <= 4 ? 3 * HGC_BLOCK : 0);
        if (i >= 2 && i <= 4)
            assert_ptr_equal(o.block, &blocks[2]);
    }
    assert_false(find_object(BASE - 1, &o) || find_object(BASE + gc.bytes, &o));
}

static void a_tail_without_its_head(void **state)
{
    struct object o;
    (void)state;
    static const uintptr_t heads[] = {0, 1, 5, BLOCKS - 1, BLOCKS, UINT32_MAX, UINTPTR_MAX / 2, UINTPTR_MAX};
    for (unsigned i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        blocks[4].large.blocks_or_head = heads[i];
        assert_false(find_object(in_block(4), &o));
        assert_int_equal(hgc_size((void *)in_block(4)), 0);
    }
    blocks[4].large.blocks_or_head = 2;         /* a head again, of an object that ends before */
    blocks[2].large.blocks_or_head = 2;
    assert_false(find_object(in_block(4), &o));
    blocks[6].state = BLOCK_LARGE;              /* one that lies behind */
    blocks[6].large.blocks_or_head = 1;
    blocks[4].large.blocks_or_head = 6;
    assert_false(find_object(in_block(4), &o));
    blocks[2].state = BLOCK_FREE;
    blocks[4].large.blocks_or_head = 2;
    assert_false(find_object(in_block(4), &o));
}

static void cells(void **state)
{
    struct object o;
    (void)state;
    for (unsigned class = 0; class < HGC_CLASSES; class++) {
        const struct class_entry *c = &gc_classes[class];
        memset(&blocks[5], 0, sizeof blocks[5]);
        blocks[5].state = BLOCK_SMALL;
        blocks[5].class = (uint16_t)class;
        for (unsigned cell = 0; cell < c->cells; cell += 2)
            blocks[5].live[cell / WORD_BITS] |= (uintptr_t)1 << (cell % WORD_BITS);
        for (unsigned off = 0; off < HGC_BLOCK; off++) {
            bool live = off / c->cell < c->cells && off / c->cell % 2 == 0;
            assert_int_equal(find_object(BASE + 5 * (uintptr_t)HGC_BLOCK + off, &o), live);
            if (live)
                assert_int_equal(o.cell, off / c->cell);
        }
    }
}

int app_main(void)
{
    return 0;                           /* the archive wants one; no kernel starts */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_large_object, start),
        cmocka_unit_test_setup(a_tail_without_its_head, start),
        cmocka_unit_test_setup(cells, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
