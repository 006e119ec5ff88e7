/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/*
 * The inline paths as the compiler places them in ordinary functions.  tools/check-disasm counts the instructions of
 * fast_new_* (7, the return left out) and fast_set_* (2 and the store); here the same functions run, in a cycle and
 * outside, and their results are looked at.
 */
#include "gc/hgc.h"
#include "tap.h"

struct node {
    hgc_ref(struct node) next;
    uintptr_t id;
    hgc_ref(struct node) other;
};
enum { NODE = HGC_KIND_FIRST, ROUNDS = 20000, ARENA = 1 << 20 };

static hgc_ref(struct node) root;

/* Never inlined nor cloned: what is counted must be what runs.  Used, so that the linker's collection keeps them. */
#define COUNTED __attribute__((noinline, noclone, used))

COUNTED void *fast_new_leaf32(void) { return hgc_new(HGC_LEAF, 32); }
COUNTED struct node *fast_new_node(void) { return hgc_new(NODE, sizeof(struct node)); }
COUNTED void *fast_new_ambiguous1000(void) { return hgc_new(HGC_AMBIGUOUS, 1000); }
COUNTED void fast_set_field(struct node *p, struct node *q) { hgc_set(&p->next, q); }
COUNTED void fast_set_null(struct node *p) { hgc_set(&p->other, NULL); }
/* Not counted: the address of a global is an instruction of its own, barrier or not. */
static void set_root(struct node *p) { hgc_set(&root, p); }

static bool zeroed(const void *p, size_t bytes)
{
    const uintptr_t *w = p;
    for (size_t i = 0; i < bytes / sizeof(*w); i++)
        if (w[i])
            return false;
    return true;
}

/* Fills what it got, so that the next user of the cell sees whether it is zeroed. */
static bool leaf_good(void)
{
    unsigned char *p = fast_new_leaf32();
    if (!p || !zeroed(p, 32) || hgc_size(p) != 32)
        return false;
    for (int i = 0; i < 32; i++)
        p[i] = 0xa5;
    return true;
}

static bool node_good(uintptr_t id)
{
    struct node *p = fast_new_node(), *q = fast_new_node();
    if (!p || !q || p == q || !zeroed(p, sizeof(*p)) || hgc_size(q) != HGC_CELL(sizeof(*q)))
        return false;
    p->id = id;
    q->id = ~id;
    set_root(p);
    fast_set_field(p, q);
    hgc_set(&p->other, q);
    bool good = hgc_get(root) == p && hgc_get(p->next) == q && hgc_get(p->other) == q;
    fast_set_null(p);
    return good && hgc_get(p->other) == NULL;
}

static bool root_kept(uintptr_t id)
{
    struct node *p = hgc_get(root), *q = p ? hgc_get(p->next) : NULL;
    return p && q && p->id == id && q->id == ~id;
}

/* Half of the rounds while a cycle runs, at least at its beginning. */
static void rounds(bool collect, const char *text)
{
    bool good = true;
    for (uintptr_t i = 0; i < ROUNDS && good; i++) {
        if (collect && i % 256 == 0)
            hgc_collect(HGC_START);
        good = leaf_good() && node_good(i);
        if (good && i % 1024 == 0)
            good = fast_new_ambiguous1000() != NULL && hgc_collect(HGC_WAIT) == HGC_OK && root_kept(i);
    }
    ok(good, text);
}

int app_main(void)
{
    static const uint32_t map = HGC_MAP(struct node, next) | HGC_MAP(struct node, other);
    static const struct hgc_kind kind = { .name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &map };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true };
    struct hgc_stats s;
    is(hgc_init(&config), HGC_OK, "the heap starts");
    is(hgc_kind(NODE, &kind), HGC_OK, "a kind");
    is(hgc_root_add(&root, sizeof(root)), HGC_OK, "a root");
    rounds(false, "fast functions allocate and store");
    rounds(true, "and so they do while marking runs");
    hgc_stats(&s);
    ok(s.cycles >= 2 * (ROUNDS / 1024) && s.verified == s.cycles, "cycles ran, each verified");
    hk_printf("# %u cycles, %u barrier slow paths\n", (unsigned)s.cycles, (unsigned)s.slow_sets);
    return tap_end();
}
