/* SPDX-License-Identifier: Apache-2.0 */
/* The two restartable sequences, step by step (seq.c): an interrupt before any step takes them back to the first. */
#ifndef HAL_SEQ_H
#define HAL_SEQ_H

#include <stddef.h>
#include <stdint.h>

void *sim_seq_new(size_t off, size_t cell);             /* NULL: the run is used up */
int sim_seq_set(const uint32_t *phase, void **slot, void *value);       /* 0: not done, *phase is not 0 */

#define HAL_SEQ_NEW(result, off, cell, id)                                                                            \
    do {                                                                                                              \
        (result) = sim_seq_new((off), (cell));                                                                        \
        if (!(result))                                                                                                \
            (result) = hgc_slow_new(id);                                                                              \
    } while (0)
#define HAL_SEQ_SET(slot, value)                                                                                      \
    do {                                                                                                              \
        void **hal_slot_ = (void **)(uintptr_t)&(slot), *hal_value_ = (void *)(value);                                \
        if (!sim_seq_set(&hgc_phase, hal_slot_, hal_value_))                                                          \
            hgc_slow_set(hal_slot_, hal_value_);                                                                      \
    } while (0)

#endif
