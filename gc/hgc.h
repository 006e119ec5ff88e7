/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hgc: a concurrent, parallel, non-moving mark-sweep collector for machines with nothing underneath.
 * This header is its whole public interface.  It works from C (GNU C17) and C++.
 *
 * The rules, all of them:
 *   1. Objects come from hgc_new(kind, size), zeroed.  They never move.  They are freed when nothing reaches them.
 *   2. A kind says which words of an object are references.  Declare reference fields as hgc_ref(T) and store to them
 *      only with hgc_set, hgc_swap, hgc_cas, hgc_copy, hgc_clear.  `p->f = x`, `p->f = q->f` and `*p = *q` do not compile.
 *      (A runtime with stores of its own: hgc_store_begin.)
 *   3. Locals, arguments and registers of tasks are found by themselves (task stacks are scanned conservatively).  A
 *      global that holds references is declared hgc_ref(T), told once with hgc_root_add, and stored to with hgc_set; or told
 *      with hgc_root_add_plain, and stored to as usual.
 *   4. Any pointer to the start or the inside of an object keeps it alive; in a local, a root or an ambiguous object also one
 *      past its end.  A precise reference field points to or into its object.
 *   5. Between tasks, references pass through heap fields, registered roots, hgc_chan, the argument of hk_task_create and
 *      the result of hk_task_exit; not through other kernel channels or memory that the collector does not know.
 *      hgc_set orders nothing: a task that makes an object visible to tasks on other harts by a plain field or root, without
 *      a lock, puts fence_ww() between the object's first stores and that hgc_set.  (What the collector itself knows of the
 *      object, its zeroes too, is in order without it.)
 *   6. Interrupt handlers and critical or pinned sections neither allocate nor store references, but by hgc_isr_new,
 *      hgc_isr_set and hgc_isr_put.
 *
 * Contexts: "task" is a task outside critical and pinned sections; "any" is any.
 */
#ifndef HGC_H
#define HGC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HGC_VERSION_MAJOR 0
#define HGC_VERSION_MINOR 1
#define HGC_VERSION_PATCH 0
#define HGC_VERSION "0.1.0"

/* ---- sizes that are fixed when the collector is built ------------------------------------------------------------ */

#ifndef HGC_BLOCK_SHIFT
#define HGC_BLOCK_SHIFT 12              /* log2 of a block's bytes: 10 to 14 */
#endif
#ifndef HGC_KINDS
#define HGC_KINDS 34                    /* leaf, ambiguous, and the program's: kinds 2 .. HGC_KINDS - 1 */
#endif
#if HGC_BLOCK_SHIFT < 10 || HGC_BLOCK_SHIFT > 14
#error "HGC_BLOCK_SHIFT must be 10 to 14 (blocks of 1 to 16 KiB)"
#endif
#if HGC_KINDS < 2 || HGC_KINDS > 34
#error "HGC_KINDS must be 2 to 34"
#endif

#define HGC_BLOCK ((size_t)1 << HGC_BLOCK_SHIFT)
#define HGC_GRAIN (2 * sizeof(void *))  /* cells are multiples of this: 16 bytes, 8 on 32-bit machines */
#define HGC_SMALL_MAX (HGC_BLOCK / 2)   /* above this an object has blocks of its own */

/* ---- errors ------------------------------------------------------------------------------------------------------ */

enum hgc_error {
    HGC_OK = 0,
    HGC_EINVAL = -1,    /* an argument is out of its range; nothing was done */
    HGC_ENOMEM = -2,    /* the table for it is full (roots, pools, pins, runtimes), or no memory is left */
    HGC_EBUSY = -3,     /* done already: hgc_init twice, a kind registered twice, a second finalizer */
    HGC_ETIMEOUT = -4,  /* the time passed first */
    HGC_ECLOSED = -5,   /* the channel is closed */
};
/* A few words about an error.  Any context. */
const char *hgc_strerror(int error);

/* ---- setting up -------------------------------------------------------------------------------------------------- */

/* How tight memory is, told by hgc_config.pressure.  `limit` is the one set, or its default. */
enum hgc_pressure {
    HGC_PRESSURE_SOFT,          /* more than 3/4 of the limit was live after a cycle */
    HGC_PRESSURE_HARD,          /* more than 7/8 was, or the limiter limits: the collector has had half of the time */
    HGC_PRESSURE_LAST,          /* an allocation is about to fail */
};
#define HGC_PERCENT_OFF UINT32_MAX      /* cycles start only for the limit's sake, by time, and on request */
#define HGC_PERIOD_OFF UINT64_MAX

/* Zero means the default in every field but base and size. */
struct hgc_config {
    void *base;                 /* the arena: memory that only the collector uses; any alignment */
    size_t size;                /* its bytes; 64 KiB to 64 GiB.  Descriptors take 3.2 % of it (RV32 5.6 %) */
    unsigned percent;           /* the heap may grow by this much over what was live, stacks and roots counted: 1 to 10000,
                                   or HGC_PERCENT_OFF; 100 */
    size_t limit;               /* bytes in use that the goal never exceeds, whatever percent says, 64 KiB at least; 7/8 of the arena */
    size_t min_trigger;         /* no cycle below this many bytes in use; default 1/16 of the arena */
    void (*oom)(size_t size);   /* called in the task whose allocation is about to return NULL, after a full collection
                                   did not help; may free roots: then it is tried once more.  Default: none.  (hgc_new calls
                                   it, `pressure` and kinds' functions out of the compiler's sight: a static variable that
                                   these change and a caller of hgc_new reads is volatile) */
    void (*pressure)(enum hgc_pressure level, size_t live, size_t limit);
                                /* called in a task's allocation, each level at most once a cycle, lower ones first; `live`
                                   is what the last cycle left.  May drop references and allocate; after LAST the
                                   allocation collects and tries once more, then `oom` is called.  Another task whose
                                   allocation fails meanwhile does not wait for that.  Default: none */
    uint64_t period_ns;         /* a cycle starts when none has for so long, to the millisecond: 1 ms to 24 days; 2 minutes;
                                   HGC_PERIOD_OFF: never for time's sake */
    bool trace;                 /* print a line a cycle (docs/trace.md) */
    bool verify;                /* after each mark, mark again with the world stopped and compare (I10); takes 1/30 of
                                   the arena (RV32 1/16); a missed object is a panic that names the path to it */
    unsigned stress;            /* start a cycle every this many allocations; every allocation takes the slow path; 0: off */
    bool own_finalizers;        /* no task of the collector's runs finalizers and cleanups: the program calls hgc_finalize */
    bool no_auto;               /* never start a cycle by itself: only hgc_collect, hgc_step and hgc_idle do, and running
                                   out of memory */
    unsigned stoptheworld;      /* 0: concurrent; 1: the program stands still while marking runs; 2: and while sweeping runs */
    bool clobber;               /* fill what is freed with HGC_CLOBBER as it is swept: one who still uses it is found out.
                                   Costs a store a word that is freed; a small block's in one critical section */
    uint64_t mark_harts;        /* bit i: hart i has HGC_ROLE_MARK; see hgc_hart_role */
    uint64_t free_harts;        /* bit i: hart i has HGC_ROLE_FREE; not all of them */
    bool no_bootargs;           /* do not look at the boot arguments */
};

