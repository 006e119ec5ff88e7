/* SPDX-License-Identifier: Apache-2.0 */
/* expect-error: is a pointer; did you mean to use */
/* expect-error-c++: request for member 'hgc_t' in .*of pointer type */
/* hgc_swap and hgc_cas are for reference fields: a plain pointer is stored to in a section of the program's own. */
#include "gc/hgc.h"

struct node {
#ifdef CONTROL
    hgc_ref(struct node) next;
#else
    struct node *next;
#endif
};

bool store(struct node *p, struct node *x);
bool store(struct node *p, struct node *x)
{
    struct node *was = hgc_swap(&p->next, x);
    return hgc_cas(&p->next, x, was);
}
