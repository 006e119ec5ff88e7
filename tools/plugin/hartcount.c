/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A QEMU TCG plugin that counts instructions per hart between marker instructions.
 *
 *   qemu-system-riscv64 ... -plugin build/plugin/hartcount.so[,out=FILE][,mode=insn]
 *
 * A marker is `slti x0, x0, K`, a no-op on every hart.  hal/riscv/hal_mark.h places them:
 *
 *   K          meaning, for the hart that executes it
 *   1          interrupts are off from here (the first instruction of the trap entry, too); off already: nothing
 *   2          interrupts are about to be on; on already: nothing
 *   3, 4       a stop of the world begins, ends
 *   5, 6       waiting begins, ends; nests
 *   7          follows 3 on the hart that asked for the stop
 *   8          all figures of all harts begin anew
 *   0x10 + r   follows 3: the stop's kind r (names below)
 *   0x100 + i  section i begins, 0x200 + i: ends
 *
 * What is measured:
 *   irqoff   from 1 to 2, both included, waiting subtracted.  A wait may let interrupts in (2, handlers, 1): a stretch
 *            that begins inside a wait is a stretch of its own, and its own waits alone are subtracted.
 *   stop     on the hart that asked: from 3 to 4.  On any other: from the 1 before the 3 (the trap entry) to the first 2
 *            after the 4.  Markers included; waiting, and all that ran meanwhile, subtracted and shown beside it.
 *   section  between the markers, which do not count.  Waiting is not subtracted, but shown.
 *   hart     all instructions since reset, and since the last 8 (from the hart's first marker after it).
 *   A span that began before the last 8 is not counted.  One that ends on another hart than it began on is "odd".
 *
 * Exactness: a translation block's instructions are added when it is entered, and a marker in it subtracts those from
 * itself on, so every figure is exact unless an instruction faults in the middle of a block inside a span (then the rest
 * of that block is counted too).  mode=insn counts one by one: always exact, some eight times slower.
 *
 * Debian has no header for plugins, so the few prototypes are declared here; -DPLUGAPI=4 for QEMU 9 and later.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PLUGAPI
#define PLUGAPI 1
#endif

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { QEMU_PLUGIN_CB_NO_REGS = 0 };
typedef void vcpu_fn(unsigned vcpu, void *data);

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                                  void (*fn)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, vcpu_fn *fn, int flags, void *data);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, vcpu_fn *fn, int flags, void *data);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*fn)(qemu_plugin_id_t, void *), void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
extern void qemu_plugin_outs(const char *text);
#if PLUGAPI >= 3
extern size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t size);
#else
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
#endif

EXPORT int qemu_plugin_version = PLUGAPI;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv);

enum {
    IRQ_OFF = 1, IRQ_ON, STOP_BEGIN, STOP_END, WAIT_BEGIN, WAIT_END, INITIATOR, RESET,
    KIND = 0x10, SECTION_BEGIN = 0x100, SECTION_END = 0x200
};
enum { HARTS = 512, KINDS = 16, SECTIONS = 256, DEPTH = 16, LONGEST = 8 };
static const char *const kind_names[] = { "mark-start", "mark-termination", "handshake", "other" };

/* Where a span began: the instruction count, and what had been waited, outside the waits that enclose the span. */
struct span {
    bool open;
    unsigned epoch;             /* of the figures */
    unsigned depth;
    uint64_t begin, waited, pc;
};

struct figure { uint64_t calls, total, max, wait_total, wait_max; };
struct stretch { uint64_t insns, begin, end; };

