/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* match: ^libc: used up: the 64 KiB for malloc; */
/* Files in the image, file descriptors, time, the end of malloc's memory, and newlib before there are tasks. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "kernel/hart.h"
#include "libc/libc.h"
#include "tap.h"

enum { HEAP = 64 << 10, TASKS = 4 };

LIBC_FILE("/doc/licence", "LICENSE");
static const char poem[] = "one\ntwo 2.5\n";
LIBC_FILE_MEMORY(poem, "poem", poem, sizeof poem - 1);
LIBC_FILE_MEMORY(empty, "/empty", poem, 0);
static char heap[HEAP];

static void test_streams(void)
{
    char line[80], word[10];
    double x = 0;
    FILE *f = fopen("doc/licence", "r");
    ok(f && fscanf(f, " %9s", word) == 1 && !strcmp(word, "Apache"), "a file that the assembler read");
    long size = f && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : 0;
    ok(size > 9000 && size < 13000, "it has the right size");
    ok(fseek(f, size - 1, SEEK_SET) == 0 && getc(f) == '\n' && getc(f) == EOF && feof(f), "and ends where it should");
    fclose(f);
    f = fopen("./poem", "r");
    ok(f && fgets(line, sizeof line, f) && fscanf(f, "%9s %lf", word, &x) == 2 && !strcmp(word, "two") && x == 2.5,
       "a file of memory");
    fclose(f);
    f = fopen("/empty", "r");
    ok(f && getc(f) == EOF, "an empty file");
    fclose(f);
}

static void test_descriptors(void)
{
    struct stat st;
    char c[4] = "";
    int a = open("/poem", O_RDONLY), b = open("/poem", O_RDONLY);
    ok(a == 3 && b == 4, "descriptors begin behind the console's");
    ok(read(a, c, 3) == 3 && !memcmp(c, "one", 3) && read(b, c, 2) == 2 && lseek(a, 0, SEEK_CUR) == 3, "each has its place");
    ok(lseek(a, -4, SEEK_END) == (int)sizeof poem - 5 && read(a, c, 4) == 4 && !memcmp(c, "2.5\n", 4) && read(a, c, 4) == 0,
       "lseek from the end, and the end");
    ok(lseek(a, -1, SEEK_SET) == -1 && errno == EINVAL && lseek(0, 0, SEEK_SET) == -1 && errno == ESPIPE
       && lseek(9, 0, SEEK_SET) == -1 && errno == EBADF, "lseek's errors");
    ok(fstat(a, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == sizeof poem - 1 && !isatty(a) && errno == ENOTTY,
       "fstat and isatty of a file");
    ok(fstat(1, &st) == 0 && S_ISCHR(st.st_mode) && isatty(1), "and of the console");
    ok(close(a) == 0 && close(a) == -1 && errno == EBADF && open("/empty", O_RDONLY) == a, "a closed descriptor is free");
    close(a);
    close(b);
    ok(open("nothing", O_RDONLY) == -1 && errno == ENOENT && open("poem", O_RDWR) == -1 && errno == EROFS
       && open("new", O_WRONLY | O_CREAT, 0666) == -1 && errno == EROFS && write(a, "x", 1) == -1 && errno == EBADF,
       "nothing can be written");
    ok(remove("poem") == -1 && errno == EROFS && remove("nothing") == -1 && errno == ENOENT && stat("poem", &st) == 0,
       "or removed");
    int n = 0;
    while (open("poem", O_RDONLY) >= 0)
        n++;
    ok(n == LIBC_OPEN_MAX - 3 && errno == EMFILE, "as many as LIBC_OPEN_MAX");
    for (int fd = 3; fd < LIBC_OPEN_MAX; fd++)
        close(fd);
}

/* Tasks share a descriptor: each byte is read once. */
static uint32_t bytes, sum;
static int fd;

