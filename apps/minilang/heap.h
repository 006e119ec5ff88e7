/* SPDX-License-Identifier: Apache-2.0 */
/* Values, objects and the stack of the language, and what may be done with them: heap.c. */
#ifndef MINILANG_HEAP_H
#define MINILANG_HEAP_H

#include "gc/hgc.h"

enum { STACK = 64, NAME = 16 };

/* A value is an object's address or, with the lowest bit set, a number.  A field of either is declared as a reference: a word
 * that is none does no harm. */
typedef void *value;
typedef hgc_ref(void) field;

enum { PAIR = HGC_KIND_FIRST, VECTOR, ITEMS, SYMBOL };

struct pair { uintptr_t kind; field head, tail; };
struct items { field at[1]; };                          /* and so many more as hgc_size says */
struct vector { uintptr_t kind, count; hgc_ref(struct items) items; };
struct symbol { uintptr_t kind; struct symbol *next; uint32_t found; char name[NAME]; };

static inline value number(intptr_t n) { return (value)(((uintptr_t)n << 1) | 1); }
static inline bool is_number(value v) { return (uintptr_t)v & 1; }
static inline intptr_t to_int(value v) { return is_number(v) ? (intptr_t)v >> 1 : 0; }

/* Stored to without a barrier, by its task alone. */
struct machine {
    struct hgc_stacks stacks;
    unsigned top;
    value stack[STACK];
    const char *error;
    intptr_t result;
};

/* Kinds; HGC_OK or an error.  Once. */
int heap_register(void);
/* The calling task's values are on this machine's stack, from now on; or no longer. */
void machine_begin(struct machine *m);
void machine_end(void);

/* Ends the program with this error.  Returns a value to go on with. */
value fail(struct machine *m, const char *error);
void push(struct machine *m, value v);
value pop(struct machine *m);
/* The object of that kind on top; NULL: it is none. */
void *pop_object(struct machine *m, uintptr_t kind);
/* A new object, zeroed; NULL: no memory. */
void *make(struct machine *m, unsigned kind, size_t size);
/* (vector value -- vector) and (vector index -- value). */
void put(struct machine *m);
void at(struct machine *m);
/* The one symbol of that name, of up to NAME - 1 characters. */
void push_symbol(struct machine *m, const char *name);
/* How many symbols there have been, and how many of them the sweep has taken out. */
extern unsigned symbols_made, symbols_gone;

#endif
