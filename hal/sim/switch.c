/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers: what a call keeps is pushed on the stack that is left. */
#include "sim_internal.h"

#include <string.h>

#if defined(__x86_64__)
/* sim_resume_at clears what a call may clobber: what another context left there would look like a reference. */
__asm__(
    ".text\n"
    ".macro SIM_PUSH\n\tpushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t.endm\n"
    ".macro SIM_POP\n\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbx\n\tpopq %rbp\n\t.endm\n"
    ".globl sim_swap, sim_save_call, sim_resume_at, sim_begin, hal_spill\n"
    "sim_swap:\n\tSIM_PUSH\n\tmovq %rsp, (%rdi)\n\tmovq %rsi, %rsp\n\tSIM_POP\n\tret\n"
    "sim_save_call:\n\tSIM_PUSH\n\tmovq %rsp, (%rdi)\n\tmovq %rsi, %rsp\n\t"
    "movq %rcx, %rdi\n\tmovq %r8, %rsi\n\txorl %ebp, %ebp\n\tcall *%rdx\n\tud2\n"
    "sim_resume_at:\n\tmovq %rdi, %rsp\n\tSIM_POP\n\t"
    "xorl %eax, %eax\n\txorl %ecx, %ecx\n\txorl %edx, %edx\n\txorl %esi, %esi\n\txorl %edi, %edi\n\t"
    "xorl %r8d, %r8d\n\txorl %r9d, %r9d\n\txorl %r10d, %r10d\n\txorl %r11d, %r11d\n\tret\n"
    "sim_begin:\n\tmovq %r12, %rdi\n\tcall *%rbx\n\tud2\n"
    "hal_spill:\n\tSIM_PUSH\n\tsubq $8, %rsp\n\tmovq %rdi, %rax\n\tmovq %rsi, %rdi\n\tmovq %rsp, %rsi\n\tcall *%rax\n\t"
    "addq $8, %rsp\n\tSIM_POP\n\tret\n");

void sim_begin(void);

uintptr_t sim_first(uintptr_t hi, void (*entry)(void *), void *arg)
{
    enum { R15, R14, R13, R12, RBX, RBP, RETURN, WORDS };
    uintptr_t *frame = (uintptr_t *)(hi & ~(uintptr_t)15) - WORDS;
    memset(frame, 0, WORDS * sizeof *frame);
    frame[R12] = (uintptr_t)arg;
    frame[RBX] = (uintptr_t)entry;
    frame[RETURN] = (uintptr_t)sim_begin;
    return (uintptr_t)frame;
}
#else
#error "hal/sim knows x86-64: give it fibers for this processor as here"
#endif
