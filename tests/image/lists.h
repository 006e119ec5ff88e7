/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of numbered nodes on the heap, and tasks that leave no hart idle.  Who includes this says before, in an enum: NODE, their
 * kind; NODES, how many; FILL, words of a node that are not looked at. */
#ifndef LISTS_H
#define LISTS_H

enum { LISTS = 16, BUSY_MAX = 16 };

struct node {
    uintptr_t number;
    hgc_ref(struct node) next;
    uintptr_t fill[FILL];
};

static hgc_ref(struct node) list[LISTS];
static uint32_t over;                   /* atomic */
static struct task *busy_task[BUSY_MAX];

static __attribute__((noinline)) bool build(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct node *p = hgc_new(NODE, sizeof(*p));
        if (!p)
            return false;
        p->number = i;
        hgc_set(&p->next, hgc_get(list[i % LISTS]));
        hgc_set(&list[i % LISTS], p);
    }
    return true;
}

static bool whole(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < LISTS; i++)
        for (struct node *p = hgc_get(list[i]); p; p = hgc_get(p->next), n++)
            if (p->number % LISTS != i)
                return false;
    return n == NODES;
}

static void spin(void *arg)
{
    (void)arg;
    while (!ld_rlx(&over)) {
    }
}

/* Two for each hart, so that none is ever idle, once each has taken one. */
static void busy(void)
{
    st_rlx(&over, 0);
    for (unsigned i = 0; i < 2 * hk_harts(); i++)
        hk_task_create(&busy_task[i], NULL, spin, NULL);
    while (hart_any_idle())
        hk_yield();
}

static void busy_ends(void)
{
    st_rlx(&over, 1);
    for (unsigned i = 0; i < 2 * hk_harts(); i++)
        hk_task_join(busy_task[i], NULL);
}

#endif
