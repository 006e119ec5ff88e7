/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verify mode (I10): with the world stopped after a mark, mark again from scratch into bitmaps of its own, by other means
 * (no queues, no barrier, no harts), and compare.  A reachable object that the collector did not mark is a panic that names
 * the path to it.
 *
 * A word that only looks like a reference (a time, a length, half of something) may appear on a stack after its scan, and
 * the object that it hits is rightly unmarked.  So the same mark runs in the stop that begins the cycle, too: what nothing
 * referred to then is garbage, and no word makes it reachable again, unless a task reads it from a weak reference.
 *
 * It needs no stack: blocks with grey cells are linked.
 */
#include "gc/gc_internal.h"

struct vblock {
    uintptr_t mark[BIT_WORDS], scan[BIT_WORDS];
    uintptr_t garbage[BIT_WORDS];   /* live and unreachable when the cycle began */
    uintptr_t edge[BIT_WORDS];      /* of each grain: what was allocated in this cycle has ended there, or a cell below */
    uintptr_t next;                 /* link of `grey`: index + 1, or LAST; 0 if it is not linked */
};

static struct vblock *table;
#define LAST UINTPTR_MAX
static bool revived_only;       /* marks from what weak reads revived: garbage counts */
static uintptr_t grey = LAST;       /* index + 1: blocks that may have cells that are marked and not scanned */

size_t verify_bytes(uint32_t nblocks)
{
    return nblocks * sizeof(struct vblock);
}

void verify_init(uintptr_t *memory)
{
    table = (struct vblock *)memory;
}

/* ---- the independent mark ---------------------------------------------------------------------------------------- */

static void reach(const struct object *o)
{
    struct vblock *t = &table[block_index(o->block)];
    uintptr_t w = o->cell / WORD_BITS, bit = (uintptr_t)1 << (o->cell % WORD_BITS);
    if ((t->mark[w] | (revived_only ? 0 : t->garbage[w])) & bit)
        return;
    t->mark[w] |= bit;
    if (!t->next) {
        t->next = grey;
        grey = block_index(o->block) + (uintptr_t)1;
    }
}

static bool is_marked(const struct object *o)
{
    return ld_rlx(&o->block->mark[o->cell / WORD_BITS]) >> (o->cell % WORD_BITS) & 1;
}

static void reach_precise(uintptr_t p)
{
    struct object o;
    if (find_object(p, &o))
        reach(&o);
}

/* A word on a boundary is a reference to one neighbour; which, nobody knows.  A task that reads a reference to the start of
 * an object after its stack was scanned does not reach the object below it, and one that forms the end of its object does
 * not reach the one above.  So a neighbour that is marked settles the word; if none is, both are wanted.  As the mark begins no
 * mark settles anything: what is marked then are the unused cells of runs. */
static bool beginning;

static void reach_word(uintptr_t p)
{
    struct object at, below;
    bool has_at = find_object(p, &at);
    bool has_below = p % GRAIN == 0 && p - gc.base <= gc.bytes && find_object(p - 1, &below)
        && !(has_at && at.block == below.block && at.cell == below.cell);
    bool settled = !beginning && ((has_at && is_marked(&at)) || (has_below && is_marked(&below)));
    if (has_at && (!settled || is_marked(&at)))
        reach(&at);
    if (has_below && (!settled || is_marked(&below)))
        reach(&below);
}

/* The allocator and the lookup compute where blocks begin and where runs and large objects end, and leave that in registers of
 * the tasks that call them: a task may be stopped right where it has found its run exhausted, or zeroes a large object.  Such
 * a word on a stack is no reference that a collector must have followed. */
static bool is_block_start(uintptr_t p)
{
    uintptr_t off = p - gc.base;
    return off <= gc.bytes && off % HGC_BLOCK == 0
        && (off == gc.bytes || ld_rlx(&gc.blocks[off >> HGC_BLOCK_SHIFT].state) == BLOCK_SMALL);
}

