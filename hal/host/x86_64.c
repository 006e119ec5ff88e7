/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64: registers on stacks and in signal frames. */
#define _GNU_SOURCE
#include "hal_internal.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <string.h>
#include <ucontext.h>

_Static_assert(HAL_REGS == NGREG && HAL_REG_SP == REG_RSP && HAL_REG_PC == REG_RIP, "x86_64.h: the order of gregset_t");
_Static_assert(offsetof(struct hal_ctx, sp) == 0, "hal_ctx_save and hal_ctx_load");

/* Control words of both floating-point units are kept by calls, too.  What hal_ctx_first builds is what hal_ctx_save pushes,
 * with hal_ctx_begin for return address.  In hal_ctx_begin: rbx = entry, r12 = arg.
 * hal_ctx_load zeroes the registers that a call may clobber: compilers push any of them to align the stack, and what
 * another context left there would look like a reference of this one.  A vector register keeps what was once moved through it
 * until it is used again, for ever perhaps, and a signal saves all of them: so they are zeroed there, and where the scan of a stack
 * begins, which does not look at them.  XRSTOR does so, whatever their width, for an image that says that they are unused. */
#define FORGET_VECTORS                                                                                                \
    "cmpl $0, hal_xrstor(%rip)\n\t"                                                                                   \
    "je 1f\n\t"                                                                                                      \
    "movl $0xe6, %eax\n\t"                    /* SSE, AVX, AVX-512: what of these there is */                          \
    "xorl %edx, %edx\n\t"                                                                                            \
    "xrstor hal_unused(%rip)\n\t"                                                                                    \
    "jmp 2f\n"                                                                                                       \
    "1:\n\t"                                                                                                         \
    ".irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\tpxor %xmm\\r, %xmm\\r\n\t.endr\n"               \
    "2:\n\t"

extern uint32_t hal_xrstor;             /* constant: the operating system has XSAVE and XRSTOR */
uint32_t hal_xrstor;
struct xsave { uint32_t fxsave[128]; uint64_t header[8]; };
enum { MXCSR = 6, MXCSR_DEFAULT = 0x1f80 };
extern const struct xsave hal_unused;
const struct xsave hal_unused __attribute__((aligned(64))) = { .fxsave[MXCSR] = MXCSR_DEFAULT };

static __attribute__((constructor)) void find_xrstor(void)
{
    uint32_t a, b, c, d;
    hal_xrstor = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_OSXSAVE);
}

__asm__(
    ".text\n"
    ".globl hal_ctx_save, hal_ctx_load, hal_ctx_begin, hal_spill\n"
    ".type hal_ctx_save, @function\n"
    "hal_ctx_save:\n\t"
    "pushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
    "subq $8, %rsp\n\t"
    "stmxcsr (%rsp)\n\t"
    "fnstcw 4(%rsp)\n\t"
    "movq %rsp, (%rdi)\n\t"
    "movq %rsi, %rsp\n\t"
    "movq %rcx, %rdi\n\t"
    "movq %r8, %rsi\n\t"
    "xorl %ebp, %ebp\n\t"
    "call *%rdx\n\t"
    "ud2\n"
    ".size hal_ctx_save, . - hal_ctx_save\n"

    ".type hal_ctx_load, @function\n"
    "hal_ctx_load:\n\t"
    "movq (%rdi), %rsp\n\t"
    FORGET_VECTORS
    "ldmxcsr (%rsp)\n\t"
    "fldcw 4(%rsp)\n\t"
    "addq $8, %rsp\n\t"
    "popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbx\n\tpopq %rbp\n\t"
    "xorl %eax, %eax\n\txorl %ecx, %ecx\n\txorl %edx, %edx\n\txorl %esi, %esi\n\txorl %edi, %edi\n\t"
    "xorl %r8d, %r8d\n\txorl %r9d, %r9d\n\txorl %r10d, %r10d\n\txorl %r11d, %r11d\n\t"
    "ret\n"
    ".size hal_ctx_load, . - hal_ctx_load\n"

    ".type hal_ctx_begin, @function\n"
    "hal_ctx_begin:\n\t"
    "movq %r12, %rdi\n\t"
    "call *%rbx\n\t"
    "ud2\n"
    ".size hal_ctx_begin, . - hal_ctx_begin\n"

    ".type hal_spill, @function\n"
    "hal_spill:\n\t"
    "pushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
    "subq $8, %rsp\n\t"
    "stmxcsr (%rsp)\n\t"
    FORGET_VECTORS
    "ldmxcsr (%rsp)\n\t"
    "movq %rdi, %rax\n\t"
    "movq %rsi, %rdi\n\t"
    "movq %rsp, %rsi\n\t"
    "call *%rax\n\t"
    "addq $56, %rsp\n\t"        /* the registers are fn's to keep */
    "ret\n"
    ".size hal_spill, . - hal_spill\n");

void hal_ctx_begin(void);

