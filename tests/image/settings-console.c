/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* bootargs: stress=50 */
/* input: percent=60, verify=2 */
/* input: percent=70 verify=1 */
/* input: metrics */
/* input: nonsense */
/* input: end */
/* match: ^# verify=2: wants verify=0 or verify=1$ */
/* match: ^hgc: stress=50 .boot arguments.$ */
/* match: ^/gc/percent:percent 70$ */
/* A console: the lines before the collector starts are settings, until one is right; then "metrics" prints the figures. */
#include "gc/gc_internal.h"
#include "tap.h"

enum { ARENA = 1 << 20, LINE = 80 };

static void read_line(char *line)
{
    unsigned n = 0;
    for (int c; (c = hk_getchar()) != '\n' && c != '\r';)
        if (n + 1 < LINE)
            line[n++] = (char)c;
    line[n] = 0;
}

static bool line_is(const char *line, const char *what)
{
    return strlen(line) == strlen(what) && memcmp(line, what, strlen(what)) == 0;
}

static void setup(struct hgc_config *c)
{
    char line[LINE], error[HGC_SETTINGS_ERROR];
    for (;;) {
        read_line(line);
        if (hgc_settings(c, line, error, sizeof error) != HGC_OK)
            hk_printf("# %s\n", error);
        else if (line[0])
            return;
    }
}

int app_main(void)
{
    struct hgc_config c = {.base = hk_mem_alloc(ARENA), .size = ARENA};
    char line[LINE];
    setup(&c);
    is(hgc_init(&c), HGC_OK, "the collector starts");
    is(gc.cfg.percent, 70, "the line that was right counts, the wrong one does not");
    ok(gc.cfg.verify && gc.cfg.stress == 50, "beside the boot arguments");
    for (;;) {
        read_line(line);
        if (line_is(line, "metrics"))
            hgc_metrics_print();
        else if (line_is(line, "end"))
            return tap_end();
    }
}
