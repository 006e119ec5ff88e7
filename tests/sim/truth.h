/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a workload knows about the heap, kept beside it: which object lies where, what it refers to, and who holds it.
 *
 * Each slot, root and local has one task that writes it.  While it does, the slot is `open`: what it holds is one of two
 * things, so neither counts as held for sure.  An object that can be reached without open slots must exist: whoever gets
 * its memory for a new object, or finds it gone or changed, has shown a defect.
 */
#ifndef TRUTH_H
#define TRUTH_H

#include <stdint.h>

enum { NODES = 512, SLOTS = 3, ROOTS = 12, ENDS = 8, TASKS = 8, LOCALS = 4 };

/* A holder of a reference: a slot of a node, a root, a local of a task. */
int *truth_slot(unsigned node, unsigned slot);
int *truth_root(unsigned root);        /* ROOTS + i: a word that holds the end of an object */
int *truth_local(unsigned task, unsigned local);

void truth_start(void);
/* A new object at [at, at + size); its number. */
unsigned truth_new(uintptr_t at, unsigned size, unsigned owner);
unsigned truth_owner(unsigned node);
uintptr_t truth_address(unsigned node);
unsigned truth_count(void);
/* The store that makes `holder` refer to `node` (-1: none) begins; has been done. */
void truth_open(int *holder);
void truth_set(int *holder, int node);
/* It is held otherwise, once more or less: by what passes it on, for example. */
void truth_hold(unsigned node);
void truth_drop(unsigned node);
/* A word of the workload's own for each object; 0 at first. */
unsigned *truth_note(unsigned node);
int truth_refers(unsigned node, unsigned to);   /* by a slot */
/* Must it be there? */
int truth_reachable(unsigned node);

#endif
