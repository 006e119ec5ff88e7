/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hgc: a concurrent, parallel, non-moving mark-sweep collector for machines with nothing underneath.
 * This header is its whole public interface.  It works from C (GNU C17) and C++.
 *
 * The rules, all of them:
 *   1. Objects come from hgc_new(kind, size), zeroed.  They never move.  They are freed when nothing reaches them.
 *   2. A kind says which words of an object are references.  Declare reference fields as hgc_ref(T) and store to them
 *      only with hgc_set, hgc_copy, hgc_clear.  `p->f = x`, `p->f = q->f` and `*p = *q` do not compile.
 *   3. Locals, arguments and registers of tasks are found by themselves (task stacks are scanned conservatively).  A
 *      global that holds references is declared hgc_ref(T), told once with hgc_root_add, and stored to with hgc_set.
 *   4. Any pointer to the start or the inside of an object keeps it alive; in a local, a root or an ambiguous object also one
 *      past its end.  A precise reference field points to or into its object.
 *   5. Between tasks, references pass through heap fields, registered roots, hgc_chan, the argument of hk_task_create and
 *      the result of hk_task_exit; not through other kernel channels or memory that the collector does not know.
 *      hgc_set orders nothing: a task that makes an object visible to tasks on other harts by a plain field or root, without
 *      a lock, puts fence_ww() between the object's first stores and that hgc_set.  (What the collector itself knows of the
 *      object, its zeroes too, is in order without it.)
 *   6. Interrupt handlers and critical or pinned sections neither allocate nor store references.
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
    HGC_ENOMEM = -2,    /* the table for it is full (kinds, roots), or the arena is too small */
    HGC_EBUSY = -3,     /* done already: hgc_init twice, a kind registered twice */
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
    size_t size;                /* its bytes; 64 KiB at least.  Descriptors take 3.2 % of it (RV32 5.6 %) */
    unsigned percent;           /* the heap may grow by this much over what was live, stacks and roots counted: 1 to 10000,
                                   or HGC_PERCENT_OFF; 100 */
    size_t limit;               /* bytes in use that the goal never exceeds, whatever percent says; 7/8 of the arena */
    size_t min_trigger;         /* no cycle below this many bytes in use; default 1/16 of the arena */
    void (*oom)(size_t size);   /* called in the task whose allocation is about to return NULL, after a full collection
                                   did not help; may free roots: then it is tried once more.  Default: none */
    void (*pressure)(enum hgc_pressure level, size_t live, size_t limit);
                                /* called in a task's allocation, each level at most once a cycle, lower ones first; `live`
                                   is what the last cycle left.  May drop references and allocate; after LAST the
                                   allocation collects and tries once more, then `oom` is called.  Default: none */
    uint64_t period_ns;         /* a cycle starts when none has for so long, to the millisecond: 1 ms to 24 days; 2 minutes;
                                   HGC_PERIOD_OFF: never for time's sake */
    bool trace;                 /* print a line a cycle (docs/trace.md) */
    bool verify;                /* after each mark, mark again with the world stopped and compare (I10); takes 1/30 of
                                   the arena (RV32 1/16); a missed object is a panic that names the path to it */
    unsigned stress;            /* start a cycle every this many allocations; every allocation takes the slow path; 0: off */
    bool no_auto;               /* never start a cycle by itself: only hgc_collect does, and running out of memory */
};

/* Starts the collector.  Task (the first one), or before the scheduler runs, once.  HGC_EINVAL: the arena is too small or
 * a setting is out of range; HGC_EBUSY: called before. */
int hgc_init(const struct hgc_config *config);

/* ---- kinds ------------------------------------------------------------------------------------------------------- */

enum {
    HGC_LEAF = 0,               /* holds no references: text, numbers, buffers */
    HGC_AMBIGUOUS = 1,          /* every aligned word may be a reference */
    HGC_KIND_FIRST = 2,         /* the program numbers its kinds from here, best with an enum: constant kinds inline */
};

/* What a trace function reports references to.  hgc_visit is the only thing that it may call. */
struct hgc_visitor {
    void (*visit)(struct hgc_visitor *v, void *reference);
};
/* Reports one reference, NULL or the inside of an object too. */
static inline void hgc_visit(struct hgc_visitor *v, void *reference) { v->visit(v, reference); }

/* How objects of a kind hold references: a repeating map of words, or a trace function.
 * A trace function runs on mark workers while the program uses the object: it must accept any mixture of zero and
 * initialised fields, read each field once, and neither wait nor allocate nor store. */
struct hgc_kind {
    const char *name;           /* for reports; kept by pointer */
    unsigned words;             /* the map's period in words, 1 to 1024; 0 with a trace function */
    const uint32_t *map;        /* bit i % 32 of map[i / 32] set: word i is a reference; kept by pointer */
    void (*trace)(void *object, size_t size, struct hgc_visitor *v);
};
/* The bit of a field in a map whose first 32 words suffice. */
#define HGC_WORD(type, field) (offsetof(type, field) / sizeof(void *))
#define HGC_MAP(type, field) ((uint32_t)1 << (HGC_WORD(type, field) % 32))

/* Registers kind number `kind` (HGC_KIND_FIRST .. HGC_KINDS - 1), before its first object.  *k is copied.  Task, or
 * before the scheduler runs.  HGC_EINVAL: number out of range, neither map nor trace, both, or a bad period. HGC_EBUSY:
 * that number is taken. */
