/* SPDX-License-Identifier: Apache-2.0 */
/* From a process to harts. */
#define _GNU_SOURCE
#include "host.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hal_internal.h"

/* Handlers print reports there, and sanitizers theirs. */
enum { TRAP_STACK = 256 * 1024, PAGE = 4096 };

HAL_TLS struct hart *hal_tls_hart;
HAL_TLS uint32_t hal_tls_crit, hal_tls_pending, hal_tls_trap;

unsigned hal_harts;
static uintptr_t memory_lo, memory_hi;
static pthread_barrier_t boot;      /* no hart runs the kernel before all can be interrupted */

unsigned hal_hart_count(void)
{
    return hal_harts;
}

void hal_hart_limit(unsigned n)
{
    hal_harts = n;
}

static const char *args = "";

void hal_host_args(const char *text)
{
    args = text;
}

const char *hal_boot_args(void)
{
    return args;
}

struct hart *hal_hart(unsigned index)
{
    return (struct hart *)(void *)(hal_hart_area + index * hal_hart_stride);
}

void hal_memory(uintptr_t *lo, uintptr_t *hi)
{
    *lo = memory_lo;
    *hi = memory_hi;
}

static void *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        hal_die("the operating system has no memory for the machine");
    return p;
}

/* Signals use the trap stack, and so do switches. */
static void trap_stack_init(struct hal_hart *me)
{
    char *p = map(PAGE + TRAP_STACK);
    mprotect(p, PAGE, PROT_NONE);
    me->trap_lo = (uintptr_t)p + PAGE;
    me->trap_hi = me->trap_lo + TRAP_STACK;
    stack_t stack = { .ss_sp = (void *)me->trap_lo, .ss_size = TRAP_STACK };
    if (sigaltstack(&stack, NULL) != 0)
        hal_die("sigaltstack");
}

static void hart_init(unsigned index, int crit)
{
    struct hal_hart *me = hal_of(index);
    me->pending = &hal_tls_pending;
    me->tid = gettid();
    hal_tls_set(hal_tls_crit, crit);
    hal_san_init_hart(me);
    trap_stack_init(me);
    hal_timer_init_hart(me);
    hal_tls_hart = hal_hart(index);     /* from here on a signal finds a hart */
}

static void *other_hart(void *index)
{
    hart_init((unsigned)(uintptr_t)index, 1);
    pthread_barrier_wait(&boot);
    hal_hooks.start_hart();
    hal_die("start_hart returned");
}

void hal_host_init(unsigned harts, size_t bytes, int crit)
{
    hal_harts = harts;
    bytes = (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
    memory_lo = (uintptr_t)map(bytes);
    memory_hi = memory_lo + bytes;
    hal_timer_init();
    hal_restart_init();
    hal_guard_init();
    hal_trap_init();
    hart_init(0, crit);
}

_Noreturn void hal_host_start(void)
{
    hal_hooks.start();
    pthread_barrier_init(&boot, NULL, hal_harts);
    for (uintptr_t i = 1; i < hal_harts; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, other_hart, (void *)i) != 0)
            hal_die("the operating system has no thread for a hart");
    }
    pthread_barrier_wait(&boot);
    hal_hooks.start_hart();
    hal_die("start_hart returned");
}
