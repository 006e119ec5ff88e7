/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library of the host for Lua's files, which are compiled as they are: the Makefile includes this before each.
 *
 * os.exit ends the machine, not only the thread that called it.  What Lua allocates itself has a bound, as on a machine.  And what
 * ISO C has no good answer for: temporary names, and whether anybody types.
 */
#ifndef LUA_HOST_H
#define LUA_HOST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LUA_TMPNAMBUFSIZE 64

/* As exit. */
_Noreturn void port_exit(int status);
/* As realloc and free, but the bytes in use stay below what port_memory has put aside: then NULL, and `block` is as it was. */
void *port_realloc(void *block, size_t size);
void port_free(void *block);
/* Makes an empty file with a new name, which it writes to `name`.  False: it could not. */
bool port_tmpname(char name[LUA_TMPNAMBUFSIZE]);

#define exit(status)         port_exit(status)
#define realloc(block, size) port_realloc(block, size)
#define free(block)          port_free(block)
#define lua_tmpnam(name, failed) ((failed) = !port_tmpname(name))
#define lua_stdin_is_tty()   isatty(STDIN_FILENO)

#endif
