/* SPDX-License-Identifier: Apache-2.0 */
/* The collected heap's figures. The pauses are marked where the collector is entered. */
#include "gc/hgc.h"
#include "ports/lua/measure.h"

size_t measure_heap(void)
{
    static struct hgc_stats stats;
    hgc_stats(&stats);
    return stats.heap_peak;
}