/* Written by its own hart's thread alone; read at exit. */
struct hart {
    uint64_t count;             /* instructions, to the end of the present block */
    unsigned epoch;             /* of the figures below */
    uint64_t since;             /* the count when it began */
    unsigned depth;             /* waits that are open */
    uint64_t wait_began[DEPTH + 1];     /* of the wait at depth d */
    uint64_t waited[DEPTH + 1];         /* in all waits deeper than d, since the start */
    struct span off, stop, section[SECTIONS];
    uint64_t stop_asked;        /* where the marker 3 stood */
    unsigned stop_kind;
    bool initiator, stop_ended;
    uint64_t odd;               /* ends without a begin and the like */
    struct figure irqoff, stops[KINDS], sections[SECTIONS];
    struct stretch longest[LONGEST];    /* one per pair of begin and end; longest first */
} __attribute__((aligned(128)));

struct marker {
    struct marker *next;        /* all of them, so that a retranslation finds its own */
    unsigned k, rest;           /* instructions of the block from the marker to its end */
    uint64_t pc;
};

static struct hart *harts;
static unsigned epoch;                  /* atomic */
static bool by_insn;
static char *out_name;
static struct marker *markers[1024];
static pthread_mutex_t markers_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- spans ------------------------------------------------------------------------------------------------------ */

static uint64_t waited(const struct hart *h, unsigned depth, uint64_t now)
{
    return h->waited[depth] + (h->depth > depth ? now - h->wait_began[depth + 1] : 0);
}

static void span_begin(const struct hart *h, struct span *s, uint64_t now, uint64_t pc)
{
    *s = (struct span){ true, h->epoch, h->depth, now, waited(h, h->depth, now), pc };
}

/* Ends `s` before instruction number `now` and adds it to `f`; returns its length without waiting. */
static uint64_t span_end(const struct hart *h, struct span *s, struct figure *f, uint64_t now, bool subtract)
{
    uint64_t wait = waited(h, s->depth, now) - s->waited;
    uint64_t length = now - s->begin - (subtract ? wait : 0);

    s->open = false;
    if (s->epoch != h->epoch)
        return 0;
    f->calls++;
    f->total += length;
    f->wait_total += wait;
    if (length > f->max)
        f->max = length;
    if (wait > f->wait_max)
        f->wait_max = wait;
    return length;
}

static void keep_longest(struct stretch *list, uint64_t insns, uint64_t begin, uint64_t end)
{
    int i = 0;

    while (i < LONGEST - 1 && !(list[i].begin == begin && list[i].end == end))
        i++;
    if (insns <= list[i].insns)
        return;
    for (; i > 0 && list[i - 1].insns < insns; i--)
        list[i] = list[i - 1];
    list[i] = (struct stretch){ insns, begin, end };
}

/* ---- markers: `now` is the number of instructions that this hart executed before the marker ------------------------ */

static void irq_on(struct hart *h, uint64_t now, uint64_t pc)
{
    if (h->off.open) {
        uint64_t length = span_end(h, &h->off, &h->irqoff, now + 1, true);

        if (length)
            keep_longest(h->longest, length, h->off.pc, pc);
    }
    if (h->stop.open && h->stop_ended)
        span_end(h, &h->stop, &h->stops[h->stop_kind], now + 1, true);
}

static void stop_begin(struct hart *h, uint64_t now, uint64_t pc)
{
    if (h->stop.open) {
        if (!h->stop_ended)
            h->odd++;
        span_end(h, &h->stop, &h->stops[h->stop_kind], now, true);
        span_begin(h, &h->stop, now, pc);       /* a second request in one handler begins where the first ended */
    } else if (h->off.open) {
        h->stop = h->off;
    } else {
        span_begin(h, &h->stop, now, pc);
    }
    h->stop_asked = now;
    h->stop_kind = 3;
    h->initiator = h->stop_ended = false;
}

static void stop_end(struct hart *h, uint64_t now)
{
    if (!h->stop.open || h->stop_ended)
        h->odd++;
    else if (h->initiator)
        span_end(h, &h->stop, &h->stops[h->stop_kind], now + 1, true);
    else
        h->stop_ended = true;
}

