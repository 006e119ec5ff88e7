/* SPDX-License-Identifier: Apache-2.0 */
/* The whole program as the one process that newlib knows: number 1. */
#include "libc/libc_internal.h"

#include <errno.h>
#include <signal.h>

enum { SELF = 1 };

void _exit(int status);
int _getpid(void);
int _kill(int pid, int number);

/* Status 0 to 255 reaches the host. */
void _exit(int status)
{
    hk_exit(status & 255);
}

int _getpid(void)
{
    return SELF;
}

/* newlib's raise comes here with a signal that nobody handles.  abort is a panic, so that there is a report. */
int _kill(int pid, int number)
{
    if (pid != SELF || number < 0 || number >= NSIG) {
        errno = pid != SELF ? ESRCH : EINVAL;
        return -1;
    }
    if (number == 0)
        return 0;
    if (number == SIGABRT)
        hk_panic("abort");
    hk_printf("libc: ended by signal %d\n", number);
    hk_exit(128 + number);
}
