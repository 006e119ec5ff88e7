/* SPDX-License-Identifier: Apache-2.0 */
/* What earlier calls left in dead frames and in registers that calls preserve must not keep an object alive: then the
 * stack's scan would find it, and hide a missing barrier.  For images that run on RISC-V only. */
#ifndef WIPE_H
#define WIPE_H

#include <stdint.h>

static __attribute__((noinline)) void wipe(void)
{
    volatile uintptr_t frame[128] = { 0 };
    (void)frame;
    __asm__ volatile("li s1, 0\n\tli s2, 0\n\tli s3, 0\n\tli s4, 0\n\tli s5, 0\n\tli s6, 0\n\tli s7, 0\n\tli s8, 0\n\t"
                     "li s9, 0\n\tli s10, 0\n\tli s11, 0"
                     ::: "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11");
}

#endif
