/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of gc/ share.  The invariants, with their numbers (docs/internals.md has the whole list):
 *
 * I4   No store whose check saw OFF commits after the phase has left OFF; no object is shaded while it is OFF.
 *      Kept by: the phase is written only in a stop; the barrier is a restartable sequence or a critical section.
 * I5   No two tasks ever get the same cell.
 *      Kept by: a run belongs to one hart; its cursor moves in a restartable sequence or a critical section.
 * I6   A word is a reference only if it falls in a small block's cell whose `live` bit is set, or in a published large
 *      object.  Kept by: find.c reads the state with acquire, then kind and live; a block's fields are written before
 *      its state, with release; while marking runs no block goes back to free.
 * I8   A block is in at most one queue, so marking needs no memory.  Kept by: the `queued` flag, always swapped.
 * I10  When the phase goes to OFF, every object reachable from the roots is marked.  Checked by verify.c.
 *
 * Colours: white: mark 0.  Grey: mark 1, scan 0.  Black: both, or marked in bulk when a run was taken in a cycle.
 */
#ifndef GC_INTERNAL_H
#define GC_INTERNAL_H

#include "gc/hgc.h"
#include "gc/pacer.h"
#include "hal/hal.h"
#include "kernel/hart.h"
#include "kernel/hk.h"
#include "kernel/string.h"
#include "kernel/task.h"
#include "kernel/world.h"

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

enum {
    GRAIN = HGC_GRAIN,
    GRAIN_SHIFT = sizeof(void *) == 8 ? 4 : 3,
    WORD = sizeof(uintptr_t),
    WORD_BITS = 8 * WORD,
    CELLS_MAX = HGC_BLOCK / GRAIN,          /* in a block */
    BIT_WORDS = CELLS_MAX / WORD_BITS,
    GC_KIND_SPECIAL = HGC_KINDS,            /* the collector's own kind, after the program's: see special.c */
    GC_KINDS,
    IDS = GC_KINDS * HGC_CLASSES,           /* a run's slot: kind * HGC_CLASSES + class */
};
#define NO_BLOCK UINT32_MAX

enum block_state {
    BLOCK_FREE,
    BLOCK_RESERVED,     /* being zeroed for, or given back by, a large object: sweep and lookup skip it */
    BLOCK_SMALL,
    BLOCK_LARGE,        /* first block of a published large object */
    BLOCK_TAIL,         /* a further block of one; `head` says which */
};

/* One block's descriptor.  128 bytes for 4 KiB (RV32: 224). */
struct block {
    uint32_t state;     /* atomic; written last, with release, when a block is assigned */
    uint32_t queued;    /* atomic: 1 while it is in a mark queue or owned by a scanner (I8) */
    uint32_t swept;     /* atomic: the cycle whose sweep it has had, see sweep.c */
    uint32_t next;      /* link of the mark queue's overflow list; its lock */
    uint32_t partial;   /* link of a partial list; its lock */
    uint16_t kind, class;
    uint32_t specials;  /* atomic: its table of specials, or 0; see special_table_of */
    uint32_t spare;
    union {
        struct {
            uintptr_t live[BIT_WORDS];  /* holds an object, or zeroed memory that may become one */
            uintptr_t mark[BIT_WORDS];  /* atomic or: reached in this cycle */
            uintptr_t scan[BIT_WORDS];  /* the block's owner: references of it have been followed */
        };
        struct {                        /* the same words of a large object's first block, and of a tail */
            uintptr_t blocks_or_head;   /* large: number of blocks; tail: index of the first */
            uintptr_t skip0_[BIT_WORDS - 1];
            uintptr_t marked;           /* atomic */
            uintptr_t skip1_[BIT_WORDS - 1];
            uintptr_t cursor;           /* atomic: next slice to scan; its size: none is left */
        } large;
    };
};
_Static_assert(sizeof(struct block) * 1000 <= HGC_BLOCK * (sizeof(void *) == 8 ? 32 : 56) || HGC_BLOCK_SHIFT < 12,
               "descriptors and bitmaps cost more than 3.2 % (RV32: 5.6 %) of the heap");

/* ---- the collector ----------------------------------------------------------------------------------------------- */

enum gc_phase { GC_OFF, GC_MARK, GC_MARK_TERMINATION };

struct kind_entry {
    struct hgc_kind k;
    bool used;
    uintptr_t pattern;          /* of a map: the references among the first WORD_BITS words of an object */
};

/* Swept blocks of one kind and class that have free cells.  A list left by an older sweep counts as empty, so nothing has
 * to empty 1,000 lists in a stop. */
struct partial_list {
    struct spinlock lock;
    uint32_t cycle;             /* lock: the sweep that filled it */
    uint32_t head;              /* lock */
};

enum { ROOTS_MAX = 64 };
struct root_range {
    uintptr_t base;
    size_t bytes;
    bool plain;                 /* stored to without a barrier */
    uint32_t readers;           /* atomic; root_lock when it grows: jobs that look at it */
};

struct gc {
    /* constant after hgc_init */
    uintptr_t base;             /* of block 0 */
    size_t bytes;               /* of all blocks */
    uint32_t nblocks;
    struct block *blocks;
    struct hgc_config cfg;
    uint64_t born_ns;

