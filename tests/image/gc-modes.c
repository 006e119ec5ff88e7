/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/*
 * Who marks, and who may run meanwhile.  In the stopped modes no task of the program gets on while marking runs (or until
 * the sweep is done), those of the system do.  Beside the program, workers take their share, and a task that allocates
 * faster than they mark assists, so that the heap stays near its goal.
 */
#include "gc/gc_internal.h"
#include "tap.h"

enum { NODE = HGC_KIND_FIRST, NODES = 20000, ARENA = 8 << 20, RUNNERS = 4, SYSTEM = RUNNERS, LITTER = 60000 };

struct node { hgc_ref(struct node) next; uintptr_t fill[6]; };

static hgc_ref(struct node) list[16];
static uint32_t over, in_mark[RUNNERS + 1], in_sweep[RUNNERS + 1];      /* atomic: turns of each task while these ran */

static bool build(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct node *p = hgc_new(NODE, sizeof(*p));
        if (!p)
            return false;
        hgc_set(&p->next, hgc_get(list[i % 16]));
        hgc_set(&list[i % 16], p);
    }
    return true;
}

/* The phase is read in a critical section: it does not change there, so a turn is of the phase that was seen. */
static void turn(unsigned i)
{
    hal_crit_t c = hal_crit_enter();
    if (gc_is_on())
        own_add(&in_mark[i], 1);
    else if (!sweep_done())
        own_add(&in_sweep[i], 1);
    hal_crit_exit(c);
}

static void runs(void *arg)
{
    while (!ld_rlx(&over))
        turn((unsigned)(uintptr_t)arg);
}

/* Sleeps between its turns, so that it asks for a hart again and again. */
static void system_runs(void *arg)
{
    while (!ld_rlx(&over)) {
        turn((unsigned)(uintptr_t)arg);
        hk_sleep(20000);
    }
}

static uint32_t sum(const uint32_t *turns)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < RUNNERS; i++)
        n += ld_rlx(&turns[i]);
    return n;
}

static void nothing(struct hart *h, void *arg)
{
    (void)h, (void)arg;
}

static bool program_ran(void) { return sum(in_mark) > 0; }
static bool system_ran(void) { return ld_rlx(&in_mark[SYSTEM]) > 0; }
static bool nothing_more(void) { return true; }

/* Twenty cycles of one mode, and more until what shall be seen was: the host may have kept those harts from running.  A
 * turn that began in the sweep before is over before the counters are cleared. */
static int watch(enum hgc_mode mode, bool (*seen)(void))
{
    int r = HGC_OK;
    world_each_hart(nothing, NULL);
    for (unsigned i = 0; i <= SYSTEM; i++) {
        st_rlx(&in_mark[i], 0);
        st_rlx(&in_sweep[i], 0);
    }
    for (unsigned i = 0; i < 20 || (i < 2000 && !seen()); i++)
        r |= hgc_collect(mode);
    hk_printf("# mode %u: turns in marks %u, in sweeps %u, of the system %u\n", (unsigned)mode, (unsigned)sum(in_mark),
              (unsigned)sum(in_sweep), (unsigned)ld_rlx(&in_mark[SYSTEM]));
    return r;
}

static void modes(void)
{
    is(watch(HGC_WAIT, program_ran), HGC_OK, "concurrent cycles");
    ok(program_ran(), "beside which tasks get on");
    is(watch(HGC_FORCE, system_ran), HGC_OK, "cycles with a stopped mark");
    is(sum(in_mark), 0, "in which no task of the program gets on");
    ok(system_ran(), "but one of the system does");
    is(watch(HGC_FORCE_BLOCK, nothing_more), HGC_OK, "cycles with a stopped mark and sweep");
    is(sum(in_mark) + sum(in_sweep), 0, "in which no task of the program gets on");
    is(hgc_collect((enum hgc_mode)4), HGC_EINVAL, "there is no other mode");
    for (unsigned i = 0; i < 60; i++)           /* the end of the one does not end the other */
        hgc_collect(i % 2 ? HGC_WAIT : HGC_FORCE + i / 2 % 2);
    is(hgc_collect(HGC_WAIT), HGC_OK, "modes may follow on each other");
}

/* Garbage as fast as it can be made. */
static void litters(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < LITTER; i++)
        if (!hgc_new(NODE, sizeof(struct node)))
            return;
}

static void assists(void)
{
    struct task *t[RUNNERS];
    struct hgc_stats before, s;
    hgc_stats(&before);
    hgc_set_auto(true);
    for (unsigned i = 0; i < RUNNERS; i++)
        hk_task_create(&t[i], NULL, litters, NULL);
    for (unsigned i = 0; i < RUNNERS; i++)
        hk_task_join(t[i], NULL);
    hgc_set_auto(false);
    hgc_stats(&s);
    hk_printf("# %u cycles, assists %u us, workers %u + %u + %u us, peak %u KiB, goal %u KiB\n",
              (unsigned)(s.cycles - before.cycles), (unsigned)(s.cpu_assist_ns / 1000), (unsigned)(s.cpu_dedicated_ns / 1000),
              (unsigned)(s.cpu_fractional_ns / 1000), (unsigned)(s.cpu_idle_mark_ns / 1000), (unsigned)(s.heap_peak >> 10),
              (unsigned)(s.heap_goal >> 10));
    ok(s.cycles > before.cycles, "cycles start by themselves");
    ok(s.cpu_assist_ns > 0, "tasks that only allocate assist");
    ok(s.cpu_dedicated_ns + s.cpu_fractional_ns > 0, "beside workers");
    is((unsigned)s.allocs_failed, 0, "no allocation fails");
}

int app_main(void)
{
    static const uint32_t first[1] = { 1 };
    static const struct hgc_kind node = { .name = "node", .words = 32, .map = first };
    struct task *t[RUNNERS + 1];
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA, .no_auto = true, .period_ns = HGC_PERIOD_OFF };
    static const struct hk_task_config system = { .name = "system", .system = true, .prio = HK_HIGH, .set_prio = true };
    int error = hgc_init(&config) | hgc_kind(NODE, &node) | hgc_root_add(list, sizeof(list));
    is(error, HGC_OK, "the heap starts");
    ok(build(), "with something to mark");
    for (uintptr_t i = 0; i < RUNNERS; i++)
        hk_task_create(&t[i], NULL, runs, (void *)i);
    hk_task_create(&t[SYSTEM], &system, system_runs, (void *)(uintptr_t)SYSTEM);
    modes();
    st_rlx(&over, 1);
    for (unsigned i = 0; i <= SYSTEM; i++)
        hk_task_join(t[i], NULL);
    assists();
    return tap_end();
}
