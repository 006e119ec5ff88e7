/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 4 */
/* seconds: 600 */
/* mem: 128M */
/* qemu: -icount shift=4,sleep=off */
/* gc-load.c with 16 MiB and longer: four fifths live. */
#define LOAD_MIB 16
#define LOAD_CYCLES 20
#define LOAD_PARTS 2
#define LOAD_SEARCH 1
#include "tests/image/gc-load.c"
