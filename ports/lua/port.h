/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this port share, beside Lua's own headers. */
#ifndef PORT_H
#define PORT_H

/* lua.c's main, by another name: it runs in a task of ours. */
int lua_main(int argc, char **argv);

/* Gives Lua its memory, before there is a state: stock.c or hgc.c, as the image is built.  False: there is too little, and
 * the console says so.  Task, once. */
bool port_memory(void);

/* In the task that runs Lua, first: it holds no references but Lua's. */
void port_task(void);

#endif
