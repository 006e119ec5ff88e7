/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSONSTORE_EDIT_H
#define JSONSTORE_EDIT_H

#include "apps/jsonstore/json.h"

/* 32 well-stirred bits of two numbers. */
uint32_t edit_mix(uint32_t a, uint32_t b);
/* Is this version made by deleting the document and inserting it again from its text? */
bool edit_is_reinsertion(uint32_t ordinal, uint32_t version);
/* The version that follows `root`, which stays as it is.  NULL: no memory.  Task. */
struct json *edit(struct json *root, uint32_t ordinal, uint32_t version);

#endif
