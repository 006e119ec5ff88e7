/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this port share, beside Lua's own headers. */
#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stddef.h>

/* lua.c's main, by another name: it runs in a task of ours. */
int lua_main(int argc, char **argv);

/* Gives Lua its memory, before there is a state: stock.c or hgc.c, as the image is built.  False: there is too little.
 * Task, once. */
bool port_memory(void);
/* 1 + the hart that the interpreter's task is kept on; 0: any. main.c's own is 0, measure.c's is another. */
extern int port_hart_plus_1;

/* In the task that runs Lua, first: it holds no references but Lua's. */
void port_task(void);

#endif