static bool is_run_end(uintptr_t p)
{
    uintptr_t off = p - gc.base, grain = (off & (HGC_BLOCK - 1)) / GRAIN;
    return off < gc.bytes && off % GRAIN == 0
        && ld_rlx(&table[off >> HGC_BLOCK_SHIFT].edge[grain / WORD_BITS]) >> (grain % WORD_BITS) & 1;
}

static void note_edge(uintptr_t p)
{
    uintptr_t off = p - gc.base;
    unsigned grain = (unsigned)(off & (HGC_BLOCK - 1)) / GRAIN;
    if (off < gc.bytes)
        bits_set(table[off >> HGC_BLOCK_SHIFT].edge, grain, grain + 1);
}

/* Who takes a cell adds its size to the run's cursor before it compares: from a run that is used up it gets one beyond. */
void verify_run_end(uintptr_t lim, size_t cell)
{
    note_edge(lim);
    note_edge(lim + cell);
}

/* Who looks something up in a table that knows objects without keeping them (hgc_kind.release) comes across dead ones, and leaves
 * their addresses on its stack. */
static bool is_known_only(uintptr_t p)
{
    struct object o;
    return find_object(p, &o) && !is_marked(&o) && gc_kinds[o.block->kind].k.release;
}

/* A compiler that sets the lowest byte of a register, to true or false, leaves the rest of what was in it: an address in another
 * object, perhaps.  Into text such an address is a reference, but into words one that is not aligned is none. */
static bool is_patched(uintptr_t p)
{
    struct object o;
    return (p % WORD || (HAL_BYTE_REGISTERS && p % 256 == 0)) && find_object(p, &o) && !is_leaf(o.block->kind);
}

/* Of words that a mark need not have followed: they appear after the stack's scan. */
static bool is_no_reference(const struct task *t, uintptr_t word)
{
    struct object o;
    if (find_object(word, &o) && is_marked(&o))
        return false;
    return is_block_start(word) || is_run_end(word) || is_known_only(word) || is_known_only(word - 1) || is_patched(word)
        || runtime_stray(t, word);
}

static void reach_stack(void *arg, uintptr_t word, uintptr_t where)
{
    (void)where;
    if (!is_no_reference(arg, word))
        reach_word(word);
}

static void visit_precise(struct hgc_visitor *v, void *p)
{
    (void)v;
    reach_precise((uintptr_t)p);
}

static void visit_word(struct hgc_visitor *v, void *p)
{
    (void)v;
    reach_word((uintptr_t)p);
}

static void reach_ephemerons(const struct object *o);

/* Its references are not followed, but as a key it is reached. */
static void visit_weakly(struct hgc_visitor *v, void *p)
{
    struct object o;
    (void)v;
    if (!find_object((uintptr_t)p, &o))
        return;
    struct vblock *t = &table[block_index(o.block)];
    uintptr_t w = o.cell / WORD_BITS, bit = (uintptr_t)1 << (o.cell % WORD_BITS);
    if ((t->mark[w] | (revived_only ? 0 : t->garbage[w])) & bit)
        return;
    t->scan[w] |= bit;
    t->mark[w] |= bit;
    reach_ephemerons(&o);
}

static bool is_reached(const struct object *o)
{
    return table[block_index(o->block)].mark[o->cell / WORD_BITS] >> (o->cell % WORD_BITS) & 1;
}

static void trace_cell(struct block *b, unsigned cell)
{
    struct object o = {b, cell};
    struct hgc_visitor v = {b->kind == HGC_AMBIGUOUS ? visit_word : visit_precise, visit_weakly};
    uintptr_t start = object_start(&o);
    object_trace(&o, start, start + object_size(&o), &v);
}

static void reach_ephemerons(const struct object *o)
{
    struct hgc_visitor v = {visit_precise, visit_weakly};
    if (special_any(o->block))
        ephemeron_values(o, revived_only ? is_marked : is_reached, &v);
}

static void scan_cell(struct block *b, unsigned cell)
{
    struct object o = {b, cell};
    trace_cell(b, cell);
    reach_ephemerons(&o);
}

