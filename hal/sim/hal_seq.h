/* SPDX-License-Identifier: Apache-2.0 */
/* The two restartable sequences, step by step (seq.c): an interrupt before any step takes them back to the first. */
#ifndef HAL_SEQ_H
#define HAL_SEQ_H

#include "hal/seq_call.h"

/* fn(arg), rarely */
#define HAL_SLOW_CALL(fn, arg) fn(arg)

#endif
