/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter on hgc, measured: the most that the collected heap held is printed, too. */
#include "ports/lua/measure.h"

#include "gc/hgc.h"
#include "kernel/hk.h"

void measure_heap(void)
{
    struct hgc_stats s;
    hgc_stats(&s);
    hk_printf("measure: collected %u bytes\n", (unsigned)s.heap_peak);
}
