/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Harts get other roles while a small mark runs and most harts sleep, so that each wake-up counts: tasks that live for a
 * moment, many of them bound to one hart, store, wait and die; then nothing is left to run, and the mark must end.  A mark
 * that nobody ends shows when all harts sleep (tests/sim/main.c).  Or no hart ever sleeps, and workers need their shares.
 * Weak references make work when all else is marked, so that the end of a mark fails and is tried again.  Some of the roles are
 * given by handlers, which run while the world is stopped, too; they also pin objects, and give them back.
 */
#include "gc/gc_internal.h"
#include "sim.h"
#include "workload.h"

enum { NODE = HGC_KIND_FIRST, LISTS = 4, WEAK = 4, MORTALS = 3, BUSY_MAX = HK_MAX_HARTS, FIXED = 3 };

struct node { hgc_ref(struct node) next, other; };

static hgc_ref(struct node) list[LISTS];
static hgc_ref(struct hgc_weak) weak[WEAK];
static hgc_ref(struct node) fixed;      /* a list that stays as it is: what a handler finds there stays reached */
static struct hk_timer timer[BUSY_MAX];
static int pins[BUSY_MAX];              /* owner: the hart's timer */
static uint32_t over;                   /* atomic */

static void change_role(void)
{
    unsigned hart = sim_choose(hk_harts());
    enum hgc_role role = (enum hgc_role)sim_choose(3);
    if (hgc_hart_role(hart, role) < 0 && role != HGC_ROLE_FREE)
        sim_fail("hart %u does not get role %d", hart, role);
}

/* ---- handlers ---------------------------------------------------------------------------------------------------- */

static void pin_or_unpin(int *pin)
{
    if (*pin >= 0) {
        if (hgc_unpin(*pin) != HGC_OK)
            sim_fail("pin %d cannot be given back", *pin);
        *pin = -1;
        return;
    }
    struct node *p = hgc_get(fixed);
    for (unsigned n = sim_choose(FIXED); n > 0; n--)
        p = hgc_get(p->next);
    *pin = hgc_pin(p);
    if (*pin < 0)
        sim_fail("an object that a root reaches cannot be pinned: %d", *pin);
}

static void tick(void *arg)
{
    uintptr_t hart = (uintptr_t)arg;
    if (ld_rlx(&over))
        return;
    if (sim_choose(2))
        change_role();
    else
        pin_or_unpin(&pins[hart]);
    hk_timer_start(&timer[hart], hk_now() + 1000 + sim_choose(12000), tick, arg);
}

static void start_timer(void *hart)
{
    pins[(uintptr_t)hart] = -1;
    hk_timer_start(&timer[(uintptr_t)hart], hk_now() + sim_choose(6000), tick, hart);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void start(void)
{
    static const uint32_t map[1] = {3};
    struct hgc_config config = {.size = 64 * 1024, .base = hk_mem_alloc(64 * 1024), .no_auto = true,
                                .period_ns = HGC_PERIOD_OFF};
    workload_roles(&config);
    if (hgc_init(&config) | hgc_kind(NODE, &(struct hgc_kind){.name = "node", .words = 2, .map = map})
        | hgc_root_add(list, sizeof list) | hgc_root_add(weak, sizeof weak) | hgc_root_add(&fixed, sizeof fixed))
        sim_fail("the heap does not start");
    for (unsigned i = 4 + sim_choose(12); i > 0; i--) {
        struct node *p = hgc_alloc(NODE, sizeof *p + 64 * sim_choose(4));
        hgc_set(&p->next, hgc_get(list[i % LISTS]));
        hgc_set(&list[i % LISTS], p);
    }
    for (unsigned i = 0; i < FIXED; i++) {
        struct node *p = hgc_new(NODE, sizeof *p);
        hgc_set(&p->next, hgc_get(fixed));
        hgc_set(&fixed, p);
    }
}

/* Objects that nothing but weak references leads to. */
static __attribute__((noinline)) void lay(void)
{
    for (unsigned i = 0; i < WEAK; i++) {
        struct node *p = hgc_alloc(NODE, sizeof *p);
        hgc_set(&weak[i], p ? hgc_weak_new(p) : NULL);
    }
}

static void read_weak(unsigned l)
{
    struct hgc_weak *w = hgc_get(weak[sim_choose(WEAK)]);
    struct node *p = w ? hgc_weak_get(w) : NULL;
    if (p)
        hgc_set(&list[l], p);
}

/* Holds an object on its stack alone, or drops it, and ends. */
static void mortal(void *arg)
{
    unsigned l = (unsigned)(uintptr_t)arg;
    struct node *p = hgc_get(list[l]);
    for (unsigned n = sim_choose(4); n > 0; n--) {
        switch (sim_choose(7)) {
        case 0:  hk_sleep(sim_choose(3) * 1000); break;
        case 1:  hk_yield(); break;
        case 2:  hgc_set(&list[l], NULL); hgc_set(&list[l], p); break;
        case 3:  hgc_step(1, HGC_STEP_INSTRUCTIONS); break;
        case 4:  read_weak(l); break;
        default:
            for (unsigned k = sim_choose(10); k > 0; k--)
                change_role();
            break;
        }
    }
    hgc_set(&list[l], p && sim_choose(2) ? hgc_get(p->next) : p);
}

static void one_cycle(void)
{
    struct task *t[MORTALS];
    unsigned mortals = sim_choose(MORTALS + 1);
    lay();
    workload_forget();
    for (unsigned i = 0; i < mortals; i++) {
        struct hk_task_config config = {.hart_plus_1 = sim_choose(3) ? 1 + (int)sim_choose(hk_harts()) : 0};
        if (hk_task_create(&t[i], &config, mortal, (void *)(uintptr_t)i) != HK_OK)
            sim_fail("no memory for a task");
    }
    if (sim_choose(2))
        hgc_collect(HGC_START);
    else
        hgc_step(1 + sim_choose(20000), HGC_STEP_INSTRUCTIONS | HGC_STEP_CYCLE);
    if (sim_choose(2))
        read_weak(0);
    for (unsigned k = sim_choose(5); k > 0; k--) {
        change_role();
        if (sim_choose(3) == 0)
            hk_yield();
    }
    for (unsigned i = 0; i < mortals; i++)
        hk_task_join(t[i], NULL);
    for (unsigned k = sim_choose(2) * 40; k > 0 && hgc_marking(); k--) {
        change_role();
        hk_yield();
    }
    cycle_wait(ld_rlx(&gc.cycle));
}

int roles(void)
{
    struct task *t[BUSY_MAX];
    unsigned n = sim_choose(4) == 0 ? hk_harts() : 0;
    start();
    for (unsigned i = 0; i < n; i++)
        if (hk_task_create(&t[i], NULL, workload_busy, &over) != HK_OK)
            sim_fail("no memory for a task");
    if (sim_choose(2))
        workload_on_each_hart(start_timer);
    for (unsigned k = 2 + sim_choose(3); k > 0; k--)
        one_cycle();
    st_rlx(&over, 1);
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
    return 0;
}
