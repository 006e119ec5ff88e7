/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: one table says the name of each, its field of struct hgc_config and its range, for texts and for the struct.
 *
 * A word that is not known is an error: one who mistypes a setting of a debugging aid must not believe that it is on.
 */
#include "gc/gc_internal.h"
#include "kernel/args.h"

enum type { SWITCH, NUMBER, SIZE, HARTS, KERNELS };

struct setting {
    const char *name;
    enum type type;
    uint64_t least, most;       /* 0 is allowed beside them, as the default, if `zero` */
    bool zero;
    size_t offset;
    uint64_t in_struct;         /* allowed there beside the others; 0: nothing */
};
#define FIELD(name) offsetof(struct hgc_config, name)

static const struct setting settings[] = {
    { "gctrace", SWITCH, 0, 1, true, FIELD(trace), 0 },
    { "stoptheworld", NUMBER, 0, 2, true, FIELD(stoptheworld), 0 },
    { "verify", SWITCH, 0, 1, true, FIELD(verify), 0 },
    { "clobber", SWITCH, 0, 1, true, FIELD(clobber), 0 },
    { "noauto", SWITCH, 0, 1, true, FIELD(no_auto), 0 },
    { "stress", NUMBER, 0, UINT32_MAX, true, FIELD(stress), 0 },
    { "percent", NUMBER, 1, PACE_PERCENT_MAX, true, FIELD(percent), HGC_PERCENT_OFF },
    { "mintrigger", SIZE, 0, SIZE_MAX, true, FIELD(min_trigger), 0 },
    { "limit", SIZE, HGC_ARENA_MIN, SIZE_MAX, true, FIELD(limit), 0 },
    { "markharts", HARTS, 0, HK_MAX_HARTS - 1, true, FIELD(mark_harts), 0 },
    { "freeharts", HARTS, 0, HK_MAX_HARTS - 1, true, FIELD(free_harts), 0 },
    { "harts", KERNELS, 1, HK_MAX_HARTS, false, 0, 0 },
};
enum { SETTINGS = sizeof settings / sizeof *settings };

static void put(struct hgc_config *c, const struct setting *s, uint64_t v)
{
    void *field = (char *)c + s->offset;
    if (s->type == SWITCH)
        *(bool *)field = v;
    else if (s->type == NUMBER)
        *(unsigned *)field = (unsigned)v;
    else if (s->type == SIZE)
        *(size_t *)field = (size_t)v;
    else if (s->type == HARTS)
        *(uint64_t *)field = v;
}

static uint64_t get(const struct hgc_config *c, const struct setting *s)
{
    const void *field = (const char *)c + s->offset;
    if (s->type == HARTS)
        return *(const uint64_t *)field;
    return s->type == SWITCH ? *(const bool *)field : s->type == NUMBER ? *(const unsigned *)field : *(const size_t *)field;
}

static bool in_range(const struct setting *s, uint64_t v)
{
    return (v >= s->least && v <= s->most) || (v == 0 && s->zero);
}

/* What is allowed, behind the word at fault. */
static void wants(const struct setting *s, const char *word, int length, char *error, size_t n)
{
    const char *or_zero = s->zero && s->least ? "0 (the default) or " : "";
    char most[24] = "";
    if (length > 40)
        length = 40;
    if (s->most < UINT32_MAX)
        hk_snprintf(most, sizeof most, " to %u", (unsigned)s->most);
    if (s->type == SWITCH)
        hk_snprintf(error, n, "%.*s: wants %s=0 or %s=1", length, word, s->name, s->name);
    else if (s->type == HARTS)
        hk_snprintf(error, n, "%.*s: wants %s=n or %s=n+n+..., numbers of harts from 0 to %u", length, word, s->name, s->name,
                    (unsigned)s->most);
    else if (s->type == SIZE)
        hk_snprintf(error, n, "%.*s: wants %s=size, %sa number from %llu on, or one with K, M or G", length, word, s->name,
                    or_zero, (unsigned long long)s->least);
    else
        hk_snprintf(error, n, "%.*s: wants %s=n, %sa number from %u%s", length, word, s->name, or_zero, (unsigned)s->least,
                    *most ? most : " to 4294967295");
}

static void unknown(const struct args_word *w, char *error, size_t n)
{
    int at = hk_snprintf(error, n, "%.*s: there is no such setting; known are",
                         (int)(w->length < 40 ? w->length : 40), w->text);
    for (unsigned i = 0; i < SETTINGS && at < (int)n; i++)
        at += hk_snprintf(error + at, n - (size_t)at, " %s=", settings[i].name);
}

