/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs many schedules, one a seed, and tells of the first that fails.  Everything about a schedule follows from its seed
 * and the options that were given.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "gc/gc_internal.h"
#include "gc/hgc.h"
#include "kernel/hart.h"
#include "kernel/hk.h"
#include "sim.h"
#include "workload.h"

/* `weight`: of how many schedules it gets one, unless --even: fewer of those where the program shades seldom or never. */
static const struct {
    const char *name;
    int (*run)(void);
    unsigned weight;
} workloads[] = {
    {"graph", graph, 5}, {"special", special, 5}, {"bound", bound, 1}, {"sync", sync_scenes, 1}, {"handover", handover, 5},
    {"full", full, 1}, {"store", store, 5}, {"isr", isr, 2}, {"shapes", shapes, 1}, {"leave", leave, 5}, {"ranges", ranges, 5},
    {"web", web, 5}, {"assists", assists, 2}, {"leaks", leaks, 5}, {"steps", steps, 1}, {"roles", roles, 5}, {"kept", kept, 5},
    {"runtime", runtime, 2}, {"timed", timed, 1}, {"promote", promotes, 1},
#ifdef SIM_LUA
    {"lua", lua_states, 1},
#endif
    {"quarter", quarter, 0},        /* by name only */
};
enum { WORKLOADS = sizeof workloads / sizeof workloads[0], CHOSEN = WORKLOADS - 1, TRACES = 1 << 21 };
enum { CYCLES, SHADES };        /* figures */
/* Where allocations fail, each collects again and again, and with verify mode each cycle marks all three times: 43 cycles of
 * 46,000 steps were met.  What never ends reaches this too. */
#ifndef SIM_STEPS_MAX
#define SIM_STEPS_MAX 10000000          /* Lua's schedules are longer: 21,000,000 were met */
#endif
enum { STEPS_MAX = SIM_STEPS_MAX };
enum { SECONDS_MAX = 10 };      /* for one schedule */

static int only = -1;           /* constant during a schedule, as all of the options */
static bool is_lua;             /* the workload's stores are Lua's */
static bool even;

/* The workload's tasks have ended: what is left after a collection is what was allocated and not freed.  The collector's own
 * tasks may still allocate (a handler's reserve is filled again) and collect, so the figures are read where nobody moves them:
 * in a stop, and outside of a sweep, which counts what it frees bit by bit. */
static void balance(void)
{
    struct hgc_stats s;
    hgc_set_auto(false);
    hgc_collect(HGC_WAIT);
    for (world_stop(WORLD_OTHER, NULL, NULL); !sweep_done(); world_stop(WORLD_OTHER, NULL, NULL)) {
        world_start();
        sweep_finish();
    }
    hgc_stats(&s);
    world_start();
    if (s.alloc_bytes - s.free_bytes != s.heap_used || s.heap_used < s.heap_live)
        sim_fail("%u bytes allocated less %u freed, but %u in use and %u live", (unsigned)s.alloc_bytes,
                 (unsigned)s.free_bytes, (unsigned)s.heap_used, (unsigned)s.heap_live);
    if ((uint32_t)s.cycles != (uint32_t)(s.cycles_automatic + s.cycles_forced))     /* each of them wraps */
        sim_fail("%u cycles are not %u automatic and %u forced", (unsigned)s.cycles, (unsigned)s.cycles_automatic,
                 (unsigned)s.cycles_forced);
}

static unsigned choose_workload(void)
{
    unsigned all = 0, i = 0;
    if (only >= 0)
        return (unsigned)only;
    if (even)
        return sim_choose(CHOSEN);
    for (unsigned k = 0; k < CHOSEN; k++)
        all += workloads[k].weight;
    for (unsigned at = sim_choose(all); at >= workloads[i].weight; i++)
        at -= workloads[i].weight;
    return i;
}

int app_main(void)
{
    struct hgc_stats s;
    unsigned which = choose_workload();
    is_lua = strcmp(workloads[which].name, "lua") == 0;
    int status = workloads[which].run();
    hgc_stats(&s);
    sim_figure(CYCLES, s.cycles);
    sim_figure(SHADES, s.shades);
    if (s.heap_size && status == 0 && sim_choose(4) == 0)
        balance();
    return status;
}

