/* SPDX-License-Identifier: Apache-2.0 */
/* The little that we want from a flattened device tree. */
#ifndef BOOT_FDT_H
#define BOOT_FDT_H

#include <stdbool.h>
#include <stdint.h>

/* Finds the memory bank that contains `addr`: [*lo, *hi).  False if `fdt` is no device tree or no bank contains it.
 * Reads nothing outside the blob, whatever it holds. */
bool fdt_memory(const void *fdt, uint64_t addr, uint64_t *lo, uint64_t *hi);

#endif
