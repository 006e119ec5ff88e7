/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/jsonstore/store.h"

#include "apps/jsonstore/edit.h"
#include "apps/jsonstore/index.h"
#include "kernel/hk.h"

enum { SHARDS = 32 };
enum side { BY_CODE, BY_NAME };

/* Fields are guarded by the mutex of the code's shard; code, ordinal and text never change. */
struct doc {
    hgc_ref(struct json) code;
    hgc_ref(struct json) root;
    hgc_ref(struct json) name;  /* under which the index by name holds it, or NULL */
    const unsigned char *text;
    size_t length;
    uint32_t ordinal;
    uint32_t version;
};

static struct hk_mutex locks[2][SHARDS];
static hgc_ref(struct index) tables[2][SHARDS];     /* each guarded by its lock; a root */
static hgc_ref(struct json_vector) codes;           /* by ordinal; each set once while loading; a root */

const char *store_error_name(int error)
{
    switch (error) {
    case STORE_EEXISTS: return "STORE_EEXISTS";
    case STORE_ENOTFOUND: return "STORE_ENOTFOUND";
    case STORE_ENONAME: return "STORE_ENONAME";
    default: return json_error_name(error);
    }
}

int store_init(uint32_t documents)
{
    static const uint32_t doc_map = HGC_MAP(struct doc, code) | HGC_MAP(struct doc, root) | HGC_MAP(struct doc, name);
    static const uint32_t version_map = HGC_MAP(struct version, root);
    static const struct hgc_kind doc_kind = {.name = "doc", .words = sizeof(struct doc) / sizeof(void *), .map = &doc_map};
    static const struct hgc_kind version_kind = {.name = "version", .words = sizeof(struct version) / sizeof(void *), .map = &version_map};
    if (index_init() || hgc_kind(KIND_DOC, &doc_kind) || hgc_kind(KIND_VERSION, &version_kind)
        || hgc_root_add(tables, sizeof tables) || hgc_root_add(&codes, sizeof codes))
        return JSON_ENOMEM;
    for (unsigned i = 0; i < 2 * SHARDS; i++) {
        struct index *x = index_new();
        if (!x)
            return JSON_ENOMEM;
        hgc_set(&tables[i / SHARDS][i % SHARDS], x);
    }
    hgc_set(&codes, json_vector_new(NULL, 0, documents));
    return hgc_get(codes) ? 0 : JSON_ENOMEM;
}

static unsigned shard_of(const struct json *text)
{
    return json_text(text)->hash >> 16 & (SHARDS - 1);      /* the tables use the low bits */
}

/* Locks the shard where `key` belongs, and returns its table.  An owner that died is no matter here: its task's end fails
 * the whole run (team.c). */
static struct index *lock(enum side side, const struct json *key)
{
    unsigned i = shard_of(key);
    (void)hk_mutex_lock(&locks[side][i]);
    return hgc_get(tables[side][i]);
}

static void unlock(enum side side, const struct json *key)
{
    (void)hk_mutex_unlock(&locks[side][shard_of(key)]);
}

/* ---- with the code's shard locked -------------------------------------------------------------------------------- */

static struct doc *find(const struct index *x, const struct json *code)
{
    struct node *n = index_find(x, code, NULL);
    return n ? hgc_get(n->doc) : NULL;
}

/* Brings the index by name into line with the document's root; with root NULL takes it out. */
static int set_root(struct doc *d, struct json *root)
{
    struct json *old = hgc_get(d->name), *name = root ? json_member(root, "name") : NULL;
    if (name && name->type != JSON_STRING)
        name = NULL;
    hgc_set(&d->root, root);
    hgc_set(&d->name, name);
    if (old && name && json_text_equal(old, name)) {
        hgc_set(&d->name, old);         /* the key that the index holds */
        return 0;
    }
    if (old) {
        bool found = index_remove(lock(BY_NAME, old), old, d);
        unlock(BY_NAME, old);
        if (!found)
            return STORE_ENONAME;
    }
    if (name) {
        int error = index_insert(lock(BY_NAME, name), name, d);
        unlock(BY_NAME, name);
        if (error)
            hgc_set(&d->name, NULL);
        return error;
    }
    return 0;
}

