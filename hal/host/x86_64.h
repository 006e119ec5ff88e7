/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64: a thread-local word is reached with one instruction, through fs. */
#ifndef HAL_X86_64_H
#define HAL_X86_64_H

#define HAL_REGS     23         /* gregset_t */
#define HAL_REG_SP   15
#define HAL_REG_PC   16
#define HAL_FP_BYTES 3072       /* AVX-512 takes 2700 */
#define HAL_RED_ZONE 128        /* below sp, and in use all the same */
#define HAL_BYTE_REGISTERS 1    /* an instruction can change the lowest byte of a register alone */

#define hal_tls_get(w)                                                                                                \
    ({                                                                                                                \
        uint32_t hal_v_;                                                                                              \
        __asm__ volatile("movl %%fs:" #w "@tpoff, %0" : "=r"(hal_v_) : : "memory");                                   \
        hal_v_;                                                                                                       \
    })
#define hal_tls_set(w, v) __asm__ volatile("movl %0, %%fs:" #w "@tpoff" : : "ri"((uint32_t)(v)) : "memory")

static inline struct hart *hal_tls_self(void)
{
    struct hart *h;
    __asm__ volatile("movq %%fs:hal_tls_hart@tpoff, %0" : "=r"(h));
    return h;
}

/* Two instructions may be interrupted in between, but only if crit was 0; and so it will be when the task goes on, on
 * whatever hart: the answer stays true. */
static inline uint32_t hal_tls_crit_swap_1(void)
{
    uint32_t was;
    __asm__ volatile("movl %%fs:hal_tls_crit@tpoff, %0\n\t"
                     "movl $1, %%fs:hal_tls_crit@tpoff"
                     : "=r"(was) : : "memory");
    return was;
}

/* Zeroes the registers where a value of an earlier call may stay: those that calls preserve, and the vector registers, which a
 * switch leaves as they are.  Tests only. */
static inline void hal_forget_registers(void)
{
    __asm__ volatile("xorl %%ebx, %%ebx\n\txorl %%r12d, %%r12d\n\txorl %%r13d, %%r13d\n\txorl %%r14d, %%r14d\n\t"
                     "xorl %%r15d, %%r15d"
                     : : : "rbx", "r12", "r13", "r14", "r15", "cc");
    __asm__ volatile(".irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\tpxor %%xmm\\r, %%xmm\\r\n\t.endr"
                     : : : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                       "xmm12", "xmm13", "xmm14", "xmm15");
}

#define HAL_SEQ_NEW_(result, off, cell, slow)                                                                         \
    do {                                                                                                              \
        void *hal_hart_, *hal_next_;                                                                                  \
        __asm__ goto("1: movq %%fs:hal_tls_hart@tpoff, %[hart]\n\t"                                                   \
                     "movq %c[o](%[hart]), %[r]\n\t"                                                                  \
                     "leaq %c[c](%[r]), %[next]\n\t"                                                                  \
                     "cmpq %c[o]+8(%[hart]), %[next]\n\t"                                                             \
                     "ja %l[" #slow "]\n\t"                                                                           \
                     "movq %[next], %c[o](%[hart])\n"                                                                 \
                     "2:\n\t"                                                                                         \
                     HAL_RESTARTABLE_                                                                                 \
                     : [r] "=&r"(result), [hart] "=&r"(hal_hart_), [next] "=&r"(hal_next_)                            \
                     : [o] "i"(off), [c] "i"(cell)                                                                    \
                     : "cc", "memory"                                                                                 \
                     : slow);                                                                                         \
    } while (0)

#define HAL_SEQ_SET_(slot, value, slow)                                                                               \
    __asm__ goto("1: cmpl $0, hgc_phase(%%rip)\n\t"                                                                   \
                 "jne %l[" #slow "]\n\t"                                                                              \
                 "movq %[v], %[s]\n"                                                                                  \
                 "2:\n\t"                                                                                             \
                 HAL_RESTARTABLE_                                                                                     \
                 : [s] "=m"(*(slot))                                                                                  \
                 : [v] "re"(value)                                                                                    \
                 : "cc"                                                                                               \
                 : slow)

#endif
