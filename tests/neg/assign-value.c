/* SPDX-License-Identifier: Apache-2.0 */
/* expect-error: assignment of read-only member 'next' */
/* expect-error-c++: no match for 'operator=' */
/* A value is stored to a reference field with hgc_set, never with `=`: the collector would not hear of it. */
#include "gc/hgc.h"

struct node {
    hgc_ref(struct node) next;
};

void store(struct node *p, struct node *x);
void store(struct node *p, struct node *x)
{
#ifdef CONTROL
    hgc_set(&p->next, x);
#else
    p->next = x;
#endif
}