/* The word that `clobber` fills freed memory with, until it is handed out again. */
#define HGC_CLOBBER ((uintptr_t)0xc10bbe12c10bbe13u)

/* Starts the collector.  Task (the first one), or before the scheduler runs, once.  Settings among the boot arguments
 * (hgc_settings) win over *config; the console then says which, in one line.  HGC_EINVAL: there is no arena, or too small a one,
 * of which nothing is printed; or a setting is out of its range, the console says which; HGC_EBUSY: called before; HGC_ENOMEM: what
 * the arena leaves of the memory is too little for the collector's tasks, one a hart and one more, of HK_STACK_SIZE each: it may
 * be called again, with less. */
int hgc_init(const struct hgc_config *config);

/* Takes settings from a text, a line of the console for example, into *c.  They are words `name=value`, separated by blanks or
 * commas; the last of a name counts, and what comes after a word "--" is not looked at:
 *     gctrace=0|1   verify=0|1   clobber=0|1   noauto=0|1   stoptheworld=0|1|2
 *     stress=n      percent=1 .. 10000         mintrigger=size             limit=size
 *     markharts=n+n+...    freeharts=n+n+...
 * A size is a number, or one with K, M or G; the last two take numbers of harts.  0 is the others' default, where that is
 * allowed.  HGC_EINVAL: a word is wrong; then *c is as it was, and `error` has the n characters at most that name the word and
 * say what is allowed (HGC_SETTINGS_ERROR suffice).  Any context. */
int hgc_settings(struct hgc_config *c, const char *text, char *error, size_t n);
#define HGC_SETTINGS_ERROR 200

/* ---- kinds ------------------------------------------------------------------------------------------------------- */

enum {
    HGC_LEAF = 0,               /* holds no references: text, numbers, buffers */
    HGC_AMBIGUOUS = 1,          /* every aligned word may be a reference */
    HGC_KIND_FIRST = 2,         /* the program numbers its kinds from here, best with an enum: constant kinds inline */
};

/* What a trace function reports references to.  hgc_visit and hgc_visit_weakly are all that it may call. */
struct hgc_visitor {
    void (*visit)(struct hgc_visitor *v, void *reference);
    void (*weakly)(struct hgc_visitor *v, void *reference);
};
/* Reports one reference, NULL or the inside of an object too.  A word that is no reference does no harm. */
static inline void hgc_visit(struct hgc_visitor *v, void *reference) { v->visit(v, reference); }
/* Reports a reference to an object that shall stay, but whose own references are not followed for this one's sake: the
 * vector of a weak table.  If others report it, too, or a stack holds it, whether they are followed depends on who comes first.
 * So who reports it so sees to what is in it: in hgc_runtime.end what is not marked is taken out of it; or it is touched
 * (hgc_touch), also when it leaves its table in a mark, and then followed like any other.  What a task reads from it in a mark
 * it shades, in one section with the read.  As the key of an ephemeron it is reached. */
static inline void hgc_visit_weakly(struct hgc_visitor *v, void *reference) { v->weakly(v, reference); }

/* How objects of a kind hold references: a repeating map of words, or a trace function; with neither they hold none, as
 * HGC_LEAF's.  A trace function runs on mark workers while the program uses the object: it must accept any mixture of zero
 * and initialised fields, read each field once, and neither wait nor allocate nor store to the heap. */
struct hgc_kind {
    const char *name;           /* for reports; kept by pointer */
    unsigned words;             /* the map's period in words, 1 to 1024.  With a trace function: 0, it is given the object as
                                   a whole; else the object is an array of elements of so many words, and the function is
                                   given some of them at a time, so that a large array is marked in pieces */
    const uint32_t *map;        /* bit i % 32 of map[i / 32] set: word i is a reference; kept by pointer */
    void (*trace)(void *start, size_t bytes, struct hgc_visitor *v);
    bool (*release)(void *object);      /* only where there are no references: asked by the sweep, in a critical section,
                                   before it frees an object that it found dead; false: the object stays until the next
                                   cycle.  So a table that knows objects without keeping them is told in time.  It is also
                                   asked about memory that was never handed out, which is all zero.  Its weak references
                                   are cleared before, its cleanups queued, whatever the answer.  Short: takes spinlocks
                                   at most, up to 16 calls are one section */
};
/* The bit of a field in a map whose first 32 words suffice. */
#define HGC_WORD(type, field) (offsetof(type, field) / sizeof(void *))
#define HGC_MAP(type, field) ((uint32_t)1 << (HGC_WORD(type, field) % 32))

/* Registers kind number `kind` (HGC_KIND_FIRST .. HGC_KINDS - 1), before its first object.  *k is copied.  Task, or
 * before the scheduler runs.  HGC_EINVAL: number out of range, both map and trace, a bad period, or `release` with
 * references.  HGC_EBUSY: that number is taken. */
int hgc_kind(unsigned kind, const struct hgc_kind *k);

/* ---- references -------------------------------------------------------------------------------------------------- */

/* A field (or global) that holds a reference to T.  The const member is what makes assignments not compile.  In C++
 * a global needs an initializer: static hgc_ref(T) g = {}; */
#define hgc_ref(T) struct { T *const hgc_p; T *hgc_t[0]; }

extern uint32_t hgc_phase;      /* the one global phase word: 0 between cycles; written only while the world is stopped */
void *hgc_slow_new(uintptr_t id);
void hgc_slow_set(void **slot, void *value);
void *hgc_slow_swap(void **slot, void *value);
bool hgc_slow_cas(void **slot, void *expected, void *desired);
#include "hal_seq.h"

