/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over the structure block of a flattened device tree (Devicetree Specification 0.4, chapter 5), looking for the
 * children of the root whose name is "memory" or "memory@...".  Their "reg" is a list of (address, size), each of as many
 * 32-bit cells as the root's #address-cells and #size-cells say.
 */
#include "boot/fdt.h"

#include <stddef.h>

enum { FDT_MAGIC = (int)0xd00dfeed, BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4 };
enum { HEADER_BYTES = 40, MAX_BYTES = 16 << 20 };

struct walk {
    const uint8_t *base;
    uint32_t pos, end;              /* structure block */
    uint32_t strings, strings_end;  /* names of properties */
    uint32_t addr_cells, size_cells;
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

/* Does the string at `pos`, which ends before `end`, start with `want`, and then end or go on with '@'? */
static bool name_is(const struct walk *w, uint32_t pos, uint32_t end, const char *want)
{
    for (; *want; want++, pos++)
        if (pos >= end || w->base[pos] != (uint8_t)*want)
            return false;
    return pos < end && (w->base[pos] == 0 || w->base[pos] == '@');
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
    *w = (struct walk){ b, at, at + size, strings, strings + strings_size, 2, 1 };
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

static bool bank_with(const struct walk *w, uint32_t pos, uint32_t len, uint64_t addr, uint64_t *lo, uint64_t *hi)
{
    uint32_t step = 4 * (w->addr_cells + w->size_cells);
    for (; step && len >= step; len -= step, pos += step) {
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
    int depth = 0;              /* 1: in the root node */
    bool in_memory = false;
    for (;;) {
        switch (token(&w)) {
        case BEGIN_NODE:
            depth++;
            if (depth == 2)
                in_memory = name_is(&w, w.pos, w.end, "memory");
            skip_name(&w);
            break;
        case END_NODE:
            depth--;
            break;
        case NOP:
            break;
        case PROP: {
            uint32_t len = token(&w), name = token(&w), value = w.pos;
            if (len > w.end - value || name >= w.strings_end - w.strings)
                return false;
            name += w.strings;
            if (depth == 1 && len == 4 && name_is(&w, name, w.strings_end, "#address-cells"))
                w.addr_cells = be32(w.base + value) & 3;
            else if (depth == 1 && len == 4 && name_is(&w, name, w.strings_end, "#size-cells"))
                w.size_cells = be32(w.base + value) & 3;
            else if (depth == 2 && in_memory && name_is(&w, name, w.strings_end, "reg")
                     && bank_with(&w, value, len, addr, lo, hi))
                return true;
            skip(&w, len);
            break;
        }
        default:                /* the end, or nonsense */
            return false;
        }
    }
}
