/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON values as collected objects.
 *
 * Values never change once they are built: an edit makes a new root that shares what it did not touch, so that whoever
 * holds the old root (a serialiser in another task, say) may go on reading it without any lock.  The collector frees the
 * old parts when the last reader has let go.  All functions: task context; values may be passed between tasks by the
 * ways of gc/hgc.h, rule 5.
 */
#ifndef JSONSTORE_JSON_H
#define JSONSTORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gc/hgc.h"

/* The kinds of the whole application, numbered at compile time so that hgc_new is inlined. */
enum {
    KIND_LIST = HGC_KIND_FIRST, /* struct json_list: arrays and objects; a trace function */
    KIND_VECTOR,                /* words that all are references; a map */
    KIND_FRAMES,                /* struct json_frame[] */
    KIND_INDEX,                 /* struct index */
    KIND_NODE,                  /* struct node */
    KIND_DOC,                   /* struct doc */
    KIND_VERSION,               /* struct version */
};

enum json_error {
    JSON_OK = 0,
    JSON_ENOMEM = -1,           /* the heap is full */
    JSON_EEND = -2,             /* the text ends inside a value */
    JSON_ETOKEN = -3,           /* a byte that cannot stand here */
    JSON_ENUMBER = -4,          /* a number with a leading zero, or without digits where some must be */
    JSON_EESCAPE = -5,          /* an unknown escape, or \u without four hexadecimal digits */
    JSON_ECONTROL = -6,         /* a control character in a string that is not escaped */
    JSON_EUTF8 = -7,            /* a string that is not well-formed UTF-8 */
    JSON_ESURROGATE = -8,       /* \u of half a surrogate pair: no UTF-8 can hold it */
    JSON_ETRAIL = -9,           /* something follows the value */
    JSON_EDEPTH = -10,          /* more than JSON_DEPTH_MAX levels */
    JSON_ESTOPPED = -11,        /* the parser's item function asked to stop */
};
/* "JSON_EEND" and so on. */
const char *json_error_name(int error);

enum { JSON_DEPTH_MAX = 100000 };

enum json_type { JSON_NULL, JSON_TRUE, JSON_FALSE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* What all values begin with. */
struct json {
    uint32_t type;              /* enum json_type */
    uint32_t length;            /* bytes of a text; references of a list: elements, or names and members in turn */
};

/* A string, decoded to UTF-8, or a number as its text: HGC_LEAF. */
struct json_text {
    struct json head;
    uint32_t hash;              /* json_hash of the bytes */
    unsigned char bytes[];
};

/* An array's elements, or an object's names and members in turn, in the order of the text. */
struct json_list {
    struct json head;
    hgc_ref(struct json) items[];
};

/* Registers the kinds of this file and makes null, true and false.  0 or JSON_ENOMEM.  Once, before anything else. */
int json_init(void);

uint32_t json_hash(const void *bytes, size_t length);

/* null, true and false exist once. */
struct json *json_constant(enum json_type type);
/* New values; NULL: no memory. */
struct json *json_string(const void *bytes, size_t length);
struct json *json_number(const void *text, size_t length);
struct json *json_integer(uint32_t n);
/* A text of `length` bytes that the caller fills, and then seals by json_text_seal, before anybody else sees it. */
struct json_text *json_text_new(enum json_type type, size_t length);
void json_text_seal(struct json_text *t);
/* A list of `length` references, copied from `items`. */
struct json *json_list(enum json_type type, struct json *const *items, size_t length);
/* A copy of `list` with `removed` references at `at` replaced by the `n` of `items`. */
struct json *json_splice(const struct json *list, size_t at, size_t removed, struct json *const *items, size_t n);

static inline bool json_is_list(const struct json *v) { return v->type >= JSON_ARRAY; }
static inline bool json_is_text(const struct json *v) { return v->type == JSON_NUMBER || v->type == JSON_STRING; }
static inline struct json *json_item(const struct json *list, size_t i)
{
    return hgc_get(((const struct json_list *)list)->items[i]);
}
static inline const struct json_text *json_text(const struct json *v) { return (const struct json_text *)v; }
/* The number of elements or members, and the i-th. */
static inline size_t json_count(const struct json *list)
{
    return list->type == JSON_OBJECT ? list->length / 2 : list->length;
}
static inline struct json *json_value(const struct json *list, size_t i)
{
    return json_item(list, list->type == JSON_OBJECT ? 2 * i + 1 : i);
}
bool json_text_is(const struct json *v, const void *bytes, size_t length);
bool json_text_equal(const struct json *a, const struct json *b);
/* The number of the member with this name, or -1 (also if v is no object). */
ptrdiff_t json_find(const struct json *v, const void *name, size_t length);
/* The member itself, or NULL. */
struct json *json_member(const struct json *v, const char *name);
/* A copy with the member set: in its place if there is one, else at the end.  NULL: no memory. */
struct json *json_with(const struct json *object, struct json *name, struct json *value);

/* ---- vectors: growing arrays of references ----------------------------------------------------------------------- */

struct json_vector {
    hgc_ref(void) at[0];
};
/* A vector with room for `capacity` references, the first `used` of them copied from `old` (which may be NULL). */
struct json_vector *json_vector_new(const struct json_vector *old, size_t used, size_t capacity);

/* ---- parsing: parse.c -------------------------------------------------------------------------------------------- */

/* A parser keeps its work lists in the heap, so that no depth of nesting needs task stack.  It is meant to live in the
 * stack of the task that uses it, and to be used again and again. */
struct json_parser {
    struct json_vector *values; /* complete values whose list is still open */
    uint32_t *frames;           /* a leaf: for each open list its first value's place, and the top bit for an object */
    uint32_t used, capacity;    /* of values */
    uint32_t depth, depth_capacity;
    const unsigned char *text, *at, *end;
    size_t item_depth;          /* item is told of each value inside this many lists; 0: of none */
    int (*item)(void *arg, const unsigned char *text, size_t length);       /* not 0: stop */
    void *arg;
};
/* 0 or JSON_ENOMEM. */
int json_parser_init(struct json_parser *p);
/* Parses `length` bytes, which must be one value by RFC 8259; of members with one name the last value counts, in the
 * first one's place.  0 and *value, or an error and *error_at, the offset where it was noticed. */
int json_parse(struct json_parser *p, const void *text, size_t length, struct json **value, size_t *error_at);

/* ---- printing: print.c ------------------------------------------------------------------------------------------- */

/* Grows in the heap; lives in a task's stack; all-zero is empty. */
struct json_out {
    unsigned char *bytes;       /* a leaf */
    size_t length, capacity;
};
/* Appends the canonical form of v: no spaces, members in order, raw UTF-8, the short escapes, \u00xx for other controls.
 * 0 or JSON_ENOMEM. */
int json_print(struct json_out *out, const struct json *v);
/* 64 bits of what was printed: a multiply and a fold for each 8 bytes. */
uint64_t json_digest(const struct json_out *out);

#endif
