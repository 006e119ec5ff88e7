/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sanitizers must be told about stacks that they did not make.
 *
 * HAL_NO_SANITIZE marks a function that reads memory as it is, in no order with those who write it: a conservative scan
 * reads other tasks' stacks with AddressSanitizer's red zones in them, and words that their owners write at that moment.
 * Such a function must do its reads itself: neither what it calls nor what is inlined into it inherits this.
 *
 * HAL_NO_TRACE marks a function that never returns the way it was entered: no sanitizer may note its entry.
 */
#ifndef HAL_SANITIZER_H
#define HAL_SANITIZER_H

#if defined(__SANITIZE_THREAD__)
#define HAL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAL_TSAN 1
#endif
#endif
#ifndef HAL_TSAN
#define HAL_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define HAL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAL_ASAN 1
#endif
#endif
#ifndef HAL_ASAN
#define HAL_ASAN 0
#endif

#define HAL_NO_SANITIZE __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))

/* For what leaves the trap stack for good.  Nor may the compiler put a call of AddressSanitizer's before that: on a stack that this
 * does not know it asks the C library for its bounds, which allocates.  Who has the allocator's lock may stand still in a stop that
 * this hart asked for. */
#if defined(__clang__)
#define HAL_NO_TRACE __attribute__((disable_sanitizer_instrumentation, no_sanitize("address"), \
                                    no_sanitize("undefined"), noinline))
#else
#define HAL_NO_TRACE __attribute__((no_sanitize("address"), no_sanitize("thread"), noinline))
#endif

#endif
