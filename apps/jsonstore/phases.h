/* SPDX-License-Identifier: Apache-2.0 */
/* The phases of the program, in the order in which app_main runs them.  Each returns 0, or -1 when it has reported what
 * went wrong.  Task. */
#ifndef JSONSTORE_PHASES_H
#define JSONSTORE_PHASES_H

#include <stdint.h>

/* check.c: every text of the corpus that is no JSON is refused, with the right error at the right place. */
int check_refused(void);
/* load.c: all tasks parse the corpus into the store. */
int load(void);
/* run.c: all tasks edit, look up and print the documents until each has reached its last version. */
int run(void);
/* check.c: each document's last version, and the indices, are what Python says.  Prints the total digest. */
int check_store(void);
/* report.c: what the collector did meanwhile, and what each hart did while marking was on.  -1: a column is all zero. */
int report(void);

/* check.c: how many versions a document gets. */
uint32_t expected_versions(uint32_t ordinal);

/* Samples whether the collector marks, from an interrupt, while the run goes on; sample_stop prints the result. */
void sample_start(void);
void sample_stop(void);
uint32_t sample_count(void);

#endif