static void scan_grey(uint32_t i)
{
    struct vblock *t = &table[i];
    for (unsigned w = 0; w < BIT_WORDS; w++) {
        uintptr_t todo;
        while ((todo = t->mark[w] & ~t->scan[w])) {
            unsigned bit = bits_lowest(todo);
            t->scan[w] |= (uintptr_t)1 << bit;
            scan_cell(&gc.blocks[i], w * WORD_BITS + bit);
            w = 0;                      /* it may have greyed an earlier one of this block */
        }
    }
}

static void each_task(void (*fn)(struct task *t))
{
    for (unsigned i = 0; i < task_slots(); i++) {
        struct task *t = task_at(i);
        if (t)
            fn(t);
    }
}

/* Who was scanned without its C stack may run on before the mark's end.  What its frames held then was no reference, and is not
 * told from what they hold now. */
static bool left_out(const struct task *t)
{
    return stacks_only_now(t) || ld_rlx(&t->gc_left_out) == ld_rlx(&gc.cycle);
}

static void reach_task(struct task *t)
{
    uint32_t state = ld_rlx(&t->state) & TASK_STATE_MASK;
    reach_word(t->arg);
    reach_word(t->result);
    if (t->no_stack_roots || state == TASK_DEAD || state == TASK_FREE)
        return;
    if (!left_out(t))
        task_each_word(t, reach_stack, t);
    task_trace_own(t, &(struct hgc_visitor){visit_precise, visit_weakly});
}

/* What specials keep: records, what objects with finalizers refer to, what waits in the queue, and pins. */
static void reach_specials(void)
{
    for (uint32_t i = 0; i < gc.nblocks; i++) {
        const struct special_table *t = special_table_of(&gc.blocks[i]);
        if (!t)
            continue;
        reach_precise((uintptr_t)t);
        for (unsigned cell = 0; cell < CELLS_MAX; cell++) {
            if (!(t->has[cell / WORD_BITS] >> (cell % WORD_BITS) & 1))
                continue;
            for (struct special *s = special_first(t, cell); s; s = special_next(s)) {
                if (s->type == SPECIAL_CLEANUP || s->type == SPECIAL_FINALIZER)
                    reach_precise((uintptr_t)s);
                if (s->type == SPECIAL_FINALIZER && s->fn)
                    trace_cell(&gc.blocks[i], cell);
            }
        }
    }
    reach_precise((uintptr_t)gc_special.queue);
    for (unsigned i = 0; i < HGC_PINS; i++)
        reach_precise(gc_special.pins[i]);
}

static void clear_marks(void)
{
    for (uint32_t i = 0; i < gc.nblocks; i++) {
        memset(table[i].mark, 0, sizeof(table[i].mark));
        memset(table[i].scan, 0, sizeof(table[i].scan));
    }
}

static void scan_all_grey(void)
{
    while (grey != LAST) {
        uint32_t i = (uint32_t)grey - 1;
        grey = table[i].next;
        table[i].next = 0;
        scan_grey(i);
    }
}

static void reach_all(void)
{
    clear_marks();
    isr_each_cell(reach_precise);
    for (unsigned i = 0; i < gc.nroots; i++)
        for (uintptr_t p = gc.roots[i].base; p < gc.roots[i].base + gc.roots[i].bytes; p += WORD)
            reach_word(ld_rlx((uintptr_t *)p));     /* a handler may put a cell there */
    each_task(reach_task);
    reach_specials();
    scan_all_grey();
}

static uintptr_t live_cells(const struct block *b, unsigned w)
{
    uint32_t state = ld_rlx(&b->state);
    return state == BLOCK_SMALL ? ld_rlx(&b->live[w]) : state == BLOCK_LARGE && w == 0;
}

static void note_run_ends(void)
{
    for (unsigned i = 0; i < hal_hart_count(); i++) {
        struct gc_hart *g = gc_of(hal_hart(i));
        for (unsigned k = 0; k < g->held_count; k++)
            verify_run_end(g->runs[g->held[k]].lim, gc_classes[g->held[k] % HGC_CLASSES].cell);
        verify_run_end(g->tiny.lim, 0);
    }
}