/* Numbers of harts, with '+' between them, as a mask. */
static bool harts(const struct args_word *w, uint64_t most, uint64_t *mask)
{
    struct args_word one = { .value = w->value };
    const char *end = w->value + w->value_length;
    uint64_t hart;
    *mask = 0;
    for (;;) {
        for (one.value_length = 0; one.value + one.value_length < end && one.value[one.value_length] != '+';)
            one.value_length++;
        if (!args_number(&one, false, most, &hart))
            return false;
        *mask |= (uint64_t)1 << hart;
        if (one.value + one.value_length == end)
            return true;
        one.value += one.value_length + 1;
    }
}

static bool value_of(const struct setting *s, const struct args_word *w, uint64_t *v)
{
    if (!w->value)
        return false;
    return s->type == HARTS ? harts(w, s->most, v) : args_number(w, s->type == SIZE, s->most, v) && in_range(s, *v);
}

static bool take(struct hgc_config *c, const struct args_word *w, bool boot, char *error, size_t n)
{
    const struct setting *s = settings;
    uint64_t v;
    while (s < settings + SETTINGS && !args_is(w, s->name))
        s++;
    if (s == settings + SETTINGS) {
        unknown(w, error, n);
        return false;
    }
    if (s->type == KERNELS && !boot) {
        hk_snprintf(error, n, "%s=: the kernel takes it, and from the boot arguments only", s->name);
        return false;
    }
    if (!value_of(s, w, &v)) {
        wants(s, w->text, (int)w->length, error, n);
        return false;
    }
    put(c, s, v);
    return true;
}

static int parse(struct hgc_config *c, const char *text, bool boot, char *error, size_t n)
{
    struct hgc_config new = *c;
    for (struct args_word w; args_next(&text, &w);)
        if (!take(&new, &w, boot, error, n))
            return HGC_EINVAL;
    *c = new;
    return HGC_OK;
}

int hgc_settings(struct hgc_config *c, const char *text, char *error, size_t n)
{
    return parse(c, text, false, error, n);
}

int settings_boot(struct hgc_config *c, const char *text, char *error, size_t n)
{
    return parse(c, text, true, error, n);
}

/* The harts are there, and somebody marks. */
static bool roles_valid(const struct hgc_config *c, char *error, size_t n)
{
    unsigned harts = hal_hart_count();
    uint64_t there = harts < 64 ? ((uint64_t)1 << harts) - 1 : UINT64_MAX, named = c->mark_harts | c->free_harts;
    if (c->mark_harts & c->free_harts)
        hk_snprintf(error, n, "markharts=, freeharts=: name the same hart");
    else if (named & ~there)
        hk_snprintf(error, n, "%s=: names a hart that is not there; this machine has %u",
                    c->mark_harts & ~there ? "markharts" : "freeharts", harts);
    else if (c->free_harts == there)
        hk_snprintf(error, n, "freeharts=: leaves no hart that marks");
    else
        return true;
    return false;
}

bool settings_valid(const struct hgc_config *c, char *error, size_t n)
{
    for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
        char word[48];
        uint64_t v = s->type == KERNELS ? s->least : get(c, s);
        if (s->type == HARTS || in_range(s, v) || (s->in_struct && v == s->in_struct))
            continue;
        int length = hk_snprintf(word, sizeof word, "%s=%llu", s->name, (unsigned long long)v);
        wants(s, word, length, error, n);
        return false;
    }
    if (c->size > HGC_ARENA_MAX) {
        hk_snprintf(error, n, "size=%llu: an arena has at most 64 GiB", (unsigned long long)c->size);
        return false;
    }
    if (c->min_trigger > c->size) {
        hk_snprintf(error, n, "mintrigger=%llu: is more than the arena has", (unsigned long long)c->min_trigger);
        return false;
    }
    if (c->limit > c->size) {
        hk_snprintf(error, n, "limit=%llu: is more than the arena has", (unsigned long long)c->limit);
        return false;
    }
    if (c->period_ns && !pace_period_ok(c->period_ns)) {
        hk_snprintf(error, n, "period_ns=%llu: is shorter than a millisecond, or too long to count", (unsigned long long)c->period_ns);
        return false;
    }
    return !(c->mark_harts | c->free_harts) || roles_valid(c, error, n);
}
