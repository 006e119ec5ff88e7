/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 */
/* seconds: 60 */
/* qemu: -icount shift=0,sleep=off */
/*
 * gc-shares with a thousand instructions in a microsecond: a turn ends when it has searched 16 KiB, of some 60 instructions for each of
 * these objects, and not when its time is over.
 */
#define LONGEST_US 60
#include "gc-shares.c"
