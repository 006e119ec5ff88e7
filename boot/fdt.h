/* SPDX-License-Identifier: Apache-2.0 */
/* The little that we want from a flattened device tree. */
#ifndef BOOT_FDT_H
#define BOOT_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds the memory bank that contains `addr`: [*lo, *hi).  False if `fdt` is no device tree or no bank contains it.
 * Reads nothing outside the blob, whatever it holds. */
bool fdt_memory(const void *fdt, uint64_t addr, uint64_t *lo, uint64_t *hi);

/* Copies the string /chosen/bootargs, at most n - 1 bytes of it, and ends it with 0; n is 1 at least.  Returns its whole
 * length: 0 if there is none.  Reads nothing outside the blob. */
size_t fdt_bootargs(const void *fdt, char *to, size_t n);

#endif