/* Reads a reference: hgc_get(p->next).  One load, also of a slot that others store to meanwhile: what it returns was there at one
 * moment, the compiler does not read again, and what it refers to is seen as it was when hgc_cas or hgc_swap published it. */
#define hgc_get(ref) hal_plain_load((__typeof__((ref).hgc_t[0]) const *)(const void *)&(ref).hgc_p)
/* Stores a reference: hgc_set(&p->next, q).  Outside a cycle: a load, a branch not taken, and the store.  Task. */
#define hgc_set(refp, value)                                                                                         \
    do {                                                                                                             \
        __typeof__((refp)->hgc_t[0]) hgc_v_ = (value);                                                               \
        HAL_SEQ_SET(*(__typeof__(hgc_v_) *)(uintptr_t)&(refp)->hgc_p, hgc_v_);                                       \
    } while (0)
/* Stores a reference and returns the one that was there, in one step.  Ordered both ways: what a task wrote before its swap is
 * seen by who gets the reference from another swap or cas.  Task.  Cost: a critical section, in a cycle and between. */
#define hgc_swap(refp, value)                                                                                        \
    (__extension__({                                                                                                 \
        __typeof__((refp)->hgc_t[0]) hgc_v_ = (value);                                                               \
        (__typeof__(hgc_v_))hgc_slow_swap((void **)(uintptr_t)&(refp)->hgc_p, (void *)(uintptr_t)hgc_v_);            \
    }))
/* Stores `desired` if the slot holds `expected`, in one step; true if it did.  Otherwise nothing is stored.  As hgc_swap. */
#define hgc_cas(refp, expected, desired)                                                                             \
    (__extension__({                                                                                                 \
        __typeof__((refp)->hgc_t[0]) hgc_e_ = (expected), hgc_d_ = (desired);                                        \
        hgc_slow_cas((void **)(uintptr_t)&(refp)->hgc_p, (void *)(uintptr_t)hgc_e_, (void *)(uintptr_t)hgc_d_);      \
    }))
/* Copies `bytes` (a multiple of the word size) between objects or roots, with the barrier; may overlap like memmove.
 * Words that are no references do no harm.  Task.  Cost: a critical section for every 16 words. */
void hgc_copy(void *dst, const void *src, size_t bytes);
/* Zeroes `bytes` (a multiple of the word size) of an object or root, with the barrier.  Task. */
void hgc_clear(void *dst, size_t bytes);

/* Registers [base, base + bytes) as a root: word-aligned memory outside the heap whose references are stored with
 * hgc_set and its like.  HGC_ENOMEM: more than 64 roots; those removed while a cycle runs count until it ends.  In a mark what it
 * holds is shaded.  Task. */
int hgc_root_add(const void *base, size_t bytes);
/* The same for a range that the program stores to without a barrier: C globals, an interpreter's own stack.  While there is one,
 * each cycle looks at these ranges and at all stacks again at its end, once while the program runs and once with the world
 * stopped: that stop grows with the ranges and with the used part of all stacks.  If the stopped look finds much that was not
 * marked, marking goes on and the end is tried again; the third time it is finished in the stop (hgc_stats.stopped_marks). */
int hgc_root_add_plain(const void *base, size_t bytes);
/* Takes back a root that was added with the same base, of either sort.  In a mark the range is searched first, 16 words in each
 * critical section; no cycle begins meanwhile.  When it returns nobody looks at the range any more.  HGC_EINVAL: there is none.
 * Task, where waiting is allowed. */
int hgc_root_remove(const void *base);

/* ---- for runtimes with stores of their own ----------------------------------------------------------------------- */

/* A store to a heap object that is none of the above is written so:
 *
 *     hgc_store_t s = hgc_store_begin();
 *     hgc_shade(old value);               deletion half
 *     store
 *     hgc_touch(object);                  insertion half; or, before the store, hgc_shade(new value)
 *     hgc_store_end(s);
 *
 * From begin to end it is one critical section: short, no allocation, no waiting, and a fault in it is a panic.  Without the
 * first shade the runtime needs a root added with hgc_root_add_plain as long as it runs: its last copy of the old value may
 * be on a stack that was scanned already.  The sections nest; their ends are called in the opposite order.  Task. */
typedef uintptr_t hgc_store_t;
hgc_store_t hgc_store_begin(void);
void hgc_store_end(hgc_store_t section);
/* Keeps what the reference points to or into, in this cycle.  One past the end does not count: shade what lies before it.  NULL
 * and words that are no reference do no harm.  Between cycles it does nothing.  Task. */
void hgc_shade(const void *reference);
/* Keeps an object in this cycle, and has all its references followed again, after they were stored: one touch for many stores of a
 * section.  `container`: points to or into it.  A large object is scanned from its beginning.  Between cycles it does nothing.
 * Task. */
void hgc_touch(const void *container);

/* ---- for runtimes with stacks and tables of their own ------------------------------------------------------------- */

/* Memory that the calling task uses as a stack of its own: it stores there without a barrier.  `trace` reports what the task can
 * reach by it.  It is called together with the scan of the task's C stack, while the task does not run, perhaps in the middle
 * of any of its functions, or by the task in hgc_scan_self; also by verify mode, and where there are plain roots, with the world
 * stopped: so more than once a cycle.  `task` is the one that it is called for.  The rules of a kind's trace function hold.
 * What is on a stack is then treated as what is in the task's registers: stores to the heap need the barrier, those to the
 * stack none.  A stack that the task leaves (a coroutine's) is an object like any other.  So in a mark, what is on a stack is
 * shaded before the task takes it (overwritten, it would be lost if this task was scanned already), and shaded, or its object
 * touched, before the task leaves it by hgc_stacks_set or its end (that object may be black already, and the task not
 * scanned yet). */
struct task;
struct hgc_stacks {
    void (*trace)(struct hgc_stacks *s, const struct task *task, struct hgc_visitor *v);
};
/* The stacks of the calling task from now on; NULL: none but its C stack.  *s is kept by pointer, and its memory is the
 * caller's to keep.  Returns those before.  Task.  gc/stacks.h has an inline look at it. */
