/* SPDX-License-Identifier: Apache-2.0 */
/* The texts that are embedded in the image.  The layout is described in tools/jsongen.py. */
#ifndef JSONSTORE_CORPUS_H
#define JSONSTORE_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum corpus_sort {
    CORPUS_TABLE = 0,           /* an object whose array has the documents; `first` is the ordinal of the first */
    CORPUS_DOCUMENT = 1,        /* one document; `first` is its ordinal */
    CORPUS_REFUSED = 2,         /* no JSON; `name` is the error's, `first` its offset */
};

struct corpus_file {
    enum corpus_sort sort;
    uint32_t first;
    const char *name;           /* not terminated */
    size_t name_length;
    const unsigned char *text;
    size_t length;
};

/* Whether the corpus belongs to this program's expect.h. */
bool corpus_ok(void);
/* Goes through the files: *at is 0 before the first.  False: there are no more. */
bool corpus_next(size_t *at, struct corpus_file *f);
size_t corpus_size(void);

#endif
