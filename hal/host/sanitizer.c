/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the sanitizers where we are.  Without one, all of it is nothing.
 *
 * AddressSanitizer wants the bounds of the stack that is in use, to clear its red zones where a function does not return.
 * ThreadSanitizer wants a "fiber" for each context.  While a hart is on its trap stack it is in the fiber of its thread:
 * no fiber is ever in use on two harts, because H4 lets go of a context only there.
 */
#include "hal_internal.h"

#if HAL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

/* Leaks cannot be found on stacks that it does not know; handlers have a stack already. */
const char *__asan_default_options(void);
__attribute__((weak)) const char *__asan_default_options(void)
{
    return "detect_leaks=0:use_sigaltstack=0:detect_stack_use_after_return=0";
}

void hal_san_init_hart(struct hal_hart *me)
{
    (void)me;
}

void hal_san_init(struct hal_ctx *ctx)
{
    (void)ctx;
}

/* Functions that never came back left their red zones. */
void hal_san_fini(struct hal_ctx *ctx)
{
    __asan_unpoison_memory_region((void *)ctx->lo, ctx->hi - ctx->lo);
}

void hal_san_trap(struct hal_hart *me)
{
    (void)me;
}

void hal_san_enter(struct hal_ctx *to)
{
    __sanitizer_start_switch_fiber(NULL, (void *)to->lo, to->hi - to->lo);
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
}

#elif HAL_TSAN
#include <sanitizer/tsan_interface.h>

uint32_t hal_fence_word;

void hal_san_init_hart(struct hal_hart *me)
{
    me->fiber = __tsan_get_current_fiber();
}

void hal_san_init(struct hal_ctx *ctx)
{
    ctx->fiber = __tsan_create_fiber(0);
}

/* One that ended by a fault was left inside ThreadSanitizer's own signal handler, which may still be on its way out. */
void hal_san_fini(struct hal_ctx *ctx)
{
    if (!ctx->full)
        __tsan_destroy_fiber(ctx->fiber);
    ctx->fiber = NULL;
}

void hal_san_trap(struct hal_hart *me)
{
    __tsan_switch_to_fiber(me->fiber, 0);
}

void hal_san_enter(struct hal_ctx *to)
{
    __tsan_switch_to_fiber(to->fiber, 0);
}

#else

void hal_san_init_hart(struct hal_hart *me) { (void)me; }
void hal_san_init(struct hal_ctx *ctx) { (void)ctx; }
void hal_san_fini(struct hal_ctx *ctx) { (void)ctx; }
void hal_san_trap(struct hal_hart *me) { (void)me; }
void hal_san_enter(struct hal_ctx *to) { (void)to; }

#endif
