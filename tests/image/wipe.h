/* SPDX-License-Identifier: Apache-2.0 */
/* What earlier calls left in dead frames and in registers must not keep an object alive: then the stack's scan would find it,
 * and hide a missing barrier. */
#ifndef WIPE_H
#define WIPE_H

#include "hal/hal.h"

static HAL_NO_SANITIZE __attribute__((noinline)) void wipe(void)
{
    volatile uintptr_t frame[128] = { 0 };
    (void)frame;
    hal_forget_registers();
}

#endif
