/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apps/jsonstore/parse.c and print.c on a stand-in for the collector: each object is a block of malloc of exactly its size, so
 * that ASan sees every access beside one.
 *
 * Whether a text is JSON, a second parser here decides, a recursive one.  What was parsed is printed, parsed and printed again,
 * which must give the same bytes.  The first byte of the input says which allocation fails, 0 for none.
 */
#include <string.h>

#include "apps/jsonstore/json.h"
#include "kernel/hk.h"
#include "tests/fuzz/bytes.h"

/* ---- the stand-in ------------------------------------------------------------------------------------------------ */

enum { OBJECTS = 1 << 16 };
static void *objects[OBJECTS];
static unsigned count, kept, fail_after;
static _Alignas(16) char no_hart[32768];       /* its runs are empty, so inline allocation takes the slow path */
HAL_TLS struct hart *hal_tls_hart = (struct hart *)(void *)no_hart;
uint32_t hgc_phase;

void *hgc_alloc(unsigned kind, size_t size)
{
    (void)kind;
    if (count == OBJECTS || (fail_after && --fail_after == 0))
        return NULL;
    return objects[count++] = calloc(1, size ? size : 1);
}

void *hgc_slow_new(uintptr_t id)
{
    (void)id;
    return hgc_alloc(HGC_LEAF, HGC_INLINE_MAX);
}

void hgc_slow_set(void **slot, void *value) { *slot = value; }
void hgc_copy(void *dst, const void *src, size_t bytes) { memmove(dst, src, bytes); }
void hgc_clear(void *dst, size_t bytes) { memset(dst, 0, bytes); }
int hgc_root_add(const void *base, size_t bytes) { return (void)base, (void)bytes, HGC_OK; }
int hgc_kind(unsigned kind, const struct hgc_kind *k) { return (void)kind, (void)k, HGC_OK; }

_Noreturn void hk_assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, expr);
    fail("an assertion");
}

/* ---- the second parser ------------------------------------------------------------------------------------------- */

struct text {
    const uint8_t *at, *end;
    unsigned depth;
};

static int now(const struct text *t) { return t->at < t->end ? *t->at : -1; }
static bool digit(int c) { return c >= '0' && c <= '9'; }

static void space(struct text *t)
{
    while (now(t) == ' ' || now(t) == '\t' || now(t) == '\n' || now(t) == '\r')
        t->at++;
}

static bool eat(struct text *t, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, word, n) != 0)
        return false;
    t->at += n;
    return true;
}

static bool some_digits(struct text *t)
{
    bool any = digit(now(t));
    while (digit(now(t)))
        t->at++;
    return any;
}

static bool good_number(struct text *t)
{
    (void)eat(t, "-");
    if (!eat(t, "0") && !some_digits(t))
        return false;
    if (eat(t, ".") && !some_digits(t))
        return false;
    if (!eat(t, "e") && !eat(t, "E"))
        return true;
    if (!eat(t, "+"))
        (void)eat(t, "-");
    return some_digits(t);
}

/* Four hexadecimal digits, or -1. */
static long unit(struct text *t)
{
    char hex[5] = "";
    for (unsigned i = 0; i < 4; i++, t->at++) {
        int c = now(t);
        if (!digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
            return -1;
        hex[i] = (char)c;
    }
    return strtol(hex, NULL, 16);
}

/* A code point by arithmetic: then its length must be the shortest. */
static bool good_utf8(struct text *t)
{
    unsigned c = *t->at++, n = c >= 0xf8 ? 9 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 9;
    if (n == 9)
        return false;
    unsigned long code = c & (0x3fu >> n);
    for (unsigned i = 0; i < n; i++, t->at++) {
        if (now(t) < 0x80 || now(t) > 0xbf)
            return false;
        code = code << 6 | (*t->at & 0x3f);
    }
    return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) && code >= (n == 1 ? 0x80u : n == 2 ? 0x800u : 0x10000u);
}

