/* SPDX-License-Identifier: Apache-2.0 */
/* The boot arguments.  They are copied: where the device tree lies becomes memory for other things. */
#include "boot/fdt.h"
#include "hal_internal.h"

static char args[512];

void hal_args_init(const void *fdt)
{
    if (fdt_bootargs(fdt, args, sizeof args) >= sizeof args)
        hal_die("/chosen/bootargs is longer than 511 characters");
}

const char *hal_boot_args(void)
{
    return args;
}
