/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The edits.  A document's version is a function of the version before it, of the document's ordinal and of the version's
 * number.  tools/jsongen.py has the same rules in Python: a rule changed here must be changed there.
 *
 * Any of the building functions may return NULL for want of memory; they pass NULL arguments on, so only results matter.
 */
#include "apps/jsonstore/edit.h"

#include <string.h>

#include "expect.h"
#include "kernel/hk.h"

struct text { const char *bytes; size_t length; };
static const struct text numbers[10] = {JS_NUMBERS};
static const struct text notes[10] = {JS_NOTES};

uint32_t edit_mix(uint32_t a, uint32_t b)
{
    uint32_t x = a * 0x9E3779B1u ^ b * 0x85EBCA77u ^ JS_SEED;
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= x >> 15;
    x *= 0x846CA68Bu;
    return x ^ x >> 16;
}

bool edit_is_reinsertion(uint32_t ordinal, uint32_t version)
{
    return (edit_mix(ordinal, version) & 15) == 0;
}

/* ---- pieces ------------------------------------------------------------------------------------------------------ */

static struct json *string(const char *s)
{
    return json_string(s, strlen(s));
}

static struct json *number_of(uint32_t pick)
{
    return json_number(numbers[pick % 10].bytes, numbers[pick % 10].length);
}

static struct json *note_of(uint32_t pick)
{
    return json_string(notes[pick % 10].bytes, notes[pick % 10].length);
}

static struct json *flag_of(uint32_t pick)
{
    static const enum json_type flags[] = {JSON_NULL, JSON_TRUE, JSON_FALSE};
    return json_constant(flags[pick % 3]);
}

/* Two notes and the ordinal between them. */
static struct json *long_note(uint32_t ordinal, uint32_t pick)
{
    const struct text *a = &notes[pick % 10], *b = &notes[pick / 10 % 10];
    char text[80];
    memcpy(text, a->bytes, a->length);
    size_t n = a->length;
    n += (size_t)hk_snprintf(text + n, sizeof text - n, "/%u/", (unsigned)ordinal);
    memcpy(text + n, b->bytes, b->length);
    return json_string(text, n + b->length);
}

static struct json *list_of(enum json_type type, struct json *const *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!items[i])
            return NULL;
    }
    return json_list(type, items, n);
}

/* A small document of its own. */
static struct json *meta(uint32_t ordinal, uint32_t version, uint32_t pick)
{
    struct json *some[3] = {NULL};
    size_t n = pick % 4;
    for (size_t i = 0; i < n; i++)
        some[i] = number_of(pick + (uint32_t)i);
    struct json *innermost = json_integer(pick);
    struct json *pair[] = {list_of(JSON_ARRAY, &innermost, 1), note_of(pick)};
    struct json *deep[] = {string("list"), list_of(JSON_ARRAY, pair, 2)};
    struct json *members[] = {
        string("k"), json_integer(ordinal), string("v"), json_integer(version), string("numbers"),
        list_of(JSON_ARRAY, some, n), string("empty"), json_list(JSON_OBJECT, NULL, 0), string("none"),
        json_list(JSON_ARRAY, NULL, 0), string("deep"), list_of(JSON_OBJECT, deep, 2),
    };
    return list_of(JSON_OBJECT, members, sizeof members / sizeof *members);
}

static struct json *with(const struct json *object, const char *name, struct json *value)
{
    return json_with(object, string(name), value);
}

static struct json *without_member(const struct json *object, size_t i)
{
    return json_splice(object, 2 * i, 2, NULL, 0);
}

static struct json *append(const struct json *array, struct json *value)
{
    return value ? json_splice(array, array->length, 0, &value, 1) : NULL;
}

/* Replaces the i-th element or member. */
static struct json *replace(const struct json *list, size_t i, struct json *value)
{
    return value ? json_splice(list, list->type == JSON_OBJECT ? 2 * i + 1 : i, 1, &value, 1) : NULL;
}

/* ---- the rules --------------------------------------------------------------------------------------------------- */

/* Goes down 1 to JS_DEEP_MAX levels through containers and adds or replaces something there; then makes new lists all the
 * way up. */
