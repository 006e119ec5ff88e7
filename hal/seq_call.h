/* SPDX-License-Identifier: Apache-2.0 */
/* The restartable sequences where their fast part is a function: a HAL that cannot, or need not, have it inline. */
#ifndef HAL_SEQ_CALL_H
#define HAL_SEQ_CALL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
void *hal_seq_try_new(size_t off, size_t cell);         /* NULL: the run is used up */
int hal_seq_try_set(const uint32_t *phase, void **slot, void *value);       /* 0: not done, *phase is not 0 */
#ifdef __cplusplus
}
#endif
#define HAL_SEQ_NEW(result, off, cell, id)                                                                            \
    do {                                                                                                              \
        (result) = hal_seq_try_new((off), (cell));                                                                    \
        if (!(result))                                                                                                \
            (result) = hgc_slow_new(id);                                                                              \
    } while (0)
#define HAL_SEQ_SET(slot, value)                                                                                      \
    do {                                                                                                              \
        void **hal_slot_ = (void **)(uintptr_t)&(slot), *hal_value_ = (void *)(value);                                \
        if (!hal_seq_try_set(&hgc_phase, hal_slot_, hal_value_))                                                      \
            hgc_slow_set(hal_slot_, hal_value_);                                                                      \
    } while (0)

#endif
