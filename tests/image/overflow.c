/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 60 */
/* match: task touch ended on hart \d+: stack overflow */
/* match: task deep ended on hart \d+: stack overflow */
/* match: task smash ended on hart \d+: stack overflow */
/* match: task wide ended on hart \d+: stack overflow */
/* A stack overflow is named as one, ends its task, and touches nothing beyond its stack. */
#include <string.h>

#include "deep.h"
#include "kernel/task.h"
#include "tap.h"

/* Steps over the guard with one frame. */
static void wide(void *arg)
{
    (void)arg;
    __asm__ volatile("mv sp, %0\n1: j 1b" : : "r"((char *)__builtin_frame_address(0) - 32768));
}

/* Overwrites its canary alone: no guard notices, the next switch or trap does. */
static void smash(void *arg)
{
    (void)arg;
    uintptr_t *low = (uintptr_t *)hk_task_self()->stack_lo;
    low[0] = 0;
    hk_sleep(1000000);
    hk_printf("not reached\n");
}

static void smash_and_spin(void *arg)
{
    (void)arg;
    struct task *self = hk_task_self();
    *(uintptr_t *)self->stack_lo = 0;
    for (;;)
        ;
}

/* One word below the stack: the guard of this task, not of one that ran before, must be there. */
static void touch(void *arg)
{
    (void)arg;
    *(volatile uintptr_t *)(hk_task_self()->stack_lo - sizeof(uintptr_t)) = 0;
}

static void nothing(void *arg)
{
    (void)arg;
}

static void ends(const char *name, void (*fn)(void *), const char *text)
{
    struct hk_task_config config = { .name = name, .hart_plus_1 = 1 };
    struct task *t;
    hk_task_create(&t, &config, fn, NULL);
    while (ld_rlx(&t->state) != TASK_DEAD) {
        hal_ipi_send(0);    /* traps, for one that spins there */
        hk_sleep(1000000);
    }
    is(hk_task_join(t, NULL), HK_EFAULT, text);
}

int app_main(void)
{
    size_t before = hk_mem_largest();
    unsigned char *neighbour = hk_mem_alloc(4096 * 4);
    memset(neighbour, 0x77, 4096 * 4);
    ends("touch", touch, "a task that writes just below its stack is ended");
    ends("deep", deep, "a recursion without end is ended");
    ends("smash", smash, "so is one whose canary is gone, when it leaves its hart");
    ends("smash", smash_and_spin, "and at a trap");
    ends("wide", wide, "and one whose stack pointer is outside");
    unsigned touched = 0;
    for (int i = 0; i < 4096 * 4; i++)
        touched += neighbour[i] != 0x77;
    is(touched, 0, "nothing else was touched");
    hk_mem_free(neighbour, 4096 * 4);
    ok(hk_mem_largest() + 64 * 4096 >= before, "the memory comes back");
    struct task *t;
    is(hk_task_create(&t, NULL, nothing, NULL), HK_OK, "and can be used again");
    is(hk_task_join(t, NULL), HK_OK, "as a stack");
    return tap_end();
}
