/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 */
/* seconds: 60 */
/* gc-oom.c with the smallest heap: of its 13 blocks one hart's runs leave enough for what is counted, those of several do not. */
#define OOM_ARENA (64u << 10)
#include "tests/image/gc-oom.c"
