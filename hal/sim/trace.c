/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has happened: a ring of events, printed after a failure.  It is kept in each run.  Events are recorded on the stacks of the
 * tasks, and what a call leaves there a collector may come across: a run that records is another one than a run that does not.
 */
#include <stdio.h>

#include "sim_internal.h"

void sim_event(const char *what, uintptr_t addr, uint64_t value, uintptr_t pc)
{
    struct sim_event *e = &sim->events[sim->nevents++ % SIM_EVENTS];
    *e = (struct sim_event){(uint32_t)sim->result->steps, (uint8_t)sim->cur->index, what, addr, value, pc};
}

void sim_print(unsigned n)
{
    uint64_t i = sim->nevents > n ? sim->nevents - n : 0;
    if (sim->nevents > SIM_EVENTS && i < sim->nevents - SIM_EVENTS)
        i = sim->nevents - SIM_EVENTS;
    for (; i < sim->nevents; i++) {
        const struct sim_event *e = &sim->events[i % SIM_EVENTS];
        printf("%8u %*shart %u: %-9s %#lx = %#lx at pc %#lx\n", e->step, 4 * e->hart, "", e->hart, e->what,
               (unsigned long)e->addr, (unsigned long)e->value, (unsigned long)e->pc);
    }
}
