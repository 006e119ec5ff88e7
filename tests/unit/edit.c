/* SPDX-License-Identifier: Apache-2.0 */
/* The line editor of ports/lua: keys in, lines out, and what a terminal shows meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ports/lua/edit.h"
#include "tests/unit/terminal.h"

#define LEFT "\033[D"
#define RIGHT "\033[C"
#define UP "\033[A"
#define DOWN "\033[B"

static struct edit e;
static struct terminal t;

static void to_terminal(const char *text, size_t n)
{
    terminal_write(&t, text, n);
}

static int fresh(void **state)
{
    (void)state;
    memset(&e, 0, sizeof e);
    memset(&t, 0, sizeof t);
    e.write = to_terminal;
    return 0;
}

/* What the last of `keys` brings. */
static enum edit_state type(const char *keys)
{
    enum edit_state s = EDIT_MORE;
    for (; *keys; keys++)
        s = edit_key(&e, (unsigned char)*keys);
    return s;
}

/* After `keys` and enter the line is `line`; before enter the terminal shows it, with its cursor at column `at`. */
static void gives(const char *keys, const char *line, size_t at)
{
    char row[5 * TERMINAL_COLUMNS];
    edit_begin(&e, "> ");
    assert_int_equal(type(keys), EDIT_MORE);
    terminal_row(&t, row);
    assert_string_equal(row + 2, line);
    assert_int_equal(t.column, 2 + at);
    assert_int_equal(type("\r"), EDIT_LINE);
    assert_string_equal(e.text, line);
    assert_int_equal(t.column, 0);
    assert_false(t.wrong);
}

static void typing(void **state)
{
    (void)state;
    gives("", "", 0);
    gives("print(1)", "print(1)", 8);
    gives("ab\tc", "ab c", 4);
    gives("a\001b", "ba", 1);               /* ^A */
    gives("abc" LEFT LEFT "x", "axbc", 2);
    gives("abc" LEFT LEFT LEFT LEFT LEFT "x", "xabc", 1);
    gives("abc" LEFT RIGHT RIGHT RIGHT "x", "abcx", 4);
    gives("abc\002\002\006x", "abxc", 3);   /* ^B ^B ^F */
    gives("abc\001x\005y", "xabcy", 5);     /* ^A ^E */
    gives("abc\033[Hx\033[Fy", "xabcy", 5);
    gives("abc\033OHx\033OFy", "xabcy", 5);
    gives("abc\033[1~x\033[4~y", "xabcy", 5);
    gives("abc\033[7~x\033[8~y", "xabcy", 5);
}

static void taking(void **state)
{
    (void)state;
    gives("abc\177\177d", "ad", 2);
    gives("\177\177a\010\010b", "b", 1);
    gives("abc" LEFT LEFT "\177", "bc", 0);
    gives("abc" LEFT LEFT "\033[3~", "ac", 1);
    gives("abc\033[3~", "abc", 3);
    gives("abc\001\004", "bc", 0);          /* ^D */
    gives("abc\004", "abc", 3);
    gives("abcd" LEFT LEFT "\013", "ab", 2);        /* ^K */
    gives("abcd" LEFT LEFT "\025", "cd", 0);        /* ^U */
    gives("one two  \027x", "one x", 5);    /* ^W */
    gives("one\027\027", "", 0);
    gives("one two" LEFT "\027", "one o", 4);
}

static void unknown_keys(void **state)
{
    (void)state;
    gives("a\033[1;5Cb", "ab", 2);          /* with a modifier */
    gives("a\033[15~b", "ab", 2);
    gives("a\033[99999999999~b", "ab", 2);
    gives("a\033[?25hb", "ab", 2);
    gives("a\033OPb\033xc", "abc", 3);
    gives("a\033[\001b", "ba", 1);          /* a control character ends it */
    gives("a\007\016\024b", "ab", 2);
}

