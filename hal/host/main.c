/* SPDX-License-Identifier: Apache-2.0 */
/* A machine from the environment: HARTS (4) harts, HGC_MEM (256M) bytes of memory, BOOTARGS its boot arguments.  Alone in its
 * file, so that a program with a main of its own is linked without it. */
#include <stdio.h>
#include <stdlib.h>

#include "host.h"

static unsigned harts(void)
{
    const char *text = getenv("HGC_HARTS");
    char *end = "";
    if (text == NULL)
        text = getenv("HARTS");
    unsigned long n = text ? strtoul(text, &end, 10) : 4;
    if (*end || n < 1 || n > 64) {
        fprintf(stderr, "HARTS=%s: wants 1 to 64\n", text);
        exit(2);
    }
    return (unsigned)n;
}

static size_t bytes(void)
{
    const char *text = getenv("HGC_MEM"), *units = "KMG";
    char *end = "";
    unsigned long long n = text ? strtoull(text, &end, 10) : 256ull << 20;
    for (int i = 0; units[i] && *end; i++)
        if (*end == units[i] && end[1] == 0) {
            n <<= 10 * (i + 1);
            end++;
        }
    if (*end || n < 1 << 20 || n > (unsigned long long)1 << 44) {
        fprintf(stderr, "HGC_MEM=%s: wants at least 1M, like 64M or 2G\n", text);
        exit(2);
    }
    return (size_t)n;
}

int hal_host_argc;
char **hal_host_argv;

int main(int argc, char **argv)
{
    hal_host_argc = argc;
    hal_host_argv = argv;
    const char *args = getenv("BOOTARGS");
    hal_host_args(args ? args : "");
    hal_host_init(harts(), bytes(), 1);
    hal_host_start();
}