    /* free.c */
    struct spinlock free_lock;
    uintptr_t *free_map;        /* bit set: block is free; written under free_lock, read without for searching */
    uint32_t free_words;
    uint32_t free_count;        /* free_lock; others peek */
    uintptr_t *free_summary;    /* bit set: that word of the map is not zero; free_lock */

    struct partial_list partial[IDS];

    /* cycle.c */
    struct hk_mutex start_lock;
    uint32_t cycle;             /* atomic: cycles begun; world stopped */
    uint32_t finished;          /* atomic: cycles whose mark is over; world stopped */
    uint32_t ended;             /* atomic: cycles whose end is done with: sweep woken, gate opened, line printed */
    struct hk_event done[2];    /* done[n & 1]: set when cycle n has ended; cleared when n begins */
    uint32_t waiters;           /* atomic: tasks that wait for a cycle, or are about to */
    uint32_t terminating;       /* atomic: 1 + hart whose worker tries to end the mark; 0: none does */
    uint32_t active;            /* atomic: drains that may hold a block, a slice or a claim */
    enum hgc_mode mode;         /* of the cycle that runs; world stopped */
    uint32_t dedicated;         /* atomic: dedicated workers that are missing; as a signed number */
    uint32_t idle_drains;       /* atomic: workers that mark in the idle mode */
    uint32_t seats;             /* role_lock: how many there shall be; when a mark ends all are given back */
    uint32_t fraction;          /* atomic; role_lock: of each hart's time for its fractional worker, in 1/1024 */
    uint32_t stepped;           /* atomic; role_lock: hgc_step drives this mark, no worker has a share in it; see worker.c */
    uint32_t errands;           /* atomic: a worker takes a claimed task although it has no share left */
    bool sharing;               /* role_lock: from worker_prepare to worker_finish */
    struct spinlock role_lock;  /* roles of harts are written under it */
    uintptr_t used;             /* atomic: see hgc_stats.heap_used */
    uintptr_t peak;             /* atomic, racy: a figure */
    uintptr_t live;             /* atomic; written with the world stopped */
    uint32_t automatic;         /* atomic: may cycles start by themselves? */

    /* pace.c */
    struct spinlock pace_lock;
    struct pacer pacer;         /* pace_lock, or world stopped */
    struct limiter limiter;     /* the same */
    uint32_t limiter_us;        /* the same: when the limiter last looked */
    struct pace_sums {
        uint32_t idle, worker, stopped, waited;     /* microseconds, of all harts, of all tasks */
    } limiter_sums;             /* the same: as they were then */
    uint32_t limiter_assist_us; /* atomic: tasks' time spent on assists since then */
    uint32_t assist_us;         /* atomic: the same since the mark began */
    uint32_t wait_tasks, wait_starts, wait_done, wait_before;   /* as pacer: tasks that wait for the collector, the sum of
                                   their starts, microseconds of those that are over, and of all when the mark began */
    uintptr_t trigger;          /* atomic: a cycle starts when the heap passes it */
    uintptr_t goal;             /* atomic: the heap should not grow above it */
    uintptr_t limit;            /* atomic: never the goal above it */
    uint32_t assist_ratio;      /* atomic: work per byte, PACER_SHIFT fractional bits */
    uintptr_t revise_at;        /* atomic: bytes in use from which on it is out of date */
    uint32_t limiting;          /* atomic: the limiter's answer */
    uint32_t limiter_cycle;     /* atomic: the last cycle in or after which it said yes */
    uint32_t chances;           /* atomic: rungs of alloc.c that had their collection while it limits */
    uintptr_t sweep_from;       /* atomic: bytes in use when the sweep was paced */
    uintptr_t sweep_step;       /* atomic: bytes allocated per block swept, since then */
    uint32_t sweep_first;       /* atomic: blocks swept by then */
    uint32_t pressure_due;      /* atomic: levels (bits) that the next allocating task tells */
    uint32_t pressure_told;     /* atomic: levels told in this cycle */
    uint32_t last_ms;           /* atomic: when the last cycle began, or ended */
    uint32_t period_due;        /* atomic: none has begun for the whole period */
    struct hk_timer period_timer;

    /* root.c */
    struct spinlock root_lock;
    struct root_range roots[ROOTS_MAX];     /* root_lock */
    unsigned nroots;            /* root_lock; atomic */
    uint32_t job_next;          /* atomic: next root job to take */
    uint32_t jobs;              /* world stopped: number of root jobs of this cycle */
    uint32_t jobs_open;         /* atomic: not finished */
    uint32_t jobs_again;        /* atomic: these jobs are the second look, see unbarriered.c */
    unsigned root_jobs;         /* world stopped: after the specials' so many are ranges, the others task slots */
    struct spinlock claimed_lock;
    struct task *claimed;       /* claimed_lock: tasks claimed as they left their hart, to be scanned; atomic for peeking */

    /* unbarriered.c */
    unsigned plain_roots;       /* root_lock */
    uint32_t plain;             /* atomic: there were some at some time of this cycle */
    bool plain_looked;          /* who holds `terminating`: all were looked at again since the last failure */
    unsigned plain_failed;      /* world stopped: attempts of this cycle */
    uint64_t plain_retries, stopped_marks;      /* world stopped */

