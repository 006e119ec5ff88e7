/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processor of the host.  Each of the two headers defines
 *   HAL_REGS, HAL_REG_PC, HAL_REG_SP, HAL_FP_BYTES, HAL_RED_ZONE      what a signal frame holds
 *   hal_tls_get(w)  hal_tls_set(w, v)     a hart's 32-bit words; hal_tls_self(), hal_tls_crit_swap_1(); all as H2 demands
 *   HAL_SEQ_NEW_  HAL_SEQ_SET_            the fast parts of hal_seq.h
 */
#ifndef HAL_MACHINE_H
#define HAL_MACHINE_H

#include <stdint.h>

struct hart;

/* The tls_model makes a variable's place a constant offset from the thread pointer: code with it cannot be in a shared
 * object. */
#define HAL_TLS __thread __attribute__((tls_model("local-exec")))

/* A restartable sequence is the code between the labels 1 and 2; see restart.c.  The linker makes the symbols __start_ and
 * __stop_hgc_restart, which it does only for names without a dot. */
#define HAL_RESTARTABLE_                                                                                              \
    ".pushsection hgc_restart, \"aw\"\n\t"                                                                            \
    ".balign 8\n\t"                                                                                                   \
    ".quad 1b, 2b\n\t"                                                                                                \
    ".popsection\n\t"

#if defined(__x86_64__)
#include "x86_64.h"
#elif defined(__aarch64__)
#include "aarch64.h"
#else
#error "hal/host knows x86-64 and aarch64 on Linux: add a header like x86_64.h, and a file like x86_64.c"
#endif

#endif
