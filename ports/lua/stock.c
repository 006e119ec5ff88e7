/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for Lua with its own collector: malloc's, which gets all pages that are free, but for a few. */
#include <stdbool.h>
#include <stddef.h>

#include "libc/libc.h"
#include "ports/lua/port.h"

enum { FOR_TASKS = 4 << 20 };   /* left to the kernel: stacks, and newlib's page of each task */

bool port_memory(void)
{
    size_t size = hk_mem_largest();
    if (size <= FOR_TASKS)
        return false;
    size -= FOR_TASKS;
    return libc_heap(hk_mem_alloc(size), size) == HK_OK;
}

void port_task(void)
{
}
