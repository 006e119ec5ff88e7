/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter as a program of the host (hal/host): lua.c's main in a task, with the words that the process was called with.
 * Stands for main.c, hgc.c and repl.c, which are for newlib and a machine's console.
 *
 * The host's C library knows threads, not tasks: it keeps things for each thread, malloc's caches and errno among them, and takes
 * locks by thread.  A hart is a thread, so Lua's task stays on one hart, and no other task calls the library (hal/host does
 * where nothing can be interrupted).  Other harts mark and sweep meanwhile.
 */
#include "ports/lua/host.h"

#undef exit
#undef realloc
#undef free

#include <malloc.h>
#include <string.h>

#include "gc/hgc.h"
#include "hal/host/host.h"
#include "kernel/hk.h"
#include "ports/lua/port.h"

/* STACK: as in main.c, where frames have a sanitizer's red zones.  DIED: as a panic. */
enum { STACK = 4 << 20, FOR_TASKS = 2 * STACK, ON_HART = 0, DIED = 3 };

/* ---- memory: seven eighths of the machine's for the heap, the rest is what Lua may have from malloc ---------------- */

static size_t bound, in_use;            /* in_use: Lua's task */

bool port_memory(void)
{
    size_t size = hk_mem_largest();
    if (size <= 2 * FOR_TASKS)
        return false;
    bound = (size - FOR_TASKS) / 8;
    size_t arena = size - FOR_TASKS - bound;
    struct hgc_config config = { .base = hk_mem_alloc(arena), .size = arena, .min_trigger = 512 * 1024 };
    return hgc_init(&config) == HGC_OK;
}

void *port_realloc(void *block, size_t size)
{
    size_t had = malloc_usable_size(block);
    if (size > bound || in_use - had > bound - size)
        return NULL;
    void *p = realloc(block, size);
    if (p)
        in_use = in_use - had + malloc_usable_size(p);
    return p;
}

void port_free(void *block)
{
    in_use -= malloc_usable_size(block);
    free(block);
}

/* ---- the process -------------------------------------------------------------------------------------------------- */

/* What is written and not flushed is flushed on the way out. */
_Noreturn void port_exit(int status)
{
    hk_exit(status & 255);
}

bool port_tmpname(char name[LUA_TMPNAMBUFSIZE])
{
    static const char pattern[] = P_tmpdir "/lua_XXXXXX";       /* <stdio.h> has the folder, mkstemp fills in the Xs */
    _Static_assert(sizeof pattern <= LUA_TMPNAMBUFSIZE, "the folder's name is too long");
    memcpy(name, pattern, sizeof pattern);
    int fd = mkstemp(name);
    return fd >= 0 && close(fd) == 0;
}

void port_task(void)
{
    hgc_stacks_only(true);
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);      /* lines of the kernel's come between, as on a console */
}

static void run(void *unused)
{
    (void)unused;
    port_task();
    port_exit(lua_main(hal_host_argc, hal_host_argv));
}

int app_main(void)
{
    static char name[] = "lua";
    struct hk_task_config config = { .name = name, .stack_size = STACK, .hart_plus_1 = ON_HART + 1 };
    struct task *lua;

    hal_host_argv[0] = name;
    if (!port_memory() || hk_task_create(&lua, &config, run, NULL) != HK_OK) {
        hk_printf("lua: too little memory\n");
        return EXIT_FAILURE;
    }
    (void)hk_task_join(lua, NULL);
    return DIED;
}
