/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 4 */
/* seconds: 600 */
/* mem: 256M */
/* count: stop<=20000 stop0<=20000 stop1<=20000 stop2<=20000 irqoff<=5000 */
/* gc-stops.c with 64 MiB live. */
#define NMIB 64
#include "tests/image/gc-stops.c"
