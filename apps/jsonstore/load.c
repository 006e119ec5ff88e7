/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Phase 1: from texts to documents.
 *
 * Half of the tasks take files, parse them (which checks the whole file) and cut the tables into the texts of their
 * entries; these travel in batches through a channel to the other half, which parse each into a document and insert it.
 * A task that finds no more files joins the other half.
 */
#include "apps/jsonstore/corpus.h"
#include "apps/jsonstore/phases.h"
#include "apps/jsonstore/store.h"
#include "apps/jsonstore/team.h"

#include <string.h>

#include "expect.h"

/* The text of one document. */
struct span {
    const char *name;           /* of its file */
    size_t name_length;
    const unsigned char *text;
    size_t length;
    uint32_t ordinal;
    bool in_table;
};

/* A leaf: the texts are no heap memory. */
enum { BATCH = 32, CHANNEL = 16 };
struct batch {
    unsigned count;
    struct span spans[BATCH];
};

static hgc_ref(struct hgc_chan) channel;        /* of batches; a root */

static struct {
    struct hk_mutex lock;
    size_t at;                  /* for corpus_next */
    unsigned splitters;         /* tasks that still take files: the last one closes the channel */
} files;

/* ---- cutting files ----------------------------------------------------------------------------------------------- */

struct splitter {
    struct member *member;
    struct json_parser parser;
    struct corpus_file file;
    struct batch *batch;        /* being filled, or NULL */
    uint32_t ordinal;           /* of the next document of this file */
};

static bool next_file(struct corpus_file *f)
{
    bool found;
    (void)hk_mutex_lock(&files.lock);
    do
        found = corpus_next(&files.at, f);
    while (found && f->sort == CORPUS_REFUSED);
    (void)hk_mutex_unlock(&files.lock);
    return found && !team_failed();
}

static int send_batch(struct splitter *s)
{
    int error = s->batch ? team_send(hgc_get(channel), s->batch) : 0;
    s->batch = NULL;
    return error;
}

/* Puts one document's text into the batch.  Also the parser's item function: not 0 stops. */
static int add_span(void *arg, const unsigned char *text, size_t length)
{
    struct splitter *s = arg;
    if (s->batch && s->batch->count == BATCH && send_batch(s))
        return -1;
    if (!s->batch && !(s->batch = hgc_new(HGC_LEAF, sizeof *s->batch)))
        return -1;
    s->batch->spans[s->batch->count++] = (struct span){
        .name = s->file.name, .name_length = s->file.name_length, .text = text, .length = length, .ordinal = s->ordinal++,
        .in_table = s->file.sort == CORPUS_TABLE,
    };
    return 0;
}

static int split_file(struct splitter *s)
{
    struct json *whole;
    size_t at;
    s->ordinal = s->file.first;
    if (s->file.sort == CORPUS_DOCUMENT)
        return add_span(s, s->file.text, s->file.length);
    int error = json_parse(&s->parser, s->file.text, s->file.length, &whole, &at);
    if (error)
        team_fail("jsonstore: %s: %s at byte %zu\n", label_of(s->file.name, s->file.name_length).s,
                  json_error_name(error), at);
    team_op(s->member);
    return error;
}

static void split(struct member *m)
{
    struct splitter s = {.member = m};
    if (json_parser_init(&s.parser)) {
        team_fail("jsonstore: load: no memory\n");
        return;
    }
    s.parser.item_depth = 2;            /* the tables are {"639-3": [entry, entry, ...]} */
    s.parser.item = add_span;
    s.parser.arg = &s;
    bool failed = false;
    while (!failed && next_file(&s.file))
        failed = split_file(&s) != 0;
    if (failed || send_batch(&s))
        team_fail("jsonstore: load: a file could not be cut\n");
}

/* ---- making documents -------------------------------------------------------------------------------------------- */

/* A file's name, and in a table ":" and the first of the members that serve as codes there. */
static struct json *code_of(const struct span *s, const struct json *root)
{
    static const char *const members[] = {JS_CODE_MEMBERS};
    char code[64];
    const struct json *v = NULL;
    if (!s->in_table)
        return json_string(s->name, s->name_length);
    for (size_t i = 0; !v && i < sizeof members / sizeof *members; i++)
        v = json_member(root, members[i]);
    if (!v || v->type != JSON_STRING || s->name_length + 1 + v->length > sizeof code)
        return NULL;
    memcpy(code, s->name, s->name_length);
    code[s->name_length] = ':';
    memcpy(code + s->name_length + 1, json_text(v)->bytes, v->length);
    return json_string(code, s->name_length + 1 + v->length);
}

static int insert(struct member *m, struct json_parser *p, const struct span *s)
{
    struct json *root, *code;
    size_t at;
    team_op(m);
    int error = json_parse(p, s->text, s->length, &root, &at);
    if (!error)
        error = (code = code_of(s, root)) ? store_insert(code, root, s->ordinal, s->text, s->length) : JSON_ENOMEM;
    if (error)
        team_fail("jsonstore: document %u of %s: %s\n", (unsigned)s->ordinal, label_of(s->name, s->name_length).s,
                  store_error_name(error));
    m->documents++;
    return error;
}

static void insert_all(struct member *m)
{
    struct json_parser parser;
    void *received;
    if (json_parser_init(&parser)) {
        team_fail("jsonstore: load: no memory\n");
        return;
    }
    while (team_recv(hgc_get(channel), &received) == 0) {
        const struct batch *b = received;
        for (unsigned i = 0; i < b->count; i++) {
            if (insert(m, &parser, &b->spans[i]))
                return;
        }
    }
}

/* Whoever leaves early closes the channel, or the others would wait for ever. */
static void load_task(struct member *m)
{
    if (m->number % 2 == 0) {
        split(m);
        (void)hk_mutex_lock(&files.lock);
        bool last = --files.splitters == 0;
        (void)hk_mutex_unlock(&files.lock);
        if (last)
            hgc_chan_close(hgc_get(channel));
    }
    insert_all(m);
    if (team_failed())
        hgc_chan_close(hgc_get(channel));
}

int load(void)
{
    hgc_set(&channel, hgc_chan_new(CHANNEL));
    if (!hgc_get(channel) || hgc_root_add(&channel, sizeof channel) || store_init(JS_DOCUMENTS)) {
        hk_printf("jsonstore: load: no memory\n");
        return -1;
    }
    files.splitters = hk_harts();
    uint64_t start = hk_now(), documents = 0;
    int error = team_run("load", load_task);
    for (unsigned i = 0; i < team_size(); i++)
        documents += team_member(i)->documents;
    uint64_t ms = (hk_now() - start) / 1000000 + 1;
    if (error)
        return -1;
    hk_printf("jsonstore: parsed and inserted %u documents in %u ms: %u a second\n", (unsigned)documents, (unsigned)ms,
              (unsigned)(documents * 1000 / ms));
    if (documents == JS_DOCUMENTS)
        return 0;
    hk_printf("jsonstore: %u documents were expected\n", JS_DOCUMENTS);
    return -1;
}
