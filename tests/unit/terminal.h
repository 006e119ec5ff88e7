/* SPDX-License-Identifier: Apache-2.0 */
/* A row of a terminal, as the line editor needs one: characters, \r, \n, ESC [ K, ESC [ n C.  Anything else fails. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { TERMINAL_COLUMNS = 80 };

struct terminal {
    char row[TERMINAL_COLUMNS + 1][5];      /* a character's bytes */
    size_t column, rows;                    /* rows: how many line feeds came */
    bool wrong;                             /* something that is not known, or a row that is too long */
};

static inline void terminal_clear(struct terminal *t, size_t from)
{
    for (size_t i = from; i <= TERMINAL_COLUMNS; i++)
        memset(t->row[i], 0, sizeof t->row[i]);
}

static inline void terminal_character(struct terminal *t, char c)
{
    bool continues = ((unsigned char)c & 0xc0) == 0x80;
    if (continues && t->column == 0)
        return;
    char *cell = t->row[continues ? t->column - 1 : t->column];
    size_t n = continues ? strlen(cell) : 0;
    if (n < 4) {
        cell[n] = c;
        cell[n + 1] = 0;
    }
    t->column += !continues;
    t->wrong |= t->column >= TERMINAL_COLUMNS;
    t->column -= t->column >= TERMINAL_COLUMNS;
}

static inline void terminal_write(struct terminal *t, const char *text, size_t n)
{
    for (const char *end = text + n; text < end; text++) {
        if (*text == '\r') {
            t->column = 0;
        } else if (*text == '\n') {
            t->rows++;
            terminal_clear(t, 0);
        } else if (*text == '\033') {
            size_t number = 0;
            for (text += 2; text < end && *text >= '0' && *text <= '9'; text++)
                number = number * 10 + (size_t)(*text - '0');
            if (text >= end || (*text != 'K' && *text != 'C')) {
                t->wrong = true;
                return;
            }
            if (*text == 'K')
                terminal_clear(t, t->column);
            else
                t->column += number;
            t->wrong |= t->column >= TERMINAL_COLUMNS;
        } else {
            terminal_character(t, *text);
        }
    }
}

/* The row as text, without blanks at its end; returns its length. */
static inline size_t terminal_row(const struct terminal *t, char *to)
{
    size_t n = 0;
    for (size_t i = 0; i < TERMINAL_COLUMNS && t->row[i][0]; i++) {
        memcpy(to + n, t->row[i], strlen(t->row[i]));
        n += strlen(t->row[i]);
    }
    to[n] = 0;
    return n;
}

#endif
