/* SPDX-License-Identifier: Apache-2.0 */
/* Building and reading JSON values. */
#include "apps/jsonstore/json.h"

#include <string.h>

#include "hal/atomic.h"
#include "kernel/hk.h"

/* null, true, false.  They lie in the heap like all values, so that a reference always points to an object. */
static hgc_ref(struct json) constants[3];

const char *json_error_name(int error)
{
    static const char *const names[] = {
        "JSON_OK", "JSON_ENOMEM", "JSON_EEND", "JSON_ETOKEN", "JSON_ENUMBER", "JSON_EESCAPE", "JSON_ECONTROL",
        "JSON_EUTF8", "JSON_ESURROGATE", "JSON_ETRAIL", "JSON_EDEPTH", "JSON_ESTOPPED",
    };
    return error <= 0 && (size_t)-error < sizeof names / sizeof *names ? names[-error] : "unknown error";
}

/* A list begins with a word or two that are no references, and the rest are: no repeating map says that, so it has a
 * trace function.  It goes by the size of the cell instead of the length: cells are zeroed, and so it reads nothing that
 * the builder may be writing, except the references themselves, each once. */
static void trace_list(void *object, size_t size, struct hgc_visitor *v)
{
    struct json_list *l = object;
    size_t n = (size - offsetof(struct json_list, items)) / sizeof l->items[0];
    for (size_t i = 0; i < n; i++)
        hgc_visit(v, ld_rlx((void **)(uintptr_t)&l->items[i]));
}

int json_init(void)
{
    static const uint32_t all = 1;
    static const uint32_t frame = 1;            /* HGC_MAP of struct json_frame: print.c checks it */
    static const struct hgc_kind list_kind = {.name = "json list", .trace = trace_list};
    static const struct hgc_kind vector_kind = {.name = "json vector", .words = 1, .map = &all};
    static const struct hgc_kind frames_kind = {.name = "json frames", .words = 2, .map = &frame};
    if (hgc_kind(KIND_LIST, &list_kind) || hgc_kind(KIND_VECTOR, &vector_kind) || hgc_kind(KIND_FRAMES, &frames_kind)
        || hgc_root_add(constants, sizeof constants))
        return JSON_ENOMEM;
    for (unsigned type = JSON_NULL; type <= JSON_FALSE; type++) {
        struct json *v = hgc_new(HGC_LEAF, sizeof *v);
        if (!v)
            return JSON_ENOMEM;
        v->type = type;
        hgc_set(&constants[type], v);
    }
    return 0;
}

/* FNV-1a, 32 bits. */
uint32_t json_hash(const void *bytes, size_t length)
{
    const unsigned char *b = bytes;
    uint32_t h = 0x811C9DC5u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ b[i]) * 0x01000193u;
    return h;
}

struct json *json_constant(enum json_type type)
{
    return hgc_get(constants[type]);
}

struct json_text *json_text_new(enum json_type type, size_t length)
{
    struct json_text *t = length <= UINT32_MAX ? hgc_alloc(HGC_LEAF, offsetof(struct json_text, bytes) + length) : NULL;
    if (t) {
        t->head.type = type;
        t->head.length = (uint32_t)length;
    }
    return t;
}

void json_text_seal(struct json_text *t)
{
    t->hash = json_hash(t->bytes, t->head.length);
}

static struct json *text_of(enum json_type type, const void *bytes, size_t length)
{
    struct json_text *t = json_text_new(type, length);
    if (!t)
        return NULL;
    memcpy(t->bytes, bytes, length);
    json_text_seal(t);
    return &t->head;
}

struct json *json_string(const void *bytes, size_t length)
{
    return text_of(JSON_STRING, bytes, length);
}

struct json *json_number(const void *text, size_t length)
{
    return text_of(JSON_NUMBER, text, length);
}

struct json *json_integer(uint32_t n)
{
    char text[11];
    return json_number(text, (size_t)hk_snprintf(text, sizeof text, "%u", (unsigned)n));
}

static struct json_list *list_new(enum json_type type, size_t length)
{
    struct json_list *l = NULL;
    if (length <= UINT32_MAX / sizeof l->items[0])
        l = hgc_alloc(KIND_LIST, sizeof *l + length * sizeof l->items[0]);
    if (l) {
        l->head.type = type;
        l->head.length = (uint32_t)length;
    }
    return l;
}

struct json *json_list(enum json_type type, struct json *const *items, size_t length)
{
    struct json_list *l = list_new(type, length);
    if (!l)
        return NULL;
    hgc_copy(l->items, items, length * sizeof *items);
    return &l->head;
}

struct json *json_splice(const struct json *list, size_t at, size_t removed, struct json *const *items, size_t n)
{
    const struct json_list *old = (const struct json_list *)list;
    hk_assert(json_is_list(list) && at + removed <= list->length);
    struct json_list *l = list_new(list->type, list->length - removed + n);
    if (!l)
        return NULL;
    hgc_copy(&l->items[0], &old->items[0], at * sizeof *items);
    for (size_t i = 0; i < n; i++)
        hgc_set(&l->items[at + i], items[i]);
    hgc_copy(&l->items[at + n], &old->items[at + removed], (list->length - at - removed) * sizeof *items);
    return &l->head;
}

bool json_text_is(const struct json *v, const void *bytes, size_t length)
{
    return v->length == length && memcmp(json_text(v)->bytes, bytes, length) == 0;
}

bool json_text_equal(const struct json *a, const struct json *b)
{
    return a == b || (json_text(a)->hash == json_text(b)->hash && json_text_is(a, json_text(b)->bytes, b->length));
}

ptrdiff_t json_find(const struct json *v, const void *name, size_t length)
{
    size_t n = v->type == JSON_OBJECT ? json_count(v) : 0;
    for (size_t i = 0; i < n; i++) {
        if (json_text_is(json_item(v, 2 * i), name, length))
            return (ptrdiff_t)i;
    }
    return -1;
}

struct json *json_member(const struct json *v, const char *name)
{
    ptrdiff_t i = json_find(v, name, strlen(name));
    return i < 0 ? NULL : json_value(v, (size_t)i);
}

struct json *json_with(const struct json *object, struct json *name, struct json *value)
{
    struct json *pair[] = {name, value};
    if (!name || !value)
        return NULL;
    ptrdiff_t i = json_find(object, json_text(name)->bytes, name->length);
    return i < 0 ? json_splice(object, object->length, 0, pair, 2) : json_splice(object, 2 * (size_t)i + 1, 1, &value, 1);
}

struct json_vector *json_vector_new(const struct json_vector *old, size_t used, size_t capacity)
{
    struct json_vector *v = hgc_alloc(KIND_VECTOR, capacity * sizeof v->at[0]);
    if (v && used)
        hgc_copy(v->at, old->at, used * sizeof v->at[0]);
    return v;
}
