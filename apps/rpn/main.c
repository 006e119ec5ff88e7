/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-variants: plain asan */
/* harts: 1 4 */
/* bootargs: verify=1 clobber=1 stress=500 */
/* tap: no */
/* match: ^rpn: OK */
/*
 * A language on the collector in 100 lines, and a main.  A program is numbers and words of one letter, done on a stack: n nil, + sum, d
 * dup, s swap, o over, x drop, `,` a pair of tail and head, h its head, t its tail; 9( ... ) is done nine times, 0( ... ) once.
 */
#include "gc/hgc.h"
#include "kernel/hk.h"

enum { PAIR = HGC_KIND_FIRST, DEPTH = 64, MACHINES = 4 };

struct pair { hgc_ref(void) tail, head; };              /* a value is a pair, NULL, or the number n as 2 n + 1: no reference */
struct machine {
    struct hgc_stacks stacks;                           /* first: the collector gives it back to trace() */
    void *stack[DEPTH];
    unsigned top;
    const char *error;
};

/* The machine's task stands still while this runs, wherever it is: what is not on the stack yet is in a register. */
static void trace(struct hgc_stacks *s, const struct task *task, struct hgc_visitor *v)
{
    struct machine *m = (struct machine *)s;
    (void)task;
    for (unsigned i = 0; i < DEPTH; i++)
        hgc_visit(v, m->stack[i]);
}

static void *fail(struct machine *m, const char *what)
{
    m->error = m->error ? m->error : what;
    return NULL;
}

static void push(struct machine *m, void *v)
{
    if (m->top < DEPTH)
        m->stack[m->top++] = v;
    else
        fail(m, "the stack is full");
}

static void *pop(struct machine *m)
{
    if (m->top == 0)
        return fail(m, "the stack is empty");
    void *v = m->stack[--m->top];
    m->stack[m->top] = NULL;                            /* or it would keep it */
    return v;
}

static void *number(uintptr_t n) { return (void *)(2 * n + 1); }

static uintptr_t to_number(struct machine *m, void *v)
{
    return (uintptr_t)v & 1 ? (uintptr_t)v / 2 : (uintptr_t)fail(m, "no number");
}

static void part(struct machine *m, void *v, bool head)
{
    struct pair *p = v && !((uintptr_t)v & 1) ? v : fail(m, "no pair");
    push(m, !p ? NULL : head ? hgc_get(p->head) : hgc_get(p->tail));
}

static void *pair(struct machine *m, void *tail, void *head)
{
    struct pair *p = hgc_new(PAIR, sizeof *p);
    if (!p)
        return fail(m, "no memory");
    hgc_set(&p->tail, tail);
    hgc_set(&p->head, head);
    return p;
}

static void word(struct machine *m, char c)
{
    void *b = c == 'n' ? NULL : pop(m), *a = c == '+' || c == 's' || c == ',' || c == 'o' ? pop(m) : NULL;
    switch (c) {
    case 'n': push(m, NULL); break;
    case '+': push(m, number(to_number(m, a) + to_number(m, b))); break;
    case ',': push(m, pair(m, a, b)); break;
    case 'h': part(m, b, true); break;
    case 't': part(m, b, false); break;
    case 'd': push(m, b), push(m, b); break;
    case 's': push(m, b), push(m, a); break;
    case 'o': push(m, a), push(m, b), push(m, a); break;
    case 'x': break;
    default: fail(m, "no such word");
    }
}

/* Until the end or a `)`; returns where that is. */
static const char *run(struct machine *m, const char *at)
{
    for (; *at && *at != ')' && !m->error; at++)
        if (*at == '(') {
            const char *end = at + 1, *begin = end;
            uintptr_t n = to_number(m, pop(m));
            do
                end = run(m, begin);
            while (n-- > 1 && !m->error);
            at = *end == ')' ? end : end - 1;
        } else if (*at >= '0' && *at <= '9') {
            uintptr_t n = 0;
            for (; *at >= '0' && *at <= '9'; at++)
                n = 10 * n + (uintptr_t)(*at - '0');
            push(m, number(n));
            at--;
        } else if (*at != ' ')
            word(m, *at);
    return at;
}

/* The numbers from 1 to 100 as a list, and their sum, 200 times over. */
static void machine(void *sum)
{
    struct machine m = {.stacks = {trace}};
    hgc_stacks_set(&m.stacks);
    run(&m, "n 200(x 0 n 100(s 1 + s o ,) s x 0 s 100(s o h + s t) x)");
    *(uintptr_t *)sum = to_number(&m, pop(&m));
    if (m.error)
        hk_printf("rpn: %s\n", m.error);
    hgc_stacks_set(NULL);
}

int app_main(void)
{
    static const uint32_t map[] = {HGC_MAP(struct pair, tail) | HGC_MAP(struct pair, head)};
    static const struct hgc_kind kind = {.name = "pair", .words = sizeof(struct pair) / sizeof(void *), .map = map};
    const struct hgc_config config = {.base = hk_mem_alloc(1 << 20), .size = 1 << 20};
    struct task *t[MACHINES];
    uintptr_t sum[MACHINES] = {0};
    if (hgc_init(&config) || hgc_kind(PAIR, &kind))
        return 1;
    for (unsigned i = 0; i < MACHINES; i++)
        if (hk_task_create(&t[i], NULL, machine, &sum[i]))
            return 1;
    bool good = true;
    for (unsigned i = 0; i < MACHINES; i++)
        good &= hk_task_join(t[i], NULL) == HK_OK && sum[i] == 5050;
    hk_printf("rpn: %s after %u cycles\n", good ? "OK" : "a sum is wrong", (unsigned)hgc_cycle());
    return !good;
}
