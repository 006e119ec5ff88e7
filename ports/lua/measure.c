/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter, measured: its task stays on the first hart, and the most memory that malloc and the heap had is
 * printed at its end.
 */
#include "ports/lua/measure.h"

#include <stddef.h>

#include "hal/atomic.h"
#include "kernel/hk.h"
#include "ports/lua/port.h"

int port_hart_plus_1 = 1;

int __real_lua_main(int argc, char **argv);
int __wrap_lua_main(int argc, char **argv);
void *__real__sbrk(ptrdiff_t n);
void *__wrap__sbrk(ptrdiff_t n);

static size_t taken, most;      /* bytes of malloc's region; under malloc's lock */

void *__wrap__sbrk(ptrdiff_t n)
{
    void *p = __real__sbrk(n);
    if (p != (void *)-1)
        taken += (size_t)n;
    if (taken > most)
        most = taken;
    return p;
}

int __wrap_lua_main(int argc, char **argv)
{
    HAL_MARK(HAL_MARK_RESET);
    MEASURE_BEGIN(MEASURE_SCRIPT);
    int status = __real_lua_main(argc, argv);
    MEASURE_END(MEASURE_SCRIPT);
    hk_printf("measure: malloc %zu bytes\n", most);
    hk_printf("measure: heap %zu bytes\n", measure_heap());
    return status;
}
