/* SPDX-License-Identifier: Apache-2.0 */
/* The boot arguments as those of a main. */
#include <stdlib.h>
#include <string.h>

#include "kernel/hk.h"
#include "libc/libc.h"

int main(int argc, char **argv);

/* What stands behind the word "--" in `text`. */
static const char *behind_dashes(const char *text)
{
    for (;;) {
        text += strspn(text, " ");
        size_t n = strcspn(text, " ");
        if (n == 2 && memcmp(text, "--", 2) == 0)
            return text + 2;
        if (n == 0)
            return text;
        text += n;
    }
}

int libc_run_main(void)
{
    const char *text = behind_dashes(hk_boot_args());
    size_t size = strlen(text) + 1;
    char *words = malloc(size), **argv = malloc((size / 2 + 2) * sizeof *argv), *rest;
    static char name[] = "main";
    int argc = 1;
    if (!words || !argv)
        return 1;
    memcpy(words, text, size);
    argv[0] = name;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    argv[argc] = NULL;
    exit(main(argc, argv));
}
