/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 100 */
/* match: ^# task 5 has 5\.500000 and 5e\+100$ */
/*
 * newlib in several tasks at once: numbers to text and back, errno, strtok, rand, malloc, qsort, setjmp, one stream for
 * all, the rounding mode, objects of the collected heap.  Every result is checked, and no memory is left in use at the end.
 */
#include <errno.h>
#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gc/hgc.h"
#include "heap_used.h"
#include "tap.h"

enum { TASKS = 9, ROUNDS = 60, SLOTS = 24, SORTED = 200, STEPS = 20, ARENA = 1 << 20, TEXT = 64 };

struct own {
    unsigned index;
    uint64_t seed;
    bool numbers, text, words, random, memory, sorted, jumps, rounding, collected;
    unsigned char *slot[SLOTS];
    size_t size[SLOTS];
};
static struct own tasks[TASKS];
static int expected[TASKS][STEPS];      /* of rand, computed alone */
static FILE *shared;

static uint64_t next(struct own *o)
{
    o->seed ^= o->seed << 13;
    o->seed ^= o->seed >> 7;
    return o->seed ^= o->seed << 17;
}

/* Any finite number, of any size, survives text with 17 digits. */
static bool numbers(struct own *o)
{
    for (int i = 0; i < STEPS; i++) {
        union { uint64_t bits; double d; } x = { .bits = next(o) }, y;
        char text[40], *end;
        if (!isfinite(x.d))
            continue;
        snprintf(text, sizeof text, "%.17g", x.d);
        y.d = strtod(text, &end);
        if (x.bits != y.bits || *end)
            return false;
    }
    return true;
}

static bool text(struct own *o)
{
    char a[60], b[60];
    snprintf(a, sizeof a, "%.3f %g %e", 2.0 / 3, 1e23, -1.5e-300);
    errno = (int)o->index + 1;
    hk_yield();
    bool mine = errno == (int)o->index + 1;
    mine &= strtod("1e999", NULL) == HUGE_VAL && errno == ERANGE;
    snprintf(b, sizeof b, "%u.%03u", o->index, o->index * 7);
    return mine && strcmp(a, "0.667 1e+23 -1.500000e-300") == 0 && fabs(strtod(b, NULL) - o->index * 1.007) < 1e-9;
}

static bool words(struct own *o)
{
    char line[40];
    unsigned n = 0;
    snprintf(line, sizeof line, "%u-%u-%u-%u", o->index, o->index + 1, o->index + 2, o->index + 3);
    for (char *w = strtok(line, "-"); w; w = strtok(NULL, "-"), n++) {
        if (strtoul(w, NULL, 10) != o->index + n)
            return false;
        hk_yield();
    }
    return n == 4;
}

static bool random_numbers(struct own *o)
{
    srand(o->index + 1);
    for (int i = 0; i < STEPS; i++) {
        if (rand() != expected[o->index][i])
            return false;
        if (i % 8 == 0)
            hk_yield();
    }
    return true;
}

static bool filled(const unsigned char *p, size_t n, unsigned char byte)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != byte)
            return false;
    return true;
}

static bool memory(struct own *o)
{
    for (int i = 0; i < STEPS; i++) {
        unsigned s = (unsigned)(next(o) % SLOTS);
        size_t size = 1 + next(o) % 900, kept = size < o->size[s] ? size : o->size[s];
        unsigned char mark = (unsigned char)(o->index * SLOTS + s);
        if (!filled(o->slot[s], o->size[s], mark))
            return false;
        if (next(o) % 3 == 0) {
            free(o->slot[s]);
            o->slot[s] = NULL;
            kept = 0;
        }
        unsigned char *p = realloc(o->slot[s], size);
        if (p == NULL || !filled(p, kept, mark))
            return false;
        memset(p, mark, size);
        o->slot[s] = p;
        o->size[s] = size;
    }
    return true;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static bool sorted(struct own *o)
{
    double *a = malloc(SORTED * sizeof *a);
    bool good = a != NULL;
    for (int i = 0; good && i < SORTED; i++)
        a[i] = (double)(int64_t)next(o);
    if (a)
        qsort(a, SORTED, sizeof *a, by_size);
    for (int i = 1; good && i < SORTED; i++)
        good &= a[i - 1] <= a[i];
    free(a);
    return good;
}

static __attribute__((noinline)) void throw(jmp_buf to, int depth, double x)
{
    if (depth == 0)
        longjmp(to, 1 + (int)x);
    hk_yield();
    if (depth < 100)
        throw(to, depth - 1, x * 2);
}

static bool jumps(struct own *o)
{
    jmp_buf here;
    volatile double kept = o->index + 0.25;
    int said = setjmp(here);
    if (said == 0)
        throw(here, 4, o->index);
    return said == 1 + 16 * (int)o->index && kept == o->index + 0.25;
}

static bool rounding(struct own *o)
{
    static const int modes[] = { FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO };
    volatile double one = 1, three = 3, sum = 0;
    bool up = o->index % 4 == 2, good = true;
    fesetround(modes[o->index % 4]);
    for (int i = 0; i < 50; i++) {
        double third = one / three;
        good &= (third * 3 > 1) == up && fegetround() == modes[o->index % 4];
        sum += third;
        if (i % 10 == 0)
            hk_yield();
    }
    fesetround(FE_TONEAREST);
    return good && sum > 16;
}

/* Objects of the collected heap that newlib writes and reads, while cycles run. */
static bool collected(struct own *o)
{
    char *p[STEPS];
    for (unsigned i = 0; i < STEPS; i++) {
        p[i] = hgc_new(HGC_LEAF, TEXT);
        if (p[i] == NULL)
            return false;
        snprintf(p[i], TEXT, "%u %.17g", o->index, i / 7.0);
        for (int j = 0; j < STEPS; j++)
            if (hgc_new(HGC_LEAF, TEXT) == NULL)
                return false;
    }
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned index;
        double x;
        if (sscanf(p[i], "%u %lf", &index, &x) != 2 || index != o->index || x != i / 7.0)
            return false;
    }
    return true;
}

