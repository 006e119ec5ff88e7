/* SPDX-License-Identifier: Apache-2.0 */
/* app_main for programs that have a main instead.  The linker takes it only then. */
#include "libc/libc.h"

int app_main(void)
{
    return libc_run_main();
}
