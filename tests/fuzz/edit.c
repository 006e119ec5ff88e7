/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports/lua/edit.c: any bytes as keys.  After each the line is in order, and a terminal that shows only what it is told
 * has the cursor where it belongs, on the character that it is on.
 */
#include "ports/lua/edit.h"
#include "tests/fuzz/bytes.h"
#include "tests/unit/terminal.h"

static struct edit e;
static struct terminal t;

static void to_terminal(const char *text, size_t n)
{
    terminal_write(&t, text, n);
}

static void check(void)
{
    const char *under = e.text + e.cursor;
    if (e.length > EDIT_MAX || e.cursor > e.length || strlen(e.text) != e.length)
        abort();
    if (e.kept > EDIT_HISTORY || e.back > e.kept)
        abort();
    if (t.wrong || t.column > TERMINAL_COLUMNS)
        abort();
    for (size_t i = 0; i < e.length; i++)
        if ((unsigned char)e.text[i] >= 0x80)
            return;                         /* what is no UTF-8 has no columns to speak of */
    if (t.column < 2 || (*under ? t.row[t.column][0] != *under : t.row[t.column][0] != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&e, 0, sizeof e);
    memset(&t, 0, sizeof t);
    e.write = to_terminal;
    edit_begin(&e, "> ");
    for (size_t i = 0; i < size; i++) {
        /* No line has zeroes: no terminal sends them, and the editor drops them as it does other control characters. */
        if (edit_key(&e, data[i]) != EDIT_MORE)
            edit_begin(&e, i % 2 ? "> " : ">>");
        check();
    }
    return 0;
}