    /* queue.c */
    struct spinlock overflow_lock;
    uint32_t overflow;          /* overflow_lock; atomic for peeking: blocks that found their hart's queue full */

    /* sweep.c */
    uint32_t sweep_cycle;       /* world stopped: the cycle that sweeps now */
    uint32_t sweep_next;        /* atomic: next block to sweep */
    uint32_t sweep_left;        /* atomic: blocks not finished */
    struct hk_event sweep_wake;

    /* isr.c */
    struct hk_mutex isr_lock;
    struct isr_reserve {
        unsigned kind;
        size_t size;
        uint32_t first, count;      /* its places in each hart's isr_cell */
    } isr[HGC_ISR_RESERVES];        /* isr_lock; constant once isr_reserves counts it */
    uint32_t isr_reserves;          /* atomic: written under isr_lock */
    unsigned isr_tasks;             /* isr_lock: refillers that were started */

    /* runtime.c */
    const struct hgc_runtime *runtimes[HGC_RUNTIMES];   /* constant once nruntimes counts it */
    uint32_t nruntimes;         /* atomic; start_lock, no cycle runs */
    uint32_t later;             /* atomic: a job is held open until a runtime is asked again */
    struct hk_timer later_timer;

    /* trace, statistics: written under start_lock or in the stops */
    struct gc_times {
        uint64_t start_ns, mark_ns, quiet_ns, end_ns;   /* start requested, mark began, nothing left to mark, over */
        uint64_t stop1_ns, stop2_ns, wait1_ns, wait2_ns;
        uintptr_t used_start, used_end, trigger;
    } times;
    uint64_t retries;
    uint64_t mark_wall;         /* length of all marks */
    uint64_t verified;
    uint32_t forced;            /* atomic: cycles that have finished and were not automatic */
    bool forced_now;            /* so is the one that runs */
    uint64_t pause_max, pause_total, pauses, stopping_max, stopping_total;
    uint64_t pause_hist[HGC_PAUSE_BUCKETS], stopping_hist[HGC_PAUSE_BUCKETS], both_hist[HGC_PAUSE_BUCKETS];
    uint64_t objects_marked, scan_heap, scan_stacks, scan_roots;
    uint32_t failed;            /* atomic */
    uint32_t handshakes;        /* atomic */
    uint32_t fail_after, fail_count;    /* atomic: hgc_fail_alloc */
    uint32_t stress_left;       /* atomic */
};
extern struct gc gc;
enum { HGC_ARENA_MIN = 64 * 1024 };
#define HGC_ARENA_MAX ((uint64_t)1 << 36)       /* special_ref has 32 bits for a grain */
extern struct kind_entry gc_kinds[GC_KINDS];
extern bool gc_leaf[GC_KINDS];          /* has no references */
static inline bool is_leaf(unsigned kind) { return gc_leaf[kind]; }

static inline bool gc_is_on(void) { return ld_rlx(&hgc_phase) != GC_OFF; }

/* ---- settings: settings.c ---------------------------------------------------------------------------------------- */

/* As hgc_settings, but of boot arguments, among which the kernel's have a place. */
int settings_boot(struct hgc_config *c, const char *text, char *error, size_t n);
/* Is every setting in its range?  If not, `error` says which. */
bool settings_valid(const struct hgc_config *c, char *error, size_t n);

/* ---- per hart ---------------------------------------------------------------------------------------------------- */

/* Free, zeroed, live cells [cur, lim) of one block, owned by one hart. */
struct run {
    uintptr_t cur, lim;
};

/* Capacities that a test may make small. */
#ifndef HGC_QUEUE_SIZE
#define HGC_QUEUE_SIZE 256              /* blocks in a hart's mark queue; a power of two */
#endif
#ifndef HGC_RUNS_HELD
#define HGC_RUNS_HELD 64                /* runs that a hart holds at most */
#endif
#ifndef HGC_SLICE
#define HGC_SLICE 512                   /* bytes that are scanned in one go while the program waits */
#endif
enum { QUEUE_SIZE = HGC_QUEUE_SIZE, RUNS_HELD = HGC_RUNS_HELD };
_Static_assert((QUEUE_SIZE & (QUEUE_SIZE - 1)) == 0, "HGC_QUEUE_SIZE: the indices of a queue wrap, so a power of two");

enum worker_mode { WORKER_NONE, WORKER_DEDICATED, WORKER_FRACTIONAL, WORKER_IDLE, WORKER_MODES };

struct gc_hart {
    struct run runs[IDS];               /* owner hart, in critical sections and restartable sequences; at tp + 1024 */
    struct run tiny;                    /* owner, in critical sections: the rest of one leaf cell, or 0; see tiny.c */

    uint16_t held[RUNS_HELD];           /* owner: ring of the slots that may have a run */
    uint32_t held_count, held_oldest;
    uint32_t held_map[(IDS + 31) / 32];

    uint32_t queue[QUEUE_SIZE];         /* atomic: the hart's mark queue, block indices; see queue.c */
    uint32_t head;                      /* atomic: moved by CAS, by anyone, only up */
    uint32_t tail;                      /* atomic: owner hart, in a critical section */

