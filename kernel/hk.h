/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's public interface: tasks, waiting, time, devices, panic, console.
 *
 * Contexts: "task" (may wait), "handler" (an interrupt handler), "any".  A function that says task must not be called in
 * a handler or in a critical or pinned section: it asserts.  Times are nanoseconds.  Errors are negative values of
 * enum hk_error.
 *
 * A pointer to an object (semaphore, event, channel, mutex, timer) that leads nowhere, or to what cannot be written, ends the task that
 * passes it, as any wild access does; in a handler or critical section it is a panic.
 */
#ifndef HK_H
#define HK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/hal.h"
#include "kernel/config.h"
#include "kernel/lock.h"

#ifdef __cplusplus
extern "C" {
#endif

enum hk_error {
    HK_OK = 0,
    HK_ENOMEM = -1,     /* no memory, or no entry in the task table */
    HK_EINVAL = -2,     /* an argument out of its range; nothing was done */
    HK_ETIMEOUT = -3,   /* the time passed before it happened */
    HK_EOWNERDEAD = -4, /* you own the mutex, but its last owner died holding it: what it guards may be half done */
    HK_EDEADLK = -5,    /* the caller holds it already, or a task that joins itself */
    HK_EPERM = -6,      /* the caller does not own it */
    HK_ECLOSED = -7,    /* the channel is closed and empty (receive) or closed (send) */
    HK_EAGAIN = -8,     /* a try would have had to wait */
    HK_EFAULT = -9,     /* the joined task ended by a fault */
};
#define HK_FOREVER UINT64_MAX

/* ---- tasks ------------------------------------------------------------------------------------------------------ */

struct task;
enum hk_prio { HK_BACKGROUND, HK_NORMAL, HK_HIGH, HK_URGENT };

/* Zero means the default in every field. */
struct hk_task_config {
    const char *name;           /* copied, 19 characters; default "task" */
    size_t stack_size;          /* usable bytes; default HK_STACK_SIZE */
    enum hk_prio prio;          /* taken only with set_prio; default HK_NORMAL */
    bool set_prio;
    bool detached;              /* nobody will join it: its memory goes back when it ends */
    int hart_plus_1;            /* 1 + the only hart that it may run on; 0: any */
    bool system;                /* runs also while a stopped collection keeps tasks off the harts (drivers, watchdogs) */
};

/* Creates a task that runs fn(arg).  arg may be a heap reference (I11: it is shaded as it passes, and kept until the task
 * runs).  cfg may be NULL.  Returns 0 and *out (may be NULL), or HK_ENOMEM, HK_EINVAL.  Task, or before the scheduler
 * runs. */
int hk_task_create(struct task **out, const struct hk_task_config *cfg, void (*fn)(void *), void *arg);
/* Ends the calling task.  `result` may be a heap reference.  Returning from fn is hk_task_exit(NULL). */
__attribute__((noreturn)) void hk_task_exit(void *result);
/* Waits until `t` ends, takes its result (may be NULL) and frees it.  HK_EFAULT: it ended by a fault.  Each task is joined
 * by one task at most.  Task. */
int hk_task_join(struct task *t, void **result);
struct task *hk_task_self(void);
const char *hk_task_name(const struct task *t);
/* Lets other ready tasks of the same priority run.  Task. */
void hk_yield(void);
void hk_sleep(uint64_t ns);
unsigned hk_harts(void);        /* that take part: the machine's, or fewer by the boot argument harts=n */
/* The hart that the caller runs on at this moment; it may move at once.  Any. */
unsigned hk_hart(void);
uint64_t hk_now(void);

/* ---- mutex: owner, priority inheritance, robust ----------------------------------------------------------------- */

struct hk_wait { struct task *head, *tail; };

struct hk_mutex {
    uintptr_t word;             /* atomic: the owner, + 1 while others wait; see mutex.c */
    struct hk_wait waiters;
    struct hk_mutex *next_held, *next_contended;
    bool inconsistent;          /* the last owner died holding it; the next one is told once */
};
/* All-zero is an unlocked mutex.  One that lies in an object of the collector's is kept by who waits for it, not by who has it: that
 * task keeps a reference. */
/* Task.  0; HK_EOWNERDEAD: locked, see above; HK_EDEADLK: the caller holds it, or waiting would close a circle; HK_ETIMEOUT: not within
 * timeout_ns from now; HK_EAGAIN: hk_mutex_try, or a timeout of 0, found it locked. */
int hk_mutex_lock(struct hk_mutex *m);
int hk_mutex_lock_until(struct hk_mutex *m, uint64_t timeout_ns);
int hk_mutex_try(struct hk_mutex *m);
/* HK_EPERM if the caller does not own it. */
int hk_mutex_unlock(struct hk_mutex *m);

/* ---- semaphore, event, channel ---------------------------------------------------------------------------------- */

struct hk_sem { struct spinlock lock; uint32_t count; struct hk_wait waiters; };
void hk_sem_init(struct hk_sem *s, uint32_t count);
int hk_sem_wait(struct hk_sem *s, uint64_t timeout_ns);     /* task; 0 or HK_ETIMEOUT; timeout 0: HK_EAGAIN */
void hk_sem_post(struct hk_sem *s);                         /* any */

/* A note: once set, every waiter and every later wait goes on, until cleared.  All-zero is not set. */
struct hk_event { struct spinlock lock; bool set; struct hk_wait waiters; };
void hk_event_set(struct hk_event *e);                      /* any */
void hk_event_clear(struct hk_event *e);                    /* any */
int hk_event_wait(struct hk_event *e, uint64_t timeout_ns); /* task */

/* A bounded channel of words.  Not for heap references: see hgc_chan. */
struct hk_chan {
    struct spinlock lock;
    uintptr_t *buf;             /* the creator's, `cap` words */
    uint32_t cap, head, count;
    bool closed;
    struct hk_wait senders, receivers;
};
void hk_chan_init(struct hk_chan *c, uintptr_t *buf, uint32_t cap);     /* cap at least 1 */
int hk_chan_send(struct hk_chan *c, uintptr_t word, uint64_t timeout_ns);    /* task; with timeout 0 any */
int hk_chan_recv(struct hk_chan *c, uintptr_t *word, uint64_t timeout_ns);   /* task; with timeout 0 any */
void hk_chan_close(struct hk_chan *c);                      /* any */

/* ---- timers ----------------------------------------------------------------------------------------------------- */

/* fn(arg) runs once in a handler at or after `when`.  The timer is the caller's memory and must stay until it ran or was
 * cancelled.  All-zero is one that was not started; to start one that is queued is a panic: it is cancelled first.  fn uses no
 * floating point. */
struct hk_timer {
    struct hk_timer *next;
    uint64_t when;
    void (*fn)(void *arg);
    void *arg;
    struct hart *hart;          /* atomic: where it is queued, or NULL */
    uint32_t fired;             /* atomic: how often it ran */
};
void hk_timer_start(struct hk_timer *t, uint64_t when_ns, void (*fn)(void *), void *arg);   /* any */
/* True: it will not run.  False: it ran or was not started; when this returns it is not running.  Task. */
bool hk_timer_cancel(struct hk_timer *t);

/* ---- memory, console, end --------------------------------------------------------------------------------------- */

/* Pages for stacks and for the collector's arena: first fit, page-aligned, `bytes` rounded up to a page; NULL when there
 * is none.  Task, or before the scheduler runs. */
void *hk_mem_alloc(size_t bytes);
void hk_mem_free(void *p, size_t bytes);
size_t hk_mem_largest(void);

/* Formats %d %i %u %x %X %c %s %p %% with l ll z, width, 0 and -, and a precision of %s; * for both; no floating point.
 * One call comes out in one piece, of at most HK_PRINT_MAX - 1 characters; what is longer is cut, and ends in "~\n".  Any
 * context. */
int hk_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int hk_vprintf(const char *fmt, va_list ap);
int hk_vsnprintf(char *buf, size_t n, const char *fmt, va_list ap);
int hk_snprintf(char *buf, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Writes n characters as they are; HK_WRITE_PIECE at a time come out in one piece.  Any context. */
void hk_write(const char *text, size_t n);
enum { HK_WRITE_PIECE = 512 };
/* Reads a character of the console's input; waits.  Task. */
int hk_getchar(void);
/* From now on ^C on the console is not read but calls fn(), in a handler; NULL: it is read as others are. Where the console
 * has no interrupt it is noticed only while a task waits in hk_getchar, and fn() called there.  Task. */
void hk_console_break(void (*fn)(void));

/* A state in which going on would corrupt: prints hart, task, registers, backtrace, stops the other harts, and ends the
 * machine with status 3.  Any context. */
__attribute__((noreturn)) void hk_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* After a panic's report fn() runs on the hart that panicked, with interrupts off and the others stopped, where they still
 * answer: to reset the board, for example.  If it returns, or panics itself, the machine ends as above.  One hook; NULL:
 * none.  Any context. */
void hk_panic_hook(void (*fn)(void));
__attribute__((noreturn)) void hk_assert_failed(const char *expr, const char *file, int line);
#ifdef NDEBUG
#define hk_assert(e) ((void)0)
#else
#define hk_assert(e) ((e) ? (void)0 : hk_assert_failed(#e, __FILE__, __LINE__))
#endif
__attribute__((noreturn)) void hk_exit(int status);
/* The boot arguments, whole: /chosen/bootargs of the device tree, or "".  The kernel takes harts=n from them, the collector
 * its settings (hgc_settings); what comes after a word "--" is the program's.  Any context. */
const char *hk_boot_args(void);
/* The status with which the machine ends at its start when a boot argument of the kernel is wrong; the console says which. */
enum { HK_BAD_ARGS = 2 };

/* What the program defines: runs in the first task, "main", with all harts up.  Its return value is the exit status. */
int app_main(void);

#ifdef __cplusplus
}
#endif
#endif
