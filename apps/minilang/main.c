/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-variants: plain asan arm64 */
/* harts: 1 4 */
/* seconds: 60 */
/* bootargs: verify=1 clobber=1 stress=1000 */
/* tap: no */
/* match: ^minilang: OK */
/*
 * A language in its smallest form, on the collector: what docs/embedding.md explains, without what Lua needs besides.
 *
 * A program is words, done one after the other on a stack of values: numbers, :symbols, and the words of the table below.
 * `3 [ ... ]` does what is between three times, `0 [` once.  Each hart has a task with a machine of its own; symbols are
 * common to all.
 * heap.c is all that has to do with the collector; this file is the language.
 */
#include <string.h>

#include "apps/minilang/heap.h"
#include "kernel/hk.h"

enum { ARENA = 4 << 20, MACHINES = 4, PROGRAMS = 30 };

/* ---- the language ------------------------------------------------------------------------------------------------ */

static void pick(struct machine *m, unsigned depth)
{
    push(m, depth < m->top ? m->stack[m->top - 1 - depth] : fail(m, "the stack is empty"));
}

static void dup(struct machine *m) { pick(m, 0); }
static void over(struct machine *m) { pick(m, 1); }
static void drop(struct machine *m) { (void)pop(m); }

/* (a b -- b a) */
static void swap(struct machine *m)
{
    value b = pop(m), a = pop(m);
    push(m, b);
    push(m, a);
}

/* (a b c -- b c a) */
static void rot(struct machine *m)
{
    value c = pop(m), b = pop(m), a = pop(m);
    push(m, b);
    push(m, c);
    push(m, a);
}

static void add(struct machine *m) { push(m, number(to_int(pop(m)) + to_int(pop(m)))); }
static void same(struct machine *m) { push(m, number(pop(m) == pop(m))); }
static void nil(struct machine *m) { push(m, NULL); }

/* (tail head -- pair) */
static void cons(struct machine *m)
{
    struct pair *p = make(m, PAIR, sizeof *p);
    if (!p)
        return;
    p->kind = PAIR;
    hgc_set(&p->head, pop(m));
    hgc_set(&p->tail, pop(m));
    push(m, p);
}

static void head(struct machine *m)
{
    struct pair *p = pop_object(m, PAIR);
    push(m, p ? hgc_get(p->head) : NULL);
}

static void vec(struct machine *m)
{
    struct vector *v = make(m, VECTOR, sizeof *v);
    if (!v)
        return;
    v->kind = VECTOR;
    push(m, v);
}

/* (vector -- vector count) */
static void len(struct machine *m)
{
    pick(m, 0);
    struct vector *v = pop_object(m, VECTOR);
    push(m, number(v ? (intptr_t)v->count : 0));
}

/* (n -- symbol): of the name "n..." */
static void name(struct machine *m)
{
    char text[NAME];
    hk_snprintf(text, sizeof text, "n%ld", (long)to_int(pop(m)));
    push_symbol(m, text);
}

/* The sum of all numbers in it, and of the lengths of symbols: a walk with references in C's locals alone. */
static intptr_t sum(value v)
{
    intptr_t n = 0;
    for (struct pair *p = v; !is_number(v) && v && p->kind == PAIR; p = v) {
        n += sum(hgc_get(p->head));
        v = hgc_get(p->tail);
    }
    if (is_number(v) || !v)
        return n + to_int(v);
    if (*(uintptr_t *)v == SYMBOL)
        return n + (intptr_t)strlen(((struct symbol *)v)->name);
    struct vector *vec = v;
    for (uintptr_t i = 0; i < vec->count; i++)
        n += sum(hgc_get(hgc_get(vec->items)->at[i]));
    return n;
}

static void total(struct machine *m) { push(m, number(sum(pop(m)))); }

static const struct { const char *name; void (*does)(struct machine *m); } words[] = {
    {"dup", dup}, {"over", over}, {"drop", drop}, {"swap", swap}, {"rot", rot}, {"+", add}, {"same", same}, {"nil", nil},
    {"cons", cons}, {"head", head}, {"vec", vec}, {"put", put}, {"at", at}, {"len", len}, {"name", name}, {"total", total},
};

