/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 */
/* seconds: 30 */
/* Correcting a line on the console: libc/console.c, with keys from here. */
static int typed(void);
#define hk_getchar typed
#include "libc/console.c"
#undef hk_getchar

#include <unistd.h>

#include "tap.h"

static const char *keys;

static int typed(void)
{
    return *keys++;
}

static bool reads(const char *text, const char *expected)
{
    char got[2 * LIBC_LINE_MAX];
    keys = text;
    int n = (int)read(0, got, sizeof got);
    hk_printf("\n");
    return n == (int)strlen(expected) && memcmp(got, expected, (size_t)n) == 0 && *keys == 0;
}

int app_main(void)
{
    static char all[LIBC_LINE_MAX + 100], kept[LIBC_LINE_MAX + 1];
    ok(reads("abx\b\177c\n", "ac\n"), "backspace and delete");
    ok(reads("\b\bab\b\b\bc\n", "c\n"), "not behind the start of the line");
    ok(reads("zzz\025ok\r", "ok\n"), "a line rubbed out; carriage return");
    ok(reads("\004", ""), "the end of the file");
    ok(reads("part\004", "part"), "a line without an end");
    memset(all, 'x', sizeof all);
    all[sizeof all - 2] = '\n';
    all[sizeof all - 1] = 0;
    memset(kept, 'x', LIBC_LINE_MAX);
    kept[LIBC_LINE_MAX - 1] = '\n';
    ok(reads(all, kept), "a line that is too long is cut, and ends");
    return tap_end();
}
