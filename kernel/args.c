/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a text of settings. */
#include "kernel/args.h"

#include "kernel/string.h"

static bool separates(char c)
{
    return c == ' ' || c == ',' || c == '\t' || c == '\r' || c == '\n';
}

bool args_next(const char **at, struct args_word *w)
{
    const char *p = *at;
    while (separates(*p))
        p++;
    *w = (struct args_word){ .text = p };
    for (; *p && !separates(*p); p++)
        if (*p == '=' && !w->value)
            w->value = p + 1;
    w->length = (size_t)(p - w->text);
    w->name = w->value ? (size_t)(w->value - 1 - w->text) : w->length;
    w->value_length = w->value ? (size_t)(p - w->value) : 0;
    if (w->length == 2 && memcmp(w->text, "--", 2) == 0)
        return false;
    *at = p;
    return w->length > 0;
}

bool args_is(const struct args_word *w, const char *name)
{
    return strlen(name) == w->name && memcmp(w->text, name, w->name) == 0;
}

/* The power of 1024 that a letter stands for, as a shift; 0: none. */
static unsigned unit(char c)
{
    static const char units[] = "KMGkmg";
    for (unsigned i = 0; units[i]; i++)
        if (c == units[i])
            return 10 * (i % 3 + 1);
    return 0;
}

bool args_number(const struct args_word *w, bool units, uint64_t max, uint64_t *out)
{
    size_t n = w->value_length;
    unsigned shift = units && n > 0 ? unit(w->value[n - 1]) : 0;
    uint64_t v = 0;
    if (shift)
        n--;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)(unsigned char)w->value[i] - '0';
        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v << shift;
    return n > 0 && v <= max >> shift;
}