int hgc_kind(unsigned kind, const struct hgc_kind *k);

/* ---- references -------------------------------------------------------------------------------------------------- */

/* A field (or global) that holds a reference to T.  The const member is what makes assignments not compile. */
#define hgc_ref(T) struct { T *const hgc_p; T *hgc_t[0]; }

extern uint32_t hgc_phase;      /* the one global phase word: 0 between cycles; written only while the world is stopped */
void *hgc_slow_new(uintptr_t id);
void hgc_slow_set(void **slot, void *value);
#include "hal_seq.h"

/* Reads a reference: hgc_get(p->next). */
#define hgc_get(ref) hal_plain_load((__typeof__((ref).hgc_t[0]) const *)(const void *)&(ref).hgc_p)
/* Stores a reference: hgc_set(&p->next, q).  Outside a cycle: a load, a branch not taken, and the store.  Task. */
#define hgc_set(refp, value)                                                                                         \
    do {                                                                                                             \
        __typeof__((refp)->hgc_t[0]) hgc_v_ = (value);                                                               \
        HAL_SEQ_SET(*(__typeof__(hgc_v_) *)(uintptr_t)&(refp)->hgc_p, hgc_v_);                                       \
    } while (0)
/* Copies `bytes` (a multiple of the word size) between objects or roots, with the barrier; may overlap like memmove.
 * Words that are no references do no harm.  Task.  Cost: a critical section for every 16 words. */
void hgc_copy(void *dst, const void *src, size_t bytes);
/* Zeroes `bytes` (a multiple of the word size) of an object or root, with the barrier.  Task. */
void hgc_clear(void *dst, size_t bytes);

/* Registers [base, base + bytes) as a root: word-aligned memory outside the heap whose references are stored with
 * hgc_set, hgc_copy or hgc_clear.  HGC_ENOMEM: more than 64 roots; those removed while a cycle runs count until it ends.
 * Task. */
int hgc_root_add(const void *base, size_t bytes);
/* Takes back a root that was added with the same base.  Task.  HGC_EINVAL: there is none. */
int hgc_root_remove(const void *base);

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
#define HGC_INLINE_MAX 1024             /* constant sizes up to this are allocated inline */

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

/* The bytes that an object has room for (its cell; a large object's blocks), or 0 if `p` points into no object.  Any. */
size_t hgc_size(const void *p);

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

/* ---- collecting -------------------------------------------------------------------------------------------------- */

enum hgc_mode {
    HGC_START,                  /* start a concurrent cycle if none runs, and return */
    HGC_WAIT,                   /* run a whole concurrent cycle that begins after the call, its sweep too, and return */
};
/* Requests a collection.  Task.  HGC_EINVAL: no such mode. */
int hgc_collect(enum hgc_mode mode);
/* Turns automatic cycles off and on again. Returns the old setting.  Any context. */
bool hgc_set_auto(bool on);
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

enum { HGC_PAUSE_BUCKETS = 32 };

struct hgc_stats {
    uint64_t cycles;            /* finished */
    uint64_t heap_size;         /* bytes of blocks that the arena has, descriptors left out */
    uint64_t heap_used;         /* bytes in blocks and runs handed out (live, floating garbage and unused run cells) */
    uint64_t heap_peak;         /* the most that heap_used was */
    uint64_t heap_live;         /* bytes marked by the last cycle */
    uint64_t heap_trigger;      /* the next cycle starts when heap_used passes this */
    uint64_t heap_goal;         /* and should be over when it has come here */
    uint64_t heap_limit;        /* which is never above this */
    uint64_t objects_marked;    /* by the last cycle, newborns left out */
    uint64_t alloc_bytes;       /* handed out in runs and large objects since the start */
    uint64_t metadata_bytes;    /* descriptors, bitmaps, verifier */
    uint64_t blocks_free;
    uint64_t allocs_failed;     /* NULLs returned */
    uint64_t verified;          /* marks that verify mode compared */
    uint64_t termination_retries;
    uint64_t pause_max_ns, pause_total_ns, pauses;      /* stops of the world, from all acknowledged to start */
    uint64_t pause_hist[HGC_PAUSE_BUCKETS];             /* [i]: stops of 2^i to 2^(i+1) - 1 ns */
    uint64_t shades;            /* objects that barriers marked */
    uint64_t slow_sets;         /* barrier slow paths while marking */
    uint64_t steals;            /* blocks that a hart took from another's mark queue */
    uint64_t restarts;          /* restartable sequences rewound by interrupts */
    uint64_t mark_ns;           /* worker time in all harts */
};
/* Fills *s.  The figures are read one after another, not at one instant.  Any context. */
void hgc_stats(struct hgc_stats *s);

/* The same work counters for one hart while the phase was MARK. */
struct hgc_hart_stats {
    uint64_t shades, slow_sets, steals, restarts, blocks_scanned, worker_ns;
};
void hgc_hart_stats(unsigned hart, struct hgc_hart_stats *s);
/* Is a mark phase on?  Any context; the answer may be old at once. */
static inline bool hgc_marking(void) { return ld_rlx(&hgc_phase) != 0; }

#ifdef __cplusplus
}
#endif
#endif
