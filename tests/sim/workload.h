/* SPDX-License-Identifier: Apache-2.0 */
/* What the workloads share.  Each is a program that returns 0, or ends the schedule with sim_fail. */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stddef.h>

int assists(void);
int bound(void);
int graph(void);
int special(void);
int sync_scenes(void);
int handover(void);
int full(void);
int store(void);
int isr(void);
int shapes(void);
int leaks(void);
int leave(void);
int ranges(void);
int quarter(void);
int lua_states(void);
int web(void);
int steps(void);
int roles(void);
int runtime(void);
int kept(void);
int timed(void);
int promotes(void);

/* Starts the collector on so many bytes, with settings of the schedule's choice. */
void workload_heap(size_t bytes);
/* In one of so many schedules each cycle stops the world; workload_heap: 8. */
void workload_heap_stopped(size_t bytes, unsigned stopped_in);
/* Gives harts roles of the schedule's choice. */
struct hgc_config;
void workload_roles(struct hgc_config *config);
/* In every second schedule the number of a cycle wraps, in one of the first; right after hgc_init. */
void workload_cycle_wraps(unsigned first);

/* A mark in which a task shades beside the others, by reading a weak reference to what nothing else leads to.  One at a time.
 * In two parts: an object is laid aside; when a mark has begun it is found, and kept. */
void workload_shades(void);
void workload_lay(void);
void workload_find(void);

/* Runs fn in a task of each hart's own, one after another; its argument is the hart's number. */
void workload_on_each_hart(void (*fn)(void *hart));

/* A task that leaves its hart no rest until the word at `over`, a uint32_t, is set.  Each turn is a step of the schedule. */
void workload_busy(void *over);

/* Clears what earlier calls have left below this frame: a dead word there would keep an object. */
void workload_forget(void);

#endif
