/* SPDX-License-Identifier: Apache-2.0 */
/* Marker instructions are for the instruction counter under QEMU; in the simulator nobody counts. */
#ifndef HAL_MARK_H
#define HAL_MARK_H

#define HAL_MARK(k) ((void)0)

#endif
