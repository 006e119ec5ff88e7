/* SPDX-License-Identifier: Apache-2.0 */
/* The serialiser.  Like the parser it keeps its place in the heap, not in the task's stack. */
#include "apps/jsonstore/json.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "json_digest reads words as they lie in memory: it needs a little-endian machine"
#endif

/* An open list and the place of what comes next in it. */
struct json_frame {
    hgc_ref(struct json) list;
    uintptr_t next;
};
_Static_assert(sizeof(struct json_frame) == 2 * sizeof(void *) && HGC_MAP(struct json_frame, list) == 1,
               "json_init registers KIND_FRAMES with a period of 2 words, the first a reference");

struct frames {
    struct json_frame *at;
    size_t depth, capacity;
};

/* ---- output ------------------------------------------------------------------------------------------------------ */

static int reserve(struct json_out *out, size_t n)
{
    if (out->capacity - out->length >= n)
        return 0;
    size_t capacity = out->capacity ? out->capacity : 128;
    while (capacity - out->length < n)
        capacity *= 2;
    unsigned char *larger = hgc_alloc(HGC_LEAF, capacity);
    if (!larger)
        return JSON_ENOMEM;
    if (out->length)
        memcpy(larger, out->bytes, out->length);
    out->bytes = larger;
    out->capacity = capacity;
    return 0;
}

static int put(struct json_out *out, const void *bytes, size_t n)
{
    if (reserve(out, n))
        return JSON_ENOMEM;
    memcpy(out->bytes + out->length, bytes, n);
    out->length += n;
    return 0;
}

static int put_char(struct json_out *out, char c)
{
    if (out->length == out->capacity && reserve(out, 1))
        return JSON_ENOMEM;
    out->bytes[out->length++] = (unsigned char)c;
    return 0;
}

/* The letter of the short escape, 'u' if there is none, 0 if c needs no escape. */
static unsigned char escape_of(unsigned char c)
{
    static const unsigned char short_ones[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (c >= ' ')
        return c == '"' || c == '\\' ? c : 0;
    return c < sizeof short_ones && short_ones[c] ? short_ones[c] : 'u';
}

static int put_string(struct json_out *out, const struct json *v)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *bytes = json_text(v)->bytes;
    if (reserve(out, 6 * (size_t)v->length + 2))        /* each byte may become \u00xx */
        return JSON_ENOMEM;
    unsigned char *to = out->bytes + out->length;
    *to++ = '"';
    for (size_t i = 0; i < v->length; i++) {
        unsigned char c = bytes[i], letter = escape_of(c);
        if (!letter) {
            *to++ = c;
            continue;
        }
        *to++ = '\\';
        *to++ = letter;
        if (letter == 'u') {
            *to++ = '0';
            *to++ = '0';
            *to++ = (unsigned char)hex[c >> 4];
            *to++ = (unsigned char)hex[c & 15];
        }
    }
    *to++ = '"';
    out->length = (size_t)(to - out->bytes);
    return 0;
}

static int put_scalar(struct json_out *out, const struct json *v)
{
    switch (v->type) {
    case JSON_NULL: return put(out, "null", 4);
    case JSON_TRUE: return put(out, "true", 4);
    case JSON_FALSE: return put(out, "false", 5);
    case JSON_NUMBER: return put(out, json_text(v)->bytes, v->length);
    default: return put_string(out, v);
    }
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static int push(struct frames *f, const struct json *list)
{
    if (f->depth == f->capacity) {
        size_t capacity = f->capacity ? 2 * f->capacity : 8;
        struct json_frame *larger = hgc_alloc(KIND_FRAMES, capacity * sizeof *larger);
        if (!larger)
            return JSON_ENOMEM;
        if (f->depth)
            hgc_copy(larger, f->at, f->depth * sizeof *larger);
        f->at = larger;
        f->capacity = capacity;
    }
    hgc_set(&f->at[f->depth].list, (struct json *)(uintptr_t)list);
    f->at[f->depth++].next = 0;
    return 0;
}

/* Goes on in the innermost list: prints up to its next value, which it returns in *next; or closes it (*next: NULL). */
static int step(struct json_out *out, struct frames *f, const struct json **next)
{
    struct json_frame *top = &f->at[f->depth - 1];
    const struct json *list = hgc_get(top->list);
    bool object = list->type == JSON_OBJECT;
    *next = NULL;
    if (top->next == list->length) {
        f->depth--;
        return put_char(out, object ? '}' : ']');
    }
    if (top->next && put_char(out, ','))
        return JSON_ENOMEM;
    if (object && (put_string(out, json_item(list, top->next++)) || put_char(out, ':')))
        return JSON_ENOMEM;
    *next = json_item(list, top->next++);
    return 0;
}

int json_print(struct json_out *out, const struct json *v)
{
    struct frames f = {0};
    do {
        int error = 0;
        if (v)
            error = !json_is_list(v) ? put_scalar(out, v)
                                     : put_char(out, v->type == JSON_OBJECT ? '{' : '[') || push(&f, v) ? JSON_ENOMEM : 0;
        if (!error && f.depth)
            error = step(out, &f, &v);
        else
            v = NULL;
        if (error)
            return error;
    } while (v || f.depth);
    return 0;
}

static uint64_t digest_step(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x100000001B3u;
    return h ^ h >> 32;
}

uint64_t json_digest(const struct json_out *out)
{
    uint64_t h = 0xCBF29CE484222325u ^ out->length;
    /* The bytes begin an object, so they are aligned as words; the compiler is told, or it would load them singly. */
    const unsigned char *b = __builtin_assume_aligned(out->bytes, 8);
    size_t i = 0, whole = out->length & ~(size_t)7;
    uint64_t word;
    for (; i < whole; i += 8) {
        memcpy(&word, b + i, 8);
        h = digest_step(h, word);
    }
    if (i < out->length) {
        word = 0;
        memcpy(&word, b + i, out->length - i);
        h = digest_step(h, word);
    }
    return h;
}