struct hgc_stacks *hgc_stacks_set(struct hgc_stacks *s);
/* In a mark, marks what the calling task's C stack and registers refer to and what `trace` reports, unless that has been done: then no
 * marker makes the task leave its hart for it.  For where a runtime's task marks its own stacks anyway.  Between cycles it does
 * nothing.  Task, where waiting is allowed.  Cost: a look at each word of the C stack that is in use, without a switch on this hart. */
void hgc_scan_self(void);
/* While the calling task is in hgc_collect, hgc_step or hgc_wait_mark, its C stack is not looked at, but `trace` is asked: for a
 * runtime all of whose references are in its own stacks there.  Allocations that wait for a collection look at both.  Returns
 * the setting before.  Task. */
bool hgc_stacks_only(bool on);

/* While it is on, the calling task starts no cycle by what it allocates, and does not mark for it, as long as there is memory.
 * Returns the setting before.  Task. */
bool hgc_exempt(bool on);

/* How many cycles have begun.  Any context. */
uint32_t hgc_cycle(void);
/* Bytes that the last cycle found alive.  Any context. */
size_t hgc_live(void);
/* Waits until the mark that runs is over; at once if none does.  Task. */
void hgc_wait_mark(void);

/* What a runtime does at the joints of a cycle.  Each may be NULL. */
enum hgc_quiet {
    HGC_QUIET,                  /* nothing more to mark for this runtime */
    HGC_QUIET_MORE,             /* it has shaded something: marking goes on */
    HGC_QUIET_LATER,            /* some task has to do something first: it is asked again soon, or at hgc_ask_again.  In a
                                   stopped mode no task gets on before the mark is over, nor does one that waits for memory:
                                   count, and do without */
};
struct hgc_runtime {
    void (*begin)(void);        /* in the stop that begins a cycle, the phase is still OFF.  Short, whatever the heap holds */
    /* Nothing is left to mark; the world runs.  Shades what it wants kept.  By one worker at a time. */
    enum hgc_quiet (*quiet)(void);
    /* The same, in the stop that is to end the mark.  After HGC_QUIET the mark does end; whether an object is marked is
     * certain then (hgc_marked), and what is not marked is freed: weak references to it are cleared now. */
    enum hgc_quiet (*end)(void);
    /* Verify mode asks of a word on the task's C stack or in a register of its: may it be no reference, though it looks like
     * one to p?  An interpreter may compute where a register of its would be before it knows that the instruction has one.
     * World stopped. */
    bool (*stray)(const struct task *task, const void *p);
};
#ifndef HGC_RUNTIMES
#define HGC_RUNTIMES 4
#endif
/* Registers one; *r is kept by pointer.  Waits until the mark that runs is over.  HGC_ENOMEM: more than HGC_RUNTIMES;
 * HGC_EINVAL: r is NULL.  Task. */
int hgc_runtime(const struct hgc_runtime *r);
/* In the stopped modes: lets a task of the program run on until it is where the runtime wants it, which then takes that back.
 * Does nothing in other modes.  In hgc_runtime.quiet and .end, or by the task itself. */
void hgc_let_run(struct task *task, bool on);
/* What a runtime waited for after HGC_QUIET_LATER may have happened.  Any context. */
void hgc_ask_again(void);
/* Marks what the task's C stack and registers refer to, wherever it stands.  In hgc_runtime.end. */
void hgc_scan_stack(struct task *task);
/* Is the object marked that p points to or into?  True also for what is no object.  In hgc_runtime.end and .quiet. */
bool hgc_marked(const void *p);

/* ---- allocation -------------------------------------------------------------------------------------------------- */

/* Size class of a small object: sizes up to HGC_BLOCK / HGC_CLASS_T have a class for each multiple of the grain; above,
 * a class for each number of cells that a block can hold.  Constant arithmetic, so that it folds. */
#if HGC_BLOCK_SHIFT == 10
#define HGC_LOG_CELLS_ 6
#elif HGC_BLOCK_SHIFT == 11
#define HGC_LOG_CELLS_ 7
#elif HGC_BLOCK_SHIFT == 12
#define HGC_LOG_CELLS_ 8
#elif HGC_BLOCK_SHIFT == 13
#define HGC_LOG_CELLS_ 9
#else
#define HGC_LOG_CELLS_ 10
#endif
#define HGC_CLASS_T ((size_t)1 << ((HGC_LOG_CELLS_ + (sizeof(void *) == 4) + 1) / 2))
#define HGC_CLASS_SPLIT (HGC_BLOCK / HGC_CLASS_T)               /* the largest size of the first sort */
#define HGC_CLASSES (HGC_CLASS_SPLIT / HGC_GRAIN + HGC_CLASS_T - 2)

#define HGC_CEIL_(size) (((size) + HGC_GRAIN - 1) & ~(HGC_GRAIN - 1) ? ((size) + HGC_GRAIN - 1) & ~(HGC_GRAIN - 1) : HGC_GRAIN)
#define HGC_CLASS_OF_(s) ((s) <= HGC_CLASS_SPLIT ? (s) / HGC_GRAIN - 1 \
                                                 : HGC_CLASS_SPLIT / HGC_GRAIN + HGC_CLASS_T - 1 - HGC_BLOCK / (s))
#define HGC_CELL_OF_(s) ((s) <= HGC_CLASS_SPLIT ? (s) : (HGC_BLOCK / (HGC_BLOCK / (s))) & ~(HGC_GRAIN - 1))
/* Class and cell size of an object of `size` bytes, 0 to HGC_SMALL_MAX. */
#define HGC_CLASS(size) HGC_CLASS_OF_(HGC_CEIL_((size_t)(size)))
#define HGC_CELL(size) HGC_CELL_OF_(HGC_CEIL_((size_t)(size)))

/* Where hart-local cursors lie from the hart register: checked against the collector's own structure. */
#define HGC_RUNS_OFFSET 1024
/* Constant sizes up to this are allocated inline. */
#define HGC_INLINE_MAX (HGC_SMALL_MAX < 1024 ? HGC_SMALL_MAX : 1024)

/* Allocates `size` zeroed bytes of `kind`; NULL when there is no memory after a full collection and the oom handler, or
 * when kind is not registered or the size is absurd.  Task.  Cost of hgc_new with constant kind and size: 7 instructions
 * when the hart's run has room. */
void *hgc_alloc(unsigned kind, size_t size) __attribute__((malloc, warn_unused_result));

