/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter as a program: lua.c's main in a task of its own, with the arguments that lua has.  Its result is the
 * machine's exit status.
 *
 * The stack is for what Lua allows itself: 200 calls of C functions in each other (LUAI_MAXCCALLS), which have taken
 * 450 KB where each of them is a string.gsub with its buffer.
 */
#include <stdlib.h>

#include "kernel/hk.h"
#include "libc/libc.h"
#include "ports/lua/port.h"

enum { STACK = 1 << 20, DIED = 3 };    /* DIED: as a panic */

/* No constant: the compiler would put its value in where it is used. */
int port_hart_plus_1 __attribute__((weak));

struct arguments { int argc; char **argv; };

static void run(void *arg)
{
    struct arguments *a = arg;
    port_task();
    exit(lua_main(a->argc, a->argv));
}

int main(int argc, char **argv)
{
    static char name[] = "lua";
    static struct arguments arguments;
    struct hk_task_config config = { .name = name, .stack_size = STACK, .hart_plus_1 = port_hart_plus_1 };
    struct task *lua;

    argv[0] = name;
    arguments = (struct arguments){ argc, argv };
    if (hk_task_create(&lua, &config, run, &arguments)) {
        hk_printf("lua: no memory for a stack\n");
        return EXIT_FAILURE;
    }
    (void)hk_task_join(lua, NULL);
    return DIED;
}

int app_main(void)
{
    if (!port_memory()) {
        hk_printf("lua: too little memory\n");
        return EXIT_FAILURE;
    }
    return libc_run_main();
}
