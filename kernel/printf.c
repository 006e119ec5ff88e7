/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting, without floating point: hk_snprintf, and under it hk_vsnprintf for the console and the panic. */
#include <limits.h>

#include "kernel/kernel_internal.h"

/* Where the characters go.  `length` counts those that did not fit as well, as snprintf's result does. */
struct sink {
    char *buf;
    size_t size, length;
};

struct field {
    bool left, zero;
    unsigned width, precision;  /* precision: of text only */
};

static void put(struct sink *s, char c)
{
    if (s->length + 1 < s->size)
        s->buf[s->length] = c;
    s->length++;
}

static void pad(struct sink *s, char c, unsigned have, unsigned width)
{
    for (; have < width; have++)
        put(s, c);
}

static void put_text(struct sink *s, const struct field *f, const char *text, unsigned length)
{
    if (!f->left)
        pad(s, ' ', length, f->width);
    for (unsigned i = 0; i < length; i++)
        put(s, text[i]);
    if (f->left)
        pad(s, ' ', length, f->width);
}

static void put_number(struct sink *s, const struct field *f, unsigned long long n, bool negative, const char *prefix,
                       unsigned base, const char *digits)
{
    char text[24], *end = text + sizeof text, *at = end;
    do
        *--at = digits[n % base];
    while ((n /= base) != 0);
    unsigned length = (unsigned)(end - at), mark = negative ? 1 : 0;
    while (prefix[mark])
        mark++;
    if (f->zero && !f->left) {
        for (unsigned i = 0; i < mark; i++)
            put(s, prefix[i]);
        pad(s, '0', length + mark, f->width);
        mark = 0;
    }
    while (mark > 0)
        *--at = prefix[--mark];
    struct field rest = *f;
    if (f->zero && !f->left)
        rest.width = 0;
    put_text(s, &rest, at, (unsigned)(end - at));
}

/* A number, or `*`: the next argument. */
static const char *parse_count(const char *fmt, unsigned *n, va_list *ap)
{
    if (*fmt == '*') {
        int count = va_arg(*ap, int);
        *n = count < 0 ? 0 : (unsigned)count;
        return fmt + 1;
    }
    for (*n = 0; *fmt >= '0' && *fmt <= '9'; fmt++)
        *n = *n * 10 + (unsigned)(*fmt - '0');
    return fmt;
}

static const char *parse_field(const char *fmt, struct field *f, va_list *ap)
{
    *f = (struct field){ .precision = UINT_MAX };
    for (; *fmt == '-' || *fmt == '0'; fmt++)
        *(*fmt == '-' ? &f->left : &f->zero) = true;
    fmt = parse_count(fmt, &f->width, ap);
    return *fmt == '.' ? parse_count(fmt + 1, &f->precision, ap) : fmt;
}

static unsigned long long fetch(va_list *ap, unsigned longs, bool is_signed)
{
    if (longs >= 2)
        return va_arg(*ap, unsigned long long);
    if (longs == 1)
        return is_signed ? (unsigned long long)va_arg(*ap, long) : va_arg(*ap, unsigned long);
    return is_signed ? (unsigned long long)va_arg(*ap, int) : va_arg(*ap, unsigned);
}

static void put_signed(struct sink *s, const struct field *f, unsigned long long n)
{
    bool negative = (long long)n < 0;
    put_number(s, f, negative ? 0 - n : n, negative, negative ? "-" : "", 10, "0123456789");
}

static void convert(struct sink *s, const struct field *f, char what, unsigned longs, va_list *ap)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    const char *text;
    unsigned length = 0;
    char c;
    switch (what) {
    case 'd':
    case 'i':
        put_signed(s, f, fetch(ap, longs, true));
        break;
    case 'u':
        put_number(s, f, fetch(ap, longs, false), false, "", 10, lower);
        break;
    case 'x':
    case 'X':
        put_number(s, f, fetch(ap, longs, false), false, "", 16, what == 'x' ? lower : upper);
        break;
    case 'p':
        put_number(s, f, (uintptr_t)va_arg(*ap, void *), false, "0x", 16, lower);
        break;
    case 'c':
        c = (char)va_arg(*ap, int);
        put_text(s, f, &c, 1);
        break;
    case 's':
        text = va_arg(*ap, const char *);
        text = text ? text : "(null)";
        while (length < f->precision && text[length])
            length++;
        put_text(s, f, text, length);
        break;
    default:                /* "%%", and what we do not know is shown as it is */
        put(s, what);
        break;
    }
}

int hk_vsnprintf(char *buf, size_t n, const char *fmt, va_list args)
{
    struct sink s = { buf, n, 0 };
    va_list ap;
    va_copy(ap, args);
    for (; *fmt; fmt++) {
        struct field f;
        unsigned longs = 0;
        if (*fmt != '%') {
            put(&s, *fmt);
            continue;
        }
        fmt = parse_field(fmt + 1, &f, &ap);
        for (; *fmt == 'l' || *fmt == 'z'; fmt++)
            longs++;        /* size_t and long are of one size here, on RV32, RV64 and the host */
        if (*fmt == '\0')
            break;
        convert(&s, &f, *fmt, longs, &ap);
    }
    va_end(ap);
    if (n > 0)
        buf[s.length < n ? s.length : n - 1] = '\0';
    return (int)s.length;
}

int hk_snprintf(char *buf, size_t n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int length = hk_vsnprintf(buf, n, fmt, ap);
    va_end(ap);
    return length;
}
