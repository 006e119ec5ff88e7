/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */ /* host-harts: 2 4 */
/* harts: 1 2 4 8 */
/* bootargs: harts=9 */
/* expect: exit 2 */
/* tap: no */
/* match: ^hk: boot argument harts=9: wants harts=n, n from 1 to [1248], as many as this machine has$ */
/* More harts than there are: the machine ends before the program begins. */
#include "kernel/hk.h"

int app_main(void)
{
    return 0;
}