static struct json *edit_inside(struct json *v, uint32_t version, uint32_t pick)
{
    struct json *path[JS_DEEP_MAX];
    size_t place[JS_DEEP_MAX];
    unsigned levels = 1 + pick % JS_DEEP_MAX, depth = 0;
    while (depth < levels) {
        size_t n = json_count(v), j = 0;
        while (j < n && !json_is_list(json_value(v, (pick + j) % n)))
            j++;
        if (j == n)
            break;
        path[depth] = v;
        place[depth] = (pick + j) % n;
        v = json_value(v, place[depth++]);
    }
    if (v->type == JSON_OBJECT)
        v = with(v, "inside", json_integer(version));
    else if (v->length < JS_ARRAY_MAX)
        v = append(v, json_integer(version));
    else
        v = replace(v, pick % v->length, json_integer(version));
    while (v && depth) {
        depth--;
        v = replace(path[depth], place[depth], v);
    }
    return v;
}

static struct json *rename_document(const struct json *v, uint32_t ordinal, uint32_t version)
{
    char name[24];
    hk_snprintf(name, sizeof name, "Name %u.%u", (unsigned)(ordinal % 1000), (unsigned)(version % 5));
    return with(v, "name", string(name));
}

/* Appends to "history", which keeps the last JS_HISTORY_MAX. */
static struct json *remember(const struct json *v, uint32_t version)
{
    const struct json *old = json_member(v, "history");
    struct json *history, *now = json_integer(version);
    if (!old || old->type != JSON_ARRAY)
        history = list_of(JSON_ARRAY, &now, 1);
    else if (old->length < JS_HISTORY_MAX)
        history = append(old, now);
    else
        history = (old = json_splice(old, 0, 1, NULL, 0)) ? append(old, now) : NULL;
    return with(v, "history", history);
}

/* Takes the i-th member out and appends its value under `name`. */
static struct json *move_member(const struct json *v, size_t i, struct json *name)
{
    struct json *value = json_value(v, i), *rest = without_member(v, i);
    return rest ? json_with(rest, name, value) : NULL;
}

static struct json *edit_object(struct json *v, uint32_t ordinal, uint32_t version, unsigned op, uint32_t pick)
{
    size_t n = json_count(v), i = n ? pick % n : 0;
    if (!n && (op == 8 || op == 9 || op == 11 || op == 15))
        op = 1;
    switch (op) {
    case 3: case 4: return rename_document(v, ordinal, version);
    case 5: return with(v, "note", long_note(ordinal, pick));
    case 6: return with(v, "meta", meta(ordinal, version, pick));
    case 7: return n > 1 ? without_member(v, i) : with(v, "version", json_integer(version));
    case 8: return replace(v, i, number_of(pick / (uint32_t)n));
    case 9: return move_member(v, i, json_item(v, 2 * i));
    case 10: return remember(v, version);
    case 11: return with(v, "copy", json_value(v, i));
    case 12: case 13: return edit_inside(v, version, pick);
    case 14: return with(v, "flag", flag_of(pick));
    case 15: return move_member(v, i, string("moved"));
    default: return with(v, "version", json_integer(version));
    }
}

static struct json *edit_array(struct json *v, uint32_t ordinal, uint32_t version, unsigned op, uint32_t pick)
{
    size_t n = v->length, i = n ? pick % n : 0;
    struct json *value;
    if (!n)
        op = 1;
    if (op < 5 && n >= JS_ARRAY_MAX)
        op = 7;
    switch (op) {
    case 5: case 6: return replace(v, i, long_note(ordinal, pick));
    case 7: return json_splice(v, i, 1, NULL, 0);
    case 8: return replace(v, i, number_of(pick / (uint32_t)n));
    case 9: case 15:
        value = json_item(v, 0);
        v = json_splice(v, 0, 1, NULL, 0);
        return v ? append(v, value) : NULL;
    case 10:
        value = meta(ordinal, version, pick);
        return value ? json_splice(v, i, 0, &value, 1) : NULL;
    case 11: return replace(v, pick / n % n, json_item(v, i));
    case 12: case 13: return edit_inside(v, version, pick);
    case 14: return replace(v, i, flag_of(pick));
    default: return append(v, json_integer(version));
    }
}

struct json *edit(struct json *root, uint32_t ordinal, uint32_t version)
{
    uint32_t h = edit_mix(ordinal, version), pick = h >> 4;
    hk_assert(!edit_is_reinsertion(ordinal, version));
    if (root->type == JSON_OBJECT)
        return edit_object(root, ordinal, version, h & 15, pick);
    if (root->type == JSON_ARRAY)
        return edit_array(root, ordinal, version, h & 15, pick);
    struct json *members[] = {string("was"), root, string("version"), json_integer(version)};
    return list_of(JSON_OBJECT, members, 4);
}
