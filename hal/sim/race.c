/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The race detector: ordinary accesses, which the compiler reports through the hooks of thread sanitizer (gc, kernel and
 * workloads are built with -fsanitize=thread and linked without its library), against each other and against atomic ones.
 * Two accesses of two harts to one word, one of them a write and one of them ordinary, must be ordered: by a release and an
 * acquire that reads it, by fences around relaxed accesses, by an address that was loaded, or by an interrupt that was sent.
 * Vector clocks, after FastTrack (Flanagan and Freund, 2009).  A hart's handlers and tasks are in order by themselves.
 */
#include "sim_internal.h"

#include <string.h>
#include <sys/mman.h>

enum { GRANULE = 4 };

/* Of one granule.  A write: clock * 8 + hart; reads: the clock by hart.  Each schedule begins with nothing known (`run`): what
 * differed would come to lie on tasks' stacks, in saved registers. */
struct shadow {
    uint32_t run;               /* the schedule that the rest is of */
    uint64_t plain_write, atomic_write;
    uint64_t plain_read[SIM_HARTS], atomic_read[SIM_HARTS];
    uint32_t plain_write_pc, atomic_write_pc, plain_read_pc, atomic_read_pc;
    struct sim_clock message;   /* what the writer of the value that is there had done */
};
static struct shadow *const shadow = (struct shadow *)(uintptr_t)0x300000000000;

static size_t data_granules(void)
{
    return (sim->data_hi - sim->data_lo) / GRANULE + 1;
}

void race_init(void)
{
    size_t bytes = (data_granules() + (sim->mem_hi - sim->mem_lo) / GRANULE + 1) * sizeof *shadow;
    if (mmap(shadow, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0)
        != shadow)
        sim_fail("no memory for the race detector");
}

void race_start(void)
{
    sim->runs++;
    for (unsigned i = 0; i < SIM_HARTS; i++)
        sim->hart[i].clock.at[i] = 1;
}

void race_join(struct sim_clock *to, const struct sim_clock *from)
{
    for (unsigned i = 0; i < SIM_HARTS; i++)
        if (from->at[i] > to->at[i])
            to->at[i] = from->at[i];
}

void race_tick(struct sim_hart *h)
{
    h->clock.at[h->index]++;
}

static struct shadow *shadow_of(uintptr_t p)
{
    struct shadow *s;
    if (p - sim->data_lo < sim->data_hi - sim->data_lo)
        s = &shadow[(p - sim->data_lo) / GRANULE];
    else if (p - sim->mem_lo < sim->mem_hi - sim->mem_lo)
        s = &shadow[data_granules() + (p - sim->mem_lo) / GRANULE];
    else
        return NULL;
    if (s->run != sim->runs) {
        memset(s, 0, sizeof *s);
        s->run = sim->runs;
    }
    return s;
}

/* What a reader of p may rely on. */
struct sim_clock *race_message(uintptr_t p)
{
    static struct shadow elsewhere;
    struct shadow *s = shadow_of(p);
    if (!s)
        s = &elsewhere;
    return &s->message;
}

static _Noreturn void race(uintptr_t p, const char *one, uint32_t pc1, const char *two, uintptr_t pc2, uint64_t other)
{
    sim_fail("race at %p: %s at pc %#x on hart %u, then %s at pc %#lx on hart %u, with no order between them", (void *)p, one,
             pc1, (unsigned)other, two, (unsigned long)pc2, sim->cur->index);
}

static void check_write(uintptr_t p, const struct sim_hart *h, uint64_t w, const char *one, uint32_t pc1, const char *two,
                        uintptr_t pc2)
{
    unsigned by = w % 8;
    if (w && by != h->index && w / 8 > h->clock.at[by])
        race(p, one, pc1, two, pc2, by);
}

static void check_reads(uintptr_t p, const struct sim_hart *h, const uint64_t *reads, const char *one, uint32_t pc1,
                        const char *two, uintptr_t pc2)
{
    for (unsigned i = 0; i < SIM_HARTS; i++)
        if (i != h->index && reads[i] > h->clock.at[i])
            race(p, one, pc1, two, pc2, i);
}

