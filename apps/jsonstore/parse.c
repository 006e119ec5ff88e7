/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser: RFC 8259, strict.
 *
 * It is a loop, not a recursion.  A value that is complete goes on the parser's value vector; a list that is complete
 * takes its values from the end of the vector, and goes there itself.  How many values are its own, the frame tells that
 * was pushed when the list began.
 */
#include "apps/jsonstore/json.h"

#include <string.h>

#include "kernel/hk.h"

#define FRAME_OBJECT 0x80000000u

static bool is_digit(unsigned c)
{
    return c - '0' < 10;
}

static unsigned peek(const struct json_parser *p)
{
    return p->at < p->end ? *p->at : 256;       /* 256 is no byte */
}

/* The error for a byte that does not fit: it is missing, or wrong. */
static int unfit(const struct json_parser *p, int wrong)
{
    return p->at == p->end ? JSON_EEND : wrong;
}

static void skip_space(struct json_parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
        p->at++;
}

/* ---- work lists -------------------------------------------------------------------------------------------------- */

int json_parser_init(struct json_parser *p)
{
    memset(p, 0, sizeof *p);
    p->capacity = 32;
    p->depth_capacity = 16;
    p->values = json_vector_new(NULL, 0, p->capacity);
    p->frames = hgc_alloc(HGC_LEAF, p->depth_capacity * sizeof *p->frames);
    return p->values && p->frames ? 0 : JSON_ENOMEM;
}

static int push_value(struct json_parser *p, struct json *v)
{
    if (!v)
        return JSON_ENOMEM;
    if (p->used == p->capacity) {
        struct json_vector *larger = json_vector_new(p->values, p->used, 2 * (size_t)p->capacity);
        if (!larger)
            return JSON_ENOMEM;
        p->values = larger;
        p->capacity *= 2;
    }
    hgc_set(&p->values->at[p->used], (void *)v);
    p->used++;
    return 0;
}

/* Takes the values from `base` on off the vector.  They are cleared there, or they would be kept alive by it. */
static void drop_values(struct json_parser *p, uint32_t base)
{
    hgc_clear(&p->values->at[base], (p->used - base) * sizeof p->values->at[0]);
    p->used = base;
}

static int push_frame(struct json_parser *p, uint32_t flag)
{
    if (p->depth == JSON_DEPTH_MAX)
        return JSON_EDEPTH;
    if (p->depth == p->depth_capacity) {
        uint32_t *larger = hgc_alloc(HGC_LEAF, 2 * p->depth_capacity * sizeof *larger);
        if (!larger)
            return JSON_ENOMEM;
        memcpy(larger, p->frames, p->depth * sizeof *larger);
        p->frames = larger;
        p->depth_capacity *= 2;
    }
    p->frames[p->depth++] = p->used | flag;
    p->at++;
    return 0;
}

/* ---- scalars ----------------------------------------------------------------------------------------------------- */

static int constant(struct json_parser *p, const char *word, enum json_type type)
{
    size_t n = strlen(word);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
        return JSON_ETOKEN;
    p->at += n;
    return push_value(p, json_constant(type));
}

static int digits(struct json_parser *p)
{
    if (!is_digit(peek(p)))
        return unfit(p, JSON_ENUMBER);
    while (is_digit(peek(p)))
        p->at++;
    return 0;
}

static int number(struct json_parser *p)
{
    const unsigned char *start = p->at;
    int error = 0;
    if (peek(p) == '-')
        p->at++;
    if (peek(p) == '0') {
        p->at++;
        if (is_digit(peek(p)))
            return JSON_ENUMBER;
    } else {
        error = digits(p);
    }
    if (!error && peek(p) == '.') {
        p->at++;
        error = digits(p);
    }
    if (!error && (peek(p) | 0x20) == 'e') {
        p->at++;
        if (peek(p) == '+' || peek(p) == '-')
            p->at++;
        error = digits(p);
    }
    return error ? error : push_value(p, json_number(start, (size_t)(p->at - start)));
}

/* ---- strings: looked through once to check and measure, then decoded --------------------------------------------- */

/* The length of the well-formed UTF-8 sequence at s, or 0.  Its second byte has bounds that keep out overlong forms,
 * surrogates, and what lies beyond U+10FFFF (Unicode, table 3-7). */
