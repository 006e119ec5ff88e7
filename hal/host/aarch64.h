/* SPDX-License-Identifier: Apache-2.0 */
/* aarch64: the address of a thread-local word takes instructions, so each access is a restartable sequence, its last
 * instruction the load or store. */
#ifndef HAL_AARCH64_H
#define HAL_AARCH64_H

#define HAL_REGS     34         /* x0 to x30, sp, pc, pstate */
#define HAL_REG_SP   31
#define HAL_REG_PC   32
#define HAL_FP_BYTES 4096       /* the records of a signal frame */
#define HAL_RED_ZONE 0
#define HAL_BYTE_REGISTERS 0

#define HAL_TLS_ADDR_(reg, w)                                                                                         \
    "mrs " reg ", tpidr_el0\n\t"                                                                                      \
    "add " reg ", " reg ", #:tprel_hi12:" w ", lsl #12\n\t"
#define HAL_TLS_LOW_(reg, w) "[" reg ", #:tprel_lo12_nc:" w "]"

#define hal_tls_get(w)                                                                                                \
    ({                                                                                                                \
        uint64_t hal_v_;                                                                                              \
        __asm__ volatile("1: " HAL_TLS_ADDR_("%x0", #w)                                                               \
                         "ldr %w0, " HAL_TLS_LOW_("%x0", #w) "\n"                                                     \
                         "2:\n\t" HAL_RESTARTABLE_                                                                    \
                         : "=&r"(hal_v_) : : "memory");                                                               \
        (uint32_t)hal_v_;                                                                                             \
    })
#define hal_tls_set(w, v)                                                                                             \
    do {                                                                                                              \
        uint64_t hal_a_;                                                                                              \
        __asm__ volatile("1: " HAL_TLS_ADDR_("%x0", #w)                                                               \
                         "str %w1, " HAL_TLS_LOW_("%x0", #w) "\n"                                                     \
                         "2:\n\t" HAL_RESTARTABLE_                                                                    \
                         : "=&r"(hal_a_) : "r"((uint32_t)(v)) : "memory");                                            \
    } while (0)

static inline struct hart *hal_tls_self(void)
{
    struct hart *h;
    __asm__ volatile("1: " HAL_TLS_ADDR_("%x0", "hal_tls_hart")
                     "ldr %x0, " HAL_TLS_LOW_("%x0", "hal_tls_hart") "\n"
                     "2:\n\t" HAL_RESTARTABLE_
                     : "=&r"(h));
    return h;
}

/* Zeroes the registers where a value of an earlier call may stay: those that calls preserve, and the vector registers, which a
 * switch leaves as they are.  Tests only. */
static inline void hal_forget_registers(void)
{
    __asm__ volatile(".irp r, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28\n\tmov x\\r, xzr\n\t.endr"
                     : : : "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28");
    __asm__ volatile(".irp r, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
                     "movi v\\r\\().2d, #0\n\t.endr"
                     : : : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22",
                       "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

static inline uint32_t hal_tls_crit_swap_1(void)
{
    uint64_t address;
    uint32_t was;
    __asm__ volatile("1: " HAL_TLS_ADDR_("%x1", "hal_tls_crit")
                     "ldr %w0, " HAL_TLS_LOW_("%x1", "hal_tls_crit") "\n\t"
                     "str %w2, " HAL_TLS_LOW_("%x1", "hal_tls_crit") "\n"
                     "2:\n\t" HAL_RESTARTABLE_
                     : "=&r"(was), "=&r"(address) : "r"(1) : "memory");
    return was;
}

#define HAL_SEQ_NEW_(result, off, cell, slow)                                                                         \
    do {                                                                                                              \
        void *hal_hart_, *hal_next_, *hal_limit_;                                                                     \
        __asm__ goto("1: " HAL_TLS_ADDR_("%[hart]", "hal_tls_hart")                                                   \
                     "ldr %[hart], " HAL_TLS_LOW_("%[hart]", "hal_tls_hart") "\n\t"                                   \
                     "ldr %[r], [%[hart], %[o]]\n\t"                                                                  \
                     "ldr %[limit], [%[hart], %[o] + 8]\n\t"                                                          \
                     "add %[next], %[r], %[c]\n\t"                                                                    \
                     "cmp %[next], %[limit]\n\t"                                                                      \
                     "b.hi %l[" #slow "]\n\t"                                                                         \
                     "str %[next], [%[hart], %[o]]\n"                                                                 \
                     "2:\n\t"                                                                                         \
                     HAL_RESTARTABLE_                                                                                 \
                     : [r] "=&r"(result), [hart] "=&r"(hal_hart_), [next] "=&r"(hal_next_), [limit] "=&r"(hal_limit_) \
                     : [o] "i"(off), [c] "i"(cell)                                                                    \
                     : "cc", "memory"                                                                                 \
                     : slow);                                                                                         \
    } while (0)

#define HAL_SEQ_SET_(slot, value, slow)                                                                               \
    do {                                                                                                              \
        uint64_t hal_phase_;                                                                                          \
        __asm__ goto("1: adrp %x[p], hgc_phase\n\t"                                                                   \
                     "ldr %w[p], [%x[p], #:lo12:hgc_phase]\n\t"                                                       \
                     "cbnz %w[p], %l[" #slow "]\n\t"                                                                  \
                     "str %x[v], %[s]\n"                                                                              \
                     "2:\n\t"                                                                                         \
                     HAL_RESTARTABLE_                                                                                 \
                     : [p] "=&r"(hal_phase_), [s] "=m"(*(slot))                                                       \
                     : [v] "rZ"(value)                                                                                \
                     : "cc"                                                                                           \
                     : slow);                                                                                         \
    } while (0)

#endif
