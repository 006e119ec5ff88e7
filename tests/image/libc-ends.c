/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 60 */
/* match: ^# whole 1 whole 2 whole 3 ?$ */
/* match: ^# ended ?$ */
/* match: task bad ended on hart \d+: load access fault */
/*
 * Tasks that used newlib end, by themselves and by faults in the middle of printf: what they had of it is given back, and
 * what they had not printed yet comes out, or is dropped.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap_used.h"
#include "libc/libc.h"
#include "tap.h"

enum { BAD = 10, GOOD = 40 };

/* Large numbers, so that powers of 5 are kept for later ones; signal makes a table. */
static void uses_all(void)
{
    char text[400];
    snprintf(text, sizeof text, "%.0f %g", 1e300, strtod("1.2345678901234567e-280", NULL));
    signal(SIGUSR1, SIG_IGN);
    fprintf(stderr, "%s", "");
}

static void good(void *arg)
{
    uses_all();
    (void)arg;
}

static void bad(void *arg)
{
    uses_all();
    printf("# dropped ");
    printf("%s", (const char *)arg);
}

static int joined(const char *name, void (*fn)(void *), void *arg)
{
    struct hk_task_config config = { .name = name };
    struct task *t;
    return hk_task_create(&t, &config, fn, arg) == HK_OK ? hk_task_join(t, NULL) : HK_ENOMEM;
}

static bool turn(void)
{
    bool right = true;
    for (int i = 0; i < GOOD; i++)
        right &= joined("good", good, NULL) == HK_OK;
    for (int i = 0; i < BAD; i++)
        right &= joined("bad", bad, (void *)(uintptr_t)-4096) == HK_EFAULT;
    return right && joined("good", good, NULL) == HK_OK;      /* gives back what the last bad one left */
}

static void prints(void *arg)
{
    (void)arg;
    printf("# whole 1 ");
    printf("whole %d ", 2);
    printf("whole %g ", 3.0);
}

static void exits(void *arg)
{
    (void)arg;
    printf("# ended ");
    hk_task_exit(NULL);
}

int app_main(void)
{
    uses_all();
    ok(turn(), "tasks end by themselves and by faults");
    int used = heap_used();
    size_t free_pages = hk_mem_largest();
    ok(turn(), "and again");
    is(heap_used(), used, "malloc has back what they had");
    is(hk_mem_largest(), free_pages, "so have the pages");
    int returned = joined("prints", prints, NULL);
    puts("");
    int exited = joined("exits", exits, NULL);
    puts("");
    ok(returned == HK_OK && exited == HK_OK, "a line that has no end comes out as its task ends");
    errno = 0;
    ok(libc_attach() == HK_OK && errno == 0, "main has its state");
    return tap_end();
}
