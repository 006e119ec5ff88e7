/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console as a terminal: a line is read when its end is typed, and can be corrected before.
 *
 * One line for all tasks, under `lock`.  Who dies holding it leaves a line in order: what was read is taken off only after
 * it was copied, and typing changes `length` last.
 */
#include "libc/libc_internal.h"

#include <string.h>

static struct hk_mutex lock;
static char line[LIBC_LINE_MAX];
static size_t length, taken;    /* lock */
static bool whole;              /* lock: its end was typed */

enum { BACKSPACE = 8, DELETE = 127, CTRL_D = 4, CTRL_U = 21 };

static void rub_out(size_t n)
{
    for (; n > 0 && length > 0; n--) {
        length--;
        hk_write("\b \b", 3);
    }
}

static void add(char c)
{
    if (length == sizeof line)
        return;
    line[length] = c;
    length++;
    hk_write(&c, 1);
}

/* ^D ends what is typed without a newline; at the start of a line that is the end of the file, for this read. */
static void type(char c)
{
    if (c == CTRL_D)
        whole = true;
    else if (c == BACKSPACE || c == DELETE)
        rub_out(1);
    else if (c == CTRL_U)
        rub_out(length);
    else if (c == '\r' || c == '\n') {
        if (length == sizeof line)      /* the newline has to fit */
            length--;
        add('\n');
        whole = true;
    } else
        add(c);
}

size_t libc_console_read(char *to, size_t n)
{
    (void)hk_mutex_lock(&lock);         /* HK_EOWNERDEAD: see above */
    while (!whole)
        type((char)hk_getchar());
    size_t have = length - taken < n ? length - taken : n;
    memcpy(to, line + taken, have);
    taken += have;
    if (taken == length) {
        taken = length = 0;
        whole = false;
    }
    (void)hk_mutex_unlock(&lock);
    return have;
}
