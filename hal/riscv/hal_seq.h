/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two restartable sequences: allocation and the write barrier.  For C and C++.
 *
 * A sequence is the code between labels 1 and 2.  Its last instruction, a store, is its only effect; until then it
 * writes nothing but t0 to t2 and the result, and none of its inputs.  An interrupt with 1 < pc < 2 sets pc back to 1
 * (restart.c), so a sequence never spans a stop or a move to another hart.  That is why it derives addresses from tp
 * itself: what the compiler computed from tp before it would be another hart's afterwards.
 *
 * The slow part lies at the end of the section (.subsection 1), outside the range: it runs once, to its end.  Its stub
 * keeps every integer register but t0, t1, t2, so that the function around it stays a leaf.  Floating-point registers are not
 * kept: the collector has no floating-point code, and a task switch saves them all.  But an allocation may call the program's
 * hooks, which may have some; a store does not.  (Not `call t0, stub`: it builds the address in t1, which holds an argument.)
 */
#ifndef HAL_SEQ_H
#define HAL_SEQ_H

#include <stdint.h>

#if __riscv_xlen == 64
#define HAL_SEQ_LD_ "ld"
#define HAL_SEQ_ST_ "sd"
#define HAL_SEQ_WORD_ ".dword"
#else
#define HAL_SEQ_LD_ "lw"
#define HAL_SEQ_ST_ "sw"
#define HAL_SEQ_WORD_ ".word"
#endif

#define HAL_SEQ_TABLE_                                                                                                  \
    ".pushsection .hgc_restart, \"aw\"\n\t"                                                                             \
    HAL_SEQ_WORD_ " 1b, 2b\n\t"                                                                                         \
    ".popsection\n\t"

/* Of what may call the program: its hooks, in an allocation's slow part, or a runtime's. */
#ifdef __riscv_flen
#define HAL_SEQ_CALL_CLOBBERS_                                                                                          \
    "t0", "t1", "t2", "memory", "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "ft8", "ft9", "ft10", "ft11",   \
    "fa0", "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7"
#else
#define HAL_SEQ_CALL_CLOBBERS_ "t0", "t1", "t2", "memory"
#endif

/* result = a new cell.  `off`: constant offset from tp of the pair {cursor, limit}, aligned to its size, so that one %hi
 * serves both; `cell`: constant bytes, at most 2032; `id`: constant, what the slow part hands to hgc_slow_new. */
#define HAL_SEQ_NEW(result, off, cell, id)                                                                              \
    __asm__ __inline__ __volatile__(                                                                                    \
        "1: lui t0, %%hi(%1)\n\t"                                                                                       \
        "add t0, t0, tp\n\t"                                                                                            \
        HAL_SEQ_LD_ " %0, %%lo(%1)(t0)\n\t"                                                                             \
        HAL_SEQ_LD_ " t2, %%lo(%1 + %4)(t0)\n\t"                                                                        \
        "addi t1, %0, %2\n\t"                                                                                           \
        "bltu t2, t1, 3f\n\t"                                                                                           \
        HAL_SEQ_ST_ " t1, %%lo(%1)(t0)\n"                                                                               \
        "2:\n\t"                                                                                                        \
        ".subsection 1\n"                                                                                               \
        "3: li t1, %3\n\t"                                                                                              \
        "lla t0, hal_stub_new\n\t"                                                                                      \
        "jalr t0, t0\n\t"                                                                                              \
        "mv %0, t1\n\t"                                                                                                 \
        "j 2b\n\t"                                                                                                      \
        ".previous\n\t"                                                                                                 \
        HAL_SEQ_TABLE_                                                                                                  \
        : "=&r"(result)                                                                                                 \
        : "i"(off), "i"(cell), "i"(id), "i"(sizeof(void *))                                                             \
        : HAL_SEQ_CALL_CLOBBERS_)

/* slot = value, with the barrier; `slot` is an lvalue of pointer type.  The .insn is `addi t1, base, offset`: it takes
 * the same operand text as the store, so the offset folds into both.  No "memory" clobber: what other harts see of
 * earlier stores is not this store's business (a marker accepts any mixture), and fields may stay in registers. */
#define HAL_SEQ_SET(slot, value)                                                                                        \
    __asm__ __inline__ __volatile__(                                                                                    \
        "1: lw t0, hgc_phase\n\t"                                                                                       \
        "bnez t0, 3f\n\t"                                                                                               \
        HAL_SEQ_ST_ " %z1, %0\n"                                                                                        \
        "2:\n\t"                                                                                                        \
        ".subsection 1\n"                                                                                               \
        "3: .insn i 0x13, 0, t1, %0\n\t"                                                                                \
        "mv t2, %z1\n\t"                                                                                                \
        "lla t0, hal_stub_set\n\t"                                                                                      \
        "jalr t0, t0\n\t"                                                                                              \
        "j 2b\n\t"                                                                                                      \
        ".previous\n\t"                                                                                                 \
        HAL_SEQ_TABLE_                                                                                                  \
        : "=m"(slot)                                                                                                    \
        : "rJ"(value)                                                                                                   \
        : "t0", "t1", "t2")

/* fn(arg), rarely: `fn` is the name of a function of one word that returns nothing.  Keeps integer registers as the slow parts above, so
 * that what calls nothing else needs no frame. */
#define HAL_SLOW_CALL(fn, arg)                                                                                          \
    __asm__ __inline__ __volatile__(                                                                                    \
        "mv t2, %0\n\t"                                                                                                 \
        "lla t1, " #fn "\n\t"                                                                                           \
        "lla t0, hal_stub_call\n\t"                                                                                     \
        "jalr t0, t0"                                                                                                   \
        : : "r"(arg) : HAL_SEQ_CALL_CLOBBERS_)

#endif
