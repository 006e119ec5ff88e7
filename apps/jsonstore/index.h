/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table in the heap, from texts to documents.  Several documents may have one text.  Whoever calls holds the lock
 * that guards the table; task context. */
#ifndef JSONSTORE_INDEX_H
#define JSONSTORE_INDEX_H

#include "apps/jsonstore/json.h"

struct doc;

struct node {
    hgc_ref(struct node) next;
    hgc_ref(struct json) key;
    hgc_ref(struct doc) doc;
    uint32_t hash;
};

/* The buckets double when there are as many nodes.  The old ones are emptied a few at each insertion, so that none takes
 * long; until then a bucket of the old ones counts if `moved` has not passed it. */
struct index {
    hgc_ref(struct json_vector) buckets;
    hgc_ref(struct json_vector) old;    /* NULL, or half as many */
    uint32_t size;              /* of buckets; a power of two */
    uint32_t moved;             /* of old: those below are empty */
    uint32_t count;             /* nodes */
};

/* Registers the kinds.  0 or JSON_ENOMEM. */
int index_init(void);
/* NULL: no memory. */
struct index *index_new(void);
/* Adds a node.  0, or JSON_ENOMEM and nothing has changed. */
int index_insert(struct index *x, struct json *key, struct doc *doc);
/* Removes the node of this document under this key.  False: there is none. */
bool index_remove(struct index *x, const struct json *key, const struct doc *doc);
/* The first node with this key, or the next after `after`; or NULL. */
struct node *index_find(const struct index *x, const struct json *key, const struct node *after);

#endif