static void execute(struct machine *m, const char *word)
{
    intptr_t n = 0;
    const char *c = word;
    if (*word == ':') {
        push_symbol(m, word + 1);
        return;
    }
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].name, word) == 0) {
            words[i].does(m);
            return;
        }
    for (; *c >= '0' && *c <= '9'; c++)
        n = n * 10 + *c - '0';
    push(m, *c ? fail(m, "a word is not known") : number(n));
}

/* The next word; where the text goes on, or NULL at its end. */
static const char *next_word(const char *text, char word[NAME])
{
    unsigned n = 0;
    while (*text == ' ')
        text++;
    for (; *text && *text != ' '; text++)
        if (n < NAME - 1)
            word[n++] = *text;
    word[n] = 0;
    return n ? text : NULL;
}

/* Up to the end, or behind the bracket that closes. */
static const char *run(struct machine *m, const char *text)
{
    char word[NAME];
    while (!m->error && (text = next_word(text, word)) != NULL && strcmp(word, "]") != 0) {
        if (strcmp(word, "[") == 0) {
            const char *body = text;
            intptr_t n = to_int(pop(m));
            do
                text = run(m, body);
            while (--n > 0);
        } else
            execute(m, word);
    }
    return text ? text : "";
}

/* ---- the program ------------------------------------------------------------------------------------------------- */

/* Of a number: a vector of 200 lists, the i-th with 20 times i and i's symbol, and the symbol `depth`.  The number's own symbol is
 * made before, let go, and found again after half of that; then the stack alone holds it.  All is added up, and 1 if the 7th
 * list begins with `depth`, and 1 if the number's symbol is still the same. */
#define LIST "[ len nil 20 [ over cons over name cons ] :depth cons swap drop put ] "
static const char program[] =
    "dup name drop  vec 100 " LIST " over name swap  100 " LIST
    "dup 7 at head :depth same  swap total +  rot rot swap name same +";
enum { LISTS = 200, RESULT = 20 * (LISTS * (LISTS - 1) / 2) + 20 * (10 * 2 + 90 * 3 + 100 * 4) + LISTS * 5 + 1 + 1,
       FIRST = 1000 };                                  /* the first number */

static struct machine machines[MACHINES];

static void machine(void *arg)
{
    struct machine *m = arg;
    machine_begin(m);
    for (unsigned i = 0; i < PROGRAMS && !m->error; i++) {
        push(m, number(FIRST + (m - machines) * PROGRAMS + i));
        run(m, program);
        m->result = to_int(pop(m));
        if (!m->error && (m->result != RESULT || m->top != 0))
            fail(m, "the result is another");
    }
    machine_end();
}

int app_main(void)
{
    const struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA};
    struct task *task[MACHINES];
    bool good = true;
    if (hgc_init(&config) || heap_register())
        return 1;
    unsigned n = hk_harts() < MACHINES ? hk_harts() : MACHINES;
    for (unsigned i = 0; i < n; i++)
        if (hk_task_create(&task[i], NULL, machine, &machines[i]))
            return 1;
    for (unsigned i = 0; i < n; i++) {
        hk_task_join(task[i], NULL);
        if (machines[i].error) {
            hk_printf("minilang: machine %u: %s (%ld)\n", i, machines[i].error, (long)machines[i].result);
            good = false;
        }
    }
    hgc_collect(HGC_WAIT);
    hgc_collect(HGC_WAIT);                              /* the first one's sweep is over when the second begins */

    struct hgc_stats s;
    hgc_stats(&s);
    good &= symbols_made >= n * PROGRAMS && symbols_made - symbols_gone <= n;
    hk_printf("minilang: %s: %u machines, each result %d; %u symbols made, %u gone; %u cycles\n", good ? "OK" : "wrong", n,
              RESULT, symbols_made, symbols_gone, (unsigned)s.cycles);
    return good ? 0 : 1;
}
