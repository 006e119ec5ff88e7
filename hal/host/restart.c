/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of restartable sequences and the rewind.
 *
 * [start, end): the last instruction is the commit.  pc == start: nothing done yet.  pc == end: committed.  So an
 * interrupt rewinds iff start < pc < end.  The table is in the order of linking; it is sorted once, before any interrupt.
 */
#include <stdlib.h>

#include "hal_internal.h"

struct seq {
    uintptr_t start, end;
};
/* Weak: a program may have none. */
extern struct seq __start_hgc_restart[] __attribute__((weak)), __stop_hgc_restart[] __attribute__((weak));

/* A sequence that is longer is a label gone wrong. */
enum { SEQ_BYTES_MAX = 64 };

static int by_start(const void *a, const void *b)
{
    const struct seq *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

void hal_restart_init(void)
{
    uintptr_t last = 0;
    size_t n = (size_t)(__stop_hgc_restart - __start_hgc_restart);
    if (n > 0)
        qsort(__start_hgc_restart, n, sizeof(struct seq), by_start);
    for (const struct seq *s = __start_hgc_restart; s < __stop_hgc_restart; s++) {
        if (s->start < last || s->end <= s->start || s->end - s->start > SEQ_BYTES_MAX)
            hal_die("a restartable sequence is too long, or two overlap");
        last = s->end;
    }
}

void hal_restart_fix(struct hal_hart *me, uintptr_t *pc)
{
    /* The last sequence that starts before pc is the only one that can contain it. */
    const struct seq *lo = __start_hgc_restart, *hi = __stop_hgc_restart;
    while (lo < hi) {
        const struct seq *mid = lo + (hi - lo) / 2;
        if (mid->start < *pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == __start_hgc_restart || *pc >= lo[-1].end)
        return;
    *pc = lo[-1].start;
    own_add(&me->restarts, 1);
}

uint32_t hal_restarts(unsigned hart)
{
    return ld_rlx(&hal_of(hart)->restarts);
}