void verify_begin(void)
{
    memset(table, 0, verify_bytes(gc.nblocks));
    beginning = true;
    reach_all();
    beginning = false;
    for (uint32_t i = 0; i < gc.nblocks; i++)
        for (unsigned w = 0; w < BIT_WORDS; w++)
            table[i].garbage[w] = live_cells(&gc.blocks[i], w) & ~table[i].mark[w] & ~ld_rlx(&gc.blocks[i].mark[w]);
    clear_marks();                      /* from now on: what verify_revived was told */
    note_run_ends();
    root_wipe_below();
}

/* An object that nothing referred to when the cycle began counts again if a weak reference or ephemeron has given it to a
 * task, and so does all that it leads to. */
void verify_revived(uintptr_t p)
{
    struct object o;
    if (find_object(p, &o))
        bits_set(table[block_index(o.block)].mark, o.cell, o.cell + 1);
}

static void forget(uintptr_t p)
{
    struct object o;
    if (find_object(p, &o))
        bits_set(table[block_index(o.block)].garbage, o.cell, o.cell + 1);
}

/* On a boundary the word would count as the end of the object below, too. */
void verify_refused(uintptr_t p)
{
    forget(p);
    if (p % GRAIN == 0)
        forget(p - 1);
}

static void count_revived(void)
{
    revived_only = true;
    for (uint32_t i = 0; i < gc.nblocks; i++)
        scan_grey(i);
    scan_all_grey();
    revived_only = false;
    for (uint32_t i = 0; i < gc.nblocks; i++)
        for (unsigned w = 0; w < BIT_WORDS; w++)
            table[i].garbage[w] &= ~table[i].mark[w];
}

/* ---- the path to a missed object --------------------------------------------------------------------------------- */

static struct {
    struct hgc_visitor v;
    struct object target, holder;
    bool found, own;            /* own: in what the task uses as stacks beside its C stack */
    struct task *task;
    uintptr_t where, word;
} search;

static bool is_in_target(uintptr_t p)
{
    struct object o;
    return find_object(p, &o) && o.block == search.target.block && o.cell == search.target.cell;
}

/* The same for a word that is no precise reference. */
static bool is_target(uintptr_t p)
{
    return is_in_target(p) || (p % GRAIN == 0 && is_in_target(p - 1));
}

static void search_visit(struct hgc_visitor *v, void *p)
{
    (void)v;
    search.found |= is_in_target((uintptr_t)p);
}

static void search_visit_word(struct hgc_visitor *v, void *p)
{
    (void)v;
    search.found |= is_target((uintptr_t)p);
}

static void search_stack_word(void *arg, uintptr_t word, uintptr_t where)
{
    if (!search.found && is_target(word) && !is_no_reference(arg, word)) {
        search.found = true;
        search.task = arg;
        search.where = where;
        search.word = word;
    }
}

static void search_task(struct task *t)
{
    uint32_t state = ld_rlx(&t->state) & TASK_STATE_MASK;
    if (search.found || t->no_stack_roots || state == TASK_DEAD || state == TASK_FREE)
        return;
    if (!left_out(t))
        task_each_word(t, search_stack_word, t);
    if (search.found)
        return;
    task_trace_own(t, &search.v);
    search.task = t;
    search.own = search.found;
}

static void describe(const char *what, const struct object *o)
{
    struct block *b = o->block;
    hk_printf("  %s %p: kind %s, %u bytes, block %u, cell %u, %s\n", what, (void *)object_start(o), gc_kinds[b->kind].k.name,
              (unsigned)object_size(o), (unsigned)block_index(b), o->cell,
              is_marked(o) ? "marked" : "NOT MARKED");
}