    struct task *worker;                /* constant */
    uint32_t work_from;                 /* owner: where stealing begins */

    /* isr.c: cells for this hart's handlers.  Owner hart, in critical sections; atomic for the verifier */
    uintptr_t isr_cell[HGC_ISR_CELLS];
    uint32_t isr_left[HGC_ISR_RESERVES];    /* cells in each reserve: a stack */
    uint32_t isr_asked;                     /* the refiller was woken and has not looked yet */
    uint32_t isr_tried;                     /* atomic: so many reserves the refiller has tried to fill */
    struct hk_sem isr_wake;

    /* of this cycle; owner hart, read in the stop */
    uint64_t mode_ns[WORKER_MODES], assist_ns, step_ns;
    uint64_t cycle_ns, drain_from;      /* when the mark began; when the worker's drain began */
    struct hk_timer turn;               /* its worker's next fractional turn is due */
    enum worker_mode mode;              /* of the drain that runs */
    uint32_t role;                      /* atomic: enum hgc_role; gc.role_lock */
    bool seat;                          /* its drain is one of those that gc.dedicated counts */
    bool asked_idle;                    /* the scheduler asked for the worker because it had nothing else */
    bool gives_way;                     /* a dedicated worker stopped for tasks that can run nowhere else */
    uintptr_t marked_bytes;             /* atomic, owner: small and large objects marked one by one */
    uintptr_t marked_objects;
    uintptr_t black_bytes;              /* runs and large objects taken while marking; runs held at its start */
    uintptr_t scan_heap, scan_stacks, scan_roots;       /* bytes searched for references */
    uintptr_t stack_bytes;              /* of stacks, each counted once although plain roots make it be searched again */
    uintptr_t leaf_bytes;               /* of leaves marked: nothing searches them */

    /* since the start; owner hart, others peek */
    uintptr_t alloc_cells[HGC_CLASSES], free_cells[HGC_CLASSES];        /* handed out in runs; freed by the sweep */
    uintptr_t alloc_large, free_large, alloc_blocks, free_blocks;       /* large objects, and their blocks */
    uint32_t shades, slow_sets, stolen, scanned;
    uint32_t isr_taken, isr_empty;
    uint32_t looked_up;                 /* ephemerons, by marks */
    uint32_t restarts_mark, restarts_at;
    uint32_t mode_rest[WORKER_MODES];   /* ns that are no whole microsecond yet */
    uintptr_t mode_us[WORKER_MODES], assist_us, step_us;    /* all cycles; RV32: wraps after 71 minutes of marking */
    uint32_t tiny_made;                 /* tiny objects */
};
_Static_assert(sizeof(struct gc_hart) <= HART_GC_SIZE,
               "struct gc_hart is larger than HART_GC_SIZE: raise it, or lower HGC_KINDS or HGC_BLOCK_SHIFT");
_Static_assert(HGC_RUNS_OFFSET == HART_GC_OFFSET && offsetof(struct gc_hart, runs) == 0, "inline allocation reaches runs here");

static inline struct gc_hart *gc_of(struct hart *h) { return (struct gc_hart *)h->gc; }
/* This hart's part.  Critical or pinned section. */
static inline struct gc_hart *gc_self(void) { return gc_of(hal_self()); }
/* The bytes that a hart has searched for references in this cycle.  Its owner writes them; others may peek. */
static inline uintptr_t hart_searched(const struct gc_hart *g)
{
    return ld_rlx(&g->scan_heap) + ld_rlx(&g->scan_stacks) + ld_rlx(&g->scan_roots);
}
/* The marking that it has done: those, and the bytes of objects without references. */
static inline uintptr_t hart_work(const struct gc_hart *g)
{
    return hart_searched(g) + ld_rlx(&g->leaf_bytes);
}

/* ---- size classes: class.c --------------------------------------------------------------------------------------- */

struct class_entry {
    uint16_t cell;              /* bytes */
    uint16_t cells;             /* in a block */
    uint32_t inverse;           /* ceil(2^20 / (cell / GRAIN)): the cell of an offset by multiplication */
};
extern struct class_entry gc_classes[HGC_CLASSES];
void class_init(void);

/* ---- looking up a word: find.c ----------------------------------------------------------------------------------- */

struct object {
    struct block *block;
    unsigned cell;              /* 0 for a large object */
};
/* The object that `p` points to or into (I6).  Any context; the answer lasts as long as no sweep can run. */
bool find_object(uintptr_t p, struct object *o);
uintptr_t object_start(const struct object *o);
size_t object_size(const struct object *o);

static inline uint32_t block_index(const struct block *b) { return (uint32_t)(b - gc.blocks); }
static inline uintptr_t block_address(const struct block *b)
{
    return gc.base + ((uintptr_t)block_index(b) << HGC_BLOCK_SHIFT);
}

/* ---- bitmaps: bits.c --------------------------------------------------------------------------------------------- */

