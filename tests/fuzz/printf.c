/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel/printf.c: formats of the documented subset, made from the input, with arguments for them.
 *
 * The buffer is exactly as large as said, texts are exactly as long as their precision lets them be read, and the result is
 * compared with the C library's where C defines it.  A count by `*` that is negative, which kernel/hk.h does not define, is
 * only run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/hk.h"
#include "tests/fuzz/bytes.h"

enum { ARGS = 16, FORMAT_MAX = 512, TEXTS = 32 };

struct call {
    char format[FORMAT_MAX];
    size_t length;
    uint64_t arg[ARGS], host[ARGS];     /* the C library's own: ASan wants its texts to end in 0 */
    unsigned args;
    char *text[TEXTS];
    unsigned texts;
    bool defined;               /* by C and by hk.h, so that both must agree */
};

static void put(struct call *c, char byte)
{
    c->format[c->length++] = byte;
}

static void put_count(struct call *c, struct bytes *in)
{
    char text[12];
    unsigned n = take(in) < 250 ? take(in) % 40 : take16(in) % 600;
    if (take(in) % 4 == 0) {
        bool negative = take(in) % 16 == 0;
        put(c, '*');
        c->arg[c->args++] = negative ? (uint64_t)(int64_t)-(int)n : n;
        if (negative && n)
            c->defined = false;
        return;
    }
    int length = snprintf(text, sizeof text, "%u", n);
    for (int i = 0; i < length; i++)
        put(c, text[i]);
}

/* A text that ends in 0, or exactly where its precision ends. */
static char *new_text(struct call *c, struct bytes *in, bool has_precision, unsigned *precision)
{
    unsigned n = take(in) % 64;
    bool open = has_precision && take(in) % 2;
    char *text = malloc(n + !open);
    for (unsigned i = 0; i < n; i++) {
        text[i] = (char)take(in);
        text[i] = text[i] ? text[i] : 'x';
    }
    if (!open)
        text[n] = 0;
    else
        *precision = n;
    c->text[c->texts++] = text;
    return text;
}

static char *ended_copy(struct call *c, const char *text, size_t exact)
{
    char *copy = exact == UINT32_MAX ? strdup(text) : strndup(text, exact);
    c->text[c->texts++] = copy;
    return copy;
}

static void put_conversion(struct call *c, struct bytes *in)
{
    static const char what[] = "diuxXcsp%";
    char conversion = what[take(in) % 9];
    put(c, '%');
    if (conversion == '%') {
        put(c, '%');
        return;
    }
    bool number = strchr("diuxX", conversion) != NULL;
    unsigned flags = take(in);
    if (flags & 1)
        put(c, '-');
    if (flags & 2 && number)            /* with others C does not define it */
        put(c, '0');
    if (flags & 4 && number && flags & 1)
        put(c, '-');
    if (flags & 8) {
        size_t before = c->length;
        put_count(c, in);
        if (c->format[before] == '0' && !number)
            c->format[before] = '1';    /* a width of 0 would be the flag */
    }
    if (number) {
        static const char *const sizes[] = { "", "l", "ll", "z" };
        for (const char *s = sizes[flags >> 6]; *s; s++)
            put(c, *s);
        uint64_t v = take64(in);
        c->arg[c->args++] = flags & 16 ? v : flags & 32 ? (uint64_t)(int64_t)(int8_t)v : v >> (v & 63);
    } else if (conversion == 'c') {
        c->arg[c->args++] = take(in);
    } else if (conversion == 'p') {
        c->arg[c->args++] = take64(in) | 1;     /* the C library has a word for NULL */
    } else {
        bool precise = flags & 16;
        unsigned exact = UINT32_MAX;
        char *text = new_text(c, in, precise, &exact);
        if (precise) {
            put(c, '.');
            if (exact != UINT32_MAX && flags & 32) {
                put(c, '*');
                c->arg[c->args++] = exact;
            } else if (exact != UINT32_MAX) {
                c->length += (size_t)sprintf(&c->format[c->length], "%u", exact);
            } else {
                put_count(c, in);
            }
        }
        c->host[c->args] = (uintptr_t)ended_copy(c, text, exact);
        c->arg[c->args++] = (uintptr_t)text;
    }
    put(c, conversion);
}

static int call_one(int (*fn)(char *, size_t, const char *, va_list), char *buf, size_t n, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int length = fn(buf, n, format, ap);
    va_end(ap);
    return length;
}

/* On 64-bit machines each integer argument has a whole register or word, so all go as words. */
static int call(int (*fn)(char *, size_t, const char *, va_list), char *buf, size_t n, const char *format,
                const uint64_t *a)
{
    return call_one(fn, buf, n, format, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12],
                    a[13], a[14], a[15]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char want[16384];
    struct bytes in = { data, data + size };
    struct call c = { .defined = true };
    size_t n = take(&in);
    n = n == 255 ? take16(&in) % 4096 : n;
    while (left(&in) && c.length < FORMAT_MAX - 40 && c.args < ARGS - 3 && c.texts < TEXTS - 1) {
        uint8_t byte = take(&in);
        if (byte == '%' || byte >= 0xc0)
            put_conversion(&c, &in);
        else if (byte)
            put(&c, (char)byte);
    }
    put(&c, 0);
    char *buf = malloc(n);
    int length = call(hk_vsnprintf, n ? buf : NULL, n, c.format, c.arg);
    for (unsigned i = 0; i < c.args; i++)
        c.host[i] = c.host[i] ? c.host[i] : c.arg[i];
    int host = call(vsnprintf, want, sizeof want, c.format, c.host);
    size_t kept = (size_t)length < n ? (size_t)length : n - 1;
    if (length < 0)
        fail("the length is negative");
    if (n && buf[kept] != 0)
        fail("the result does not end with 0");
    if (c.defined && length != host) {
        fprintf(stderr, "format \"%s\": %d, the C library %d\n", c.format, length, host);
        fail("the length is another");
    }
    if (c.defined && n && memcmp(buf, want, kept) != 0) {
        fprintf(stderr, "format \"%s\": \"%s\", the C library \"%s\"\n", c.format, buf, want);
        fail("the text is another");
    }
    free(buf);
    for (unsigned i = 0; i < c.texts; i++)
        free(c.text[i]);
    return 0;
}
