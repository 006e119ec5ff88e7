/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing with what Python computed. */
#include "apps/jsonstore/corpus.h"
#include "apps/jsonstore/phases.h"
#include "apps/jsonstore/store.h"
#include "apps/jsonstore/team.h"

#include <string.h>

#define JS_TABLE
#include "expect.h"

enum { REPORTED = 10 };         /* the most lines about wrong documents */

uint32_t expected_versions(uint32_t ordinal)
{
    return js_expect[ordinal].versions;
}

int check_refused(void)
{
    struct json_parser parser;
    struct corpus_file f;
    unsigned checked = 0, wrong = json_parser_init(&parser) ? 1 : 0;
    for (size_t position = 0; corpus_next(&position, &f);) {
        struct json *v;
        size_t at;
        if (f.sort != CORPUS_REFUSED)
            continue;
        const char *name = json_error_name(json_parse(&parser, f.text, f.length, &v, &at));
        checked++;
        if (at == f.first && strlen(name) == f.name_length && memcmp(name, f.name, f.name_length) == 0)
            continue;
        wrong++;
        hk_printf("jsonstore: %s: %s at byte %zu, expected %s at %u\n", label_of(f.text, f.length).s, name, at,
                  label_of(f.name, f.name_length).s, (unsigned)f.first);
    }
    return checked == JS_REFUSED && !wrong ? 0 : -1;
}

/* Checks one document, and that the index by name has it if it has a name.  NULL, or what is wrong. */
static const char *check_document(const struct json *code, uint32_t ordinal, uint64_t *digest, uint32_t *named)
{
    struct version *v;
    struct json *root;
    struct json_out out = {0};
    if (!code || store_get(code, &v))
        return "it is not in the store";
    if (v->ordinal != ordinal || v->version != js_expect[ordinal].versions)
        return "it has the wrong version";
    if (json_print(&out, hgc_get(v->root)))
        return "no memory to print it";
    *digest = json_digest(&out);
    if (*digest != js_expect[ordinal].digest)
        return "its text has the wrong digest";
    const struct json *name = json_member(hgc_get(v->root), "name");
    if (name && name->type == JSON_STRING) {
        ++*named;
        if (!store_named(name, &root))
            return "it is not found by its name";
    }
    return NULL;
}

int check_store(void)
{
    uint64_t total = 0;
    uint32_t named = 0, codes, names;
    unsigned wrong = 0;
    for (uint32_t i = 0; i < JS_DOCUMENTS; i++) {
        uint64_t digest = 0;
        const struct json *code = store_code(i);
        const char *what = check_document(code, i, &digest, &named);
        total += (digest ^ i) * 0x9E3779B97F4A7C15u;
        if (what && wrong++ < REPORTED)
            hk_printf("jsonstore: document %u, %s: %s\n", (unsigned)i,
                      code ? label_of(json_text(code)->bytes, code->length).s : "?", what);
    }
    store_counts(&codes, &names);
    hk_printf("jsonstore: %u documents, %u by name, digest %016llx\n", (unsigned)codes, (unsigned)names,
              (unsigned long long)total);
    if (!wrong && total == JS_TOTAL && codes == JS_DOCUMENTS && names == JS_NAMED && named == JS_NAMED)
        return 0;
    hk_printf("jsonstore: %u documents are wrong; expected %u, %u by name, digest %016llx\n", wrong, JS_DOCUMENTS,
              JS_NAMED, (unsigned long long)JS_TOTAL);
    return -1;
}
