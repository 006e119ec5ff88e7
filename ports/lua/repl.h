/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lua.c is told of the console, by macros that it asks for (lua_readline and its kin) and one that it does not
 * know of: `signal`, so that ^C interrupts a script. The Makefile includes this before lua.c.
 */
#ifndef REPL_H
#define REPL_H

#include <signal.h>
#include <stdio.h>

struct lua_State;

/* Says hello: the global `help`. */
void repl_begin(struct lua_State *L);
/* A line for the statement that the state's stack has so far, without its end; NULL: no more of it (^D, or ^C in the
 * middle of a statement). ^C at the start of a statement begins another line. The line is good until the next call. */
char *repl_line(struct lua_State *L, const char *prompt);
/* As signal(SIGINT, handler): from now on ^C calls the handler, with every task stopped where it is; SIG_DFL: ^C is
 * read. The handler may say SIG_DFL itself, and then another ^C ends the machine, with status 130. */
void repl_signal(int number, void (*handler)(int));

#define lua_initreadline(L) repl_begin(L)
#define lua_readline(L, b, p) (((b) = repl_line(L, p)) != NULL)
#define lua_saveline(L, line) ((void)(L), (void)(line))
#define lua_freeline(L, b) ((void)(L), (void)(b))
#define signal(number, handler) repl_signal(number, handler)

#endif
