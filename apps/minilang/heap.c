/* SPDX-License-Identifier: Apache-2.0 */
/* What a runtime owes the collector: (1) its stack, (2) its vectors, (3) its weak table, (4) its kinds. */
#include "apps/minilang/heap.h"

#include <string.h>

#include "kernel/lock.h"

enum { BUCKETS = 64 };

/* ---- (1) a stack of values: stored to without a barrier ---------------------------------------------------------- */

/* Called with the scan of the task's C stack, wherever the task was stopped. */
static void trace_stack(struct hgc_stacks *s, const struct task *task, struct hgc_visitor *v)
{
    struct machine *m = (struct machine *)s;
    (void)task;
    for (unsigned i = 0, n = ld_rlx(&m->top); i < n; i++)
        hgc_visit(v, ld_rlx(&m->stack[i]));
}

void machine_begin(struct machine *m)
{
    m->stacks.trace = trace_stack;
    hgc_stacks_set(&m->stacks);
}

/* The stack is empty: nothing has to be shaded. */
void machine_end(void)
{
    hgc_stacks_set(NULL);
}

value fail(struct machine *m, const char *error)
{
    m->error = error;
    return number(0);
}

void push(struct machine *m, value v)
{
    if (m->top == STACK) {
        fail(m, "the stack is full");
        return;
    }
    st_rlx(&m->stack[m->top], v);                       /* first this: the scan may come between */
    st_rlx(&m->top, m->top + 1);
}

/* From here on the value is in a local of the caller's, which the collector finds by itself. */
value pop(struct machine *m)
{
    if (m->top == 0)
        return fail(m, "the stack is empty");
    value v = m->stack[m->top - 1];
    st_rlx(&m->top, m->top - 1);
    return v;
}

void *pop_object(struct machine *m, uintptr_t kind)
{
    value v = pop(m);
    if (!is_number(v) && v && *(uintptr_t *)v == kind)
        return v;
    fail(m, "a value is of another kind");
    return NULL;
}

void *make(struct machine *m, unsigned kind, size_t size)
{
    void *object = hgc_alloc(kind, size);
    if (!object)
        fail(m, "no memory");
    return object;
}

/* ---- (2) vectors that grow: the heap knows how large they are ---------------------------------------------------- */

void put(struct machine *m)
{
    value v = pop(m);
    struct vector *vec = pop_object(m, VECTOR);
    if (!vec)
        return;
    struct items *items = hgc_get(vec->items);
    size_t bytes = items ? hgc_size(items) : 0;
    if (vec->count == bytes / sizeof(value)) {
        struct items *more = make(m, ITEMS, bytes ? 2 * bytes : 4 * sizeof(value));
        if (!more)
            return;
        if (items)
            hgc_copy(more, items, bytes);
        hgc_set(&vec->items, more);                     /* the heap, so with the barrier */
        items = more;
    }
    hgc_set(&items->at[vec->count++], v);
    push(m, vec);
}

void at(struct machine *m)
{
    uintptr_t i = (uintptr_t)to_int(pop(m));
    struct vector *vec = pop_object(m, VECTOR);
    if (vec)
        push(m, i < vec->count ? hgc_get(hgc_get(vec->items)->at[i]) : fail(m, "a vector is shorter"));
}

/* ---- (3) symbols: one for each name, in a table that keeps none -------------------------------------------------- */

static struct spinlock symbols_lock;
static struct symbol *bucket[BUCKETS];                  /* symbols_lock; no root */
unsigned symbols_made, symbols_gone;                    /* symbols_lock */

static struct symbol **bucket_of(const char *name)
{
    unsigned hash = 5;
    for (const char *c = name; *c; c++)
        hash = hash * 31 + (unsigned char)*c;
    return &bucket[hash % BUCKETS];
}

/* The sweep asks before it frees one.  One that was found in this cycle, after its mark, stays. */
static bool release_symbol(void *object)
{
    struct symbol *s = object, **p;
    if (s->kind != SYMBOL)
        return true;                                    /* never in the table */
    spin_lock(&symbols_lock);
    bool dead = s->found != hgc_cycle();
    if (dead) {
        for (p = bucket_of(s->name); *p != s; p = &(*p)->next)
            ;
        *p = s->next;
        symbols_gone++;
    }
    spin_unlock(&symbols_lock);
    return dead;
}

/* The symbol of that name; if there is none, `add` becomes it.  In a mark it is shaded: nothing else may refer to it. */
static struct symbol *find_symbol(const char *name, struct symbol *add)
{
    hgc_store_t section = hgc_store_begin();
    spin_lock(&symbols_lock);
    struct symbol *s = *bucket_of(name);
    while (s && strcmp(s->name, name) != 0)
        s = s->next;
    if (!s && add) {
        s = add;
        strcpy(s->name, name);
        s->kind = SYMBOL;
        s->next = *bucket_of(name);
        *bucket_of(name) = s;
        symbols_made++;
    }
    if (s) {
        hgc_shade(s);
        s->found = hgc_cycle();
    }
    spin_unlock(&symbols_lock);
    hgc_store_end(section);
    return s;
}

void push_symbol(struct machine *m, const char *name)
{
    struct symbol *s = find_symbol(name, NULL);
    if (!s && (s = make(m, SYMBOL, sizeof *s)) != NULL)
        s = find_symbol(name, s);
    push(m, s);
}

/* ---- (4) what the collector is told, once ------------------------------------------------------------------------ */

int heap_register(void)
{
    static const uint32_t every = 1, pair = HGC_MAP(struct pair, head) | HGC_MAP(struct pair, tail),
                          vector = HGC_MAP(struct vector, items);
    const struct { unsigned number; struct hgc_kind kind; } kinds[] = {
        {PAIR, {.name = "pair", .words = sizeof(struct pair) / sizeof(void *), .map = &pair}},
        {VECTOR, {.name = "vector", .words = sizeof(struct vector) / sizeof(void *), .map = &vector}},
        {ITEMS, {.name = "items", .words = 1, .map = &every}},
        {SYMBOL, {.name = "symbol", .release = release_symbol}},
    };
    int error = HGC_OK;
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0] && !error; i++)
        error = hgc_kind(kinds[i].number, &kinds[i].kind);
    return error;
}