static int insert(struct index *x, struct json *code, struct json *root, const struct doc *like)
{
    struct doc *d = hgc_new(KIND_DOC, sizeof *d);
    if (!d)
        return JSON_ENOMEM;
    hgc_set(&d->code, code);
    d->text = like->text;
    d->length = like->length;
    d->ordinal = like->ordinal;
    d->version = like->version;
    int error = index_insert(x, code, d);
    return error ? error : set_root(d, root);
}

static int delete(struct index *x, struct doc *d)
{
    if (!index_remove(x, hgc_get(d->code), d))
        return STORE_ENONAME;
    return set_root(d, NULL);
}

static struct version *version_of(const struct doc *d)
{
    struct version *v = hgc_new(KIND_VERSION, sizeof *v);
    if (v) {
        hgc_set(&v->root, hgc_get(d->root));
        v->ordinal = d->ordinal;
        v->version = d->version;
    }
    return v;
}

/* Deletes the document and inserts it again as it was at first, under the next version's number. */
static int reinsert(struct index *x, struct doc *d, struct json_parser *p)
{
    struct json *root;
    size_t at;
    struct doc like = {.text = d->text, .length = d->length, .ordinal = d->ordinal, .version = d->version + 1};
    int error = json_parse(p, d->text, d->length, &root, &at);
    if (!error)
        error = delete(x, d);
    return error ? error : insert(x, hgc_get(d->code), root, &like);
}

static int change(struct doc *d)
{
    struct json *root = edit(hgc_get(d->root), d->ordinal, d->version + 1);
    if (!root)
        return JSON_ENOMEM;
    d->version++;
    return set_root(d, root);
}

/* ---- the public functions ---------------------------------------------------------------------------------------- */

int store_insert(struct json *code, struct json *root, uint32_t ordinal, const unsigned char *text, size_t length)
{
    struct doc like = {.text = text, .length = length, .ordinal = ordinal};
    struct index *x = lock(BY_CODE, code);
    int error = find(x, code) ? STORE_EEXISTS : insert(x, code, root, &like);
    unlock(BY_CODE, code);
    if (!error)
        hgc_set(&hgc_get(codes)->at[ordinal], (void *)code);
    return error;
}

struct json *store_code(uint32_t ordinal)
{
    return hgc_get(hgc_get(codes)->at[ordinal]);
}

int store_get(const struct json *code, struct version **v)
{
    struct doc *d = find(lock(BY_CODE, code), code);
    *v = d ? version_of(d) : NULL;
    unlock(BY_CODE, code);
    return !d ? STORE_ENOTFOUND : *v ? 0 : JSON_ENOMEM;
}

uint32_t store_named(const struct json *name, struct json **root)
{
    uint32_t count = 0;
    struct doc *d = NULL;
    struct index *x = lock(BY_NAME, name);
    for (struct node *n = NULL; (n = index_find(x, name, n)); count++)
        d = hgc_get(n->doc);
    unlock(BY_NAME, name);
    *root = NULL;
    if (d) {
        struct json *code = hgc_get(d->code);
        lock(BY_CODE, code);
        *root = hgc_get(d->root);
        unlock(BY_CODE, code);
    }
    return count;
}

int store_advance(const struct json *code, struct json_parser *p, struct version **v)
{
    struct index *x = lock(BY_CODE, code);
    struct doc *d = find(x, code);
    int error = !d ? STORE_ENOTFOUND
                   : edit_is_reinsertion(d->ordinal, d->version + 1) ? reinsert(x, d, p) : change(d);
    *v = NULL;
    if (!error) {
        *v = version_of(find(x, code));
        error = *v ? 0 : JSON_ENOMEM;
    }
    unlock(BY_CODE, code);
    return error;
}

void store_counts(uint32_t *by_code, uint32_t *by_name)
{
    uint32_t *count[] = {by_code, by_name};
    for (unsigned side = BY_CODE; side <= BY_NAME; side++) {
        *count[side] = 0;
        for (unsigned i = 0; i < SHARDS; i++) {
            (void)hk_mutex_lock(&locks[side][i]);
            *count[side] += hgc_get(tables[side][i])->count;
            (void)hk_mutex_unlock(&locks[side][i]);
        }
    }
}
