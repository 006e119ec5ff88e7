/* SPDX-License-Identifier: Apache-2.0 */
/* expect-error: assignment of read-only location */
/* expect-error-c++: use of deleted function .*operator= */
/* An object with reference fields is not assigned as a whole; hgc_copy does that. */
#include "gc/hgc.h"

struct node {
    uintptr_t id;
    hgc_ref(struct node) next;
};

void store(struct node *p, const struct node *q);
void store(struct node *p, const struct node *q)
{
#ifdef CONTROL
    hgc_copy(p, q, sizeof(*p));
#else
    *p = *q;
#endif
}
