/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of hal/sim share.  All state lies in one structure outside of the program's data: sim_run puts those back. */
#ifndef SIM_INTERNAL_H
#define SIM_INTERNAL_H

#include "hal/hal.h"
#include "sim.h"

enum { SIM_HARTS = 8, SIM_BUFFER = 16, SIM_HISTORY = 128, SIM_SEEN = 256, SIM_EVENTS = 1 << 18 };

struct sim_clock {
    uint64_t at[SIM_HARTS];
};

/* A store that is not visible to others yet. */
struct sim_pending {
    uintptr_t addr;
    uint64_t value;
    uint64_t number;            /* counts this hart's stores */
    uint64_t need;              /* stores with a smaller number go first */
    unsigned size;
    struct sim_clock clock;     /* what its reader may rely on */
};

struct sim_written {            /* one write to memory, for loads that are early */
    uintptr_t addr;
    uint64_t old;
    unsigned size;
};

struct sim_hart {
    unsigned index;
    /* machine.c */
    struct hal_ctx *ctx;        /* the task's, NULL until the first switch */
    bool crit, trap, sleeping;
    uint32_t pending;           /* enum irq */
    uint64_t deadline;
    uint64_t traps;             /* counts interrupts taken, for seq.c */
    uintptr_t fiber;            /* sp while another hart has the thread */
    uintptr_t trap_hi, boot_hi;
    /* sched.c */
    unsigned prio;              /* PCT: larger runs first */
    unsigned idle_loads;        /* loads since the last thing that changed anything */
    unsigned turn;              /* PCT: steps since it fell back */
    /* memory.c */
    struct sim_pending buffer[SIM_BUFFER];
    unsigned buffered;
    uint64_t number, fence_need;
    uint64_t load_floor;        /* no load returns what was overwritten before this write */
    uint64_t loads_max;         /* the latest write that a load since the last fence has seen */
    struct {
        uintptr_t addr;
        uint64_t at;
    } seen[SIM_SEEN];           /* coherence: the write that this hart saw last at an address */
    /* race.c */
    struct sim_clock clock, fenced, unfenced;   /* now; at the last fence before writes; read but not fenced yet */
    struct sim_clock learnt;                    /* as the last address was loaded */
    struct sim_clock irq_clock;                 /* of those that sent interrupts */
};

enum irq { IRQ_IPI = 1, IRQ_TIMER = 2 };

struct sim_event {
    uint32_t step;
    uint8_t hart;
    const char *what;
    uintptr_t addr;
    uint64_t value;
    uintptr_t pc;
};

struct sim {
    struct sim_config cfg;
    struct sim_result *result;  /* &own_result: a pointer of the host's own would come to lie on tasks' stacks */
    struct sim_result own_result;
    struct sim_hart hart[SIM_HARTS];
    struct sim_hart *cur;
    uintptr_t driver;           /* sp of sim_run */
    uintptr_t mem_lo, mem_hi, data_lo, data_hi;
    void *snapshot;
    uint32_t runs;              /* schedules so far */
    uint64_t random, time;
    uint64_t step_ns;           /* of virtual time, on average; a power of two */
    bool stopped;               /* the schedule is over: nothing is a point any more */
    /* sched.c */
    unsigned switch_in, take_in, drain_in, stale_in;    /* chances: one in so many */
    unsigned plain_in, plain_left;      /* ordinary accesses from one point to the next */
    unsigned quantum, left, starved;
    uint64_t change[8];         /* PCT: steps at which the running hart falls back */
    unsigned changes, next_prio;
    /* memory.c */
    struct sim_written history[SIM_HISTORY];
    uint64_t writes;
    /* trace */
    struct sim_event events[SIM_EVENTS];
    uint64_t nevents;
    char out[8192];
    size_t out_len;
    _Alignas(16) unsigned char truth[SIM_TRUTH_BYTES];
};
static struct sim *const sim = (struct sim *)(uintptr_t)0x200000000000;

/* ---- switch.c: x86-64 ---- */
void sim_swap(uintptr_t *save, uintptr_t to);
void sim_save_call(uintptr_t *save, uintptr_t sp, void (*fn)(void *, void *), void *a, void *b);
_Noreturn void sim_resume_at(uintptr_t sp);
uintptr_t sim_first(uintptr_t hi, void (*entry)(void *), void *arg);

/* ---- sched.c ---- */
void sim_sched_init(void);
/* A point: harts may change, stores drain, an interrupt may be taken.  Afterwards sim->cur may be another hart. */
void sim_point(void);
void sim_sleep(struct sim_hart *h);     /* hal_wait */

/* ---- machine.c ---- */
void sim_take_interrupt(struct sim_hart *h);

/* ---- memory.c: the accesses themselves, no points ---- */
uint64_t mem_load(uintptr_t p, unsigned size, enum sim_order order, uintptr_t pc);
void mem_store(uintptr_t p, unsigned size, uint64_t value, enum sim_order order, uintptr_t pc);
void mem_flush(struct sim_hart *h);             /* all that the hart wrote becomes visible */
void mem_flush_at(struct sim_hart *h, uintptr_t p, unsigned size);      /* what overlaps, and what must go before it */
void mem_drain_one(struct sim_hart *h, unsigned choice);
void mem_now(struct sim_hart *h);               /* no later load is early beyond this moment */

/* ---- race.c ---- */
void race_init(void);
void race_start(void);
void race_atomic(uintptr_t p, unsigned size, bool write, uintptr_t pc);
struct sim_clock *race_message(uintptr_t p);
void race_join(struct sim_clock *to, const struct sim_clock *from);
void race_tick(struct sim_hart *h);

/* ---- trace.c ---- */
void sim_event(const char *what, uintptr_t addr, uint64_t value, uintptr_t pc);

static inline uint64_t sim_random(void)
{
    uint64_t x = (sim->random += 0x9e3779b97f4a7c15u);         /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}
static inline void sim_look_at_timer(struct sim_hart *h)
{
    if (sim->time >= h->deadline)
        h->pending |= IRQ_TIMER;
}
static inline bool sim_is_address(uint64_t v)
{
    return v - sim->mem_lo < sim->mem_hi - sim->mem_lo || v - sim->data_lo < sim->data_hi - sim->data_lo;
}

#endif
