/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 1 4 */ /* host-variants: plain asan arm64 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/* gc-tasks.c where every allocation takes the slow path and every 200th starts a cycle. */
#define TASKS_STRESS 200
#include "tests/image/gc-tasks.c"
