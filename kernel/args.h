/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of settings, as boot arguments are: words `name=value`, separated by blanks or commas.  What comes after a word `--`
 * is no setting: it is the program's.
 */
#ifndef KERNEL_ARGS_H
#define KERNEL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pieces of the text, not ended by 0. */
struct args_word {
    const char *text, *value;   /* value: NULL if the word has no '=' */
    size_t length, name, value_length;      /* of the word, of its name, of its value */
};

/* Takes the next word from *at on, and moves *at behind it.  False: there is none. */
bool args_next(const char **at, struct args_word *w);
bool args_is(const struct args_word *w, const char *name);
/* The value as a decimal number; with `units` one of K, M, G (of either case) may follow, for powers of 1024.  False: it is
 * none, or above `max`. */
bool args_number(const struct args_word *w, bool units, uint64_t max, uint64_t *out);

#endif
