/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 30 */
/* match: ^# the other's line, main's line$ */
/* exit prints what main and its caller have not printed yet. */
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"

static void ends(void *arg)
{
    (void)arg;
    fputs("# the other's line, ", stdout);
    exit(0);
}

int app_main(void)
{
    struct task *t;
    ok(true, "begins");
    (void)tap_end();
    printf("main's line");
    hk_task_create(&t, NULL, ends, NULL);
    hk_task_join(t, NULL);
    return 1;
}
