/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot/fdt.c: the device tree comes from outside.
 *
 * Either the input is the blob, in memory of exactly the size that its header says (or of what there is, if it says more), or
 * a well-formed tree is made from the input and the answer is compared with what was put in.
 */
#include <string.h>

#include "boot/fdt.h"
#include "tests/fuzz/bytes.h"

enum { HEADER = 40, TREE_MAX = 8192, BANKS = 64, ARGS_MAX = 48 };

static void be32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t from_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The boot arguments with room for n bytes, at the end of their memory.  `want`: what they are; NULL: unknown. */
static void check_args(const void *fdt, size_t n, const char *want)
{
    char *to = malloc(n);
    memset(to, 'x', n);
    size_t length = fdt_bootargs(fdt, to, n), kept = length < n ? length : n - 1;
    if (memchr(to, 0, n) != to + kept)
        fail("the boot arguments do not end where they should");
    if (want && (length != strlen(want) || memcmp(to, want, kept) != 0))
        fail("other boot arguments");
    free(to);
}

/* ---- any bytes --------------------------------------------------------------------------------------------------- */

static void any_blob(struct bytes *in)
{
    uint64_t addr = take64(in), lo = 0, hi = 0;
    bool right = take(in) & 1;
    size_t size = left(in) < HEADER ? HEADER : left(in);
    uint8_t *blob = calloc(1, size);
    memcpy(blob, in->at, left(in));
    if (right)
        be32(blob, 0xd00dfeed);
    /* What the header says is the size of the blob, so it is told the truth. */
    if (from_be32(blob + 4) > size)
        be32(blob + 4, (uint32_t)size);
    size_t total = from_be32(blob + 4) < HEADER ? HEADER : from_be32(blob + 4);
    uint8_t *exact = malloc(total);
    memcpy(exact, blob, total);
    if (fdt_memory(exact, addr, &lo, &hi) && addr - lo >= hi - lo)
        fail("the bank does not contain the address");
    check_args(exact, 1 + addr % 64, NULL);
    free(exact);
    free(blob);
}

/* ---- well-formed trees ------------------------------------------------------------------------------------------- */

struct tree {
    uint8_t bytes[TREE_MAX];
    uint32_t length;
    uint32_t addr_cells, size_cells;
    struct { uint64_t base, size; } bank[BANKS];
    unsigned banks;
    char args[ARGS_MAX + 1];
    bool has_args;
};

static const char strings[] = "#address-cells\0#size-cells\0reg\0compatible\0#address-cellsX\0re\0bootargs\0bootargsX";
enum {
    STR_ADDR = 0, STR_SIZE = 15, STR_REG = 27, STR_COMPATIBLE = 31, STR_LONGER = 42, STR_SHORTER = 58, STR_ARGS = 61,
    STR_ARGS_LONGER = 70,
};

static void word(struct tree *t, uint32_t v)
{
    be32(t->bytes + t->length, v);
    t->length += 4;
}

static void begin(struct tree *t, const char *name)
{
    word(t, 1);
    memcpy(t->bytes + t->length, name, strlen(name) + 1);
    t->length = (t->length + (uint32_t)strlen(name) + 4) & ~3u;
}

static void prop(struct tree *t, uint32_t name, const void *value, uint32_t length)
{
    word(t, 3);
    word(t, length);
    word(t, name);
    memcpy(t->bytes + t->length, value, length);
    t->length = (t->length + length + 3) & ~3u;
}

static void prop_cell(struct tree *t, uint32_t name, uint32_t v)
{
    uint8_t value[4];
    be32(value, v);
    prop(t, name, value, 4);
}

static uint64_t put_cells(struct bytes *in, uint8_t *at, uint32_t n, uint64_t v)
{
    for (uint32_t i = 0; i < n; i++)
        be32(at + 4 * i, n - i == 1 ? (uint32_t)v : n - i == 2 ? (uint32_t)(v >> 32) : take(in));
    return n == 0 ? 0 : n == 1 ? (uint32_t)v : v;
}

static uint64_t some_number(struct bytes *in)
{
    uint64_t v = take64(in);
    return v >> (v & 63);
}

static void reg(struct bytes *in, struct tree *t, bool counts)
{
    uint8_t value[4 * 6 * 4 + 4];
    uint32_t length = 0, entries = take(in) % 4, extra = take(in) % 4, step = 4 * (t->addr_cells + t->size_cells);
    for (uint32_t i = 0; i < entries; i++) {
        uint64_t base = put_cells(in, value + length, t->addr_cells, some_number(in));
        uint64_t size = put_cells(in, value + length + 4 * t->addr_cells, t->size_cells, some_number(in));
        length += step;
        if (counts && step && t->banks < BANKS) {
            t->bank[t->banks].base = base;
            t->bank[t->banks++].size = size;
        }
    }
    memset(value + length, 0, extra);
    prop(t, STR_REG, value, step ? length + extra : extra);
}

