/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console.  A message is put into a ring in one piece, under the lock; then whoever put it there writes the ring out,
 * a few characters in each critical section, until it is empty.  So messages of several harts do not mix, their order is
 * that of the ring, and a slow device never keeps a hart from being stopped for longer than one chunk.
 *
 * In a handler or a critical section the chunks follow each other with interrupts off: that is their printer's choice.
 */
#include "kernel/kernel_internal.h"
#include "kernel/string.h"

enum { RING = 2048, CHUNK = 16, INPUT = 1024, CTRL_C = 3 };     /* INPUT: a page that is pasted */
_Static_assert(RING >= 2 * HK_PRINT_MAX, "HK_PRINT_MAX is too large: raise RING in kernel/console.c");
_Static_assert(RING >= 2 * HK_WRITE_PIECE, "HK_WRITE_PIECE is too large: raise RING in kernel/console.c");

static struct spinlock console_lock;
static char ring[RING];
static uint32_t head, count;    /* atomic to peek at; written under console_lock */
static bool broken;             /* panic: one hart is left, and the lock may be held for ever */

static hal_crit_t lock_console(void)
{
    hal_crit_t c = hal_crit_enter();
    if (!broken)
        spin_lock(&console_lock);
    return c;
}

static void unlock_console(hal_crit_t c)
{
    if (!broken)
        spin_unlock(&console_lock);
    hal_crit_exit(c);
}

/* Writes a piece of the ring.  Lock held. */
static void write_chunk(void)
{
    uint32_t n = count < CHUNK ? count : CHUNK;
    n = n < RING - head ? n : RING - head;
    hal_console_write(&ring[head], n);
    st_rlx(&head, (head + n) % RING);
    st_rlx(&count, count - n);
}

void console_flush(void)
{
    while (ld_rlx(&count) > 0) {
        hal_crit_t c = lock_console();
        write_chunk();
        unlock_console(c);
    }
}

/* Into the ring, which has room, in two pieces where it goes around the end.  Lock held. */
static void put(const char *text, size_t n)
{
    size_t end = (head + count) % RING, first = n < RING - end ? n : RING - end;
    memcpy(&ring[end], text, first);
    memcpy(ring, text + first, n - first);
    st_rlx(&count, count + (uint32_t)n);
}

static void put_message(const char *text, size_t n)
{
    for (;;) {
        hal_crit_t c = lock_console();
        bool room = RING - count >= n;
        if (room)
            put(text, n);
        else
            write_chunk();
        unlock_console(c);
        if (room)
            break;
    }
    console_flush();
}

int hk_vprintf(const char *fmt, va_list ap)
{
    char text[HK_PRINT_MAX];
    int length = hk_vsnprintf(text, sizeof text, fmt, ap);
    size_t n = (size_t)length;
    if (n >= sizeof text) {
        n = sizeof text - 1;
        memcpy(text + n - 2, "~\n", 2);
    }
    put_message(text, n);
    return length;
}

int hk_printf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int length = hk_vprintf(fmt, ap);
    va_end(ap);
    return length;
}

void hk_write(const char *text, size_t n)
{
    if (n == 0)
        return;
    (void)*(volatile const char *)text;                 /* a bad pointer faults here, where that ends only the task */
    (void)*(volatile const char *)(text + n - 1);
    for (size_t piece; n > 0; text += piece, n -= piece) {
        piece = n < HK_WRITE_PIECE ? n : HK_WRITE_PIECE;
        put_message(text, piece);
    }
}

void console_line(const char *line)
{
    size_t n = strlen(line);
    bool ended = n > 0 && line[n - 1] == '\n';
    hk_printf("%s%s", line, ended ? "" : "\n");
}

void console_break_lock(void)
{
    broken = true;
}

/* ---- input ------------------------------------------------------------------------------------------------------ */

static struct hk_mutex input_lock;      /* one reader at a time */
static struct hk_mutex ready_lock;
static uintptr_t input_words[INPUT];
static struct hk_chan input_chan;
static bool input_ready;                /* ready_lock */

static void (*break_fn)(void);          /* atomic */

/* Is it ^C, and for hk_console_break? */
static bool breaks(int c)
{
    void (*fn)(void) = c == CTRL_C ? ld_acq(&break_fn) : NULL;      /* [L-mp.acq] */
    if (fn)
        fn();
    return fn;
}

static void input_irq(void *arg)
{
    (void)arg;
    for (int c; (c = hal_console_getc()) >= 0; )
        if (!breaks(c))
            (void)hk_chan_send(&input_chan, (uintptr_t)c, 0);   /* what nobody reads in time is lost */
}

/* Interrupts of the console's input go to hart 0. */
static void input_init(void)
{
    unsigned irq = hal_console_irq();
    if (input_ready)
        return;
    hk_chan_init(&input_chan, input_words, INPUT);
    input_ready = true;
    if (irq != 0 && hal_irq_register(irq, 0, 1, input_irq, NULL) != HAL_OK)
        hk_panic("the console's interrupt %u has another handler", irq);
}

static int poll_input(void)
{
    int c;
    while ((c = hal_console_getc()) < 0 || breaks(c))
        hk_sleep(10000000);
    return c;
}

static void input_begin(void)
{
    hk_mutex_lock(&ready_lock);
    input_init();
    hk_mutex_unlock(&ready_lock);
}

void hk_console_break(void (*fn)(void))
{
    input_begin();
    st_rel(&break_fn, fn);              /* after what it needs [L-mp.rel] */
}

int hk_getchar(void)
{
    uintptr_t word = 0;
    input_begin();
    hk_mutex_lock(&input_lock);
    if (hal_console_irq() != 0)
        (void)hk_chan_recv(&input_chan, &word, HK_FOREVER);
    else
        word = (uintptr_t)poll_input();
    hk_mutex_unlock(&input_lock);
    return (int)word;
}
