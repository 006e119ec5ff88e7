/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From reset to C on every hart.
 *
 * All harts start at once, at _start, with nothing but mhartid and (in a1) a device tree.  The boot hart clears .bss and
 * enters boot_first() on its trap stack; the others sleep in start.S until boot_release().  Interrupts are off all the
 * way, and a trap parks the hart, until the HAL sets its own vector.
 */
#ifndef BOOT_H
#define BOOT_H

/* What boot_go holds once the other harts may run.  It lies in .data: .bss is not zero yet when they first look. */
#define BOOT_GO 0x60a1

#ifndef __ASSEMBLER__

#include <stdint.h>

/* `hart` is our index, `hartid` is mhartid: the map from one to the other.  Constant after boot_find_harts(). */
extern uint32_t boot_hartid[];
extern uint32_t boot_hart_count;

/* Fills the map; the boot hart gets index 0.  Boot hart, once, before boot_release(). */
void boot_find_harts(void);
/* Lets the other harts go on to boot_next().  What this hart wrote before is visible to them. */
void boot_release(void);

/* What the layer above defines.  Neither returns. */
_Noreturn void boot_first(const void *fdt);     /* on the boot hart, before any other */
_Noreturn void boot_next(unsigned hart);        /* on the others, after boot_release() */

#endif
#endif
