/* SPDX-License-Identifier: Apache-2.0 */
/* From the machine to the first task, and what the machine calls when something happens. */
#include "kernel/args.h"
#include "kernel/kernel_internal.h"

enum { TIMER_GAP_NS = 10000 };      /* from the end of one timer interrupt to the next, at least */

_Alignas(HART_GC_OFFSET) unsigned char hal_hart_area[HK_MAX_HARTS * sizeof(struct hart)];
const size_t hal_hart_stride = sizeof(struct hart);

static uint32_t running;            /* atomic: written by the boot hart before the others leave boot */
static uint32_t harts_up;           /* atomic: idle tasks that run */
static struct hk_event all_up;

bool start_done(void)
{
    return ld_rlx(&running);
}

void start_hart_up(void)
{
    if (amo_add_ar(&harts_up, 1) + 1 == hal_hart_count())       /* [L-last-one.rel, L-last-one.acq] */
        hk_event_set(&all_up);
}

static void main_task(void *arg)
{
    (void)arg;
    hk_event_wait(&all_up, HK_FOREVER);
    hk_exit(app_main());
}

/* The boot argument harts=n: only so many leave boot.  Before anything counts harts. */
static void limit_harts(void)
{
    const char *at = hal_boot_args();
    uint64_t n = hal_hart_count();
    for (struct args_word w; args_next(&at, &w);) {
        if (args_is(&w, "harts") && (!args_number(&w, false, hal_hart_count(), &n) || n == 0)) {
            hk_printf("hk: boot argument %.*s: wants harts=n, n from 1 to %u, as many as this machine has\n",
                      (int)(w.length < 40 ? w.length : 40), w.text, hal_hart_count());
            hk_exit(HK_BAD_ARGS);
        }
    }
    hal_hart_limit((unsigned)n);
}

/* The boot hart, alone. */
static void start(void)
{
    static const struct hk_task_config config = { .name = "main", .stack_size = HK_MAIN_STACK_SIZE };
    for (unsigned i = 0; i < HK_MAX_HARTS; i++) {
        struct hart *h = (struct hart *)(void *)(hal_hart_area + i * sizeof(struct hart));
        h->index = i;
        h->slice_end = h->alarm = h->armed = UINT64_MAX;
    }
    limit_harts();
    if (hal_hart_count() > HK_MAX_HARTS)        /* no other hart has left boot, so none has touched what lies behind */
        hk_panic("%u harts, but the kernel was built for %u: build it with -DHK_MAX_HARTS=%u", hal_hart_count(),
                 (unsigned)HK_MAX_HARTS, hal_hart_count());
    mem_init();
    if (hk_task_create(NULL, &config, main_task, NULL) != HK_OK)
        hk_panic("no memory for the task main");
    st_rlx(&running, 1);
}

/* Every hart, on its boot stack, which it leaves for its idle task. */
static void start_hart(void)
{
    struct hart *h = hal_self();
    struct hal_ctx boot;
    struct task *t = task_make("idle", HK_IDLE_STACK_SIZE, idle_run);
    if (t == NULL)
        hk_panic("no memory for the idle task of hart %u", h->index);
    t->no_stack_roots = true;
    t->affinity = (int)h->index;
    t->state = TASK_RUNNING;
    t->busy = 1;
    h->idle = t;
    st_rlx(&h->current, t);
    hal_switch(&boot, &t->ctx, NULL);
    hk_panic("hart %u came back to boot", h->index);
}

/* ---- traps ------------------------------------------------------------------------------------------------------ */

static void ipi(void)
{
    struct hart *h = hal_self();
    if (panic_begun())
        panic_halt();
    sched_after(h);
    world_ipi(h);
    tick_update(h);
}

/* The next deadline is a little ahead even if it has passed: so the task gets on between two interrupts when a timer's
 * function starts it again for now, time after time. */
static void timer(void)
{
    struct hart *h = hal_self();
    timer_interrupt();
    uint64_t soonest = hal_time_ns() + TIMER_GAP_NS;
    if (h->armed < soonest) {
        h->armed = soonest;
        hal_timer_set(soonest);
    }
}

static void trap_exit(void)
{
    struct hart *h = hal_self();
    struct task *t = ld_rlx(&h->current);
    if (t == h->idle)
        return;                     /* its loop looks for work by itself */
    fault_check_stack(h);
    if (ld_rlx(&h->current) == t && ld_rlx(&h->resched) && h->pin == 0)
        sched_turn_trap(h);
}

const struct hal_hooks hal_hooks = {
    .start = start,
    .start_hart = start_hart,
    .ipi = ipi,
    .timer = timer,
    .fault = fault_hook,
    .trap_exit = trap_exit,
};

/* ---- questions -------------------------------------------------------------------------------------------------- */

unsigned hk_harts(void)
{
    return hal_hart_count();
}

const char *hk_boot_args(void)
{
    return hal_boot_args();
}

unsigned hk_hart(void)
{
    hal_crit_t c = hal_crit_enter();
    unsigned index = hal_self()->index;
    hal_crit_exit(c);
    return index;
}

_Noreturn void hk_exit(int status)
{
    console_flush();
    hal_exit(status);
}
