/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marker instructions: `slti x0, x0, K` does nothing on any hart, and tools/plugin counts instructions between them.
 * The numbers are shared with the plugin.  A stretch with interrupts off lasts from IRQ_OFF to the next IRQ_ON of the
 * same hart: IRQ_OFF again inside it is harmless, so every critical section says it, nested or not.
 *
 * Rule, checked on the disassembly: each instruction that writes mstatus has a marker at most 4 instructions away.
 */
#ifndef HAL_MARK_H
#define HAL_MARK_H

#define HAL_MARK_IRQ_OFF    1   /* just after interrupts went off; the trap entry's first instruction */
#define HAL_MARK_IRQ_ON     2   /* just before they come on again */
#define HAL_MARK_STOP_BEGIN 3   /* a hart's own work in a stop, waiting left out */
#define HAL_MARK_STOP_END   4
#define HAL_MARK_WAIT_BEGIN 5
#define HAL_MARK_WAIT_END   6
#define HAL_MARK_INITIATOR  7   /* this stop was asked for by this hart */
#define HAL_MARK_RESET      8   /* first instruction after reset */
#define HAL_MARK_STOP_KIND(r)   (0x10 + (r))    /* of what kind the stop is: enum world_reason */
#define HAL_MARK_SECTION(i)     (0x100 + (i))   /* section i begins: of a benchmark, or from 0xf0 on of the collector: */
#define HAL_MARK_SECTION_END(i) (0x200 + (i))
#define HAL_MARK_DEDICATED  0xf0    /* marking, by the mode of the worker */
#define HAL_MARK_FRACTIONAL 0xf1
#define HAL_MARK_IDLE       0xf2
#define HAL_MARK_ASSIST     0xf3
#define HAL_MARK_ALLOC      0xf4    /* an allocation that takes its slow path: all that a task does and waits for there */
#define HAL_MARK_RUNTIME    0xf5    /* what a runtime's own task does for the collector: ports/lua */
#define HAL_MARK_COLLECT    0xf6    /* a whole collection that a script asks for, and waits for */
#define HAL_MARK_STEP       0xf7    /* a step of a runtime's collector, without what the runtime's own code does there */

#ifdef __ASSEMBLER__
#define HAL_MARK(k) slti x0, x0, k
#else
#define HAL_MARK(k) __asm__ volatile("slti x0, x0, %0" : : "i"(k) : "memory")
#endif

#endif