void workload_cycle_wraps(unsigned first)
{
    if (sim_choose(2))
        gc.cycle = gc.finished = gc.ended = gc.sweep_cycle = gc.forced = UINT32_MAX - 1 - sim_choose(first);
}

/* One hart at least marks if it likes. */
void workload_roles(struct hgc_config *config)
{
    unsigned n = hk_harts(), normal = sim_choose(n);
    for (unsigned i = 0; i < n; i++) {
        unsigned role = i == normal ? HGC_ROLE_NORMAL : sim_choose(3);
        config->mark_harts |= (uint64_t)(role == HGC_ROLE_MARK) << i;
        config->free_harts |= (uint64_t)(role == HGC_ROLE_FREE) << i;
    }
}

void workload_heap(size_t bytes)
{
    workload_heap_stopped(bytes, 8);
}

void workload_heap_stopped(size_t bytes, unsigned stopped_in)
{
    struct hgc_config config = {.size = bytes, .base = hk_mem_alloc(bytes)};
    config.verify = sim_choose(2);
    config.stress = sim_choose(4) == 0 ? 5 + sim_choose(20) : 0;
    config.own_finalizers = sim_choose(2);
    config.percent = 20 + 40 * sim_choose(5);
    config.min_trigger = 4096 * (1 + sim_choose(4));
    config.clobber = sim_choose(2);
    config.limit = sim_choose(4) == 0 ? 64 * 1024 : 0;
    config.period_ns = sim_choose(4) == 0 ? 1000000 : HGC_PERIOD_OFF;      /* on, time never ends: steps do */
    config.stoptheworld = sim_choose(stopped_in) == 0 ? 1 + sim_choose(2) : 0;
    if (config.period_ns == 1000000 && config.verify && config.stoptheworld)
        config.period_ns *= 8;      /* such a cycle takes four: the program would hardly get on */
    if (sim_choose(4) == 0)
        workload_roles(&config);
    if (!config.base || hgc_init(&config) != HGC_OK)
        sim_fail("hgc_init failed");
    workload_cycle_wraps(3);
}

static struct { hgc_ref(void) object; hgc_ref(struct hgc_weak) weak; } aside;
static bool aside_known;                /* as a root; one task at a time does this */

__attribute__((noinline)) void workload_lay(void)
{
    if (hgc_marking())
        cycle_wait(ld_rlx(&gc.cycle));          /* what is allocated in a mark is black */
    if (!aside_known)
        hgc_root_add(&aside, sizeof aside);
    aside_known = true;
    void *p = hgc_alloc(HGC_LEAF, 24);
    hgc_set(&aside.weak, p ? hgc_weak_new(p) : NULL);
}

void workload_find(void)
{
    struct hgc_weak *w = hgc_get(aside.weak);
    hgc_set(&aside.object, w ? hgc_weak_get(w) : NULL);
    hgc_set(&aside.weak, NULL);
}

static bool any_shade(void)
{
    bool any = false;
    for (unsigned i = 0; i < hk_harts(); i++)
        any |= ld_rlx(&gc_of(hal_hart(i))->shades) != 0;
    return any;
}

static void shades(void *arg)
{
    (void)arg;
    for (unsigned n = 0; n < 3 && !any_shade() && !gc.cfg.stoptheworld; n++) {
        workload_lay();
        workload_forget();
        hgc_collect(HGC_START);
        workload_find();
    }
}

/* In a task of its own, so that its addresses go with its stack. */
void workload_shades(void)
{
    struct task *t;
    if (hk_task_create(&t, NULL, shades, NULL) != HK_OK)
        sim_fail("no memory for a task");
    hk_task_join(t, NULL);
}

