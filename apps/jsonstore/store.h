/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document store: documents by code, which is unique, and by name, which is not (the member "name" of the present
 * version, if it is a string).
 *
 * Both indices are cut into shards with a mutex each.  A document is changed under the mutex of its code's shard; a name
 * shard's mutex is taken last and alone.  What a lookup returns stays valid without a lock, also when the document is
 * changed or deleted meanwhile: values never change, and the collector keeps what is held.  All functions: task.
 */
#ifndef JSONSTORE_STORE_H
#define JSONSTORE_STORE_H

#include "apps/jsonstore/json.h"

enum store_error {
    STORE_EEXISTS = -32,        /* another document has this code */
    STORE_ENOTFOUND = -33,      /* no document has this code */
    STORE_ENONAME = -34,        /* an index does not hold what it must */
};

/* "STORE_EEXISTS" and so on, and the names of JSON's errors. */
const char *store_error_name(int error);

/* One version of one document, as it passes from task to task. */
struct version {
    hgc_ref(struct json) root;
    uint32_t ordinal;
    uint32_t version;
};

/* Makes an empty store with room for `documents` ordinals.  0 or JSON_ENOMEM. */
int store_init(uint32_t documents);
/* Adds a document.  `text` is what a re-insertion parses; it is no heap memory.  0, JSON_ENOMEM, STORE_EEXISTS. */
int store_insert(struct json *code, struct json *root, uint32_t ordinal, const unsigned char *text, size_t length);
/* The code of the document with this ordinal; NULL: it was never inserted. */
struct json *store_code(uint32_t ordinal);
/* The present version of a document, in *v (new).  0, STORE_ENOTFOUND, JSON_ENOMEM. */
int store_get(const struct json *code, struct version **v);
/* How many documents have this name now; the root of one of them in *root, or NULL. */
uint32_t store_named(const struct json *name, struct json **root);
/* Makes the next version of a document; *v is that.  p is the caller's parser.  0, JSON_ENOMEM, STORE_ENOTFOUND,
 * STORE_ENONAME, or a parse error. */
int store_advance(const struct json *code, struct json_parser *p, struct version **v);
/* How many documents the indices by code and by name hold. */
void store_counts(uint32_t *codes, uint32_t *names);

#endif
