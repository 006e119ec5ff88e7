/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of restartable sequences and the rewind.
 *
 * [start, end): the last instruction is the commit.  pc == start: nothing done yet.  pc == end: committed.  So an
 * interrupt rewinds iff start < pc < end, and neighbours that share a boundary are no matter.
 * The table is in the order in which the linker met the objects; functions may lie otherwise.  Boot sorts it, once,
 * before any interrupt; from then on it is constant.
 */
#include "hal_internal.h"

struct seq {
    uintptr_t start, end;
};
extern struct seq hal_restart_lo[], hal_restart_hi[];
extern const char __text_start[], __text_end[];

/* A sequence has at most 8 instructions; one that is longer is a label gone wrong. */
enum { SEQ_BYTES_MAX = 8 * 4 };

/* Shell sort: short, in place, and at its best on a table that is nearly sorted. */
static void sort(struct seq *t, size_t n)
{
    for (size_t gap = n / 2; gap; gap /= 2)
        for (size_t i = gap; i < n; i++) {
            struct seq s = t[i];
            size_t j = i;
            for (; j >= gap && t[j - gap].start > s.start; j -= gap)
                t[j] = t[j - gap];
            t[j] = s;
        }
}

void hal_restart_init(void)
{
    size_t n = (size_t)(hal_restart_hi - hal_restart_lo);
    sort(hal_restart_lo, n);
    uintptr_t last = (uintptr_t)__text_start;
    for (const struct seq *s = hal_restart_lo; s < hal_restart_hi; s++) {
        if (s->start < last || s->end <= s->start || s->end - s->start > SEQ_BYTES_MAX)
            hal_die("a restartable sequence is too long, or two overlap");
        last = s->end;
    }
    if (last > (uintptr_t)__text_end)
        hal_die("a restartable sequence lies outside the code");
}

void hal_restart_fix(struct hal_hart *me, struct hal_ctx *frame)
{
    uintptr_t pc = frame->reg[0];
    /* The last sequence that starts before pc is the only one that can contain it. */
    const struct seq *lo = hal_restart_lo, *hi = hal_restart_hi;
    while (lo < hi) {
        const struct seq *mid = lo + (hi - lo) / 2;
        if (mid->start < pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == hal_restart_lo || pc >= lo[-1].end)
        return;
    frame->reg[0] = lo[-1].start;
    own_add(&me->restarts, 1);
}