void workload_on_each_hart(void (*fn)(void *hart))
{
    for (unsigned i = 0; i < hk_harts(); i++) {
        struct hk_task_config there = {.hart_plus_1 = 1 + (int)i};
        struct task *t;
        if (hk_task_create(&t, &there, fn, (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
        hk_task_join(t, NULL);
    }
}

void workload_busy(void *over)
{
    static uint32_t turns;      /* atomic */
    while (!ld_rlx((uint32_t *)over))
        amo_add_rlx(&turns, 1);
}

HAL_NO_SANITIZE __attribute__((noinline)) void workload_forget(void)
{
    uintptr_t below[256];
    memset(below, 0, sizeof below);
    __asm__ volatile("" : : "r"(below) : "memory");
}

/* I4: a reference is stored by a sequence that a stop rewinds, or where no stop can come.  A Lua state has one mutator, whose
 * barrier needs neither (ports/lua/lgc.h); what its collector writes to objects with atomics are no references. */
static void stored(uintptr_t p)
{
    if (p - gc.base < gc.bytes && !is_lua)
        sim_fail("I4: a store to an object, at %#lx, is neither in a critical section nor restartable", (unsigned long)p);
}

/* A hart that has nothing to wait for is interrupted once at most: for what it was armed for and is gone. */
static void armed_for_nothing(const struct hart *h)
{
    static struct { unsigned times; uint32_t switches; uint64_t armed; } idle[HK_MAX_HARTS];
    if (h->timers || h->slice_end != UINT64_MAX || h->alarm != UINT64_MAX || h->armed == UINT64_MAX
        || idle[h->index].switches != h->switches)
        idle[h->index].times = 0;
    else if (idle[h->index].armed != h->armed && ++idle[h->index].times > 3)     /* another deadline than at the last look */
        sim_fail("the timer of hart %u, which has nothing to wait for, is set again and again", h->index);
    idle[h->index].switches = h->switches;
    idle[h->index].armed = h->armed;
}

/* Nobody has a step to take but for a timer: then there is nothing to do.  But a runtime may hold a mark open, in a stopped
 * mode, too, until a timer asks it again. */
static void all_asleep(void)
{
    bool later = gc.later;
    if (later && !gc.later_timer.hart)
        sim_fail("every hart sleeps, and no timer asks the runtime again");
    for (unsigned i = 0; i < hal_hart_count(); i++)
        armed_for_nothing(hal_hart(i));
    for (unsigned i = 0; i < hal_hart_count(); i++)
        if (hal_hart(i)->queued && !(later && gc.mode >= HGC_FORCE))
            sim_fail("every hart sleeps, and %u tasks stand in the queue of hart %u: a wake-up was lost",
                     (unsigned)hal_hart(i)->queued, i);
    if (hgc_phase != 0 && !later)
        sim_fail("every hart sleeps, and the mark has not ended: a wake-up was lost");
}

/* ---- options ---------------------------------------------------------------------------------------------------- */

static const char *const strategies[] = {"random", "pct", "rr"};

struct options {
    uint64_t seed, seeds;
    double seconds;
    int strategy, weak, race;   /* -1: by seed */
    unsigned print;
    unsigned harts;             /* 0: by seed */
    uint64_t steps;
    bool quiet, twice, console;
};

static _Noreturn void usage(void)
{
    fprintf(stderr, "usage: sim [--seed N] [--seeds N] [--seconds S] [--strategy random|pct|rr] [--weak 0|1] [--race 0|1]\n"
                    "           [--workload NAME] [--print EVENTS] [--harts N] [--steps N]\n"
                    "           [--even] [--quiet] [--twice] [--console]\nworkloads:");
    for (unsigned i = 0; i < WORKLOADS; i++)
        fprintf(stderr, " %s", workloads[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

static int find(const char *name, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    usage();
}

static int find_workload(const char *name)
{
    for (int i = 0; i < WORKLOADS; i++)
        if (strcmp(name, workloads[i].name) == 0)
            return i;
    usage();
}

static struct options parse(int argc, char **argv)
{
    static const struct option names[] = {
        {"seed", 1, 0, 's'}, {"seeds", 1, 0, 'n'}, {"seconds", 1, 0, 't'}, {"strategy", 1, 0, 'S'}, {"weak", 1, 0, 'w'},
        {"race", 1, 0, 'r'}, {"workload", 1, 0, 'W'}, {"print", 1, 0, 'p'}, {"quiet", 0, 0, 'q'}, {"twice", 0, 0, '2'},
        {"harts", 1, 0, 'h'}, {"steps", 1, 0, 'm'}, {"console", 0, 0, 'c'}, {"even", 0, 0, 'e'}, {0, 0, 0, 0},
    };
    struct options o = {.seed = 1, .seeds = 1000, .seconds = 1e9, .strategy = -1, .weak = -1, .race = -1, .steps = STEPS_MAX};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
        switch (c) {
        case 's': o.seed = strtoull(optarg, NULL, 0); break;
        case 'n': o.seeds = strtoull(optarg, NULL, 0); break;
        case 't': o.seconds = atof(optarg); break;
        case 'S': o.strategy = find(optarg, strategies, 3); break;
        case 'w': o.weak = atoi(optarg) != 0; break;
        case 'r': o.race = atoi(optarg) != 0; break;
        case 'W': only = find_workload(optarg); break;
        case 'p': o.print = (unsigned)atoi(optarg); break;
        case 'q': o.quiet = true; break;
        case '2': o.twice = true; break;
        case 'h': o.harts = (unsigned)atoi(optarg); break;
        case 'm': o.steps = strtoull(optarg, NULL, 0); break;
        case 'c': o.console = true; break;
        case 'e': even = true; break;
        default:  usage();
        }
    if (optind != argc || o.seeds == 0 || o.harts > HK_MAX_HARTS)
        usage();
    return o;
}

static struct sim_config config_of(const struct options *o, uint64_t seed)
{
    static const enum sim_strategy mix[8] = {[5] = SIM_PCT, SIM_PCT, SIM_ROUND_ROBIN};
    uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    return (struct sim_config){
        .seed = seed,
        .strategy = o->strategy >= 0 ? (enum sim_strategy)o->strategy : mix[x % 8],
        .harts = o->harts ? o->harts : 2 + (unsigned)(x >> 8) % 3,
        .weak = o->weak >= 0 ? o->weak != 0 : (x >> 16) % 2 != 0,
        .race = o->race >= 0 ? o->race != 0 : (x >> 20) % 4 == 0,
        .steps_max = o->steps,
        .stored = stored,
        .all_asleep = all_asleep,
    };
}

/* ---- figures ---------------------------------------------------------------------------------------------------- */

struct figures {
    uint64_t runs, counted, steps, twice;
    uint32_t decisions[1 << 16];        /* how many schedules had so many, the last: as many or more */
    uint64_t traces[TRACES];            /* open hash of hashes; 0: free */
    uint64_t by_strategy[SIM_STRATEGIES];
};

static bool seen_before(struct figures *f, uint64_t hash)
{
    if (f->runs > TRACES / 2)
        return false;
    for (uint64_t i = hash;; i++) {
        uint64_t *t = &f->traces[i % TRACES];
        if (*t == hash)
            return true;
        if (*t == 0) {
            *t = hash;
            return false;
        }
    }
}

static void count(struct figures *f, const struct sim_config *c, const struct sim_result *r)
{
    f->runs++;
    f->steps += r->steps;
    f->by_strategy[c->strategy]++;
    f->twice += seen_before(f, r->hash | 1);
    if (r->figure[CYCLES] == 0 || r->figure[SHADES] == 0)
        return;
    f->counted++;
    f->decisions[r->decisions < 65535 ? r->decisions : 65535]++;
}

static unsigned median(const struct figures *f)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < 65536; i++)
        if ((n += f->decisions[i]) * 2 > f->counted)
            return i;
    return 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const struct figures *f, double seconds)
{
    printf("%lu schedules without a failure: %lu random, %lu pct, %lu round robin; %.0f a second, %.0f steps each\n",
           (unsigned long)f->runs, (unsigned long)f->by_strategy[SIM_RANDOM], (unsigned long)f->by_strategy[SIM_PCT],
           (unsigned long)f->by_strategy[SIM_ROUND_ROBIN], (double)f->runs / seconds, (double)f->steps / (double)f->runs);
    printf("%lu hold a concurrent cycle with a shade by the program; median %u decisions; %.2f %% of the traces are duplicates\n",
           (unsigned long)f->counted, median(f), 100.0 * (double)f->twice / (double)f->runs);
}

/* The lines of the source that the text names by pc. */
static void print_lines(const char *text)
{
    char command[256];
    for (const char *at = text; (at = strstr(at, "pc 0x")); at += 5) {
        snprintf(command, sizeof command, "addr2line -psfe /proc/%d/exe %#lx 2>/dev/null", (int)getpid(),
                 strtoul(at + 3, NULL, 0));
        printf("%s: ", strtok(strdup(at + 3), " ,"));
        fflush(stdout);
        if (system(command) != 0)
            printf("(addr2line knows the line)\n");
    }
}

static void tell(const struct options *o, const struct sim_config *c, const struct sim_result *r)
{
    printf("sim: seed %lu failed after %lu steps (%s, %u harts%s%s): %s\n", (unsigned long)c->seed, (unsigned long)r->steps,
           strategies[c->strategy], c->harts, c->weak ? ", weak memory" : "", c->race ? ", race detector" : "", r->why);
    print_lines(r->why);
    printf("again: make sim SEED=%lu SEEDS=1 SIMFLAGS='--print 200", (unsigned long)c->seed);
    if (o->strategy >= 0)
        printf(" --strategy %s", strategies[o->strategy]);
    if (o->weak >= 0)
        printf(" --weak %d", o->weak);
    if (o->race >= 0)
        printf(" --race %d", o->race);
    if (only >= 0)
        printf(" --workload %s", workloads[only].name);
    if (even)
        printf(" --even");
    printf("'\n");
    if (o->print) {
        sim_print(o->print);
        printf("console:\n%s", sim_console());
    }
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)context;
    if (sig == SIGVTALRM)
        sim_fail("a schedule took %d s of the processor's time", SECONDS_MAX);
    sim_fail("signal %d at address %p", sig, info->si_addr);
}

static void catch_faults(void)
{
    enum { SIZE = 64 * 1024 };
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    stack_t stack = {.ss_sp = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = SIZE};
    sigaltstack(&stack, NULL);
    sigaction(SIGVTALRM, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
}

/* The same schedule once more: it must be the same. */
static void run_again(const struct sim_config *c, struct sim_result *r)
{
    struct sim_result again;
    sim_run(c, &again);
    if (again.hash == r->hash && again.steps == r->steps)
        return;
    r->failed = true;
    snprintf(r->why, sizeof r->why, "the second run of this seed went another way: %lu steps, not %lu",
             (unsigned long)again.steps, (unsigned long)r->steps);
}

/* Addresses of libraries come to lie on stacks, too. */
static void same_addresses_each_time(char **argv)
{
    int now = personality(0xffffffff);
    if (now != -1 && !(now & ADDR_NO_RANDOMIZE) && personality((unsigned long)now | ADDR_NO_RANDOMIZE) != -1)
        execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    same_addresses_each_time(argv);
    struct options o = parse(argc, argv);
    struct figures *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sim_result r;
    struct itimerval limit = {.it_value = {.tv_sec = SECONDS_MAX}};
    setvbuf(stdout, NULL, _IOLBF, 0);
    catch_faults();
    sim_init();
    double start = now();
    for (uint64_t i = 0; i < o.seeds && (i % 64 || now() - start < o.seconds); i++) {
        struct sim_config c = config_of(&o, o.seed + i);
        setitimer(ITIMER_VIRTUAL, &limit, NULL);
        sim_run(&c, &r);
        if (o.twice && !r.failed)
            run_again(&c, &r);
        if (r.failed) {
            tell(&o, &c, &r);
            return 1;
        }
        count(f, &c, &r);
        if (o.console)
            printf("%s", sim_console());
    }
    if (o.print)
        sim_print(o.print);
    if (!o.quiet)
        report(f, now() - start);
    return 0;
}
