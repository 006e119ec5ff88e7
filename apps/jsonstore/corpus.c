/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/jsonstore/corpus.h"

#include <string.h>

#include "expect.h"

/* From an object file that the Makefile makes of corpus.bin. */
extern const unsigned char jsonstore_corpus[], jsonstore_corpus_end[];

enum { HEADER = 16, FILE_HEADER = 16 };

static uint32_t word(size_t at)
{
    const unsigned char *b = jsonstore_corpus + at;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

size_t corpus_size(void)
{
    return (size_t)(jsonstore_corpus_end - jsonstore_corpus);
}

bool corpus_ok(void)
{
    return corpus_size() > HEADER && memcmp(jsonstore_corpus, "HGCJSON1", 8) == 0 && word(12) == JS_DOCUMENTS;
}

bool corpus_next(size_t *at, struct corpus_file *f)
{
    if (!*at)
        *at = HEADER;
    if (*at >= corpus_size())
        return false;
    f->sort = (enum corpus_sort)word(*at);
    f->first = word(*at + 4);
    f->name_length = word(*at + 8);
    f->length = word(*at + 12);
    f->name = (const char *)jsonstore_corpus + *at + FILE_HEADER;
    f->text = jsonstore_corpus + *at + FILE_HEADER + f->name_length;
    *at += FILE_HEADER + ((f->name_length + f->length + 3) & ~(size_t)3);
    return true;
}