/* As a process begins: round to nearest, no floating-point exceptions. */
#define MXCSR_NEW ((uint32_t)MXCSR_DEFAULT)
#define X87CW_NEW 0x037fu

uintptr_t hal_ctx_first(uintptr_t hi, void (*entry)(void *), void *arg)
{
    enum { CONTROL, R15, R14, R13, R12, RBX, RBP, RETURN, WORDS };
    uintptr_t *frame = (uintptr_t *)hi - WORDS;         /* after the return sp is hi, aligned for the call */
    memset(frame, 0, WORDS * sizeof(*frame));
    frame[CONTROL] = MXCSR_NEW | (uintptr_t)X87CW_NEW << 32;
    frame[R12] = (uintptr_t)arg;
    frame[RBX] = (uintptr_t)entry;
    frame[RETURN] = (uintptr_t)hal_ctx_begin;
    return (uintptr_t)frame;
}

/* ---- signal frames ---------------------------------------------------------------------------------------------- */

/* The kernel says how much it saved in bytes that FXSAVE leaves to software (struct _fpx_sw_bytes). */
static size_t fp_bytes(const void *fp)
{
    enum { FXSAVE = 512, SOFTWARE = 464, MAGIC = 0x46505853 };
    uint32_t magic_and_size[2];
    memcpy(magic_and_size, (const char *)fp + SOFTWARE, sizeof magic_and_size);
    size_t n = magic_and_size[0] == MAGIC ? magic_and_size[1] : FXSAVE;
    if (n > HAL_FP_BYTES)
        hal_die("this processor has more vector registers than HAL_FP_BYTES has room for");
    return n;
}

void hal_frame_save(struct hal_ctx *ctx, const void *frame)
{
    const mcontext_t *m = &((const ucontext_t *)frame)->uc_mcontext;
    size_t n = fp_bytes(m->fpregs);
    memcpy(ctx->reg, m->gregs, sizeof ctx->reg);
    memcpy(ctx->fp, m->fpregs, n);
    ctx->image_words = HAL_REGS + (uint32_t)(n / sizeof(uintptr_t));
    ctx->full = 1;
}

void hal_frame_load(const struct hal_ctx *ctx, void *frame)
{
    mcontext_t *m = &((ucontext_t *)frame)->uc_mcontext;
    memcpy(m->gregs, ctx->reg, sizeof ctx->reg);
    memcpy(m->fpregs, ctx->fp, fp_bytes(ctx->fp));
}

void hal_frame_set_pc(void *frame, uintptr_t pc)
{
    ((ucontext_t *)frame)->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
}

/* Calls want the direction flag clear and the x87 stack empty: what was interrupted may have had both otherwise. */
void hal_frame_call(void *frame, void (*fn)(struct hal_ctx *), struct hal_ctx *arg, uintptr_t sp)
{
    enum { FLAGS_NEW = 0x202 };
    mcontext_t *m = &((ucontext_t *)frame)->uc_mcontext;
    m->gregs[REG_RIP] = (greg_t)(uintptr_t)fn;
    m->gregs[REG_RDI] = (greg_t)(uintptr_t)arg;
    m->gregs[REG_RSP] = (greg_t)(sp - 8);
    m->gregs[REG_EFL] = FLAGS_NEW;
    m->fpregs->ftw = 0;
}

/* Trap 14 is a page fault; its error code has bit 1 for a write and bit 4 for an instruction. */
const char *hal_frame_access(const void *frame)
{
    const mcontext_t *m = &((const ucontext_t *)frame)->uc_mcontext;
    if (m->gregs[REG_TRAPNO] != 14)
        return "general protection fault";
    return m->gregs[REG_ERR] & 16 ? "instruction access fault" : m->gregs[REG_ERR] & 2 ? "store access fault"
                                                                                          : "load access fault";
}

/* ---- reports ---------------------------------------------------------------------------------------------------- */

/* call rel32 is e8 and four bytes; an indirect call is ff /2, of two, three, six or seven bytes, perhaps with a prefix. */
bool hal_behind_call(uintptr_t pc)
{
    const unsigned char *p = (const unsigned char *)pc;
    if (p[-5] == 0xe8)
        return true;
    for (int i = 2; i <= 7; i++)
        if (p[-i] == 0xff && (p[-i + 1] & 0x38) == 0x10)
            return true;
    return false;
}

const char *const hal_reg_names[HAL_REGS] = {
    [REG_RIP] = "rip", [REG_RSP] = "rsp", [REG_RAX] = "rax", [REG_RBX] = "rbx", [REG_RCX] = "rcx", [REG_RDX] = "rdx",
    [REG_RSI] = "rsi", [REG_RDI] = "rdi", [REG_RBP] = "rbp", [REG_R8] = "r8 ",  [REG_R9] = "r9 ",  [REG_R10] = "r10",
    [REG_R11] = "r11", [REG_R12] = "r12", [REG_R13] = "r13", [REG_R14] = "r14", [REG_R15] = "r15", [REG_EFL] = "efl",
};
#endif