void race_atomic(uintptr_t p, unsigned size, bool write, uintptr_t pc)
{
    const struct sim_hart *h = sim->cur;
    for (uintptr_t q = p; q < p + size; q += GRANULE) {
        struct shadow *s = shadow_of(q);
        if (!s)
            return;
        uint64_t now = h->clock.at[h->index];
        check_write(q, h, s->plain_write, "ordinary write", s->plain_write_pc, write ? "atomic write" : "atomic read", pc);
        if (write) {
            check_reads(q, h, s->plain_read, "ordinary read", s->plain_read_pc, "atomic write", pc);
            s->atomic_write = now * 8 + h->index;
            s->atomic_write_pc = (uint32_t)pc;
        } else {
            s->atomic_read[h->index] = now;
            s->atomic_read_pc = (uint32_t)pc;
        }
    }
}

/* ---- the compiler's hooks --------------------------------------------------------------------------------------- */

static void plain(uintptr_t p, unsigned size, bool write, uintptr_t pc)
{
    struct sim_hart *h = sim->cur;
    if (sim->stopped || h == NULL)
        return;
    if (--sim->plain_left == 0) {
        sim->plain_left = 1 + sim_choose(sim->plain_in);
        sim_point();
        h = sim->cur;
    }
    if (h->buffered)
        mem_flush_at(h, p, size);               /* an ordinary access is in order with our own at the same address */
    if (!sim->cfg.race)
        return;
    for (uintptr_t q = p & ~(uintptr_t)(GRANULE - 1); q < p + size; q += GRANULE) {
        struct shadow *s = shadow_of(q);
        if (!s)
            return;
        uint64_t now = h->clock.at[h->index];
        const char *what = write ? "ordinary write" : "ordinary read";
        check_write(q, h, s->plain_write, "ordinary write", s->plain_write_pc, what, pc);
        check_write(q, h, s->atomic_write, "atomic write", s->atomic_write_pc, what, pc);
        if (write) {
            check_reads(q, h, s->plain_read, "ordinary read", s->plain_read_pc, what, pc);
            check_reads(q, h, s->atomic_read, "atomic read", s->atomic_read_pc, what, pc);
            s->plain_write = now * 8 + h->index;
            s->plain_write_pc = (uint32_t)pc;
        } else {
            s->plain_read[h->index] = now;
            s->plain_read_pc = (uint32_t)pc;
        }
    }
}

#define PC ((uintptr_t)__builtin_return_address(0))
#define HOOKS(n)                                                                                                      \
    void __tsan_read##n(void *p) { plain((uintptr_t)p, n, false, PC); }                                               \
    void __tsan_write##n(void *p) { plain((uintptr_t)p, n, true, PC); }                                               \
    void __tsan_unaligned_read##n(void *p) { plain((uintptr_t)p, n, false, PC); }                                     \
    void __tsan_unaligned_write##n(void *p) { plain((uintptr_t)p, n, true, PC); }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
void __tsan_read_range(void *p, unsigned long n) { plain((uintptr_t)p, (unsigned)n, false, PC); }
void __tsan_write_range(void *p, unsigned long n) { plain((uintptr_t)p, (unsigned)n, true, PC); }
void __tsan_func_entry(void *pc) { (void)pc; }
void __tsan_func_exit(void) { }
void __tsan_init(void) { }

/* What the core calls instead of memset and its kin (the Makefile renames them): a library's are not instrumented. */
void *sim_memset(void *p, int c, size_t n)
{
    plain((uintptr_t)p, (unsigned)n, true, PC);
    return memset(p, c, n);
}
void *sim_memcpy(void *to, const void *from, size_t n)
{
    plain((uintptr_t)from, (unsigned)n, false, PC);
    plain((uintptr_t)to, (unsigned)n, true, PC);
    return memcpy(to, from, n);
}
void *sim_memmove(void *to, const void *from, size_t n)
{
    plain((uintptr_t)from, (unsigned)n, false, PC);
    plain((uintptr_t)to, (unsigned)n, true, PC);
    return memmove(to, from, n);
}
int sim_memcmp(const void *a, const void *b, size_t n)
{
    plain((uintptr_t)a, (unsigned)n, false, PC);
    plain((uintptr_t)b, (unsigned)n, false, PC);
    return memcmp(a, b, n);
}
