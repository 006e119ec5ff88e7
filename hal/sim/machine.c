/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine: contexts, interrupts, time, console, and a schedule's beginning and end.
 *
 * Every context that does not run was left inside a critical section and goes on in it: one that called hal_switch is in
 * one, and one that was interrupted is put into one by sim_take_interrupt, which ends it when it comes back.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim_internal.h"

enum { MEMORY = 1 << 20, TRAP_STACK = 128 * 1024 };
#define MEMORY_AT 0x100000000000u
#define STACKS_AT 0x110000000000u
extern char __data_start[], _end[];

/* ---- harts ------------------------------------------------------------------------------------------------------ */

unsigned hal_hart_count(void)
{
    return sim->cfg.harts;
}

void hal_hart_limit(unsigned n)
{
    sim->cfg.harts = n;
}

const char *hal_boot_args(void)
{
    return "";
}

struct hart *hal_hart(unsigned index)
{
    return (struct hart *)(void *)(hal_hart_area + index * hal_hart_stride);
}

struct hart *hal_self(void)
{
    return hal_hart(sim->cur->index);
}

hal_crit_t hal_crit_enter(void)
{
    sim_point();
    hal_crit_t outermost = !sim->cur->crit;
    sim->cur->crit = true;
    return outermost;
}

void hal_crit_exit(hal_crit_t c)
{
    if (!c)
        return;
    sim->cur->crit = false;
    sim_point();
}

bool hal_crit_held(void)
{
    return sim->cur->crit;
}

bool hal_in_trap(void)
{
    return sim->cur->trap;
}

uint32_t hal_restarts(unsigned hart)
{
    return ((struct hal_hart *)hal_hart(hart))->restarts;
}

/* ---- interrupts ------------------------------------------------------------------------------------------------- */

/* What the sender stored is visible to the handler. */
void hal_ipi_send(unsigned index)
{
    sim_point();
    struct sim_hart *from = sim->cur, *to = &sim->hart[index];
    mem_flush(from);
    race_join(&to->irq_clock, &from->clock);
    race_tick(from);
    to->pending |= IRQ_IPI;
    from->idle_loads = 0;
    sim_event("ipi to", index, 0, (uintptr_t)__builtin_return_address(0));
}

static void serve(struct sim_hart *h)
{
    uint32_t irqs = h->pending;
    h->pending = 0;
    h->idle_loads = 0;
    mem_now(h);
    race_join(&h->clock, &h->irq_clock);
    sim_event("interrupt", irqs, 0, 0);
    if (irqs & IRQ_IPI)
        hal_hooks.ipi();
    if ((irqs & IRQ_TIMER) && sim->time >= h->deadline) {
        h->deadline = UINT64_MAX;
        hal_hooks.timer();
    }
}

static void trap(void *hart, void *unused)
{
    struct sim_hart *h = hart;
    (void)unused;
    h->trap = true;
    do {
        serve(h);
        hal_hooks.trap_exit();
    } while (h->pending && sim_choose(2));
    h->trap = false;
    sim_resume_at(h->ctx->sp);
}

/* Returns when the interrupted context goes on, perhaps on another hart. */
void sim_take_interrupt(struct sim_hart *h)
{
    if (h->ctx == NULL)
        return;
    h->crit = true;
    h->traps++;
    sim_save_call(&h->ctx->sp, h->trap_hi, trap, h, NULL);
    sim->cur->crit = false;
}

void hal_irq_window(void)
{
    sim_point();
    struct sim_hart *h = sim->cur;
    sim_look_at_timer(h);
    if (!h->pending)
        return;
    if (h->trap) {
        serve(h);
    } else if (h->ctx) {
        sim_take_interrupt(h);
        sim->cur->crit = true;
    }
}

void hal_wait(void)
{
    sim_point();
    struct sim_hart *h = sim->cur;
    if (!h->pending && sim->time < h->deadline)
        sim_sleep(h);
    h->idle_loads = 0;
    sim_look_at_timer(h);
}

uint64_t hal_time_ns(void)
{
    sim_point();
    sim->cur->idle_loads++;
    return sim->time;
}

void hal_timer_set(uint64_t ns)
{
    sim->cur->deadline = ns;
}

/* ---- contexts --------------------------------------------------------------------------------------------------- */

void hal_ctx_init(struct hal_ctx *ctx, void *lo, void *hi, void (*entry)(void *), void *arg)
{
    (void)lo;
    ctx->hi = (uintptr_t)hi;
    ctx->sp = sim_first(ctx->hi, entry, arg);
}

void hal_ctx_fini(struct hal_ctx *ctx)
{
    (void)ctx;
}

/* Trap stack. */
static void switch_away(void *to, void *busy)
{
    if (busy)
        st_rel((uint32_t *)busy, 0);        /* partner: whoever reads 0 with acquire, then resumes or scans the context */
    sim->cur->ctx = to;
    sim_resume_at(((struct hal_ctx *)to)->sp);
}

void hal_switch(struct hal_ctx *from, struct hal_ctx *to, uint32_t *busy)
{
    sim_event("switch to", (uintptr_t)to, 0, (uintptr_t)__builtin_return_address(0));
    sim_save_call(&from->sp, sim->cur->trap_hi, switch_away, to, busy);
}