#ifdef __OPTIMIZE__
static inline __attribute__((always_inline, warn_unused_result)) void *hgc_new_inline_(unsigned kind, size_t size)
{
    void *object;
    HAL_SEQ_NEW(object, HGC_RUNS_OFFSET + (kind * HGC_CLASSES + HGC_CLASS(size)) * 2 * sizeof(void *), HGC_CELL(size),
                kind * HGC_CLASSES + HGC_CLASS(size));
    return object;
}
#define hgc_new(kind, size)                                                                                          \
    (__builtin_constant_p(kind) && __builtin_constant_p(size) && (unsigned)(kind) < HGC_KINDS                        \
             && (size_t)(size) <= HGC_INLINE_MAX                                                                     \
         ? hgc_new_inline_(__builtin_constant_p(kind) ? (kind) : 0, __builtin_constant_p(size) ? (size) : 0)         \
         : hgc_alloc((kind), (size)))
#else
#define hgc_new(kind, size) hgc_alloc((kind), (size))
#endif

/* As hgc_alloc(HGC_LEAF, size), but objects of half a grain or less (8 bytes; 4 on 32-bit machines) share a cell with others of
 * the same hart: two and more in the memory of one.  Zeroed, and aligned as a number of that size.  The cell lives as long as
 * anything points to or into it, and hgc_size tells the whole cell's. */
void *hgc_new_tiny(size_t size) __attribute__((malloc, warn_unused_result));

/* The bytes that an object has room for (its cell; a large object's blocks), or 0 if `p` points into no object.  Any. */
size_t hgc_size(const void *p);

/* ---- specials: weak references, ephemerons, finalizers, cleanups, pools, pins ------------------------------------ */

/* All of these work while a cycle runs.  Each registration takes a record of 48 bytes (RV32: 28) from the heap, and the first
 * one in a block a table of 4 bytes a cell and 64 more.  None is undone by running out of memory: it fails as a whole. */

/* A weak reference: itself a collected object, which does not keep its target.  It is cleared when a cycle finds the target
 * unreachable otherwise, before a finalizer of the target can see it again.  NULL: no memory, or no object.  Task. */
struct hgc_weak;
struct hgc_weak *hgc_weak_new(const void *object) __attribute__((warn_unused_result));
/* The target as it was given to hgc_weak_new, from now on held by the caller's stack; NULL: it is gone, for ever.  Task: it
 * waits for the end of the mark if reads have kept the mark from ending twice.  Cost: a short critical section. */
void *hgc_weak_get(struct hgc_weak *w);

/* An ephemeron: a collected object with a key, which it does not keep, and a value, which it keeps as long as it and the key
 * are reachable, however the value refers to either.  Tables that attach things to objects are made of them.  The value may
 * be any word.  NULL: no memory, or the key is no object.  Task. */
struct hgc_ephemeron;
struct hgc_ephemeron *hgc_ephemeron_new(const void *key, const void *value) __attribute__((warn_unused_result));
/* The key; the value.  NULL: the key is gone.  Task; may wait, as hgc_weak_get. */
void *hgc_ephemeron_key(struct hgc_ephemeron *e);
void *hgc_ephemeron_get(struct hgc_ephemeron *e);
/* Changes the value.  False: the key is gone, nothing was done.  Task. */
bool hgc_ephemeron_set(struct hgc_ephemeron *e, const void *value);

/* fn(object, arg) runs once after a cycle has found the object unreachable.  Until it returns, the object and all that it
 * refers to are whole; if fn stores it somewhere it lives on, and may get a finalizer again.  Of two objects with finalizers
 * of which one refers to the other, the one that refers comes first, the other after a later cycle.  Objects with finalizers
 * that refer to each other or to themselves in a circle are never collected.  `arg` is any word; a reference is kept.
 * fn NULL takes the finalizer back.  HGC_EBUSY: it has one; HGC_EINVAL: no object, or a weak reference or ephemeron; with
 * NULL, it has none; HGC_ENOMEM.  Task.
 * Finalizers run on one task of the collector's, in the order in which they were found; it gives way after every 16.  They
 * may do all that a task may, and one that waits delays those behind it.  A fault in one ends it, and the next goes on. */
typedef void hgc_finalizer_fn(void *object, void *arg);
int hgc_finalizer(void *object, hgc_finalizer_fn *fn, void *arg);

/* fn(arg) runs once after the object is gone: it sees only `arg`, any word, and keeps it.  It never runs while `arg` leads to
 * the object.  An object may have many, which run in no order, and after its finalizer if it has one and is not stored again.
 * HGC_EINVAL: no object, fn is NULL, or arg points to the object itself; HGC_ENOMEM.  Task. */
typedef void hgc_cleanup_fn(void *arg);
int hgc_cleanup(const void *object, hgc_cleanup_fn *fn, void *arg);

/* Runs up to `max` finalizers and cleanups that are due, in the calling task; how many there were.  For programs that set
 * own_finalizers, and for others that want some done now.  Task. */
unsigned hgc_finalize(unsigned max);

/* clear(arg) is called as each cycle begins, with the world stopped: it lets cached objects go, so that this cycle collects
 * them.  It stores with hgc_set, neither waits nor allocates, and is short: all harts wait for it.  HGC_ENOMEM: more than
 * HGC_POOLS.  Task. */
int hgc_pool_add(void (*clear)(void *arg), void *arg);
int hgc_pool_remove(void (*clear)(void *arg), void *arg);

/* Keeps an object for a device or an interrupt handler, until it is given back.  The pin's number, 0 or more; HGC_EINVAL: no
 * object; HGC_ENOMEM: HGC_PINS are in use.  The caller holds the object.  Any context. */
int hgc_pin(void *object);
void *hgc_pinned(int pin);              /* its object, or NULL.  Any context */
int hgc_unpin(int pin);                 /* HGC_EINVAL: not in use.  Any context; constant time */

struct hgc_special_stats {
    uint64_t finalizers, cleanups;      /* taken to be run */
    uint64_t pending;                   /* wait to be run */
    uint64_t cleared;                   /* weak references and ephemerons whose object was found dead */
    uint64_t looked_up;                 /* ephemerons that marks have looked at: twice a cycle each at most */
};
/* Any context. */
void hgc_special_stats(struct hgc_special_stats *s);

/* ---- channels of references -------------------------------------------------------------------------------------- */