static size_t utf8(const unsigned char *s, const unsigned char *end)
{
    unsigned c = *s;
    unsigned lo = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned hi = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    size_t n = c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (!n || (size_t)(end - s) < n || s[1] < lo || s[1] > hi)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    return n;
}

static int hex_digit(unsigned c)
{
    if (is_digit(c))
        return (int)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (int)(c - 'a' + 10) : -1;
}

/* The four digits after \u at s, or an error. */
static int32_t hex4(const unsigned char *s, const unsigned char *end)
{
    int32_t code = 0;
    for (unsigned i = 0; i < 4; i++, s++) {
        int d = s < end ? hex_digit(*s) : -1;
        if (d < 0)
            return s < end ? JSON_EESCAPE : JSON_EEND;
        code = code * 16 + d;
    }
    return code;
}

/* The code point of the \u escape or pair of them at s, its length in *n; or an error. */
static int32_t unicode_escape(const unsigned char *s, const unsigned char *end, size_t *n)
{
    int32_t code = hex4(s + 2, end);
    *n = 6;
    if (code < 0xD800 || code > 0xDFFF)
        return code;
    if (code > 0xDBFF || end - s < 8 || s[6] != '\\' || s[7] != 'u')
        return JSON_ESURROGATE;
    int32_t low = hex4(s + 8, end);
    if (low < 0)
        return low;
    *n = 12;
    return low < 0xDC00 || low > 0xDFFF ? JSON_ESURROGATE : 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

/* The byte that \c stands for, or 0. */
static unsigned char short_escape(unsigned c)
{
    switch (c) {
    case '"': case '\\': case '/': return (unsigned char)c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

static size_t utf8_put(unsigned char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (unsigned char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (unsigned char)(0x80 | (code & 0x3F));
    out[0] = (unsigned char)(0xF00 >> n | code);
    return n;
}

/* Checks the escape at p->at and steps over it.  Returns the length of what it stands for, or an error. */
static int check_escape(struct json_parser *p)
{
    unsigned char utf[4];
    if (p->end - p->at < 2) {
        p->at = p->end;
        return JSON_EEND;
    }
    if (p->at[1] != 'u') {
        if (!short_escape(p->at[1]))
            return JSON_EESCAPE;
        p->at += 2;
        return 1;
    }
    size_t n;
    int32_t code = unicode_escape(p->at, p->end, &n);
    if (code < 0) {
        if (code == JSON_EEND)
            p->at = p->end;
        return code;
    }
    p->at += n;
    return (int)utf8_put(utf, (uint32_t)code);
}

/* Checks the string whose contents begin at p->at and steps behind its closing quote.  0, and the decoded length in
 * *length and whether anything needs decoding in *escaped; or an error. */
static int check_string(struct json_parser *p, size_t *length, bool *escaped)
{
    for (*length = 0, *escaped = false; p->at < p->end;) {
        unsigned c = *p->at;
        int n = 1;
        if (c == '"') {
            p->at++;
            return 0;
        }
        if (c < ' ')
            return JSON_ECONTROL;
        if (c == '\\') {
            *escaped = true;
            n = check_escape(p);
            if (n < 0)
                return n;
        } else {
            if (c >= 0x80)
                n = (int)utf8(p->at, p->end);
            if (!n)
                return JSON_EUTF8;
            p->at += n;
        }
        *length += (size_t)n;
    }
    return JSON_EEND;
}

/* Decodes what check_string found right. */
static void decode(unsigned char *out, const unsigned char *s, const unsigned char *end)
{
    while (s < end) {
        if (*s != '\\') {
            *out++ = *s++;
        } else if (s[1] != 'u') {
            *out++ = short_escape(s[1]);
            s += 2;
        } else {
            size_t n;
            out += utf8_put(out, (uint32_t)unicode_escape(s, end, &n));
            s += n;
        }
    }
}

static int string(struct json_parser *p)
{
    const unsigned char *start = ++p->at;
    size_t length;
    bool escaped;
    int error = check_string(p, &length, &escaped);
    if (error)
        return error;
    struct json_text *t = json_text_new(JSON_STRING, length);
    if (!t)
        return JSON_ENOMEM;
    if (escaped)
        decode(t->bytes, start, p->at - 1);
    else
        memcpy(t->bytes, start, length);
    json_text_seal(t);
    return push_value(p, &t->head);
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

/* Reads a member's name and the colon. */
static int name(struct json_parser *p)
{
    skip_space(p);
    if (peek(p) != '"')
        return unfit(p, JSON_ETOKEN);
    int error = string(p);
    if (error)
        return error;
    skip_space(p);
    if (peek(p) != ':')
        return unfit(p, JSON_ETOKEN);
    p->at++;
    return 0;
}

/* Of members with one name, keeps the first one's place and the last one's value.  The cost is a comparison of hashes for
 * each pair of members. */
static void merge_members(struct json_parser *p, uint32_t base)
{
    struct json_vector *v = p->values;
    uint32_t kept = base;
    for (uint32_t i = base; i < p->used; i += 2) {
        struct json *member_name = hgc_get(v->at[i]);
        uint32_t j = base;
        while (j < kept && !json_text_equal(hgc_get(v->at[j]), member_name))
            j += 2;
        if (j != i) {
            hgc_set(&v->at[j], (void *)member_name);
            hgc_set(&v->at[j + 1], hgc_get(v->at[i + 1]));
        }
        if (j == kept)
            kept += 2;
    }
    drop_values(p, kept);
}

/* The innermost list is complete: its values become one. */
static int close_list(struct json_parser *p)
{
    uint32_t frame = p->frames[--p->depth];
    uint32_t base = frame & ~FRAME_OBJECT;
    if (frame & FRAME_OBJECT)
        merge_members(p, base);
    struct json *list = json_list(frame & FRAME_OBJECT ? JSON_OBJECT : JSON_ARRAY,
                                  (struct json *const *)(uintptr_t)&p->values->at[base], p->used - base);
    if (!list)
        return JSON_ENOMEM;
    drop_values(p, base);
    p->at++;
    return push_value(p, list);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* Where the loop stands: before a value, or behind one. */
enum state { BEFORE, BEHIND };

/* Begins a list.  An empty one is complete at once. */
static int begin_list(struct json_parser *p, bool object, enum state *state)
{
    int error = push_frame(p, object ? FRAME_OBJECT : 0);
    if (error)
        return error;
    skip_space(p);
    if (peek(p) == (object ? '}' : ']')) {
        *state = BEHIND;
        return close_list(p);
    }
    *state = BEFORE;
    return object ? name(p) : 0;
}

static int before_value(struct json_parser *p, enum state *state)
{
    unsigned c = peek(p);
    *state = BEHIND;
    switch (c) {
    case '[': case '{': return begin_list(p, c == '{', state);
    case '"': return string(p);
    case 'n': return constant(p, "null", JSON_NULL);
    case 't': return constant(p, "true", JSON_TRUE);
    case 'f': return constant(p, "false", JSON_FALSE);
    default: return c == '-' || is_digit(c) ? number(p) : unfit(p, JSON_ETOKEN);
    }
}

/* Behind a value that stands in a list: a comma, or the list's end. */
static int behind_value(struct json_parser *p, enum state *state)
{
    bool object = p->frames[p->depth - 1] & FRAME_OBJECT;
    unsigned c = peek(p);
    if (c == ',') {
        p->at++;
        *state = BEFORE;
        return object ? name(p) : 0;
    }
    return c == (object ? '}' : ']') ? close_list(p) : unfit(p, JSON_ETOKEN);
}

/* `start` is where the outermost value that item is told of began. */
static int run(struct json_parser *p)
{
    const unsigned char *start = p->at;
    enum state state = BEFORE;
    for (;;) {
        skip_space(p);
        if (state == BEHIND && !p->depth)
            return p->at == p->end ? 0 : JSON_ETRAIL;
        if (state == BEFORE && p->item_depth && p->depth == p->item_depth)
            start = p->at;
        int error = state == BEFORE ? before_value(p, &state) : behind_value(p, &state);
        if (!error && state == BEHIND && p->item_depth && p->depth == p->item_depth
            && p->item(p->arg, start, (size_t)(p->at - start)))
            error = JSON_ESTOPPED;
        if (error)
            return error;
    }
}

int json_parse(struct json_parser *p, const void *text, size_t length, struct json **value, size_t *error_at)
{
    p->text = p->at = text;
    p->end = p->text + length;
    p->used = p->depth = 0;
    int error = run(p);
    *error_at = (size_t)(p->at - p->text);
    *value = error ? NULL : hgc_get(p->values->at[0]);
    drop_values(p, 0);
    return error;
}
