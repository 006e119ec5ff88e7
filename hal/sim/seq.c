/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The restartable sequences: a point before each instruction that touches memory.  An interrupt at one of them takes the
 * task back to the start, on whatever hart it is then, before anything of the sequence has had an effect.
 */
#include "hal_seq.h"
#include "sim_internal.h"

#define PC ((uintptr_t)__builtin_return_address(0))

struct place {
    struct sim_hart *hart;
    uint64_t traps;
};

static struct place begin(void)
{
    sim_point();
    return (struct place){sim->cur, sim->cur->traps};
}

/* A point inside.  True: interrupted. */
static bool rewound(const struct place *at)
{
    sim_point();
    if (sim->cur == at->hart && sim->cur->traps == at->traps)
        return false;
    ((struct hal_hart *)hal_hart(sim->cur->index))->restarts++;
    sim_event("rewind", 0, 0, PC);
    return true;
}

void *hal_seq_try_new(size_t off, size_t cell)
{
    for (;;) {
        struct place at = begin();
        uintptr_t run = (uintptr_t)hal_hart(at.hart->index) + off;
        uintptr_t p = mem_load(run, sizeof p, SIM_RLX, PC);
        if (rewound(&at))
            continue;
        if (p + cell > mem_load(run + sizeof p, sizeof p, SIM_RLX, PC))
            return NULL;
        if (rewound(&at))
            continue;
        mem_store(run, sizeof p, p + cell, SIM_RLX, PC);
        return (void *)p;
    }
}

int hal_seq_try_set(const uint32_t *phase, void **slot, void *value)
{
    for (;;) {
        struct place at = begin();
        if (mem_load((uintptr_t)phase, sizeof *phase, SIM_RLX, PC) != 0)
            return 0;
        if (rewound(&at))
            continue;
        mem_store((uintptr_t)slot, sizeof *slot, (uintptr_t)value, SIM_RLX, PC);
        return 1;
    }
}
