/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/lua/edit.h"

#include <string.h>

enum { TAB = 9, LINE_FEED = 10, RETURN = 13, BACKSPACE = 8, ESCAPE = 27, DELETE = 127 };
enum { IN_ESCAPE = 1, IN_CSI, IN_SS3 };
#define CTRL(letter) ((letter) & 31)

/* ---- characters of one byte and more ----------------------------------------------------------------------------- */

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t before(const struct edit *e, size_t at)
{
    if (at > 0)
        at--;
    while (at > 0 && continues(e->text[at]))
        at--;
    return at;
}

static size_t behind(const struct edit *e, size_t at)
{
    if (at < e->length)
        at++;
    while (at < e->length && continues(e->text[at]))
        at++;
    return at;
}

static size_t columns(const char *text, size_t n)
{
    size_t width = 0;
    for (size_t i = 0; i < n; i++)
        width += !continues(text[i]);
    return width;
}

/* ---- showing ----------------------------------------------------------------------------------------------------- */

static void put(const struct edit *e, const char *text)
{
    e->write(text, strlen(text));
}

/* ESC [ n C */
static void move_right(const struct edit *e, size_t n)
{
    char text[12] = "\033[", digits[6];
    size_t length = 2, count = 0;
    if (n == 0)
        return;
    for (; n > 0 && count < sizeof digits; n /= 10)
        digits[count++] = (char)('0' + n % 10);
    while (count > 0)
        text[length++] = digits[--count];
    text[length++] = 'C';
    e->write(text, length);
}

/* Columns for the text. The last one stays free, because terminals differ in what follows it, and two more for ^C. */
static size_t room(const struct edit *e)
{
    return e->prompt_width + 10 < EDIT_COLUMNS ? EDIT_COLUMNS - 3 - e->prompt_width : 7;
}

static void draw(const struct edit *e)
{
    size_t from = 0, to;
    while (columns(e->text + from, e->cursor - from) > room(e) - (e->cursor < e->length))
        from = behind(e, from);
    for (to = e->cursor; to < e->length && columns(e->text + from, behind(e, to) - from) <= room(e);)
        to = behind(e, to);
    put(e, "\r");
    put(e, e->prompt);
    e->write(e->text + from, to - from);
    put(e, "\033[K\r");
    move_right(e, e->prompt_width + columns(e->text + from, e->cursor - from));
}

/* ---- changing ---------------------------------------------------------------------------------------------------- */

static void take(struct edit *e, size_t from, size_t to)
{
    memmove(e->text + from, e->text + to, e->length + 1 - to);
    e->length -= to - from;
    e->cursor = from;
    draw(e);
}

static void insert(struct edit *e, char c)
{
    if (e->length == EDIT_MAX)
        return;
    bool simple = e->cursor == e->length && columns(e->text, e->length) < room(e);
    memmove(e->text + e->cursor + 1, e->text + e->cursor, e->length + 1 - e->cursor);
    e->text[e->cursor++] = c;
    e->length++;
    if (simple)
        e->write(&c, 1);
    else
        draw(e);
}

static size_t word_before(const struct edit *e)
{
    size_t at = e->cursor;
    while (at > 0 && e->text[at - 1] == ' ')
        at--;
    while (at > 0 && e->text[at - 1] != ' ')
        at--;
    return at;
}

static void move_to(struct edit *e, size_t at)
{
    if (at == e->cursor)
        return;
    e->cursor = at;
    draw(e);
}

/* ---- history ----------------------------------------------------------------------------------------------------- */

static char *line_back(struct edit *e, unsigned back)
{
    return back == 0 ? e->draft : e->history[(e->newest + EDIT_HISTORY - (back - 1)) % EDIT_HISTORY];
}

static void show_back(struct edit *e, unsigned back)
{
    if (back > e->kept)
        return;
    if (e->back == 0)
        memcpy(e->draft, e->text, e->length + 1);
    e->back = back;
    e->length = strlen(line_back(e, back));
    memcpy(e->text, line_back(e, back), e->length + 1);
    e->cursor = e->length;
    draw(e);
}