struct hgc_chan;
/* A bounded channel of `capacity` references (1 to 1024), itself a collected object.  NULL: no memory.  Task. */
struct hgc_chan *hgc_chan_new(unsigned capacity);
/* Sends; waits while it is full.  0, HGC_ETIMEOUT (timeout in ns; UINT64_MAX: for ever), HGC_ECLOSED.  Task. */
int hgc_chan_send(struct hgc_chan *c, void *reference, uint64_t timeout_ns);
/* Receives; waits while it is empty.  HGC_ECLOSED: closed and empty.  Task. */
int hgc_chan_recv(struct hgc_chan *c, void **reference, uint64_t timeout_ns);
/* Closes it: senders fail, receivers empty it first.  Task. */
void hgc_chan_close(struct hgc_chan *c);

/* ---- allocation in interrupt handlers ---------------------------------------------------------------------------- */

/* Each hart has reserves of zeroed cells, which tasks of the collector refill.  A handler takes a cell, fills it, and hands
 * it over through a queue, from which a task gets it.  The contract:
 *   - Taking cells, storing into them and handing them over are one critical section.  A handler is one.  What is not handed
 *     over by its end is lost to the handler: it may be collected.
 *   - References are stored into these cells only with hgc_isr_set, and only to cells that were taken in the same critical
 *     section, or to objects that a root of hgc_root_add reaches all the while that it lasts, in a program whose stores have
 *     the deletion half.  (An object that a task takes out of the root meanwhile may be lost: a handler is not held up by a
 *     stop, so the phase can change under it.  And a root of hgc_root_add_plain may lose it later without a word.)
 *   - Nothing else of the heap is stored to.  It may be read from registered roots on.
 *   - One cell is handed over; others are reached from it.  From hgc_isr_put on the cells are the task's.
 * All of it also works while the world is stopped, when handlers still run.  Nothing here waits or looks at the phase. */

#ifndef HGC_ISR_RESERVES
#define HGC_ISR_RESERVES 4              /* pairs of kind and size */
#endif
#ifndef HGC_ISR_CELLS
#define HGC_ISR_CELLS 64                /* on each hart, all reserves together; each costs the stop that begins a cycle about
                                           125 instructions of its hart */
#endif
/* Gives each hart a reserve of `count` cells of `size` bytes (up to HGC_SMALL_MAX), and fills it as far as there is memory.
 * It stays for ever.  A refilling task runs when a reserve is half empty, with priority high.  Returns the reserve's number.
 * HGC_EINVAL: an argument is out of its range; HGC_ENOMEM: more than HGC_ISR_RESERVES or HGC_ISR_CELLS, or no memory for the
 * tasks.  Task. */
int hgc_isr_reserve(unsigned kind, size_t size, unsigned count);
/* A zeroed cell from this hart's reserve; NULL when it is empty.  In a handler or critical section.  Constant time. */
void *hgc_isr_new(int reserve) __attribute__((warn_unused_result));
/* Stores a reference into a cell that was taken in this critical section. */
#define hgc_isr_set(refp, value)                                                                                     \
    do {                                                                                                             \
        __typeof__((refp)->hgc_t[0]) hgc_v_ = (value);                                                               \
        st_rlx((__typeof__(hgc_v_) *)(uintptr_t)&(refp)->hgc_p, hgc_v_);                                             \
    } while (0)

struct hgc_isr_queue;
/* A queue of `capacity` references (1 to 1024).  It is a root, in memory from hk_mem_alloc, and stays for ever.  NULL: no
 * memory, or no room for a root.  Task. */
struct hgc_isr_queue *hgc_isr_queue_new(unsigned capacity);
/* Hands over a cell that was taken in this critical section.  False: the queue is full; the cell is dropped.  In a handler or
 * critical section, any hart.  Constant time, but for a spinlock. */
bool hgc_isr_put(struct hgc_isr_queue *q, void *cell);
/* Gets the oldest; waits while there is none.  0 or HGC_ETIMEOUT (timeout in ns; UINT64_MAX: for ever).  Task. */
int hgc_isr_get(struct hgc_isr_queue *q, void **cell, uint64_t timeout_ns);

/* ---- collecting -------------------------------------------------------------------------------------------------- */

enum hgc_mode {
    HGC_START,                  /* start a concurrent cycle if none runs, and return */
    HGC_WAIT,                   /* run a whole concurrent cycle that begins after the call, its sweep too, and return */
    HGC_FORCE,                  /* the same, but the program's tasks are kept off the harts while it marks */
    HGC_FORCE_BLOCK,            /* and while it sweeps */
};
/* Requests a collection.  Task.  HGC_EINVAL: no such mode, or no heap, because hgc_init was refused.  The stopped modes keep every
 * task off but those created with `system` set; all harts mark.  In configuration, stoptheworld = 1 or 2 makes every cycle
 * HGC_FORCE or HGC_FORCE_BLOCK. */
int hgc_collect(enum hgc_mode mode);

/* A task that waits for ever: for an object (a channel, or a structure with a mutex, semaphore or event in it) that no task can
 * reach but those that wait so. */
struct hgc_leak {
    char name[20];              /* of the task */
    const void *object;         /* what it waits for */
};
/* Runs a whole concurrent cycle that looks for such tasks, calls fn for each (NULL: prints a line), and returns how many there
 * are.  They are left as they are, and what they hold is kept.  Only waits without a limit of time are looked at, and only
 * for what lies in the collector's heap: what lies elsewhere may always be reached.  A task that still has the address on its
 * stack by chance keeps another from being named; a weak reference does not.  Called from fn: nothing that waits.
 * Task.  Cost: that of HGC_WAIT, one more look at the tasks for each task that is reached through another that waits, and
 * one stop that looks at all tasks (tens of instructions each).  As Go's leak profile does it. */
unsigned hgc_leaks(void (*fn)(const struct hgc_leak *leak, void *arg), void *arg);
/* Turns automatic cycles off and on again. Returns the old setting.  Any context. */
bool hgc_set_auto(bool on);

/* ---- collecting in steps ----------------------------------------------------------------------------------------- */

/* For a program that says itself when the collector works: hgc_set_auto(false) or `no_auto`, and steps in its main loop.  No
 * worker has a share in a mark that steps drive: beside them, harts that sleep mark, and those given to marking; a task that
 * allocates pays as ever.  Once a task waits for such a mark (hgc_collect, or because memory is short) it goes on as any
 * other, with workers.  Steps may be made in several tasks at a time, and while others collect: then they help. */