/* Words that n bits take. */
#define BITS_WORDS(n) (((n) + WORD_BITS - 1) / WORD_BITS)
/* First zero (one) bit at or after `from` and below `n`, or n. */
unsigned bits_zero(const uintptr_t *map, unsigned from, unsigned n);
unsigned bits_one(const uintptr_t *map, unsigned from, unsigned n);
/* How many bits of x are set. */
unsigned bits_count(uintptr_t x);
/* The lowest n of its bits, or all if it has no more. */
uintptr_t bits_first(uintptr_t x, uintptr_t n);
/* Sets (clears) bits [from, to) by atomic or (and), relaxed. */
void bits_set(uintptr_t *map, unsigned from, unsigned to);
void bits_clear(uintptr_t *map, unsigned from, unsigned to);
/* The bits of word `w` of a map that belong to the first n. */
uintptr_t bits_valid(unsigned w, unsigned n);
/* Index of the lowest set bit; x is not 0.  That bit times a de Bruijn sequence has its index in the highest bits (Leiserson,
 * Prokop, Randall 1998). */
#if UINTPTR_MAX > UINT32_MAX
#define BITS_DE_BRUIJN 0x03f79d71b4cb0a89
#else
#define BITS_DE_BRUIJN 0x077cb531
#endif
extern const uint8_t bits_index[WORD_BITS];
static inline unsigned bits_lowest(uintptr_t x)
{
    return bits_index[(x & -x) * (uintptr_t)BITS_DE_BRUIJN >> (WORD_BITS == 64 ? 58 : 27)];
}

/* ---- blocks: free.c; runs: run.c; large objects: large.c --------------------------------------------------------- */

void free_init(void);
/* Takes `n` adjacent free blocks, the highest that fit.  NO_BLOCK: none.  Outside critical sections. */
uint32_t free_take(uint32_t n);
/* Takes the lowest.  Critical section. */
uint32_t free_take_one(void);
/* Gives back one block.  Critical section. */
void free_give(uint32_t index);

/* A cell of the slot `id`, from a new run; NULL: no free cell and no free block.  Critical section. */
void *run_take(unsigned id);
/* Marks the unused cells of every run that hart h holds.  In h's share of the stop that begins a cycle. */
void run_blacken(struct gc_hart *g);
/* The same for the cell that h cuts tiny objects from. */
void tiny_blacken(struct gc_hart *g);
void partial_push(struct block *b);
bool partial_any(unsigned id);

void *large_take(unsigned kind, size_t size);
/* Gives the blocks of an unmarked large object back.  Outside critical sections; the caller has made it RESERVED. */
void large_release(struct block *b);

/* A new object's address, which the compiler cannot compute again from other values.  Inside the critical section that
 * publishes the object: from the section's end on a cycle may begin, and the address in a register or on the stack is the
 * only reference to the object.  A descriptor, or a base and an index from which the address is computed later, is none. */
static inline void *newborn(uintptr_t address)
{
    __asm__ volatile("" : "+r"(address));
    return (void *)address;
}

void gc_count_used(uintptr_t bytes);

/* Shades what `slot` held and what it holds now.  Critical section, phase on. */
void barrier_shade(const uintptr_t *slot, uintptr_t was, uintptr_t is);

/* ---- marking: mark.c, queue.c, root.c, worker.c ------------------------------------------------------------------ */

enum { BARRIER_PIECE = 16 };    /* words that are shaded, copied or cleared in one critical section */

/* Marks the object that a precise reference points to, and queues its block.  True if it was white.  In a critical
 * section, or in a drain (pinned and counted in gc.active). */
bool mark_reference(uintptr_t p);
/* The same for a word that may be a reference: on a boundary both neighbours. */
void mark_word(uintptr_t word);
/* Makes the object grey that `p` points to or into, whatever it was.  After the stores that shall be seen, in the same
 * critical section. */
void mark_again(uintptr_t p);
/* Follows the references of the grey objects of a block taken from a queue, of some `most` bytes (small objects up to three times
 * as many, a large one with a trace function all): with a rest it goes back. */
void mark_block(struct block *b, uintptr_t most);
/* Marks what the object refers to, but not the object. In a drain. */
void mark_children(const struct object *o);
/* Calls visit for each reference of the object. */
void object_trace(const struct object *o, uintptr_t from, uintptr_t to, struct hgc_visitor *v);

void markq_push(struct block *b);
struct block *markq_take(void);
bool markq_any(void);

void root_prepare(void);
/* Opens the jobs again for plain roots and stacks.  By who holds gc.terminating, with no job open. */
void root_again(void);
/* Marks what a range of the program's own stores holds.  In a drain, or world stopped. */
void root_scan_plain(const struct root_range *r);
/* Does one root job, or scans one claimed task.  False: none left.  In a drain. */
bool root_job(void);
bool root_any(void);
void root_claimed(struct task *t);
void root_died(struct task *t);
void root_born(struct task *t);
/* Calls fn for every word of t's stack and registers; t does not run, or is the caller.  `where`: the word's address, or for a
 * register its number in hal_roots, which is smaller than any address of a stack. */
void task_each_word(struct task *t, void (*fn)(void *arg, uintptr_t word, uintptr_t where), void *arg);

/* Marks what the words of t's stack and registers refer to, and its own stacks; t does not run, or is the caller. */
void root_mark_stack(struct task *t);
/* Calls the trace function of t's own stacks, if it has some; t does not run, or is the caller. */
void task_trace_own(struct task *t, struct hgc_visitor *v);
/* The same, and marks what it reports.  In a drain, or world stopped. */
void mark_own_stacks(struct task *t);
/* Zeroes the stack below the caller's frame: after marking on a task's stack. */
void root_wipe_below(void);