void hal_switch_trap(struct hal_ctx *from, struct hal_ctx *to, uint32_t *busy)
{
    if (!sim->cur->trap || sim->cur->ctx != from)
        sim_fail("hal_switch_trap from a context that was not interrupted");
    sim_event("switch to", (uintptr_t)to, 0, (uintptr_t)__builtin_return_address(0));
    sim->cur->ctx = to;
    if (busy)
        st_rel(busy, 0);                    /* partner: as above */
}

void hal_ctx_roots(const struct hal_ctx *ctx, struct hal_roots *r)
{
    *r = (struct hal_roots){.sp = ctx->sp};
}

void hal_ctx_dump(const struct hal_ctx *ctx, uintptr_t stack_hi, void (*out)(const char *line))
{
    (void)ctx, (void)stack_hi;
    out("(the schedule's end says more)\n");
}

/* ---- devices ---------------------------------------------------------------------------------------------------- */

void hal_console_write(const char *s, size_t n)
{
    for (size_t i = 0; i < n && sim->out_len < sizeof sim->out - 1; i++)
        sim->out[sim->out_len++] = s[i];
}

const char *sim_console(void)
{
    sim->out[sim->out_len] = 0;
    return sim->out;
}

int hal_console_getc(void)
{
    return -1;
}

void hal_memory(uintptr_t *lo, uintptr_t *hi)
{
    *lo = sim->mem_lo;
    *hi = sim->mem_hi;
}

/* ---- a schedule ------------------------------------------------------------------------------------------------- */

static _Noreturn void end(int status)
{
    sim->result->status = status;
    sim->stopped = true;
    sim_resume_at(sim->driver);
}

_Noreturn void hal_exit(int status)
{
    if (status != 0 && !sim->result->failed) {
        const char *out = sim_console(), *text = strstr(out, "panic: ");
        sim->result->failed = true;
        snprintf(sim->result->why, sizeof sim->result->why, "status %d: %.400s", status, text ? text : out);
    }
    end(status);
}

_Noreturn void sim_fail(const char *fmt, ...)
{
    va_list ap;
    sim->stopped = true;                    /* what follows is no part of it */
    va_start(ap, fmt);
    vsnprintf(sim->result->why, sizeof sim->result->why, fmt, ap);
    va_end(ap);
    sim->result->failed = true;
    end(3);
}

void sim_figure(unsigned i, uint64_t value)
{
    sim->result->figure[i] = value;
}

void *sim_truth(void)
{
    return sim->truth;
}

static void hart_begins(void *hart)
{
    struct sim_hart *h = hart;
    if (h->index == 0) {
        hal_hooks.start();
        for (unsigned i = 1; i < sim->cfg.harts; i++) {
            sim->hart[i].clock = h->clock;
            sim->hart[i].clock.at[i]++;
            sim->hart[i].sleeping = false;
        }
        mem_flush(h);
        race_tick(h);
    }
    hal_hooks.start_hart();
    sim_fail("start_hart returned");
}

static void begin(void *unused, void *unused2)
{
    (void)unused, (void)unused2;
    sim->cur = &sim->hart[0];
    sim_resume_at(sim->cur->fiber);
}

static void reset_hart(unsigned i)
{
    struct sim_hart *h = &sim->hart[i];
    memset(h, 0, sizeof *h);
    h->index = i;
    h->crit = true;
    h->sleeping = i > 0;                    /* till hart 0 has started the machine */
    h->deadline = UINT64_MAX;
    h->boot_hi = STACKS_AT + (2 * i + 1) * TRAP_STACK;
    h->trap_hi = STACKS_AT + (2 * i + 2) * TRAP_STACK;
    h->fiber = sim_first(h->boot_hi, hart_begins, h);
}

void sim_run(const struct sim_config *config, struct sim_result *result)
{
    memset(&sim->own_result, 0, sizeof sim->own_result);
    memcpy((void *)sim->data_lo, sim->snapshot, sim->data_hi - sim->data_lo);
    memset((void *)sim->mem_lo, 0, sim->mem_hi - sim->mem_lo);
    memset(sim->truth, 0, sizeof sim->truth);
    sim->cfg = *config;
    sim->result = &sim->own_result;
    sim->time = sim->nevents = sim->out_len = 0;
    sim->writes = 0;
    sim->stopped = false;
    for (unsigned i = 0; i < SIM_HARTS; i++)
        reset_hart(i);
    race_start();
    sim_sched_init();
    sim_save_call(&sim->driver, sim->hart[0].trap_hi, begin, NULL, NULL);
    *result = sim->own_result;
}

static void map(uintptr_t at, size_t bytes)
{
    void *p = mmap((void *)at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
                   -1, 0);
    if (p != (void *)at) {
        perror("sim: no memory at the address that schedules want");
        exit(2);
    }
}

void sim_init(void)
{
    map((uintptr_t)sim, sizeof *sim);
    map(MEMORY_AT, MEMORY);
    map(STACKS_AT, 2 * SIM_HARTS * TRAP_STACK);
    sim->mem_lo = MEMORY_AT;
    sim->mem_hi = MEMORY_AT + MEMORY;
    sim->data_lo = (uintptr_t)__data_start;
    sim->data_hi = (uintptr_t)_end;
    sim->snapshot = malloc(sim->data_hi - sim->data_lo);
    race_init();
    sim->stopped = true;
    memcpy(sim->snapshot, (void *)sim->data_lo, sim->data_hi - sim->data_lo);
}