static void wait_begin(struct hart *h, uint64_t now)
{
    if (h->depth == DEPTH - 1) {
        h->odd++;
        return;
    }
    h->wait_began[++h->depth] = now;
}

static void wait_end(struct hart *h, uint64_t now)
{
    if (h->depth == 0) {
        h->odd++;
        return;
    }
    h->waited[h->depth - 1] += now + 1 - h->wait_began[h->depth];
    h->depth--;
    /* A stretch that began inside the wait goes on outside of it: what it waited there is not its own. */
    if (h->off.open && h->off.depth > h->depth)
        span_begin(h, &h->off, now + 1, h->off.pc);
}

static void section(struct hart *h, unsigned k, uint64_t now, uint64_t pc)
{
    unsigned i = k & (SECTIONS - 1);
    struct span *s = &h->section[i];

    if (k < SECTION_END)
        span_begin(h, s, now + 1, pc);
    else if (s->open)
        span_end(h, s, &h->sections[i], now, false);
    else
        h->odd++;
}

/* Figures are cleared by their own hart, at its first marker after a reset. */
static void follow_epoch(struct hart *h)
{
    unsigned now = __atomic_load_n(&epoch, __ATOMIC_ACQUIRE);

    if (h->epoch == now)
        return;
    memset(&h->irqoff, 0, sizeof h->irqoff);
    memset(h->stops, 0, sizeof h->stops);
    memset(h->sections, 0, sizeof h->sections);
    memset(h->longest, 0, sizeof h->longest);
    h->odd = 0;
    h->epoch = now;
    h->since = h->count;
}

static void on_marker(unsigned vcpu, void *data)
{
    const struct marker *m = data;
    struct hart *h = &harts[vcpu % HARTS];
    uint64_t now = h->count - m->rest;

    if (m->k == RESET)
        __atomic_add_fetch(&epoch, 1, __ATOMIC_ACQ_REL);
    follow_epoch(h);
    switch (m->k) {
    case IRQ_OFF:
        if (!h->off.open)
            span_begin(h, &h->off, now, m->pc);
        break;
    case IRQ_ON:     irq_on(h, now, m->pc); break;
    case STOP_BEGIN: stop_begin(h, now, m->pc); break;
    case STOP_END:   stop_end(h, now); break;
    case WAIT_BEGIN: wait_begin(h, now); break;
    case WAIT_END:   wait_end(h, now); break;
    case INITIATOR:
        h->initiator = true;
        /* From the request on, whatever stretch the hart was in. */
        span_begin(h, &h->stop, h->stop_asked, m->pc);
        break;
    case RESET:
        break;
    default:
        if (m->k >= SECTION_BEGIN && m->k < SECTION_END + SECTIONS)
            section(h, m->k, now, m->pc);
        else if (m->k >= KIND && m->k < KIND + KINDS)
            h->stop_kind = m->k - KIND;
    }
}

/* ---- translation ------------------------------------------------------------------------------------------------ */

static void on_block(unsigned vcpu, void *data)
{
    harts[vcpu % HARTS].count += (uintptr_t)data;
}

/* K of `slti x0, x0, K`, or 0. */
static unsigned marker_of(const struct qemu_plugin_insn *insn)
{
    uint32_t word = 0;

    if (qemu_plugin_insn_size(insn) != 4)
        return 0;
#if PLUGAPI >= 3
    qemu_plugin_insn_data(insn, &word, sizeof word);
#else
    memcpy(&word, qemu_plugin_insn_data(insn), sizeof word);
#endif
    return (word & 0xfffff) == 0x02013 ? word >> 20 : 0;
}

static struct marker *marker_find(unsigned k, unsigned rest, uint64_t pc)
{
    struct marker **list = &markers[pc / 2 % 1024], *m;

