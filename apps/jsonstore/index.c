/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/jsonstore/index.h"

#include "kernel/hk.h"

enum { SIZE_MIN = 16, MOVE_STEP = 2 };

static struct node *bucket_get(const struct json_vector *v, uint32_t i)
{
    return hgc_get(v->at[i]);
}

static void bucket_push(struct json_vector *v, uint32_t i, struct node *n)
{
    hgc_set(&n->next, bucket_get(v, i));
    hgc_set(&v->at[i], (void *)n);
}

int index_init(void)
{
    static const uint32_t index_map = HGC_MAP(struct index, buckets) | HGC_MAP(struct index, old);
    static const uint32_t node_map = HGC_MAP(struct node, next) | HGC_MAP(struct node, key) | HGC_MAP(struct node, doc);
    static const struct hgc_kind index_kind = {.name = "index", .words = sizeof(struct index) / sizeof(void *), .map = &index_map};
    static const struct hgc_kind node_kind = {.name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &node_map};
    return hgc_kind(KIND_INDEX, &index_kind) || hgc_kind(KIND_NODE, &node_kind) ? JSON_ENOMEM : 0;
}

struct index *index_new(void)
{
    struct index *x = hgc_new(KIND_INDEX, sizeof *x);
    struct json_vector *buckets = json_vector_new(NULL, 0, SIZE_MIN);
    if (!x || !buckets)
        return NULL;
    hgc_set(&x->buckets, buckets);
    x->size = SIZE_MIN;
    return x;
}

/* The vector and bucket where nodes with this hash are. */
static struct json_vector *locate(const struct index *x, uint32_t hash, uint32_t *bucket)
{
    struct json_vector *old = hgc_get(x->old);
    uint32_t in_old = hash & (x->size / 2 - 1);
    if (old && in_old >= x->moved) {
        *bucket = in_old;
        return old;
    }
    *bucket = hash & (x->size - 1);
    return hgc_get(x->buckets);
}

/* Moves the nodes of a few old buckets. */
static void move_some(struct index *x)
{
    struct json_vector *old = hgc_get(x->old), *buckets = hgc_get(x->buckets);
    for (unsigned i = 0; old && i < MOVE_STEP; i++) {
        struct node *n = bucket_get(old, x->moved), *next;
        hgc_set(&old->at[x->moved], NULL);
        for (x->moved++; n; n = next) {
            next = hgc_get(n->next);
            bucket_push(buckets, n->hash & (x->size - 1), n);
        }
        if (x->moved == x->size / 2) {
            hgc_set(&x->old, NULL);
            old = NULL;
        }
    }
}

/* Growing begins when the last growth has ended: with MOVE_STEP 2 it ends before the table is half full. */
static int grow(struct index *x)
{
    struct json_vector *larger = json_vector_new(NULL, 0, 2 * (size_t)x->size);
    if (!larger)
        return JSON_ENOMEM;
    hgc_set(&x->old, hgc_get(x->buckets));
    hgc_set(&x->buckets, larger);
    x->size *= 2;
    x->moved = 0;
    return 0;
}

int index_insert(struct index *x, struct json *key, struct doc *doc)
{
    struct node *n = hgc_new(KIND_NODE, sizeof *n);
    if (!n)
        return JSON_ENOMEM;
    if (x->count >= x->size && !hgc_get(x->old) && grow(x))
        return JSON_ENOMEM;
    move_some(x);
    n->hash = json_text(key)->hash;
    hgc_set(&n->key, key);
    hgc_set(&n->doc, doc);
    uint32_t bucket;
    struct json_vector *v = locate(x, n->hash, &bucket);
    bucket_push(v, bucket, n);
    x->count++;
    return 0;
}

bool index_remove(struct index *x, const struct json *key, const struct doc *doc)
{
    uint32_t bucket;
    struct json_vector *v = locate(x, json_text(key)->hash, &bucket);
    struct node *before = NULL;
    for (struct node *n = bucket_get(v, bucket); n; before = n, n = hgc_get(n->next)) {
        if (hgc_get(n->doc) != doc || !json_text_equal(hgc_get(n->key), key))
            continue;
        if (before)
            hgc_set(&before->next, hgc_get(n->next));
        else
            hgc_set(&v->at[bucket], (void *)hgc_get(n->next));
        x->count--;
        return true;
    }
    return false;
}

struct node *index_find(const struct index *x, const struct json *key, const struct node *after)
{
    struct node *n;
    if (after) {
        n = hgc_get(after->next);
    } else {
        uint32_t bucket;
        const struct json_vector *v = locate(x, json_text(key)->hash, &bucket);
        n = bucket_get(v, bucket);
    }
    while (n && !json_text_equal(hgc_get(n->key), key))
        n = hgc_get(n->next);
    return n;
}
