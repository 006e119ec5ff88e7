/* SPDX-License-Identifier: Apache-2.0 */
/*
 * newlib on the kernel: what a program may say to this layer beside <stdio.h>, <stdlib.h> and the rest.
 *
 * A program uses this layer by calling newlib; what it does not call is not linked.  newlib may be called by tasks, outside
 * of critical and pinned sections: else it panics.  (memcpy and its kin, strlen, setjmp and what only computes can be
 * called anywhere.)  Each task has its own errno, stdin, stdout, stderr, strtok, rand and asctime.  Streams of fopen, the
 * memory of malloc, the environment and file descriptors belong to all.
 *
 * A task that ends by a fault while it holds one of newlib's locks leaves behind what the lock guards half changed, and
 * newlib's locks have no way to say so: the next who wants the lock panics, and the message names it.  The locks of the
 * task's own stdin, stdout and stderr end with it.
 */
#ifndef LIBC_H
#define LIBC_H

#include <stddef.h>

#include "kernel/hk.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sizes that an embedder may change on the command line (-DLIBC_...) ------------------------------------------ */

#ifndef LIBC_HEAP_SIZE
#define LIBC_HEAP_SIZE (4 << 20)        /* bytes for malloc, taken from the free pages when malloc first needs some */
#endif
#ifndef LIBC_OPEN_MAX
#define LIBC_OPEN_MAX 32                /* file descriptors, the console's 3 included */
#endif
#ifndef LIBC_LINE_MAX
#define LIBC_LINE_MAX 256               /* characters of a line that is typed on the console */
#endif

/* ---- memory ----------------------------------------------------------------------------------------------------- */

/* Gives malloc the region [base, base + size) in place of LIBC_HEAP_SIZE bytes of free pages.  HK_EINVAL: malloc has
 * memory already, or there is none in the region.  When the region is used up, malloc returns NULL with ENOMEM, and the
 * console says so once.  Task. */
int libc_heap(void *base, size_t size);

/* Gives the calling task its part of newlib's state, a page, which otherwise the first call does that needs it.
 * HK_ENOMEM: there is no page; in that first call it would be a panic, because newlib cannot be told.  Task. */
int libc_attach(void);

/* ---- files in the image ----------------------------------------------------------------------------------------- */

/* open finds them by their path, with or without a leading "/" or "./"; they can only be read.  The linker gathers them
 * from the section .libc_files. */
struct libc_file {
    const char *path;
    const void *data;
    size_t size;
};

/* At file scope: a file that the assembler reads from `source`, as seen from where the build runs.  Both are literals.
 * The build does not know that the object depends on `source`: a rule of the Makefile must say so.
 *     LIBC_FILE("/etc/motd", "apps/mine/motd.txt");                                                               */
#define LIBC_FILE(path, source)                                                                                      \
    __asm__(".pushsection .rodata.libc_files, \"a\"\n"                                                               \
            "\t.balign 16\n"                                                                                         \
            "77001:\t.incbin \"" source "\"\n"                                                                       \
            "77002:\t.byte 0\n"                                                                                      \
            "77003:\t.asciz \"" path "\"\n"                                                                          \
            "\t.popsection\n"                                                                                        \
            "\t.pushsection .libc_files, \"a\"\n"                                                                    \
            "\t.dc.a 77003b, 77001b, 77002b - 77001b\n"                                                              \
            "\t.popsection")

/* At file scope: a file of memory that never changes.
 *     LIBC_FILE_MEMORY(version, "/version", text, sizeof text - 1);                                                */
#define LIBC_FILE_MEMORY(name, path, data, size)                                                                     \
    static const struct libc_file libc_file_##name __attribute__((section(".libc_files"), used)) = { path, data, size }

/* ---- main ------------------------------------------------------------------------------------------------------- */

/* A program that defines main(argc, argv) and no app_main gets one that calls it: argv[0] is "main", the others are the
 * words of the boot arguments after "--", separated by blanks.  What main returns goes to exit.  An app_main of the
 * program's own that returns ends the machine without that: its unfinished line of output is lost, unless it calls exit. */

/* That app_main, for one of the program's own that has something to do before: to call libc_heap, say, because the words
 * lie in malloc's memory.  Ends the machine with main's result; returns 1 if there is no memory for the words.  Task. */
int libc_run_main(void);

#ifdef __cplusplus
}
#endif
#endif