static void remember(struct edit *e)
{
    if (e->length == 0 || (e->kept > 0 && strcmp(e->text, e->history[e->newest]) == 0))
        return;
    e->newest = e->kept > 0 ? (e->newest + 1) % EDIT_HISTORY : 0;
    memcpy(e->history[e->newest], e->text, e->length + 1);
    if (e->kept < EDIT_HISTORY)
        e->kept++;
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static enum edit_state done(struct edit *e, enum edit_state how)
{
    move_to(e, e->length);
    put(e, how == EDIT_BREAK ? "^C\r\n" : "\r\n");
    if (how == EDIT_LINE)
        remember(e);
    return how;
}

/* The keys that terminals send as ESC [ number ~, by the letter of those that have one. */
static unsigned char letter_of(unsigned number)
{
    switch (number) {
    case 1:
    case 7: return 'H';
    case 4:
    case 8: return 'F';
    case 3: return '~';
    default: return 0;
    }
}

/* The keys that terminals send as ESC [ or ESC O and a letter. */
static void special(struct edit *e, unsigned char letter)
{
    if (letter == '~')
        letter = letter_of(e->parameter);
    switch (letter) {
    case 'A': show_back(e, e->back + 1); break;
    case 'B': if (e->back > 0) show_back(e, e->back - 1); break;
    case 'C': move_to(e, behind(e, e->cursor)); break;
    case 'D': move_to(e, before(e, e->cursor)); break;
    case 'H': move_to(e, 0); break;
    case 'F': move_to(e, e->length); break;
    case '~': if (e->cursor < e->length) take(e, e->cursor, behind(e, e->cursor)); break;
    default: break;
    }
}

/* A sequence is ESC [ parameters letter, or ESC O letter; of what is unknown all is swallowed. */
static void escape(struct edit *e, unsigned char key)
{
    unsigned char state = e->escape;
    e->escape = 0;
    if (state == IN_ESCAPE) {
        e->escape = key == '[' ? IN_CSI : key == 'O' ? IN_SS3 : 0;
        e->parameter = 0;
    } else if (state == IN_CSI && key >= 0x20 && key < 0x40) {
        if (key >= '0' && key <= '9' && e->parameter < 100)
            e->parameter = e->parameter * 10 + key - '0';
        else
            e->parameter = 100;         /* with modifiers, or longer than any that is known */
        e->escape = IN_CSI;
    } else if (key >= 0x40 && key < DELETE) {
        special(e, key);
    }
}

static enum edit_state control(struct edit *e, unsigned char key)
{
    switch (key) {
    case RETURN: return done(e, EDIT_LINE);
    case LINE_FEED: return done(e, EDIT_LINE);
    case CTRL('C'): return done(e, EDIT_BREAK);
    case CTRL('D'):
        if (e->length == 0)
            return done(e, EDIT_END);
        e->parameter = 3;
        special(e, '~');
        break;
    case CTRL('A'): special(e, 'H'); break;
    case CTRL('B'): special(e, 'D'); break;
    case CTRL('E'): special(e, 'F'); break;
    case CTRL('F'): special(e, 'C'); break;
    case CTRL('N'): special(e, 'B'); break;
    case CTRL('P'): special(e, 'A'); break;
    case CTRL('K'): take(e, e->cursor, e->length); break;
    case CTRL('U'): take(e, 0, e->cursor); break;
    case CTRL('W'): take(e, word_before(e), e->cursor); break;
    case CTRL('L'): draw(e); break;
    case BACKSPACE:
    case DELETE: take(e, before(e, e->cursor), e->cursor); break;
    case TAB: insert(e, ' '); break;
    case ESCAPE: e->escape = IN_ESCAPE; break;
    default: break;
    }
    return EDIT_MORE;
}

enum edit_state edit_key(struct edit *e, unsigned char key)
{
    bool pair = e->after_return && key == LINE_FEED;
    e->after_return = key == RETURN;
    if (pair)
        return EDIT_MORE;
    if (e->escape != 0 && key >= 0x20) {
        escape(e, key);
        return EDIT_MORE;
    }
    e->escape = 0;                      /* a control character ends a sequence, and counts */
    if (key < 0x20 || key == DELETE)
        return control(e, key);
    insert(e, (char)key);
    return EDIT_MORE;
}

void edit_begin(struct edit *e, const char *prompt)
{
    e->prompt = prompt;
    e->prompt_width = columns(prompt, strlen(prompt));
    e->length = e->cursor = 0;
    e->text[0] = 0;
    e->back = 0;
    e->escape = 0;
    put(e, prompt);
}
