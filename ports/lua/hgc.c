/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for Lua on the collected heap: the arena gets seven eighths of the pages that are free, and malloc the rest,
 * for what only a state's own task touches (the string table, buffers of the parser and of the
 * libraries).
 */
#include <stdbool.h>
#include <stddef.h>

#include "gc/hgc.h"
#include "libc/libc.h"
#include "ports/lua/port.h"

enum { FOR_TASKS = 4 << 20 };   /* left to the kernel: stacks, and newlib's page of each task */

bool port_memory(void)
{
    size_t size = hk_mem_largest();
    if (size <= 2 * FOR_TASKS)
        return false;
    size_t manual = (size - FOR_TASKS) / 8, arena = size - FOR_TASKS - manual;
    struct hgc_config config = { .base = hk_mem_alloc(arena), .size = arena,
                                 .min_trigger = 512 * 1024 };   /* a script's heap begins small, as Lua's */
    return libc_heap(hk_mem_alloc(manual), manual) == HK_OK && hgc_init(&config) == HGC_OK;
}

void port_task(void)
{
    hgc_stacks_only(true);
}
