/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes that an embedder may change on the command line (-DHK_...). */
#ifndef KERNEL_CONFIG_H
#define KERNEL_CONFIG_H

#ifndef HK_MAX_HARTS
#define HK_MAX_HARTS 64
#endif
#ifndef HK_MAX_TASKS
#define HK_MAX_TASKS 1024       /* entries of the task table; a pointer each */
#endif
#ifndef HK_STACK_SIZE
#define HK_STACK_SIZE 16384     /* usable bytes of a task's stack when its creator names none */
#endif
#ifndef HK_MAIN_STACK_SIZE
#define HK_MAIN_STACK_SIZE 65536        /* the task "main", which runs app_main */
#endif
#ifndef HK_IDLE_STACK_SIZE
#define HK_IDLE_STACK_SIZE 4096         /* one a hart */
#endif
#ifndef HK_STACKS_KEPT
#define HK_STACKS_KEPT 16       /* stacks of ended tasks that are kept for new ones */
#endif
#ifndef HK_PRINT_MAX
#define HK_PRINT_MAX 256        /* hk_printf formats on the caller's stack */
#endif
#ifndef HK_TICK_NS
#define HK_TICK_NS 1000000      /* a task's slice when others want its hart */
#endif
#ifndef HK_WATCHDOG_NS
#define HK_WATCHDOG_NS 10000000000ull  /* a hart that does not acknowledge a stop for so long is reported */
#endif

/* Where the collector's part of struct hart begins, and how much it may hold.  Inline allocation reaches it as a
 * constant offset from the hart register. */
#define HART_GC_OFFSET 1024
#ifndef HART_GC_SIZE
#define HART_GC_SIZE (20 * 1024)
#endif

#if HK_MAX_HARTS < 1 || HK_MAX_HARTS > 64
#error "HK_MAX_HARTS must be 1 to 64"
#endif

#endif
