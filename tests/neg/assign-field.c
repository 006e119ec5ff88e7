/* SPDX-License-Identifier: Apache-2.0 */
/* expect-error: assignment of read-only member 'next' */
/* expect-error-c++: use of deleted function .*operator= */
/* One reference field is not assigned to another. */
#include "gc/hgc.h"

struct node {
    hgc_ref(struct node) next;
};

void store(struct node *p, struct node *q);
void store(struct node *p, struct node *q)
{
#ifdef CONTROL
    hgc_set(&p->next, hgc_get(q->next));
#else
    p->next = q->next;
#endif
}