enum hgc_step_how {
    HGC_STEP_US = 0,            /* the budget is microseconds, of the machine's timer */
    HGC_STEP_INSTRUCTIONS = 1,  /* it is instructions, by an estimate; see below */
    HGC_STEP_CYCLE = 2,         /* begins a cycle even if none is due, unless one is going on, its sweep included.  So
                                   `while (hgc_step(n, HGC_STEP_CYCLE) <= 0);` does a whole one, or the rest of one; and one
                                   more if other harts do the last of it between two calls */
};
/* Does what the collector has to do, for as long as `budget` lasts: sweep; begin a cycle if one is due by the heap's trigger or
 * by time; mark; end the mark.  Returns what is left of the budget.  More than 0: there is nothing to do now (the cycle, if
 * one ran, is over and swept, or other harts are at the last of it); 1 if the budget went into the last of it.  0 or less: there
 * may be more.
 * A call with a budget above 0 does one piece at least, if there is one, so any sequence of calls comes to an end of the
 * cycle.  A piece is not divided, so the budget is overrun by one at most: the grey objects of a block of 4 KiB, 4 KiB of a
 * large object, one with a trace function as a whole; the used part of one task's stack; one range of roots; two blocks' sweep;
 * or a stop, which begins or ends a cycle, with the wait for all harts.  Time in which the task was preempted counts, too: give
 * it a priority above that of the others if that matters.  In the stopped modes a step that begins a cycle comes back after
 * its mark, unless the task is one of the system.
 * Instructions are estimated: 5 for each byte searched for references, 80 for each object marked, 100 for each piece of
 * marking, 220 for each block swept, four times that with `release`, 5000 for a stop.  So the same budget buys the same
 * work in each run and on each machine, and neither handlers nor other tasks count.
 * On rv64gc marking costs 0.7 times its estimate where one word of 8 is a reference, 1.0 times where all are, 2.3 times in
 * ambiguous objects that are full of them; sweeping, up to 1.7 times.  A piece of 4 KiB of references to objects not marked yet
 * is the largest, with about 60,000.
 * A wrong `how` does nothing and returns the budget, as any does where hgc_init was refused.  Task. */
int64_t hgc_step(int64_t budget, unsigned how);
/* "I have nothing to do until `deadline_ns`" (of hk_now): the same work, in pieces, until then; a cycle is begun if it is due.
 * True: a step would find more to do.  False: there is nothing for this task to do, so it may sleep.  A main loop that waits
 * for events looks at them between short deadlines.  Overruns, and task: as above. */
bool hgc_idle(uint64_t deadline_ns);

/* ---- harts for marking, and harts without it --------------------------------------------------------------------- */

enum hgc_role {
    HGC_ROLE_NORMAL,            /* as the scheduler chooses */
    HGC_ROLE_MARK,              /* given to marking: its worker goes before all tasks while there is something to mark, bound
                                   ones too, and counts toward the quarter of the harts' time; tasks run there otherwise */
    HGC_ROLE_FREE,              /* kept free of it: no mark worker runs there, in the stopped modes neither, and no tick for
                                   their sake.  Its tasks' stacks are scanned by other harts, for which they leave theirs for a
                                   moment; stops of the world hold it up as all; its tasks pay for what they allocate */
};
/* Gives a hart another role, and returns the one it had.  In a mark that runs, workers follow within a piece of marking or,
 * where they have to come, a tick.  HGC_EINVAL: no such hart or role, or no hart would be left to mark.  Any context, after
 * hgc_init. */
int hgc_hart_role(unsigned hart, enum hgc_role role);

/* ---- settings at run time ---------------------------------------------------------------------------------------- */

/* Sets config.percent while the program runs, as Go's SetGCPercent; 0: the default; more than 10000 counts as that many;
 * HGC_PERCENT_OFF.  Goal, trigger, assists and sweep follow at once.  Returns the old setting.  Task, also in critical
 * and pinned sections.  Cost: a few divisions with interrupts off. */
unsigned hgc_set_percent(unsigned percent);
/* Sets config.limit while the program runs, as Go's SetMemoryLimit, but of the heap alone; 0: the default; at most the
 * heap's size.  When the live heap does not fit below it the collector runs all the time, until it has had half of all
 * time by more than a second a hart; then tasks are not held up by it any longer, and an allocation above a limit that is
 * 7/8 full of live objects fails.  The limit is no wall: a heap with less in it may pass it for a while.  Returns the old
 * setting.  Context and cost as above. */
size_t hgc_set_limit(size_t bytes);
/* For tests: the n-th slow-path allocation from now, and `count - 1` after it, return NULL; n = 0: none.  Any context. */
void hgc_fail_alloc(unsigned n, unsigned count);

/* ---- statistics -------------------------------------------------------------------------------------------------- */

enum {
    HGC_PAUSE_BUCKETS = 32,     /* of a histogram of times: bucket i has those of 2^i to 2^(i+1) - 1 ns */
    HGC_SIZE_BUCKETS = HGC_CLASSES + 1, /* of objects by size: bucket i is size class i, the last one large objects */
};

/* What the collector knows of itself, all counted since hgc_init but where it says "now" or "last cycle".  hgc_metrics_each
 * names each field, for tools and consoles; docs/guide.md has the list.  On 32-bit machines times of work wrap after 71
 * minutes of it, and counts after 2^32 a hart. */
struct hgc_stats {
    /* cycles */
    uint64_t cycles;            /* finished: automatic and forced */
    uint64_t cycles_automatic;  /* started because the heap had reached its trigger */
    uint64_t cycles_forced;     /* by hgc_collect, by `stress`, or because memory had run out */
    uint64_t termination_retries;       /* stops to end a mark that found work left */
    uint64_t unbarriered_retries;       /* those of them because plain roots or stacks held what was not marked */
    uint64_t stopped_marks;     /* cycles that, after these, were finished with the world stopped: a stop without a bound */
    uint64_t verified;          /* marks that verify mode compared */

    /* the heap now */
    uint64_t heap_size;         /* bytes of blocks that the arena has, descriptors left out */
    uint64_t heap_used;         /* bytes in blocks and runs handed out (live, floating garbage and unused run cells) */
    uint64_t heap_peak;         /* the most that heap_used was */
    uint64_t heap_live;         /* bytes marked by the last cycle */
    uint64_t heap_goal;         /* what heap_used should not pass before the next cycle has ended */
    uint64_t heap_trigger;      /* the next cycle starts when heap_used passes this */
    uint64_t heap_limit;        /* which is never above this */
    uint64_t percent;           /* the setting `percent` */