    pthread_mutex_lock(&markers_lock);
    for (m = *list; m && !(m->pc == pc && m->k == k && m->rest == rest); m = m->next)
        ;
    if (!m && (m = malloc(sizeof *m))) {
        *m = (struct marker){ *list, k, rest, pc };
        *list = m;
    }
    pthread_mutex_unlock(&markers_lock);
    return m;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);

    (void)id;
    if (!by_insn)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, (void *)n);
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        unsigned k = marker_of(insn);

        if (k) {
            struct marker *m = marker_find(k, by_insn ? 0 : n - i, qemu_plugin_insn_vaddr(insn));

            if (m)
                qemu_plugin_register_vcpu_insn_exec_cb(insn, on_marker, QEMU_PLUGIN_CB_NO_REGS, m);
        }
        if (by_insn)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_block, QEMU_PLUGIN_CB_NO_REGS, (void *)1);
    }
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static void put_figure(FILE *f, const char *what, unsigned hart, const char *which, const struct figure *g)
{
    fprintf(f, "hartcount %s hart=%u%s calls=%" PRIu64 " total=%" PRIu64 " max=%" PRIu64 " waittotal=%" PRIu64
            " waitmax=%" PRIu64, what, hart, which, g->calls, g->total, g->max, g->wait_total, g->wait_max);
}

static void put_hart(FILE *f, unsigned i, const struct hart *h)
{
    char which[64];

    fprintf(f, "hartcount hart hart=%u insns=%" PRIu64 " since=%" PRIu64 " odd=%" PRIu64 "\n", i, h->count,
            h->count - h->since, h->odd);
    for (unsigned k = 0; k < KINDS; k++) {
        if (!h->stops[k].calls)
            continue;
        snprintf(which, sizeof which, " kind=%u name=%s", k, kind_names[k < 4 ? k : 3]);
        put_figure(f, "stop", i, which, &h->stops[k]);
        fputc('\n', f);
    }
    for (unsigned s = 0; s < SECTIONS; s++) {
        if (!h->sections[s].calls)
            continue;
        snprintf(which, sizeof which, " id=%u", s);
        put_figure(f, "section", i, which, &h->sections[s]);
        fputc('\n', f);
    }
    if (h->irqoff.calls) {
        put_figure(f, "irqoff", i, "", &h->irqoff);
        fprintf(f, " begin=0x%" PRIx64 " end=0x%" PRIx64 "\n", h->longest[0].begin, h->longest[0].end);
    }
}

static void on_exit_table(qemu_plugin_id_t id, void *data)
{
    struct stretch longest[LONGEST] = { { 0, 0, 0 } };
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    (void)id;
    (void)data;
    if (!f)
        return;
    for (unsigned i = 0; i < HARTS; i++) {
        struct hart *h = &harts[i];

        if (!h->count)
            continue;
        follow_epoch(h);        /* it met no marker since a reset */
        put_hart(f, i, h);
        for (int j = 0; j < LONGEST; j++)
            keep_longest(longest, h->longest[j].insns, h->longest[j].begin, h->longest[j].end);
    }
    for (int j = 0; j < LONGEST && longest[j].insns; j++)
        fprintf(f, "hartcount longest rank=%d insns=%" PRIu64 " begin=0x%" PRIx64 " end=0x%" PRIx64 "\n", j + 1,
                longest[j].insns, longest[j].begin, longest[j].end);
    fclose(f);

    FILE *out = out_name ? fopen(out_name, "w") : NULL;
    if (out) {
        fwrite(text, 1, size, out);
        fclose(out);
    } else {
        fflush(stdout);
        fwrite(text, 1, size, stdout);
        fflush(stdout);
    }
    free(text);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            out_name = strdup(argv[i] + 4);
        else if (strncmp(argv[i], "mode=", 5) == 0)
            by_insn = strcmp(argv[i] + 5, "insn") == 0;
    }
    harts = aligned_alloc(128, HARTS * sizeof *harts);
    if (!harts)
        return -1;
    memset(harts, 0, HARTS * sizeof *harts);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_exit_table, NULL);
    return 0;
}
