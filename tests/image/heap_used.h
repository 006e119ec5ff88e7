/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that malloc has handed out. */
#ifndef HEAP_USED_H
#define HEAP_USED_H

#include <malloc.h>
#include <string.h>

/* newlib 3.3.0 fills the struct with ten ints; its <malloc.h> says size_t. */
static inline int heap_used(void)
{
    struct mallinfo info = mallinfo();
    int word[10];
    memcpy(word, &info, sizeof word);
    return word[7];
}

#endif
