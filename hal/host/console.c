/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console is standard input and output, polled; there are no other devices.  And the end of the machine.
 *
 * The C library keeps things in thread-local variables: it is only called where the task cannot go to another thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hal_internal.h"

void hal_console_write(const char *s, size_t n)
{
    hal_crit_t c = hal_crit_enter();
    while (n > 0) {
        ssize_t done = write(STDOUT_FILENO, s, n);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            break;                      /* nobody reads any more */
        if (done > 0) {
            s += done;
            n -= (size_t)done;
        }
    }
    hal_crit_exit(c);
}

int hal_console_getc(void)
{
    hal_crit_t c = hal_crit_enter();
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    unsigned char byte;
    bool got = poll(&in, 1, 0) == 1 && (in.revents & POLLIN) && read(STDIN_FILENO, &byte, 1) == 1;
    hal_crit_exit(c);
    return got ? byte : -1;
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

static uint32_t exiting;        /* atomic: exit() may be called once */

static HAL_NO_TRACE void exit_on_trap_stack(void *status, void *unused)
{
    (void)unused;
    hal_san_trap(hal_me());
    exit((int)(uintptr_t)status);
}

/* What exit() calls may want more stack than a task has. */
_Noreturn void hal_exit(int status)
{
    static struct hal_ctx left;
    (void)hal_crit_enter();
    struct hal_hart *me = hal_me();
    while (amo_swap_ar(&exiting, 1))
        pause();
    if (me && me->ctx && !hal_in_trap())
        hal_ctx_save(&left, me->trap_hi, exit_on_trap_stack, (void *)(uintptr_t)status, NULL);
    exit(status);
}

_Noreturn void hal_die(const char *why)
{
    hal_console_write("hal: ", 5);
    hal_console_write(why, strlen(why));
    hal_console_write("\n", 1);
    hal_exit(255);
}