static void works(void *arg)
{
    struct own *o = arg;
    for (int i = 0; i < ROUNDS; i++) {
        o->numbers &= numbers(o);
        o->text &= text(o);
        o->words &= words(o);
        o->random &= random_numbers(o);
        o->memory &= memory(o);
        o->sorted &= sorted(o);
        o->jumps &= jumps(o);
        o->rounding &= rounding(o);
        o->collected &= collected(o);
        fprintf(shared, "task %u round %d: %.17g\n", o->index, i, o->index + i / 7.0);
    }
    for (int s = 0; s < SLOTS; s++)
        free(o->slot[s]);
    printf("# task %u has %f and %g\n", o->index, o->index * 1.1, o->index * 1e100);
}

/* Every line of the shared stream is whole, and each task's come in order. */
static bool lines_whole(const char *at)
{
    int seen[TASKS] = { 0 };
    for (const char *end; (end = strchr(at, '\n')); at = end + 1) {
        unsigned index = (unsigned)strtoul(at + 5, NULL, 10);
        char line[60];
        if (index >= TASKS)
            return false;
        snprintf(line, sizeof line, "task %u round %d: %.17g\n", index, seen[index], index + seen[index] / 7.0);
        if (strncmp(at, line, strlen(line)) != 0)
            return false;
        seen[index]++;
    }
    for (int i = 0; i < TASKS; i++)
        if (seen[i] != ROUNDS)
            return false;
    return *at == 0;
}

static void run(void)
{
    struct task *t[TASKS];
    char *text = NULL;
    size_t size = 0;
    shared = open_memstream(&text, &size);
    for (unsigned i = 0; i < TASKS; i++) {
        tasks[i] = (struct own){ i, 0x9e3779b97f4a7c15 * (i + 1), true, true, true, true, true, true, true, true, true,
                                   { 0 }, { 0 } };
        hk_task_create(&t[i], NULL, works, &tasks[i]);
    }
    for (int i = 0; i < TASKS; i++)
        hk_task_join(t[i], NULL);
    fclose(shared);
    ok(lines_whole(text), "lines of a stream that all write to are whole");
    free(text);
}

#define all(what)                                                                                                    \
    do {                                                                                                             \
        unsigned good = 0;                                                                                           \
        for (int i = 0; i < TASKS; i++)                                                                              \
            good += tasks[i].what;                                                                                   \
        is(good, TASKS, #what);                                                                                      \
    } while (0)

static void judge(void)
{
    all(numbers);
    all(text);
    all(words);
    all(random);
    all(memory);
    all(sorted);
    all(jumps);
    all(rounding);
    all(collected);
}

int app_main(void)
{
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA };
    is(hgc_init(&config), HGC_OK, "the collector starts");
    for (unsigned i = 0; i < TASKS; i++) {
        srand(i + 1);
        for (int j = 0; j < STEPS; j++)
            expected[i][j] = rand();
    }
    run();
    judge();
    int used = heap_used();
    run();
    judge();
    struct hgc_stats s;
    hgc_stats(&s);
    ok(s.cycles > 2, "cycles ran beside");
    is(heap_used(), used, "the tasks' memory is given back as they end");
    return tap_end();
}
