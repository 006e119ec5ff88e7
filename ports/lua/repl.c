/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console for lua.c: lines from the line editor, and ^C for a script that runs.
 *
 * lua.c's handler calls lua_sethook, which is made for a signal of the same thread: it reads the chain of calls and
 * sets a flag in each. From another hart it would read calls that end meanwhile. So the handler runs with the world
 * stopped: the script's task stands between two instructions, as it would for a signal. An interrupt only wakes the
 * task that does this.
 */
#include "ports/lua/repl.h"

#include "kernel/hk.h"
#include "kernel/world.h"
#include "lauxlib.h"
#include "lua.h"
#include "ports/lua/edit.h"

#undef signal

static const char help[] =
    "A statement is run when its last line is there; of an expression the values are printed.\n"
    "  ^C          stops what runs, or gives up the line          ^D          ends, in an empty line\n"
    "  up, down    older and newer lines                          os.exit(n)  ends with a status\n"
    "  left, right, home, end, backspace, delete, ^A ^E ^U ^K ^W ^L as in other line editors\n"
    "  for k in pairs(_G) do print(k) end          what there is\n"
    "  collectgarbage(\"count\")                     KiB in use\n"
    "The manual: https://www.lua.org/manual/5.4/";

/* ---- ^C ---------------------------------------------------------------------------------------------------------- */

/* Of the script's task, and of the watcher's while the world is stopped. */
static void (*handler)(int);
static bool listening;          /* a script runs */
static bool delivering;
static bool watched;
static struct hk_event asked;

static void ask(void)
{
    hk_event_set(&asked);
}

/* World stopped.  False: the script has been told already, and the machine shall end. */
static bool deliver(void)
{
    void (*fn)(int) = handler;
    if (!listening)
        return true;            /* it ended meanwhile */
    delivering = true;
    if (fn != SIG_DFL)
        fn(SIGINT);
    delivering = false;
    return fn != SIG_DFL;
}

static void watch(void *arg)
{
    (void)arg;
    for (;;) {
        (void)hk_event_wait(&asked, HK_FOREVER);
        hk_event_clear(&asked);
        world_stop(WORLD_OTHER, NULL, NULL);
        bool go_on = deliver();
        world_start();
        if (!go_on) {
            hk_printf("lua: interrupted\n");
            hk_exit(128 + SIGINT);
        }
    }
}

void repl_signal(int number, void (*fn)(int))
{
    const struct hk_task_config config = { .name = "interrupt", .prio = HK_HIGH, .set_prio = true, .detached = true };
    (void)number;
    handler = fn;
    if (delivering)
        return;
    if (!watched)
        watched = hk_task_create(NULL, &config, watch, NULL) == HK_OK;
    listening = fn != SIG_DFL;
    hk_console_break(listening ? ask : NULL);
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

static struct edit edit;

static int show_help(lua_State *L)
{
    lua_pushstring(L, help);
    return 1;
}

static int print_help(lua_State *L)
{
    (void)L;
    puts(help);
    return 0;
}

void repl_begin(lua_State *L)
{
    static const luaL_Reg functions[] = { { "__tostring", show_help }, { "__call", print_help }, { NULL, NULL } };
    lua_newtable(L);
    luaL_newlib(L, functions);
    lua_setmetatable(L, -2);
    lua_setglobal(L, "help");
    edit.write = hk_write;
    puts("help tells the keys");
}

/* lua.c has the prompt on its stack, and below it what it has read of a statement. */
char *repl_line(lua_State *L, const char *prompt)
{
    bool first = lua_gettop(L) == 1;
    (void)fflush(stdout);
    for (;;) {
        edit_begin(&edit, prompt);
        enum edit_state state;
        do
            state = edit_key(&edit, (unsigned char)hk_getchar());
        while (state == EDIT_MORE);
        if (state == EDIT_LINE)
            return edit.text;
        if (state == EDIT_END && first)
            return NULL;
        if (!first) {           /* what lua.c shows then is what lies on top */
            lua_pushliteral(L, "given up");
            lua_replace(L, -2);
            return NULL;
        }
    }
}