static void reads(void *arg)
{
    unsigned char part[13];
    (void)arg;
    for (int n; (n = read(fd, part, sizeof part)) > 0; hk_yield()) {
        amo_add_rlx(&bytes, (uint32_t)n);
        for (int i = 0; i < n; i++)
            amo_add_rlx(&sum, part[i]);
    }
}

static void test_shared(void)
{
    struct task *t[TASKS];
    struct stat st;
    uint32_t expected = 0;
    FILE *f = fopen("doc/licence", "r");
    for (int c; (c = getc(f)) != EOF;)
        expected += (unsigned char)c;
    fclose(f);
    fd = open("doc/licence", O_RDONLY);
    fstat(fd, &st);
    for (int i = 0; i < TASKS; i++)
        hk_task_create(&t[i], NULL, reads, NULL);
    for (int i = 0; i < TASKS; i++)
        hk_task_join(t[i], NULL);
    close(fd);
    ok(bytes == st.st_size && sum == expected, "tasks that share a descriptor read each byte once");
}

static void test_time(void)
{
    struct timeval a, b, set = { .tv_sec = 1700000000, .tv_usec = 5 };
    clock_t begin = clock();
    gettimeofday(&a, NULL);
    hk_sleep(20000000);
    gettimeofday(&b, NULL);
    long us = (long)(b.tv_sec - a.tv_sec) * 1000000 + b.tv_usec - a.tv_usec;
    ok(us >= 20000 && clock() - begin >= (clock_t)us, "gettimeofday and clock go on");
    time_t now = settimeofday(&set, NULL) ? 0 : time(NULL);
    ok(now >= 1700000000 && now < 1700000100 && gmtime(&now)->tm_year == 123, "settimeofday");
    set.tv_usec = -1;
    ok(settimeofday(&set, NULL) == -1 && errno == EINVAL, "what is no time is refused");
}

static void test_memory(void)
{
    void *p, *first = NULL;
    errno = 0;
    while ((p = malloc(1000))) {
        *(void **)p = first;
        first = p;
    }
    is(errno, ENOMEM, "malloc's memory has an end");
    ok(libc_heap(heap, sizeof heap) == HK_EINVAL, "which is not changed any more");
    unsigned n = 0;
    for (; first; first = p, n++) {
        p = *(void **)first;
        free(first);
    }
    ok(n > HEAP / 1200 && n < HEAP / 1000, "it had the region");
    ok((p = malloc(HEAP / 2)) != NULL, "and has it again");
    free(p);
}

static volatile sig_atomic_t caught;

static void catch(int number)
{
    caught = number;
}

static void test_process(void)
{
    ok(kill(getpid(), 0) == 0 && kill(getpid() + 1, SIGTERM) == -1 && errno == ESRCH && kill(getpid(), -1) == -1
       && errno == EINVAL, "kill's errors");
    signal(SIGUSR1, catch);
    ok(raise(SIGUSR1) == 0 && caught == SIGUSR1, "raise calls a handler");
    ok(setenv("WORD", "value", 1) == 0 && !strcmp(getenv("WORD"), "value") && system(NULL) == 0, "the environment");
}

/* As it is on the boot hart: no current task. */
static void test_before_tasks(void)
{
    char text[30] = "";
    hal_crit_t c = hal_crit_enter();
    struct hart *h = hal_self();
    struct task *self = ld_rlx(&h->current);
    st_rlx(&h->current, NULL);
    void *p = malloc(100);
    free(p);
    snprintf(text, sizeof text, "%.3f", 0.125);
    errno = 7;
    st_rlx(&h->current, self);
    hal_crit_exit(c);
    ok(p && !strcmp(text, "0.125") && errno == 7, "newlib works before there are tasks");
}

int app_main(void)
{
    ok(libc_heap(NULL, 100) == HK_EINVAL && libc_heap(heap, sizeof heap) == HK_OK, "malloc gets a region");
    test_streams();
    test_descriptors();
    test_shared();
    test_time();
    test_process();
    test_before_tasks();
    test_memory();
    return tap_end();
}
