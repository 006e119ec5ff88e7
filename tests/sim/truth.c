/* SPDX-License-Identifier: Apache-2.0 */
#include "truth.h"

#include <string.h>

#include "sim.h"

enum { NOTHING = -1, OPEN = -2 };

struct truth {
    struct {
        uintptr_t at;
        unsigned size, owner, note;
        int holds;
        int slot[SLOTS];
    } node[NODES];
    unsigned nodes;
    int root[ROOTS + ENDS], local[TASKS][LOCALS];
    unsigned char seen[NODES];
    unsigned short stack[NODES];
};
_Static_assert(sizeof(struct truth) <= SIM_TRUTH_BYTES, "sim_truth has too little memory");

static struct truth *truth(void)
{
    return sim_truth();
}

void truth_start(void)
{
    struct truth *t = truth();
    memset(t->root, 0xff, sizeof t->root);
    memset(t->local, 0xff, sizeof t->local);
}

int *truth_slot(unsigned node, unsigned slot) { return &truth()->node[node].slot[slot]; }
int *truth_root(unsigned root) { return &truth()->root[root]; }
int *truth_local(unsigned task, unsigned local) { return &truth()->local[task][local]; }
unsigned truth_owner(unsigned node) { return truth()->node[node].owner; }
uintptr_t truth_address(unsigned node) { return truth()->node[node].at; }
unsigned truth_count(void) { return truth()->nodes; }
void truth_open(int *holder) { *holder = OPEN; }
void truth_set(int *holder, int node) { *holder = node; }
void truth_hold(unsigned node) { truth()->node[node].holds++; }
void truth_drop(unsigned node) { truth()->node[node].holds--; }

unsigned *truth_note(unsigned node) { return &truth()->node[node].note; }

int truth_refers(unsigned node, unsigned to)
{
    for (unsigned k = 0; k < SLOTS; k++)
        if (truth()->node[node].slot[k] == (int)to)
            return 1;
    return 0;
}

static void reach(struct truth *t, unsigned *n, int node)
{
    if (node >= 0 && !t->seen[node]) {
        t->seen[node] = 1;
        t->stack[(*n)++] = (unsigned short)node;
    }
}

static void reach_all(struct truth *t)
{
    unsigned n = 0;
    memset(t->seen, 0, sizeof t->seen);
    for (unsigned i = 0; i < ROOTS + ENDS; i++)
        reach(t, &n, t->root[i]);
    for (unsigned i = 0; i < TASKS; i++)
        for (unsigned k = 0; k < LOCALS; k++)
            reach(t, &n, t->local[i][k]);
    for (unsigned i = 0; i < t->nodes; i++)
        if (t->node[i].holds > 0)
            reach(t, &n, (int)i);
    while (n > 0) {
        unsigned node = t->stack[--n];
        for (unsigned k = 0; k < SLOTS; k++)
            reach(t, &n, t->node[node].slot[k]);
    }
}

int truth_reachable(unsigned node)
{
    reach_all(truth());
    return truth()->seen[node];
}

unsigned truth_new(uintptr_t at, unsigned size, unsigned owner)
{
    struct truth *t = truth();
    if (t->nodes == NODES)
        sim_fail("the workload made more objects than it can count");
    reach_all(t);
    for (unsigned i = 0; i < t->nodes; i++)
        if (at < t->node[i].at + t->node[i].size && t->node[i].at < at + size) {
            if (t->seen[i])
                sim_fail("I5, I10: object %u at %#lx, %u bytes, is reachable, and its memory was handed out again at %#lx", i,
                         (unsigned long)t->node[i].at, t->node[i].size, (unsigned long)at);
            t->node[i].size = 0;                /* gone */
        }
    t->node[t->nodes].at = at;
    t->node[t->nodes].size = size;
    t->node[t->nodes].owner = owner;
    for (unsigned k = 0; k < SLOTS; k++)
        t->node[t->nodes].slot[k] = NOTHING;
    return t->nodes++;
}