/* Roots without a barrier: unbarriered.c.  In the stop that begins a cycle. */
void unbarriered_begin(void);
/* By who holds gc.terminating, when it is quiet.  True: the jobs are open again. */
bool unbarriered_look(void);
/* World stopped and quiet.  False: there is something to mark, so the cycle cannot end yet. */
bool unbarriered_end(void);

/* Tasks that wait for ever: leak.c.  In the stop that begins a cycle. */
void leak_begin(void);
/* Shall the stack of this task be left unscanned for now?  With the task table locked, or the world stopped. */
bool leak_puts_off(const struct task *t);
/* By who holds gc.terminating, when it is quiet.  True: the jobs are open again. */
bool leak_look(void);
/* World stopped and quiet.  False: the jobs are open again, so the cycle cannot end yet. */
bool leak_end(void);

/* Stacks beside the C stack: stacks.c.  The caller, a task, waits for a cycle. */
enum { STACKS_ONLY_ALLOWED = 1, STACKS_ONLY_NOW = 2 };
static inline bool stacks_only_now(const struct task *t) { return t->gc_stacks_only == STACKS_ONLY_NOW; }
void stacks_wait_begin(void);
void stacks_wait_end(void);

/* Runtimes that have something to do as a mark ends: runtime.c.  In the stop that begins a cycle. */
void runtime_begin(void);
/* By who holds gc.terminating, when it is quiet.  True: it is not any longer. */
bool runtime_look(void);
/* World stopped and quiet.  False: the cycle cannot end yet. */
bool runtime_end(void);
/* World stopped: does a runtime say that the word, of the task's C stack or registers, is no reference? */
bool runtime_stray(const struct task *t, uintptr_t word);

/* ---- who marks: worker.c, assist.c ------------------------------------------------------------------------------- */


/* False: no memory for a worker.  Those that were made serve the next call. */
bool worker_init(void);
struct task *worker_pick(struct hart *h, bool idle);
/* How many workers are dedicated in the cycle that begins, and what share the others have.  World stopped. */
void worker_prepare(bool stepped);
/* The mark is over, all seats were given back.  World stopped. */
void worker_finish(void);
/* Of `harts`, of which some are given to marking and some kept free: how many of the others have a dedicated worker, and what
 * part of their time (in 1/1024) their fractional workers get, so that together it is a quarter. */
struct worker_shares { unsigned dedicated, fraction; };
struct worker_shares worker_shares(unsigned harts, unsigned given, unsigned kept_free);
/* The caller is going to wait for the mark: if steps drive it, workers get their shares.  Any. */
void worker_hurry(void);
/* The worker of this hart is looked at now, or where it is kept free, of another.  Any. */
void worker_call(void);
/* After a drain that is no worker's: if it had the last work of the mark, a worker is called to end that.  Any. */
void worker_call_if_quiet(void);
/* The roles that the settings name. */
void worker_roles(uint64_t mark, uint64_t kept_free);

/* A drain: pinned, and counted in gc.active from before it takes work until after it leaves, so "quiet" (nothing queued, no
 * drain, no job) means that nobody can still find work.  Who leaves one on a hart that is kept free calls a worker if it is quiet. */
void drain_enter(void);
void drain_leave(void);
/* A root job, or the grey objects of a block, but few of them if the program waits for it and other harts mark, too.  False: there
 * is nothing to be had.  In a drain. */
bool drain_piece(bool brief);

/* What the current task takes while marking runs: bytes of runs and large objects.  Task. */
void assist_charge(uintptr_t bytes);
/* Pays what the current task owes.  Task, where waiting is allowed. */
void assist(void);
void assist_credit(uintptr_t work);     /* a worker has done so much.  In a drain */
void assist_begin(void);        /* world stopped */
void assist_check(void);        /* asserts what must hold; world stopped, a mark ends */
void assist_end(void);          /* the mark is over, or held open: nobody waits for pay any longer.  Task, or world stopped */

/* ---- isr.c ------------------------------------------------------------------------------------------------------- */

/* Greys the reserve of hart h.  In h's share of the stop that begins a cycle. */
void isr_prepare(struct gc_hart *g);
/* Calls fn for each cell in a reserve.  World stopped; before anything that looks at roots. */
void isr_each_cell(void (*fn)(uintptr_t p));

/* ---- specials: special.c, weak.c, ephemeron.c, finalizer.c, pool.c, handle.c --------------------------------------- */

enum special_type { SPECIAL_NONE, SPECIAL_WEAK, SPECIAL_EPHEMERON, SPECIAL_CLEANUP, SPECIAL_FINALIZER };

/* What one object has beside its contents.  Records are collected objects of GC_KIND_SPECIAL.  Those of cleanups and
 * finalizers are kept by the list that they are in; weak references and ephemerons are kept by the program alone, and the
 * sweep that finds one dead takes it off its list.  Lists change under gc_special.lock; in a mark they only grow, so markers
 * walk them without it. */
