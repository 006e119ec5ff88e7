/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tools/lua-table counts: sections of tools/plugin, on the hart that executes them. A section ends on the hart on
 * which it began.
 *
 *     MEASURE_SCRIPT   all of lua.c's main
 *     MEASURE_PAUSE    from entering the collector's code until the script goes on: each stretch once, the outermost
 *     MEASURE_COLLECT  the same, of a whole collection that the script asks for
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stddef.h>

#include "hal_mark.h"

/* The most bytes of the collected heap that were in use; 0 with stock Lua. */
size_t measure_heap(void);

#define MEASURE_SCRIPT 0
#define MEASURE_PAUSE  1
#define MEASURE_COLLECT 2
#define MEASURE_BEGIN(section) HAL_MARK(HAL_MARK_SECTION(section))
#define MEASURE_END(section)   HAL_MARK(HAL_MARK_SECTION_END(section))

#endif
