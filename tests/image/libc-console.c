/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* input: */
/* input: one line */
/* input: 12.5 7 */
/* input: rest */
/* Lines that are typed on the console, through stdio and without. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

int app_main(void)
{
    char line[80] = "", part[10] = "";
    double x = 0;
    int n = 0;
    while (fgets(line, sizeof line, stdin) && strcmp(line, "one line\n") != 0)
        ;
    ok(!strcmp(line, "one line\n"), "a line");
    ok(scanf("%lf %d", &x, &n) == 2 && x == 12.5 && n == 7 && getchar() == '\n', "numbers");
    n = (int)read(0, part, 3);
    ok(n == 3 && !memcmp(part, "res", 3), "a part of a line");
    n = (int)read(0, part, sizeof part);
    ok(n == 2 && !memcmp(part, "t\n", 2), "and the rest of it");
    return tap_end();
}