static void utf8(void **state)
{
    (void)state;
    gives("\303\251\342\202\254x", "\303\251\342\202\254x", 3);
    gives("\303\251\342\202\254" LEFT "x", "\303\251x\342\202\254", 2);
    gives("\303\251\342\202\254\177", "\303\251", 1);
    gives("\303\251\342\202\254\001\033[3~", "\342\202\254", 0);
    gives("a\303\251b" LEFT LEFT LEFT RIGHT RIGHT "-", "a\303\251-b", 3);
}

static void history(void **state)
{
    (void)state;
    gives("one", "one", 3);
    gives("two", "two", 3);
    gives("", "", 0);                       /* not kept */
    gives(UP, "two", 3);                    /* not twice */
    gives(UP UP, "one", 3);
    gives(UP UP UP UP UP UP "!", "one!", 4);
    gives("new" UP UP DOWN DOWN "er", "newer", 5);
    gives(DOWN "x", "x", 1);
    gives("\020\016\020" LEFT "-", "-x", 1);        /* ^P ^N */
    char line[20];
    for (int i = 0; i < 2 * EDIT_HISTORY; i++) {
        snprintf(line, sizeof line, "line %d", i);
        gives(line, line, strlen(line));
    }
    edit_begin(&e, "> ");
    for (int i = 0; i < 3 * EDIT_HISTORY; i++)
        (void)type(UP);
    snprintf(line, sizeof line, "line %d", EDIT_HISTORY);
    assert_string_equal(e.text, line);
}

static void ends(void **state)
{
    (void)state;
    edit_begin(&e, "> ");
    assert_int_equal(type("abc\003"), EDIT_BREAK);
    edit_begin(&e, "> ");
    assert_int_equal(type("\004"), EDIT_END);
    edit_begin(&e, "> ");
    assert_int_equal(type("a\r"), EDIT_LINE);
    edit_begin(&e, "> ");
    assert_int_equal(type("\n"), EDIT_MORE);        /* of the pair */
    assert_int_equal(type("\n"), EDIT_LINE);
    assert_string_equal(e.text, "");
    edit_begin(&e, "> ");
    assert_int_equal(type(UP "\003"), EDIT_BREAK);
    assert_string_equal(e.history[e.newest], "a");
}

/* A line longer than the row, and longer than any line may be. */
static void long_lines(void **state)
{
    char row[5 * TERMINAL_COLUMNS];
    (void)state;
    edit_begin(&e, "> ");
    for (int i = 0; i < 2 * EDIT_MAX; i++) {
        (void)edit_key(&e, (unsigned char)('a' + i % 26));
        assert_true(t.column < TERMINAL_COLUMNS);
    }
    assert_int_equal(e.length, EDIT_MAX);
    terminal_row(&t, row);
    assert_memory_equal(row, "> ", 2);
    assert_string_equal(row + 2, e.text + EDIT_MAX - strlen(row + 2));
    for (int i = 0; i < EDIT_MAX; i++) {
        (void)type(LEFT);
        assert_true(t.column >= 2 && t.column < TERMINAL_COLUMNS);
        assert_int_equal(t.row[t.column][0], e.text[e.cursor]);
    }
    assert_int_equal(t.column, 2);
    for (int i = 0; i < EDIT_MAX - 1; i++) {
        (void)type(RIGHT);
        assert_int_equal(t.row[t.column][0], e.text[e.cursor]);
    }
    assert_int_equal(type("\r"), EDIT_LINE);
    assert_int_equal(strlen(e.text), EDIT_MAX);
    gives(UP "\001\013short", "short", 5);
    assert_false(t.wrong);
}

/* The kernel wants one wherever it is linked. */
int app_main(void)
{
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(typing, fresh),
        cmocka_unit_test_setup(taking, fresh),
        cmocka_unit_test_setup(unknown_keys, fresh),
        cmocka_unit_test_setup(utf8, fresh),
        cmocka_unit_test_setup(history, fresh),
        cmocka_unit_test_setup(ends, fresh),
        cmocka_unit_test_setup(long_lines, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
