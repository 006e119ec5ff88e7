/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running one schedule.  For the program that drives the simulator (tests/sim).
 *
 * A schedule is a function of its configuration alone: the same one gives the same decisions, the same memory, the same end.
 * Everything static in the program is put back before each, so what the driver keeps lies on its stack.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_strategy { SIM_RANDOM, SIM_PCT, SIM_ROUND_ROBIN, SIM_STRATEGIES };

struct sim_config {
    uint64_t seed;
    enum sim_strategy strategy;
    unsigned harts;             /* 1 to 4 */
    bool weak;                  /* stores late and out of order, loads early: memory.c */
    bool race;                  /* the race detector: race.c */
    uint64_t steps_max;         /* more is a failure: no progress */
    void (*stored)(uintptr_t p);        /* called at each atomic store outside of critical sections and restartable
                                           sequences; may be NULL */
    void (*all_asleep)(void);   /* called when every hart sleeps and all that was stored is visible; may be NULL */
};

enum { SIM_FIGURES = 4 };

struct sim_result {
    bool failed;
    char why[512];              /* of a failure; the first lines of what the machine printed */
    int status;                 /* what the machine ended with */
    uint64_t steps;             /* points */
    uint64_t decisions;         /* points at which more than one hart could go on */
    uint64_t hash;              /* of all choices */
    uint64_t figure[SIM_FIGURES];       /* the workload's */
};

/* Once, first. */
void sim_init(void);
void sim_run(const struct sim_config *config, struct sim_result *result);
/* Prints the last `n` events of the schedule that has just run, one a line: step, hart, what, address, value, pc. */
void sim_print(unsigned n);

/* What it wrote to its console. */
const char *sim_console(void);

/* For workloads, from any task. */
/* A decision of the schedule: 0 .. n - 1. */
unsigned sim_choose(unsigned n);
/* All other harts sleep, and no interrupt is on its way to any hart, this one included: nothing happens but what this hart does, until
 * a timer is due. */
bool sim_alone(void);
/* No other hart is in a critical section or a handler, and no interrupt is on its way to this one: what a hart has begun to do there for
 * this one has been done. */
bool sim_settled(void);
/* For the result. */
void sim_figure(unsigned i, uint64_t value);
/* Ends the schedule: something is wrong. */
__attribute__((noreturn)) void sim_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Memory that lives for the schedule, zero at its start, and that neither the simulator nor the race detector looks at: for
 * what a workload knows about the truth.  Its accesses are no points where harts change. */
void *sim_truth(void);
enum { SIM_TRUTH_BYTES = 64 * 1024 };

#endif
