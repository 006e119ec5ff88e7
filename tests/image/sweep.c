/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 */
/* seconds: 120 */
/* qemu: -icount shift=8,sleep=off */
/*
 * A timer interrupt at every instruction.  QEMU counts 256 ns for each instruction and the timer's tick is 100 ns, so a
 * deadline that moves by a tick from turn to turn misses no boundary.  The operation under test is run again and again,
 * each time with a later deadline, until it is over before the interrupt.
 *
 * The interrupt looks where it came, then lets a task of high priority run there: it allocates from the same run,
 * begins a cycle or ends one.  Checked: the pc to go on with, that each cell is handed out once and each slot has its
 * value, that no store whose check saw OFF commits in a cycle and that a store in a cycle shades both values (I4), that no
 * boundary of a sequence was left out, and all registers.
 */
#include "gc/gc_internal.h"
#include "tap.h"

enum {
    ARENA = 1 << 20, NODE = HGC_KIND_FIRST,
    LIST = 200,                 /* objects that keep a mark busy */
    RING = 64, PLACES = 1024,
    TICK = 100,                 /* nanoseconds */
    LAST = 20000,               /* turns at most */
    AFTER = 20,                 /* turns in a row in which the interrupt came after the end: then it is swept */
    PASSES = 6,                 /* in a cycle the way to the operation is not always of one length: then once more */
};
#define NOINLINE __attribute__((noinline))

struct node {
    uintptr_t id;
    hgc_ref(struct node) next;
};
static struct {
    hgc_ref(struct node) list, holder, value;
    hgc_ref(uintptr_t) ring[RING];
} root;
static uint32_t wrong;

