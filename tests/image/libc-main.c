/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* expect: exit 7 */
/* bootargs: harts=1 -- one two=2  three,4 */
/* match: ^# main's line, the task's line$ */
/* A program with a main: its arguments, exit from another task, and the lines that have no end yet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static void at_exit(void)
{
    printf("line");
}

static void ends(void *arg)
{
    (void)arg;
    printf("the task's ");
    exit(7 + 256);
}

int main(int argc, char **argv)
{
    atexit(at_exit);
    is(argc, 4, "the words after -- are counted");
    ok(!strcmp(argv[1], "one") && !strcmp(argv[2], "two=2") && !strcmp(argv[3], "three,4") && !argv[4], "and handed on");
    is(hk_harts(), 1, "those before are the kernel's");
    (void)tap_end();
    printf("# main's line, ");
    fflush(stdout);
    hk_task_create(NULL, NULL, ends, NULL);
    hk_sleep(HK_FOREVER);
    return 1;
}