    /* allocation.  An object counts with its whole cell or blocks.  Cells are counted as their run is handed out; objects_now
     * leaves out those that runs still have.  The sweep counts what it frees, also cells that were never used. */
    uint64_t alloc_bytes, alloc_objects;
    uint64_t free_bytes, free_objects;
    uint64_t alloc_by_size[HGC_SIZE_BUCKETS], free_by_size[HGC_SIZE_BUCKETS];   /* objects */
    uint64_t objects_now;       /* live, or dead and not swept yet */
    uint64_t tiny_objects;      /* of hgc_new_tiny that share cells; alloc_objects has the cells */
    uint64_t allocs_failed;     /* NULLs returned */

    /* the mark of the last cycle */
    uint64_t objects_marked;    /* newborns left out */
    uint64_t scan_heap;         /* bytes of objects that were searched for references */
    uint64_t scan_stacks;       /* bytes of task stacks */
    uint64_t scan_roots;        /* bytes of registered roots */
    uint64_t scan_total;

    /* memory now, in bytes: total is the sum of the others */
    uint64_t mem_objects;       /* objects, live or not swept yet */
    uint64_t mem_unused;        /* blocks in use, less the objects: free cells, unused run cells, ends of blocks */
    uint64_t mem_free;          /* free blocks */
    uint64_t metadata_bytes;    /* descriptors, bitmaps, verifier */
    uint64_t mem_stacks;        /* task stacks, those of idle tasks and mark workers too */
    uint64_t mem_stacks_kept;   /* stacks of ended tasks, kept for new ones */
    uint64_t mem_total;
    uint64_t blocks_free;
    uint64_t stack_size;        /* of a new task whose creator names none */

    /* time in ns since boot, summed over harts: total is gc, idle and user; gc is mark, assist, step and pause */
    uint64_t cpu_dedicated_ns, cpu_fractional_ns, cpu_idle_mark_ns;     /* mark_ns by the mode of the worker */
    uint64_t mark_ns;           /* mark workers */
    uint64_t mark_wall_ns;      /* length of all marks, not times harts */
    uint64_t cpu_assist_ns;     /* tasks that marked to be allowed to allocate */
    uint64_t cpu_step_ns;       /* tasks that marked in hgc_step and hgc_idle */
    uint64_t cpu_pause_ns;      /* pause_total_ns times harts */
    uint64_t cpu_gc_ns;
    uint64_t cpu_idle_ns;       /* harts asleep */
    uint64_t cpu_user_ns;       /* the rest: tasks, handlers, the kernel, the sweep */
    uint64_t cpu_total_ns;
    uint64_t harts;
    uint64_t limiter_last_cycle;        /* the last cycle during or after which the limiter was on; 0: none */

    /* stops of the world; the work of verify mode is left out.  A stop is requested, then it is stopping until all harts have
     * acknowledged, then the world is stopped. */
    uint64_t pauses;
    uint64_t pause_max_ns, pause_total_ns;      /* stopped: from all acknowledged to start */
    uint64_t pause_hist[HGC_PAUSE_BUCKETS];
    uint64_t stopping_max_ns, stopping_total_ns;        /* stopping: from the request, the harts' share of the work included */
    uint64_t stopping_hist[HGC_PAUSE_BUCKETS];
    uint64_t both_hist[HGC_PAUSE_BUCKETS];      /* from the request to start */
    uint64_t handshakes;        /* every hart was interrupted once, one by one */

    /* work of the mutator for the mark, and of harts for each other */
    uint64_t shades;            /* objects that barriers marked */
    uint64_t slow_sets;         /* barrier slow paths while marking */
    uint64_t steals;            /* blocks that a hart took from another's mark queue */
    uint64_t restarts;          /* restartable sequences rewound by interrupts */
    uint64_t isr_taken;         /* cells that hgc_isr_new handed out */
    uint64_t isr_empty;         /* NULLs that it returned */

    /* specials; hgc_special_stats has more */
    uint64_t finalizers_queued, finalizers_executed;    /* the object was found dead; taken to be run */
    uint64_t cleanups_queued, cleanups_executed;
    uint64_t weak_cleared;      /* weak references and ephemerons whose object was found dead */
};
/* Fills *s.  The figures are read one after another, not at one instant; sums of them hold when nobody allocates.  Any
 * context; cost: some hundred loads a hart. */
void hgc_stats(struct hgc_stats *s);

/* One field of struct hgc_stats under its name, as "/gc/heap/live:bytes"; the unit stands after the colon. */
struct hgc_metric {
    const char *name;
    const uint64_t *value;      /* `buckets` of them, lowest first */
    unsigned buckets;           /* 1: a plain figure */
    uint64_t (*from)(unsigned i);       /* of a histogram: the least that bucket i counts, in the unit */
};
/* Calls fn for each field, in the order of the struct.  Any context. */
void hgc_metrics_each(const struct hgc_stats *s, void (*fn)(const struct hgc_metric *m, void *arg), void *arg);
/* Prints all of them now, a line each (of a histogram a line for each bucket that is not empty).  Task, with 4 KiB of stack. */
void hgc_metrics_print(void);

/* The same work counters for one hart while the phase was MARK. */
struct hgc_hart_stats {
    uint64_t shades, slow_sets, steals, restarts, blocks_scanned, worker_ns;
    uint64_t dedicated_ns, fractional_ns, idle_ns;      /* worker_ns by mode */
    uint64_t assist_ns;         /* marking by tasks that allocate */
    uint64_t step_ns;           /* by tasks in hgc_step and hgc_idle */
};
void hgc_hart_stats(unsigned hart, struct hgc_hart_stats *s);
/* Is a mark phase on?  Any context; the answer may be old at once.  The compiler moves nothing across it: the barrier of a runtime that
 * stores first, and shades what it has stored if a mark is on then, looks after the store. */
static inline bool hgc_marking(void)
{
    __asm__ volatile("" ::: "memory");
    bool on = ld_rlx(&hgc_phase) != 0;
    __asm__ volatile("" ::: "memory");
    return on;
}

#ifdef __cplusplus
}
#endif
#endif