struct special {
    uint32_t type;              /* atomic; constant while it is linked or queued */
    uint32_t block;             /* atomic: the object's (first) block */
    struct special *next;       /* lock; atomic: of the object's list, or of the queue of finalizers */
    struct special *prev;       /* lock: NULL in the first; a finalizer, always the first, keeps cleanups there, see special.c */
    uintptr_t object;           /* lock; atomic: 0 in a weak reference or ephemeron that was cleared or is not linked */
    uintptr_t value;            /* atomic: of an ephemeron; argument of a cleanup or finalizer */
    union {
        uintptr_t fn;           /* lock; atomic: of a cleanup or finalizer; 0: the finalizer was taken back */
        uintptr_t born;         /* atomic: of a weak reference or ephemeron: gc.sweep_cycle when it was linked */
    };
};

/* The specials of a block's objects: a leaf object of the heap, kept by the block. */
struct special_table {
    uint32_t block;             /* constant: its index */
    uint32_t count;             /* lock: cells that have a list */
    struct special_table *next, *prev;  /* lock; atomic: list of all tables; in a mark it only grows at its head */
    uintptr_t has[BIT_WORDS];   /* lock; atomic: bit of each cell that has a list */
    uint32_t head[];            /* lock; atomic: of each cell, as special_ref */
};

#ifndef HGC_PINS
#define HGC_PINS 64
#endif
#ifndef HGC_POOLS
#define HGC_POOLS 16
#endif

struct gc_special {
    struct spinlock lock;               /* taken before the locks of queues, partial lists and the free map */
    struct special_table *tables;       /* lock; atomic */
    uint32_t ntables;                   /* lock */
    uint32_t jobs;                      /* world stopped: root jobs of this cycle */
    struct special_table *cursor;       /* lock: tables from here on are not marked yet */
    uint32_t failed_ends;               /* world stopped: of this cycle */

    struct special *queue, *queue_last; /* lock; atomic: finalizers and cleanups to run; grows while the phase is OFF only */
    uint32_t queued;                    /* atomic: something came since the last wake-up */
    struct hk_event wake;
    struct hk_mutex start;              /* guards `runner` */
    struct task *runner;                /* start */

    uintptr_t pins[HGC_PINS];           /* atomic: see handle.c */
    struct { void (*clear)(void *arg); void *arg; } pools[HGC_POOLS];   /* lock */

    /* figures; lock */
    uintptr_t finalizers, cleanups, cleared, pending, finalizers_queued, cleanups_queued;
};
extern struct gc_special gc_special;

/* A 32-bit name of an object, and back; 0 is none. */
static inline uint32_t special_ref(const void *p) { return p ? (uint32_t)(((uintptr_t)p - gc.base) / GRAIN) + 1 : 0; }
static inline void *special_deref(uint32_t ref)
{
    return ref ? (void *)(gc.base + (uintptr_t)(hal_dependent(ref) - 1) * GRAIN) : NULL;
}
/* The table of a block, or NULL.  What it holds is as new as the look. */
static inline struct special_table *special_table_of(const struct block *b)
{
    return special_deref(ld_acq(&b->specials));         /* [L-mp.acq] */
}
static inline struct special *special_first(const struct special_table *t, unsigned cell)
{
    return special_deref(ld_acq(&t->head[cell]));       /* [L-mp.acq] */
}
static inline struct special *special_next(const struct special *s) { return ld_acq(&s->next); }   /* [L-mp.acq] */
/* Must the sweep and the markers look closer at this block? */
static inline bool special_any(const struct block *b) { return ld_rlx(&b->specials) || b->kind == GC_KIND_SPECIAL; }
static inline bool object_marked(const struct object *o)
{
    return ld_rlx(&o->block->mark[o->cell / WORD_BITS]) >> (o->cell % WORD_BITS) & 1;
}

void special_init(void);
void special_begin(void);               /* world stopped, the phase is OFF still: a cycle begins */
void special_retry(void);               /* world stopped: a mark did not end */
/* The root jobs of this cycle: 0 .. special_jobs() - 1.  World stopped. */
uint32_t special_jobs(void);
void special_job(uint32_t i);           /* in a drain */
void special_mark_pins(void);           /* the same, or world stopped */
void special_sweep_lock(void);
void special_sweep_unlock(void);
/* Does a bounded number of the specials that the sweep of this block has to do, before its bitmaps change.  True: call it
 * again, in another critical section. */
bool special_sweep(struct block *b);
/* A new record, or NULL.  Task. */
struct special *special_new(void);
/* Links s to the object that p points to.  HGC_EINVAL: p points to no object; HGC_ENOMEM; HGC_EBUSY: it has a finalizer.
 * Task. */
int special_add(struct special *s, enum special_type type, const void *p, uintptr_t fn, const void *value);
/* What a weak reference or ephemeron refers to, or 0 if it is dead.  Critical section. */
uintptr_t special_target(struct special *s);
/* Shades what a read of a weak reference or ephemeron returns.  False: not now, wait until the cycle has ended.  Critical
 * section. */
bool special_revive(uintptr_t p);
/* Visits the values of ephemerons that are reached now that `o` is: o is a key, or an ephemeron.  The number of ephemerons
 * that it looked at. */
unsigned ephemeron_values(const struct object *o, bool (*marked)(const struct object *o), struct hgc_visitor *v);
void finalizer_queue(struct special *s);        /* lock held */
void finalizer_wake(void);
void finalizer_ensure(void);            /* the task that runs them is there; task */

