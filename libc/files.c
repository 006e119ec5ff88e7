/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File descriptors: the console as 0, 1 and 2, and the files in the image, which can only be read.
 *
 * The table changes under `lock`, a spinlock.  No memory of the caller's is touched under it: read takes its range of the
 * file by moving the offset, and copies afterwards, so a bad pointer ends only the task that gave it.
 */
#include "libc/libc_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct libc_file libc_files_lo[], libc_files_hi[];

struct open_file {
    const struct libc_file *file;       /* NULL: closed; lock, as the next */
    size_t offset;
};

enum { CONSOLE_FDS = 3, BLOCK = 1024 };
_Static_assert(LIBC_OPEN_MAX > CONSOLE_FDS, "LIBC_OPEN_MAX must be 4 at least: 0, 1 and 2 are the console");

static struct spinlock lock;
static struct open_file table[LIBC_OPEN_MAX - CONSOLE_FDS];

int _open(const char *path, int flags, int mode);
int _close(int fd);
int _read(int fd, char *to, int n);
int _write(int fd, const char *from, int n);
off_t _lseek(int fd, off_t to, int whence);
int _fstat(int fd, struct stat *st);
int _stat(const char *path, struct stat *st);
int _isatty(int fd);
int _link(const char *old, const char *new);
int _unlink(const char *path);

static int fail(int error)
{
    errno = error;
    return -1;
}

static bool is_console(int fd)
{
    return fd >= 0 && fd < CONSOLE_FDS;
}

/* ---- the files -------------------------------------------------------------------------------------------------- */

static const char *plain(const char *path)
{
    while (path[0] == '/' || (path[0] == '.' && path[1] == '/'))
        path += path[0] == '/' ? 1 : 2;
    return path;
}

static const struct libc_file *find(const char *path)
{
    for (const struct libc_file *f = libc_files_lo; f < libc_files_hi; f++)
        if (strcmp(plain(path), plain(f->path)) == 0)
            return f;
    return NULL;
}

static void describe(const struct libc_file *f, struct stat *st)
{
    memset(st, 0, sizeof *st);
    st->st_mode = f ? S_IFREG | 0444 : S_IFCHR | 0666;
    st->st_nlink = 1;
    st->st_size = f ? (off_t)f->size : 0;
    st->st_blksize = BLOCK;
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

/* The lock is taken, and *c is for close_table; NULL: no such descriptor. */
static struct open_file *open_table(int fd, hal_crit_t *c)
{
    *c = spin_lock_crit(&lock);
    struct open_file *o = fd >= CONSOLE_FDS && fd < LIBC_OPEN_MAX ? &table[fd - CONSOLE_FDS] : NULL;
    return o && o->file ? o : NULL;
}

static void close_table(hal_crit_t c)
{
    spin_unlock_crit(&lock, c);
}

static const struct libc_file *file_of(int fd)
{
    hal_crit_t c;
    struct open_file *o = open_table(fd, &c);
    const struct libc_file *f = o ? o->file : NULL;
    close_table(c);
    return f;
}

int _open(const char *path, int flags, int mode)
{
    (void)mode;
    const struct libc_file *f = find(path);
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) || (!f && (flags & O_CREAT)))
        return fail(f || (flags & O_CREAT) ? EROFS : ENOENT);
    if (f && (flags & O_CREAT) && (flags & O_EXCL))
        return fail(EEXIST);
    if (!f)
        return fail(ENOENT);
    hal_crit_t c = spin_lock_crit(&lock);
    int i = 0;
    while (i < LIBC_OPEN_MAX - CONSOLE_FDS && table[i].file)
        i++;
    bool room = i < LIBC_OPEN_MAX - CONSOLE_FDS;
    if (room)
        table[i] = (struct open_file){ .file = f };
    close_table(c);
    return room ? CONSOLE_FDS + i : fail(EMFILE);
}

int _close(int fd)
{
    hal_crit_t c;
    struct open_file *o = open_table(fd, &c);
    if (o)
        o->file = NULL;
    close_table(c);
    return o || is_console(fd) ? 0 : fail(EBADF);
}

int _read(int fd, char *to, int n)
{
    if (is_console(fd))
        return n > 0 ? (int)libc_console_read(to, (size_t)n) : 0;
    hal_crit_t c;
    struct open_file *o = open_table(fd, &c);
    const struct libc_file *f = o ? o->file : NULL;
    size_t from = 0, have = 0;
    if (f && n > 0) {
        from = o->offset;
        have = from < f->size ? f->size - from : 0;
        have = have < (size_t)n ? have : (size_t)n;
        o->offset = from + have;
    }
    close_table(c);
    if (!f)
        return fail(EBADF);
    memcpy(to, (const char *)f->data + from, have);
    return (int)have;
}

int _write(int fd, const char *from, int n)
{
    if (!is_console(fd))
        return fail(EBADF);     /* of no descriptor, or of one that is open for reading only */
    if (n > 0)
        hk_write(from, (size_t)n);
    return n;
}

off_t _lseek(int fd, off_t to, int whence)
{
    hal_crit_t c;
    struct open_file *o = open_table(fd, &c);
    off_t base = !o || whence == SEEK_SET ? 0 : (off_t)(whence == SEEK_CUR ? o->offset : o->file->size), at = 0;
    bool good = o && (whence == SEEK_SET || whence == SEEK_CUR || whence == SEEK_END)
        && !__builtin_add_overflow(base, to, &at) && at >= 0;
    if (good)
        o->offset = (size_t)at;
    close_table(c);
    return good ? at : fail(is_console(fd) ? ESPIPE : o ? EINVAL : EBADF);
}

int _fstat(int fd, struct stat *st)
{
    const struct libc_file *f = file_of(fd);
    if (!f && !is_console(fd))
        return fail(EBADF);
    describe(f, st);
    return 0;
}

int _stat(const char *path, struct stat *st)
{
    const struct libc_file *f = find(path);
    if (!f)
        return fail(ENOENT);
    describe(f, st);
    return 0;
}

int _isatty(int fd)
{
    if (is_console(fd))
        return 1;
    (void)fail(file_of(fd) ? ENOTTY : EBADF);
    return 0;
}

int _link(const char *old, const char *new)
{
    (void)new;
    return fail(find(old) ? EROFS : ENOENT);
}

int _unlink(const char *path)
{
    return fail(find(path) ? EROFS : ENOENT);
}