static bool good_string(struct text *t)
{
    if (!eat(t, "\""))
        return false;
    while (t->at < t->end && *t->at != '"') {
        if (*t->at < 0x20)
            return false;
        if (*t->at >= 0x80) {
            if (!good_utf8(t))
                return false;
        } else if (!eat(t, "\\")) {
            t->at++;
        } else if (eat(t, "u")) {
            long high = unit(t);
            if (high < 0 || (high >= 0xdc00 && high < 0xe000))
                return false;
            if (high >= 0xd800 && high < 0xdc00) {
                long low = eat(t, "\\u") ? unit(t) : -1;
                if (low < 0xdc00 || low > 0xdfff)
                    return false;
            }
        } else if (t->at == t->end || !strchr("\"\\/bfnrt", *t->at) || !*t->at) {
            return false;
        } else {
            t->at++;
        }
    }
    return eat(t, "\"");
}

static bool good_value(struct text *t)
{
    bool good = false;
    space(t);
    int open = now(t), close = open == '[' ? ']' : '}';
    if (open == '[' || open == '{') {
        t->at++;
        space(t);
        if (now(t) == close)
            return t->at++, true;
        for (;;) {
            space(t);
            if (open == '{' && (!good_string(t) || (space(t), !eat(t, ":"))))
                return false;
            if (!good_value(t))
                return false;
            space(t);
            if (now(t) == close)
                return t->at++, true;
            if (!eat(t, ","))
                return false;
        }
    }
    if (open == '"')
        good = good_string(t);
    else if (open == '-' || digit(open))
        good = good_number(t);
    else
        good = eat(t, "null") || eat(t, "true") || eat(t, "false");
    return good;
}

static bool good_text(const uint8_t *text, size_t length)
{
    struct text t = { .at = text, .end = text + length };
    return good_value(&t) && (space(&t), t.at == t.end);
}

/* ---- the target -------------------------------------------------------------------------------------------------- */

static const uint8_t *whole;
static size_t whole_length;

static int item(void *arg, const unsigned char *text, size_t length)
{
    unsigned *stop = arg;
    if (text < whole || text + length > whole + whole_length || !good_text(text, length))
        fail("an item that is no value of the text");
    return *stop && --*stop == 0;
}

static void again(struct json_parser *p, const struct json *v)
{
    struct json_out first = { 0 }, second = { 0 };
    struct json *copy;
    size_t at;
    if (json_print(&first, v))
        fail("no memory to print");
    if (!good_text(first.bytes, first.length))
        fail("what is printed is no JSON");
    uint8_t *exact = malloc(first.length);
    memcpy(exact, first.bytes, first.length);
    if (json_parse(p, exact, first.length, &copy, &at) || json_print(&second, copy))
        fail("what is printed cannot be parsed");
    if (first.length != second.length || memcmp(first.bytes, second.bytes, first.length) != 0)
        fail("what is printed differs the second time");
    if (json_digest(&first) != json_digest(&second))
        fail("two digests of one text");
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, data + size };
    unsigned fails = take(&in), how = take(&in), stop = how >> 4;
    struct json_parser p;
    struct json *v;
    size_t at = 0;
    if (!kept) {
        if (json_init())
            fail("json_init");
        kept = count;
    }
    if (json_parser_init(&p))
        fail("json_parser_init");
    p.item_depth = how & 3;
    p.item = item;
    p.arg = &stop;
    whole_length = left(&in);
    uint8_t *exact = malloc(whole_length);
    whole = memcpy(exact, in.at, whole_length);
    bool good = good_text(whole, whole_length);
    fail_after = fails;
    int error = json_parse(&p, whole, whole_length, &v, &at);
    fail_after = 0;
    if (at > whole_length)
        fail("the error is behind the text");
    if ((error == 0) != (v != NULL))
        fail("a value with an error, or none without");
    if (!error && !good)
        fail("what is no JSON was taken");
    if (good && error && !(error == JSON_ENOMEM && fails) && error != JSON_ESTOPPED)
        fail("JSON was refused");
    p.item_depth = 0;
    /* After any error the parser must be as good as new. */
    if (json_parse(&p, whole, whole_length, &v, &at) != 0 ? good : !good)
        fail("the second time it is something else");
    if (good)
        again(&p, v);
    free(exact);
    while (count > kept)
        free(objects[--count]);
    return 0;
}