/* Some reached object that refers to the target, into search.holder. */
static bool search_heap(void)
{
    for (uint32_t i = 0; i < gc.nblocks; i++)
        for (unsigned c = 0; c < CELLS_MAX; c++)
            if (table[i].mark[c / WORD_BITS] >> (c % WORD_BITS) & 1) {
                struct object o = {&gc.blocks[i], c};
                if (o.block == search.target.block && c == search.target.cell)
                    continue;
                uintptr_t start = object_start(&o);
                search.v.visit = o.block->kind == HGC_AMBIGUOUS ? search_visit_word : search_visit;
                object_trace(&o, start, start + object_size(&o), &search.v);
                if (search.found) {
                    search.holder = o;
                    return true;
                }
            }
    return false;
}

static void say(const char *line)
{
    hk_printf("  %s\n", line);
}

/* For who looks for the function that left the word there: the words around it, return addresses among them, and where the task
 * stands. */
HAL_NO_SANITIZE static void describe_task(const struct task *t, uintptr_t where)
{
    enum { BELOW = 4, ABOVE = 12 };
    for (uintptr_t p = where - BELOW * WORD; where >= t->stack_lo && p < where + ABOVE * WORD && p < t->stack_hi; p += WORD)
        hk_printf("  %p: %p\n", (void *)p, *(void *volatile *)p);
    hal_ctx_dump(&t->ctx, t->stack_hi, say);
}

static bool search_roots(void)
{
    each_task(search_task);
    if (search.found && search.own) {
        hk_printf("  from the own stacks of task %s\n", search.task->name);
        return true;
    }
    if (search.found) {
        bool on_stack = search.where >= search.task->stack_lo;
        hk_printf("  from %s of task %s, %s %p, which holds %p\n", on_stack ? "the stack" : "a register",
                  search.task->name, on_stack ? "at" : "number", (void *)search.where, (void *)search.word);
        describe_task(search.task, search.where);
        return true;
    }
    for (unsigned i = 0; i < gc.nroots; i++)
        for (uintptr_t p = gc.roots[i].base; p < gc.roots[i].base + gc.roots[i].bytes; p += WORD)
            if (is_target(*(uintptr_t *)p)) {
                hk_printf("  from the root at %p, word at %p\n", (void *)gc.roots[i].base, (void *)p);
                return true;
            }
    return false;
}

enum { PATH_MAX = 12 };

static _Noreturn void missed(struct block *b, unsigned cell)
{
    struct object o = {b, cell};
    hk_printf("verify: cycle %u missed a reachable object\n", (unsigned)gc.cycle);
    describe("object", &o);
    for (unsigned depth = 0; depth < PATH_MAX; depth++) {
        search.target = o;
        search.found = search.own = false;
        search.v = (struct hgc_visitor){search_visit, search_visit};
        if (search_roots() || !search_heap())
            break;
        o = search.holder;
        describe("held by", &o);
    }
    hk_panic("I10 broken: cycle %u would free a reachable object", (unsigned)gc.cycle);
}

/* Black or scanned to its end; a touch that was lost would leave it grey. */
static void check_large(const struct block *b)
{
    if (ld_rlx(&b->state) != BLOCK_LARGE || is_leaf(b->kind) || !ld_rlx(&b->large.marked))
        return;
    if (ld_rlx(&b->large.cursor) < b->large.blocks_or_head << HGC_BLOCK_SHIFT)
        hk_panic("I10 broken: cycle %u ends with the large object at %p grey", (unsigned)gc.cycle, (void *)block_address(b));
}

void verify_run(void)
{
    count_revived();
    reach_all();
    for (uint32_t i = 0; i < gc.nblocks; i++)
        check_large(&gc.blocks[i]);
    for (uint32_t i = 0; i < gc.nblocks; i++)
        for (unsigned w = 0; w < BIT_WORDS; w++) {
            uintptr_t lost = table[i].mark[w] & ~ld_rlx(&gc.blocks[i].mark[w]);
            if (lost)
                missed(&gc.blocks[i], w * WORD_BITS + bits_lowest(lost));
        }
    gc.verified++;
}
