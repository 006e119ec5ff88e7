/* SPDX-License-Identifier: Apache-2.0 */
/* For programs with a main() of their own, as unit tests; other programs get the one in main.c. */
#ifndef HAL_HOST_H
#define HAL_HOST_H

#include <stddef.h>

/* Once.  The calling thread is hart 0 then, in a critical section if `crit`; there is memory, and no other hart yet.
 * Until the first switch to a context there are no interrupts. */
void hal_host_init(unsigned harts, size_t bytes, int crit);
/* What hal_boot_args says from now on, kept by pointer; it is "" otherwise. */
void hal_host_args(const char *text);
/* Goes through the kernel's hooks as a machine that starts.  After hal_host_init with crit. */
_Noreturn void hal_host_start(void);

/* The words that the process was called with, where main.c has its main: constant from the start on.  They are the program's
 * own; settings come in the environment. */
extern int hal_host_argc;
extern char **hal_host_argv;

#endif
