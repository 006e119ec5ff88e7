/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line editor for a terminal, one key at a time: it is given what the terminal sends, and writes what it shall show.
 *
 *     left right ^B ^F, home end ^A ^E      move                 enter            the line is done
 *     backspace, delete ^D                  take a character     ^C               the line is given up
 *     ^U ^K ^W                              take what is before, behind, the word before   ^D in an empty line: the end
 *     up down ^P ^N                         older, newer lines   ^L               draws the line again
 *
 * The terminal understands ESC [ K and ESC [ n C, as all do. The line stays in one row: where it is longer, the part
 * around the cursor is shown. Text is UTF-8, each character a column wide; what is no UTF-8 is kept as it is.
 * Pure: no memory but struct edit, no time, no device.
 */
#ifndef EDIT_H
#define EDIT_H

#include <stdbool.h>
#include <stddef.h>

enum { EDIT_MAX = 511, EDIT_HISTORY = 32, EDIT_COLUMNS = 80 };  /* bytes; lines; of the terminal */

enum edit_state { EDIT_MORE, EDIT_LINE, EDIT_BREAK, EDIT_END };

struct edit {
    void (*write)(const char *text, size_t n);
    const char *prompt;                     /* the caller's, until the line is done */
    char text[EDIT_MAX + 1];                /* ends with 0 */
    size_t length, cursor;                  /* bytes; cursor at a character's start, or at the end */
    size_t prompt_width;                    /* columns */
    char history[EDIT_HISTORY][EDIT_MAX + 1];
    unsigned kept, newest;                  /* lines in it, and the index of the last one */
    unsigned back;                          /* how many lines back is shown; 0: the new one */
    char draft[EDIT_MAX + 1];               /* the new one, while an old one is shown */
    unsigned char escape;                   /* where in an escape sequence: 0 outside */
    unsigned parameter;                     /* its first number */
    bool after_return;                      /* the last key was a carriage return: a line feed now belongs to it */
};

/* All-zero but for `write` is an editor without history. Begins a line: shows the prompt, of 70 columns
 * at most. */
void edit_begin(struct edit *e, const char *prompt);
/* The next byte from the terminal. EDIT_LINE: e->text has the line, without its end, until the next edit_begin, and the
 * history has it too, unless it is empty or the same as the last; EDIT_BREAK, EDIT_END: it was given up. */
enum edit_state edit_key(struct edit *e, unsigned char key);

#endif