/* ---- cycle.c, sweep.c, verify.c, stats.c ------------------------------------------------------------------------- */

/* Nothing is left to mark: no job open, no block queued or held. */
bool cycle_quiet(void);
/* Starts a cycle unless one runs.  `after`: only if no more than that many have begun; otherwise somebody did. Task. */
void cycle_start(enum hgc_mode mode, bool forced, uint32_t after);
/* The same for one that steps drive; not `forced`: only if the pacer wants one. */
void cycle_start_stepped(bool forced, uint32_t after);
/* Is it time for one?  Any. */
bool cycle_due(void);
/* The same, whether or not cycles may start by themselves. */
bool cycle_wanted(void);
void cycle_try_end(void);
void cycle_wait(uint32_t n);
/* A whole cycle that begins after the call, sweep included.  The caller's C stack is a root meanwhile, whatever hgc_stacks_only
 * says: an allocation waits so. */
void cycle_collect(enum hgc_mode mode);

/* False: no memory for the sweeper. */
bool sweep_init(void);
/* Fills freed memory; `clobber` is set.  Nobody finds or takes it now. */
void sweep_clobber(uintptr_t at, size_t bytes);
void sweep_begin(void);         /* world stopped */
unsigned sweep_some(unsigned effort);   /* in blocks; what it has spent, by one block more at most; 0: none is left */
void sweep_finish(void);        /* until every block has been swept; task */
bool sweep_done(void);

/* ---- pacing: pace.c over pacer.c --------------------------------------------------------------------------------- */
/*
 * What an assist needs, all of it in single words that any context reads without a lock:
 *   pace_ratio()    work (bytes, see hart_work) owed for each byte allocated in a mark,
 *                   PACER_SHIFT fractional bits; 0 outside a mark.  debt = ((uint64_t)bytes * pace_ratio()) >> PACER_SHIFT.
 *                   Saturates at 65,535 work per byte: the heap is at its goal, and who allocates does all of the rest.
 *   pace_limiting() the collector has had more than half of the time: nobody assists or waits for the mark, debts
 *                   stand, workers keep their quarter.
 *   pace_revise()   brings the ratio up to date; cheap while the heap has not grown since.  Slow paths call it.
 *   pace_assisted() counts the time that a task spent on marking, pace_wait_begin and _end enclose a wait for the
 *                   collector, off its hart: the program's rate, the trigger's lower bound and the limiter live on them.
 *                   Neither is in the workers' times.
 */
enum { PACE_PERCENT = 100, PACE_PERCENT_MAX = 10000, SWEEP_PIECE = 2, SWEEP_MOST = 32 };
static inline uint32_t pace_ratio(void) { return ld_rlx(&gc.assist_ratio); }
static inline bool pace_limiting(void) { return ld_rlx(&gc.limiting) != 0; }
static inline bool pace_period_ok(uint64_t ns)
{
    return ns == HGC_PERIOD_OFF || (ns >= 1000000 && ns / 1000000 <= INT32_MAX);
}
bool pace_period_due(void);             /* a cycle is due for the time's sake */
void pace_init(void);
void pace_begin(void);          /* world stopped, before the phase is MARK */
void pace_end(uint64_t marked_until);   /* world stopped, live and used are known, the sweep has begun */
void pace_revise(void);         /* outside the pacer's own lock; any */
void pace_assisted(uint64_t ns);        /* any */
uint32_t pace_wait_begin(void); /* task; what it returns goes to pace_wait_end */
void pace_wait_end(uint32_t since);
/* Who counts a task as waiting calls this first: where its stack has no room for the wait it ends here, and not when it counts. */
void gc_need_stack(void);
/* Shall an allocation of so many bytes fail without a collection of its own?  Any. */
bool pace_refuses(size_t size);
/* Has anybody allocated since the last mark began?  What is in use beside that it found live.  Any. */
bool pace_taken(void);
/* Sweeps what the heap's growth since the mark owes, so that the sweep is over before the trigger.  Task. */
void pace_sweep(void);
/* Tells the program a level, and those below it, each once a cycle.  False: nobody was told anything.  Task. */
bool pace_tell(enum hgc_pressure level);
void pace_tell_due(void);       /* what the last cycle or the limiter has found; task */

size_t verify_bytes(uint32_t nblocks);
void verify_init(uintptr_t *memory);     /* verify_bytes of it */
void verify_begin(void);        /* world stopped, before the mark */
void verify_run(void);          /* world stopped, after it */
void verify_run_end(uintptr_t lim, size_t cell);    /* what was taken in a mark, in cells of so many bytes, ends there */
void verify_refused(uintptr_t p);       /* a read was not given p's object, but has left its address on the stack */
void verify_revived(uintptr_t p);       /* a mark made p's object reachable again; critical section */

/* Counts a stop that began at `since` and ends now; world stopped.  Returns its length. */
uint64_t stats_pause(uint64_t since);
/* Takes what the trace line of this cycle says, in its last stop, because the next cycle may begin right after; and prints it,
 * when the world runs.  By who holds gc.terminating. */
void trace_take(void);
void trace_print(void);

#endif
