/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages, for stacks and for the collector's arena: a bitmap over hal_memory(), first fit by address.
 *
 * Invariant: a page's bit is set exactly while it is handed out (or lies behind the end); bits change under mem_lock.
 * The search runs without the lock, interrupts on, because it may be long; what it found is looked at again under the
 * lock, a piece at a time, and taken only if it is still free.
 */
#include "kernel/kernel_internal.h"
#include "kernel/string.h"

enum {
    WORD_BITS = 8 * sizeof(uintptr_t),
    PIECE = 16 * WORD_BITS,     /* pages marked in one critical section */
};
#define NOTHING SIZE_MAX

static struct spinlock mem_lock;
static uintptr_t *used;         /* atomic words; written under mem_lock */
static uintptr_t base;          /* constant after mem_init, as the next */
static size_t pages;

static size_t pages_of(size_t bytes)
{
    return bytes / HK_PAGE + (bytes % HK_PAGE != 0);
}

/* Sets (or clears) the bits of `n` pages from `page`. */
static void mark(size_t page, size_t n, bool set)
{
    while (n > 0) {
        size_t bit = page % WORD_BITS, here = WORD_BITS - bit < n ? WORD_BITS - bit : n;
        uintptr_t mask = (here == WORD_BITS ? UINTPTR_MAX : ((uintptr_t)1 << here) - 1) << bit;
        uintptr_t *w = &used[page / WORD_BITS];
        hk_assert(set ? !(ld_rlx(w) & mask) : (ld_rlx(w) & mask) == mask);
        st_rlx(w, set ? ld_rlx(w) | mask : ld_rlx(w) & ~mask);
        page += here;
        n -= here;
    }
}

void mem_init(void)
{
    uintptr_t lo, hi;
    hal_memory(&lo, &hi);
    hk_assert(lo % HK_PAGE == 0 && hi > lo);
    base = lo;
    pages = (hi - lo) / HK_PAGE;
    used = (uintptr_t *)lo;
    size_t words = pages / WORD_BITS + 1, bytes = words * sizeof *used;
    memset(used, 0, bytes);
    mark(pages, words * WORD_BITS - pages, true);   /* so that a search ends at the end */
    mark(0, pages_of(bytes), true);
}

/* The first page from `page` on whose bit is `set`, or `end`. */
static size_t next(size_t page, size_t end, bool set)
{
    while (page < end) {
        uintptr_t w = ld_rlx(&used[page / WORD_BITS]);
        w = (set ? w : ~w) >> (page % WORD_BITS);
        if (w != 0) {
            page += (size_t)__builtin_ctzll(w);
            break;
        }
        page = (page / WORD_BITS + 1) * WORD_BITS;
    }
    return page < end ? page : end;
}

/* The first run of at least `n` free pages, as it looked a moment ago.  `longest` (may be NULL) collects the longest. */
static size_t search(size_t n, size_t *longest)
{
    for (size_t page = next(0, pages, false); page < pages; ) {
        size_t enough = n < pages - page ? page + n : pages, end = next(page, enough, true);
        if (end - page >= n)
            return page;
        if (longest && end - page > *longest)
            *longest = end - page;
        page = next(end, pages, false);
    }
    return NOTHING;
}

/* Frees pages that are ours, PIECE at a time. */
static void give(size_t page, size_t n)
{
    while (n > 0) {
        size_t here = n < PIECE ? n : PIECE;
        hal_crit_t c = spin_lock_crit(&mem_lock);
        mark(page, here, false);
        spin_unlock_crit(&mem_lock, c);
        page += here;
        n -= here;
    }
}

/* Takes the pages, PIECE at a time, if they are still free; else none. */
static bool take(size_t page, size_t n)
{
    for (size_t done = 0; done < n; ) {
        size_t here = n - done < PIECE ? n - done : PIECE;
        hal_crit_t c = spin_lock_crit(&mem_lock);
        bool ours = next(page + done, page + done + here, true) == page + done + here;
        if (ours)
            mark(page + done, here, true);
        spin_unlock_crit(&mem_lock, c);
        if (!ours) {
            give(page, done);
            return false;
        }
        done += here;
    }
    return true;
}

void *hk_mem_alloc(size_t bytes)
{
    size_t n = pages_of(bytes), page;
    if (n == 0 || n > pages)
        return NULL;
    do {
        page = search(n, NULL);
        if (page != NOTHING && take(page, n))
            return (void *)(base + page * HK_PAGE);
    } while (page != NOTHING || stack_give_back());     /* somebody was faster, or there is a little more */
    return NULL;
}

void hk_mem_free(void *p, size_t bytes)
{
    size_t n = pages_of(bytes), page = ((uintptr_t)p - base) / HK_PAGE;
    hk_assert((uintptr_t)p >= base && (uintptr_t)p % HK_PAGE == 0 && page < pages && n <= pages - page);
    give(page, n);
}

size_t hk_mem_largest(void)
{
    size_t longest = 0;
    (void)search(NOTHING, &longest);
    return longest * HK_PAGE;
}
