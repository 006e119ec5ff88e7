/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over the structure block of a flattened device tree (Devicetree Specification 0.4, chapter 5), from one property to
 * the next.  Wanted are those of the root's children: "memory" or "memory@...", whose "reg" is a list of (address, size),
 * each of as many 32-bit cells as the root's #address-cells and #size-cells say; and "chosen", whose "bootargs" is a string.
 */
#include "boot/fdt.h"

enum { FDT_MAGIC = (int)0xd00dfeed, BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4 };
enum { HEADER_BYTES = 40, MAX_BYTES = 16 << 20 };

struct walk {
    const uint8_t *base;
    uint32_t pos, end;              /* structure block */
    uint32_t strings, strings_end;  /* names of properties */
    uint32_t addr_cells, size_cells;
    int depth;                      /* 1: in the root node */
    uint32_t child;                 /* name of the child of the root that the walk is in, or was in last */
    uint32_t name, value, length;   /* of the property: where its name and its value begin, and the value's bytes */
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A number of 0, 1 or 2 cells; the high cells of a longer one are dropped. */
static uint64_t cells(const uint8_t *p, uint32_t n)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < n; i++)
        v = v << 32 | be32(p + 4 * i);
    return v;
}

/* What follows `want` in the string at `pos`, which ends before `end`: 0 if they are equal; -1 if it starts otherwise. */
static int after(const struct walk *w, uint32_t pos, uint32_t end, const char *want)
{
    for (; *want; want++, pos++)
        if (pos >= end || w->base[pos] != (uint8_t)*want)
            return -1;
    return pos < end ? w->base[pos] : -1;
}

static bool walk_init(struct walk *w, const void *fdt)
{
    const uint8_t *b = fdt;
    if (!b || (uintptr_t)b % 4 || be32(b) != (uint32_t)FDT_MAGIC)
        return false;
    uint32_t total = be32(b + 4), at = be32(b + 8), strings = be32(b + 12);
    uint32_t strings_size = be32(b + 32), size = be32(b + 36);
    if (total < HEADER_BYTES || total > MAX_BYTES || at > total || size > total - at || strings > total
        || strings_size > total - strings)
        return false;
    /* 2 and 1 are the defaults of the specification. */
    *w = (struct walk){ .base = b, .pos = at, .end = at + size, .strings = strings, .strings_end = strings + strings_size,
                        .addr_cells = 2, .size_cells = 1, .child = at + size };
    return true;
}

/* Takes the next token, or 0 at the end of the block. */
static uint32_t token(struct walk *w)
{
    if (w->end - w->pos < 4)
        return 0;
    w->pos += 4;
    return be32(w->base + w->pos - 4);
}

/* Moves `n` bytes on and up to the next word, but not beyond the end. */
static void skip(struct walk *w, uint32_t n)
{
    uint32_t left = w->end - w->pos, words = (n + 3) & ~3u;
    w->pos += words < left ? words : left;
}

static void skip_name(struct walk *w)
{
    uint32_t n = 0;
    while (n < w->end - w->pos && w->base[w->pos + n])
        n++;
    skip(w, n + 1);
}

/* Goes to the next property, and keeps the root's cells.  False: the end, or nonsense. */
static bool next_property(struct walk *w)
{
    skip(w, w->length);
    for (;;) {
        switch (token(w)) {
        case BEGIN_NODE:
            if (++w->depth == 2)
                w->child = w->pos;
            skip_name(w);
            break;
        case END_NODE:
            w->depth--;
            break;
        case NOP:
            break;
        case PROP:
            w->length = token(w);
            w->name = token(w);
            w->value = w->pos;
            if (w->length > w->end - w->value || w->name >= w->strings_end - w->strings)
                return false;
            w->name += w->strings;
            return true;
        default:
            return false;
        }
    }
}

static bool property_is(const struct walk *w, const char *want)
{
    return after(w, w->name, w->strings_end, want) == 0;
}

/* Of a node of the root's: what follows `want` in its name. */
static int child_is(const struct walk *w, const char *want)
{
    return w->depth == 2 ? after(w, w->child, w->end, want) : -1;
}

static bool bank_with(const struct walk *w, uint64_t addr, uint64_t *lo, uint64_t *hi)
{
    uint32_t step = 4 * (w->addr_cells + w->size_cells), pos = w->value;
    for (uint32_t len = w->length; step && len >= step; len -= step, pos += step) {
        uint64_t base = cells(w->base + pos, w->addr_cells);
        uint64_t size = cells(w->base + pos + 4 * w->addr_cells, w->size_cells);
        if (addr >= base && addr - base < size) {
            *lo = base;
            *hi = size <= UINT64_MAX - base ? base + size : UINT64_MAX;
            return true;
        }
    }
    return false;
}

bool fdt_memory(const void *fdt, uint64_t addr, uint64_t *lo, uint64_t *hi)
{
    struct walk w;
    if (!walk_init(&w, fdt))
        return false;
    while (next_property(&w)) {
        int unit = child_is(&w, "memory");
        if (w.depth == 1 && w.length == 4 && property_is(&w, "#address-cells"))
            w.addr_cells = be32(w.base + w.value) & 3;
        else if (w.depth == 1 && w.length == 4 && property_is(&w, "#size-cells"))
            w.size_cells = be32(w.base + w.value) & 3;
        else if ((unit == 0 || unit == '@') && property_is(&w, "reg") && bank_with(&w, addr, lo, hi))
            return true;
    }
    return false;
}

size_t fdt_bootargs(const void *fdt, char *to, size_t n)
{
    struct walk w;
    size_t length = 0;
    to[0] = 0;
    if (!walk_init(&w, fdt))
        return 0;
    while (next_property(&w))
        if (child_is(&w, "chosen") == 0 && property_is(&w, "bootargs")) {
            while (length < w.length && w.base[w.value + length]) {
                if (length + 1 < n) {
                    to[length] = (char)w.base[w.value + length];
                    to[length + 1] = 0;
                }
                length++;
            }
            return length;
        }
    return 0;
}