/* Text that a 0 ends early, or nothing does. */
static void bootargs(struct bytes *in, struct tree *t, uint32_t name, bool counts)
{
    char text[ARGS_MAX + 1] = "";
    uint32_t length = take(in) % (ARGS_MAX + 1);
    for (uint32_t i = 0; i < length; i++)
        text[i] = (char)take(in);
    prop(t, name, text, length);
    if (counts && !t->has_args) {
        memcpy(t->args, text, sizeof text);
        t->has_args = true;
    }
}

static void node(struct bytes *in, struct tree *t, unsigned depth)
{
    static const char *const names[] = { "memory", "memory@80000000", "memoryx", "memor", "cpus", "memory@", "soc", "",
                                         "chosen", "chosen@1", "chose" };
    unsigned which = take(in) % 11;
    bool counts = depth == 2 && (which < 2 || which == 5), chosen = depth == 2 && which == 8;
    begin(t, names[which]);
    for (unsigned n = take(in) % 4; n > 0; n--) {
        switch (take(in) % 7) {
        case 5: bootargs(in, t, STR_ARGS, chosen); break;
        case 6: bootargs(in, t, STR_ARGS_LONGER, false); break;
        case 0: word(t, 4); break;
        case 1: prop(t, STR_COMPATIBLE, "abc", take(in) % 4); break;
        case 2: prop_cell(t, STR_ADDR, take(in)); break;        /* of this node, not of the root */
        case 3: prop_cell(t, STR_LONGER, take(in)); break;
        default: reg(in, t, counts); break;
        }
    }
    if (depth < 5 && t->length < TREE_MAX / 2)
        for (unsigned n = take(in) % 3; n > 0; n--)
            node(in, t, depth + 1);
    word(t, 2);
}

static void made_tree(struct bytes *in, unsigned damage)
{
    static struct tree t;
    t = (struct tree){ .length = HEADER, .addr_cells = 2, .size_cells = 1 };
    begin(&t, "");
    if (take(in) & 1)
        prop_cell(&t, STR_ADDR, t.addr_cells = take(in) & 3);
    if (take(in) & 1)
        prop_cell(&t, STR_SIZE, t.size_cells = take(in) & 3);
    if (take(in) & 1)
        prop_cell(&t, STR_SHORTER, take(in));
    if (take(in) & 1)
        bootargs(in, &t, STR_ARGS, false);
    while (left(in) > 8 * damage && t.length < TREE_MAX / 4 && t.banks < BANKS - 40)
        node(in, &t, 2);
    word(&t, 2);
    word(&t, 9);
    uint32_t end = t.length, total = end + (uint32_t)sizeof strings;
    be32(t.bytes, 0xd00dfeed);
    be32(t.bytes + 4, total);
    be32(t.bytes + 8, HEADER);
    be32(t.bytes + 12, end);
    be32(t.bytes + 32, sizeof strings);
    be32(t.bytes + 36, end - HEADER);
    uint8_t *blob = malloc(total);
    memcpy(blob, t.bytes, end);
    memcpy(blob + end, strings, sizeof strings);
    if (damage) {               /* a word or some, after the header: nothing is expected but that it ends */
        uint64_t lo, hi;
        for (unsigned i = 0; i < damage; i++)
            be32(blob + HEADER + take16(in) % (end - HEADER - 3), take32(in) >> (take(in) & 31));
        (void)fdt_memory(blob, take64(in), &lo, &hi);
        check_args(blob, 1 + take(in), NULL);
        free(blob);
        return;
    }
    for (unsigned i = 0; i <= t.banks; i++) {
        uint64_t addr = i < t.banks ? t.bank[i].base + t.bank[i].size / 2 : 0x80000000, lo = 0, hi = 0;
        unsigned b = 0;
        while (b < t.banks && (addr < t.bank[b].base || addr - t.bank[b].base >= t.bank[b].size))
            b++;
        bool found = fdt_memory(blob, addr, &lo, &hi);
        if (found != (b < t.banks))
            fail(found ? "a bank that is not there" : "a bank was not found");
        uint64_t room = found ? UINT64_MAX - t.bank[b].base : 0;       /* a bank that wraps around ends at the top */
        if (found && (lo != t.bank[b].base || hi - lo != (t.bank[b].size < room ? t.bank[b].size : room)))
            fail("another bank");
    }
    check_args(blob, 1 + take(in) % 64, t.args);
    free(blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, data + size };
    unsigned how = take(&in);
    if (how & 1)
        made_tree(&in, how & 2 ? how / 4 % 8 : 0);
    else
        any_blob(&in);
    return 0;
}