#define CHECK(e)                                                                                                     \
    do {                                                                                                             \
        if (!(e)) {                                                                                                  \
            if (wrong++ < 10)                                                                                        \
                hk_printf("# turn %u, interrupted at %lx: not %s\n", turn, (unsigned long)came.pc, #e);              \
        }                                                                                                            \
    } while (0)

/* ---- the interrupt ----------------------------------------------------------------------------------------------- */

enum rival { NOTHING, ALLOCATES, STARTS, ENDS };

/* The start and end of a sequence in the image; start 0: none. */
struct range { uintptr_t start, end; };

static struct hk_timer timer;
static struct hk_sem go;
static unsigned turn;
static enum rival rival;
static struct { uint32_t yes; uintptr_t pc, next; bool marking; } came;
static struct { uintptr_t pc; unsigned hits; } places[PLACES];
static unsigned nplaces;
static bool full;
static unsigned ended;            /* marks that the rival has seen to their end */

static unsigned hits_at(uintptr_t pc)
{
    for (unsigned i = 0; i < nplaces; i++)
        if (places[i].pc == pc)
            return places[i].hits;
    return 0;
}

static void note(uintptr_t pc)
{
    unsigned i = 0;
    while (i < nplaces && places[i].pc != pc)
        i++;
    if (i == PLACES) {
        full = true;
        return;
    }
    places[i].pc = pc;
    places[i].hits++;
    if (i == nplaces)
        nplaces++;
}

/* Whoever interrupts leaves nothing in a register as it was. */
static void rubbish(void)
{
    __asm__ volatile(".irp i, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27\n\t"
                     "li x\\i, -1\n\t.endr\n\t"
                     "li x28, -1\n\tli x29, -1\n\tli x30, -1\n\tli x31, -1"
                     : : : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
                       "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11");
}

static void fires(void *arg)
{
    (void)arg;
    rubbish();
    __asm__ volatile("csrr %0, mepc" : "=r"(came.pc));
    came.next = hal_self()->current->ctx.reg[0];
    came.marking = hgc_marking();
    st_rlx(&came.yes, 1);
    if (rival != NOTHING)
        hk_sem_post(&go);
}

static uintptr_t *cell(void)
{
    uintptr_t *p = hgc_new(HGC_LEAF, 32);
    CHECK(p && !p[0] && !p[1] && !p[2] && !p[3]);
    p[0] = p[1] = p[2] = p[3] = (uintptr_t)p;
    return p;
}

/* Between the start of a cycle and the look at its marks nobody marks but the barrier. */
static struct task *benched;

static void bench_worker(void)
{
    hal_crit_t c = hal_crit_enter();
    benched = gc_self()->worker;
    gc_self()->worker = NULL;
    hal_crit_exit(c);
}

static void back_to_work(void)
{
    hal_crit_t c = hal_crit_enter();
    if (benched)
        gc_self()->worker = benched;
    benched = NULL;
    hal_crit_exit(c);
}

static void rivals(void *arg)
{
    (void)arg;
    for (;;) {
        hk_sem_wait(&go, HK_FOREVER);
        rubbish();
        switch (rival) {
        case ALLOCATES:
            for (int i = 0; i < 3; i++)
                cell();
            break;
        case STARTS:
            bench_worker();
            hgc_collect(HGC_START);
            break;
        case ENDS:
            /* Nobody of a lower priority runs but the mark worker, and that only until it has to wait in a queue. */
            for (int i = 0; i < 2000 && hgc_marking(); i++)
                hk_yield();
            ended += !hgc_marking();
            break;
        default:
            break;
        }
    }
}

/* ---- a turn ------------------------------------------------------------------------------------------------------ */

/* A mark that shall last is driven by steps: no worker's turn falls into the operation, nor ends it. */
static void until(bool marking, bool lasts)
{
    while (hgc_marking() != marking)
        if (marking && lasts)
            hgc_step(1, HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE);
        else
            hgc_collect(marking ? HGC_START : HGC_WAIT);
}

/* Runs the operation with a deadline `turn` ticks ahead.  True: the interrupt came before its end. */
static bool interrupted(void (*operation)(void))
{
    came.pc = came.next = 0;
    st_rlx(&came.yes, 0);
    hk_timer_start(&timer, hk_now() + turn * TICK, fires, NULL);
    operation();
    bool in_time = ld_rlx(&came.yes);
    hk_timer_cancel(&timer);
    if (in_time)
        note(came.pc);
    return in_time;
}

struct sweep {
    const char *name;
    void (*operation)(void);
    void (*check)(const struct range *seq);
    int marking;                /* before the operation: 0 no, 1 yes, -1 as it comes */
    enum rival rival;
    struct range seq;
};

static unsigned first_turn;

static void sweep(const struct sweep *s)
{
    unsigned late = 0;
    until(false, false);                /* the last sweep's mark may be one of steps */
    for (turn = first_turn; turn < LAST && late < AFTER; turn++) {
        rival = NOTHING;
        if (s->marking >= 0)
            until(s->marking, s->rival == NOTHING);
        rival = s->rival;
        late = interrupted(s->operation) ? 0 : late + 1;
        if (came.pc > s->seq.start && came.pc < s->seq.end)
            CHECK(came.next == s->seq.start);
        else
            CHECK(came.next == came.pc);
        if (s->check)
            s->check(&s->seq);
        back_to_work();
    }
    CHECK(turn < LAST);
    CHECK(!full);
}

static void forget_places(void)
{
    nplaces = 0;
    for (unsigned i = 0; i < PLACES; i++)
        places[i].hits = 0;
}

static void nothing(void)
{
}

/* Most of the way to an operation is hk_timer_start, which need not be swept each time. */
static void find_first_turn(void)
{
    sweep(&(struct sweep){ .operation = nothing, .marking = 0 });
    first_turn = turn > AFTER + 150 ? turn - AFTER - 150 : 0;
}

/* ---- sequences --------------------------------------------------------------------------------------------------- */

extern const struct range hal_restart_lo[], hal_restart_hi[];

/* The first sequence in the code from `f` on. */
static struct range sequence_of(const void *f)
{
    for (const struct range *r = hal_restart_lo; r < hal_restart_hi; r++)
        if (r->start >= (uintptr_t)f)
            return *r;
    return (struct range){ 0, 0 };
}

static unsigned size_at(uintptr_t pc)
{
    return (*(const uint16_t *)pc & 3) == 3 ? 4 : 2;
}

static bool is_branch(uintptr_t pc)
{
    return (*(const uint16_t *)pc & 0x7f) == 0x63;
}

/* Counts the boundaries from start to end (to_branch: to the branch to the slow part) that were not hit. */
static unsigned missed(const struct range *seq, bool to_branch, unsigned *all)
{
    unsigned n = 0;
    *all = 0;
    for (uintptr_t pc = seq->start;; pc += size_at(pc)) {
        ++*all;
        n += hits_at(pc) == 0;
        if (pc >= seq->end || (to_branch && is_branch(pc)))
            return n;
    }
}

static void sweep_sequence(struct sweep s, const void *f, bool to_branch)
{
    char text[100];
    unsigned all, before = wrong, left;
    s.seq = sequence_of(f);
    forget_places();
    unsigned passes = 0;
    do {
        sweep(&s);
        left = missed(&s.seq, to_branch, &all);
    } while (left && ++passes < PASSES);
    hk_snprintf(text, sizeof(text), "%s: %u of %u boundaries hit, %u places in all", s.name, all - left, all, nplaces);
    ok(left == 0 && wrong == before, text);
}

static uintptr_t *got;
static NOINLINE void new_cell(void) { got = hgc_new(HGC_LEAF, 32); }

static void new_check(const struct range *seq)
{
    static unsigned at;
    (void)seq;
    CHECK(got && !got[0] && !got[1] && !got[2] && !got[3]);
    got[0] = got[1] = got[2] = got[3] = (uintptr_t)got;
    hgc_set(&root.ring[at++ % RING], got);
    for (unsigned i = 0; i < RING; i++) {
        uintptr_t *p = hgc_get(root.ring[i]);
        CHECK(!p || (p[0] == (uintptr_t)p && p[3] == (uintptr_t)p));
    }
}

static uint64_t slow_before;

static uint64_t slow_sets(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    return s.slow_sets;
}

static bool marked(const struct node *p)
{
    struct object o;
    return p == NULL || (find_object((uintptr_t)p, &o) && o.block->mark[o.cell / WORD_BITS] >> o.cell % WORD_BITS & 1);
}

static struct node *old;            /* no root: what the store overwrites is held by nothing */

static void store_by(void (*set)(struct node *p, struct node *q))
{
    struct node *holder = hgc_get(root.holder);
    old = hgc_get(holder->next);
    set(holder, hgc_get(root.value));
}

static NOINLINE void set_next(struct node *p, struct node *q) { hgc_set(&p->next, q); }
static NOINLINE void slow_set_next(struct node *p, struct node *q) { hgc_slow_set((void **)(uintptr_t)&p->next, q); }
static void set_operation(void) { store_by(set_next); }
static void slow_set_operation(void) { store_by(slow_set_next); }

static void next_value(void)
{
    struct node *p = hgc_new(NODE, sizeof(*p));
    p->id = ~(uintptr_t)p;
    hgc_set(&root.value, p);
    slow_before = slow_sets();
}

/* What was stored is there.  A store that the interrupt came before, and that went on in a cycle, took the slow way. */
static void set_check(const struct range *seq)
{
    struct node *holder = hgc_get(root.holder);
    CHECK(hgc_get(holder->next) == hgc_get(root.value));
    uint64_t slow = slow_sets() - slow_before;
    if (slow && hgc_marking())          /* a store in a cycle has shaded both when it is over */
        CHECK(marked(old) && marked(hgc_get(root.value)));
    if (rival == STARTS && came.pc >= seq->start && came.pc <= seq->end)
        CHECK(slow == (came.pc < seq->end));
    if (rival == ENDS && came.marking && came.pc >= seq->start && came.pc < seq->end)
        CHECK(slow == 0);
    next_value();
}

static void sequences(void)
{
    const void *n = (const void *)new_cell, *s = (const void *)set_next;
    sweep_sequence((struct sweep){ "new, OFF", new_cell, new_check, 0, NOTHING, { 0 } }, n, false);
    sweep_sequence((struct sweep){ "new, OFF, another allocates", new_cell, new_check, 0, ALLOCATES, { 0 } }, n, false);
    sweep_sequence((struct sweep){ "new, ON, another allocates", new_cell, new_check, 1, ALLOCATES, { 0 } }, n, false);
    sweep_sequence((struct sweep){ "new, OFF to ON", new_cell, new_check, 0, STARTS, { 0 } }, n, false);
    sweep_sequence((struct sweep){ "new, ON to OFF", new_cell, new_check, 1, ENDS, { 0 } }, n, false);
    next_value();
    sweep_sequence((struct sweep){ "set, OFF", set_operation, set_check, 0, NOTHING, { 0 } }, s, false);
    sweep_sequence((struct sweep){ "set, OFF to ON", set_operation, set_check, 0, STARTS, { 0 } }, s, false);
    sweep_sequence((struct sweep){ "set, ON", set_operation, set_check, 1, NOTHING, { 0 } }, s, true);
    sweep_sequence((struct sweep){ "set, ON to OFF", set_operation, set_check, 1, ENDS, { 0 } }, s, true);
}

/* ---- slow paths, traps, switches --------------------------------------------------------------------------------- */

static void slow_new(void)
{
    got = hgc_slow_new(HGC_LEAF * HGC_CLASSES + HGC_CLASS(32));
}

/* An interrupt from this hart to itself with a value of its own in each register, and the timer's somewhere in its
 * handler or around: the values are there afterwards.  x8 to x11 are left to the compiler. */
static void trap(void)
{
    uintptr_t bad = 0, pattern = 0x123456789abcdef0;
#define EACH ".irp i, 5, 6, 7, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
    __asm__ volatile(EACH "addi x\\i, %1, \\i\n\t.endr\n\t"
                     "sw %2, (%3)\n\t"
                     "nop\n\tnop\n\tnop\n\tnop\n\t"
                     EACH "addi x\\i, x\\i, -\\i\n\tsub x\\i, x\\i, %1\n\tor %0, %0, x\\i\n\t.endr"
                     : "+r"(bad) : "r"(pattern), "r"(1), "r"((uintptr_t)BOARD_CLINT)
                     : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a2", "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4",
                       "s5", "s6", "s7", "s8", "s9", "s10", "s11", "memory");
    CHECK(bad == 0);
}

static uint32_t turns, turns_before;
static void peer(void *arg)
{
    (void)arg;
    for (;;) {
        turns++;
        hk_yield();
    }
}

/* There and back again: two switches. */
static void switches(void)
{
    register uintptr_t kept __asm__("s5") = 0x5555aaaa0000ffff;
    __asm__ volatile("" : "+r"(kept));
    turns_before = turns;
    hk_yield();
    __asm__ volatile("" : "+r"(kept));
    CHECK(kept == 0x5555aaaa0000ffff);
    CHECK(turns != turns_before || rival != NOTHING);
}

/* `least`: instructions with interrupts off in one piece: an interrupt that was due in any of them came behind. */
static void sweep_path(struct sweep s, unsigned places_least, unsigned off_least)
{
    char text[100];
    unsigned before = wrong, most = 0;
    forget_places();
    sweep(&s);
    for (unsigned i = 0; i < nplaces; i++)
        most = places[i].hits > most ? places[i].hits : most;
    unsigned off = most * TICK / 256;
    hk_snprintf(text, sizeof(text), "%s: %u places, up to %u instructions with interrupts off", s.name, nplaces, off);
    ok(wrong == before && nplaces >= places_least && off >= off_least, text);
}

static void paths(void)
{
    sweep_path((struct sweep){ "hgc_slow_set, OFF", slow_set_operation, set_check, 0, NOTHING, { 0 } }, 10, 10);
    sweep_path((struct sweep){ "hgc_slow_set, OFF to ON", slow_set_operation, set_check, 0, STARTS, { 0 } }, 10, 10);
    sweep_path((struct sweep){ "hgc_slow_set, ON", slow_set_operation, set_check, 1, NOTHING, { 0 } }, 10, 10);
    sweep_path((struct sweep){ "hgc_slow_new, OFF", slow_new, new_check, 0, ALLOCATES, { 0 } }, 20, 10);
    sweep_path((struct sweep){ "hgc_slow_new, ON", slow_new, new_check, 1, ALLOCATES, { 0 } }, 20, 10);
    sweep_path((struct sweep){ "hgc_slow_new, OFF to ON", slow_new, new_check, 0, STARTS, { 0 } }, 20, 10);
    sweep_path((struct sweep){ "a trap", trap, NULL, -1, NOTHING, { 0 } }, 70, 100);
    sweep_path((struct sweep){ "a trap, another task runs", trap, NULL, -1, ALLOCATES, { 0 } }, 70, 100);
    struct task *t;
    hk_task_create(&t, NULL, peer, NULL);
    sweep_path((struct sweep){ "two switches", switches, NULL, -1, NOTHING, { 0 } }, 10, 100);
    sweep_path((struct sweep){ "two switches, another task runs", switches, NULL, -1, ALLOCATES, { 0 } }, 10, 100);
}

static void grow(void)
{
    for (uintptr_t i = 0; i < LIST; i++) {
        struct node *p = hgc_new(NODE, sizeof(*p));
        p->id = i;
        hgc_set(&p->next, hgc_get(root.list));
        hgc_set(&root.list, p);
    }
    hgc_set(&root.holder, hgc_new(NODE, sizeof(struct node)));
}

int app_main(void)
{
    static const uint32_t map = HGC_MAP(struct node, next);
    static const struct hgc_kind kind = { .name = "node", .words = sizeof(struct node) / sizeof(void *), .map = &map };
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .verify = true };
    struct hk_task_config high = { .name = "rival", .prio = HK_URGENT, .set_prio = true };
    is(hgc_init(&config) | hgc_kind(NODE, &kind) | hgc_root_add(&root, sizeof(root)), HGC_OK, "the heap starts");
    hk_sem_init(&go, 0);
    hk_task_create(NULL, &high, rivals, NULL);
    grow();
    find_first_turn();
    sequences();
    paths();
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.verified == s.cycles && s.cycles > 100 && s.restarts > 20 && ended > 20,
       "cycles ran, each verified; sequences were restarted");
    hk_printf("# %u cycles, %u ended in an interrupt, %u restarts, %u slow stores\n", (unsigned)s.cycles, ended,
              (unsigned)s.restarts, (unsigned)s.slow_sets);
    return tap_end();
}
