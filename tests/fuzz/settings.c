/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc/settings.c: boot arguments and lines of a console come from outside.
 *
 * Either the input is the text, and the answer must be a whole one: taken, with every field in its range; or refused, with the
 * configuration as it was and an error that ends.  Or a text is made from the input, word by word, together with what must
 * come out of it.
 */
#include <string.h>

#include "gc/gc_internal.h"
#include "tests/fuzz/bytes.h"

enum { TEXT_MAX = 1024, ERROR_MAX = 220 };

/* As many as there can be: each number in a text is one. */
unsigned hal_hart_count(void)
{
    return HK_MAX_HARTS;
}

/* In memory of just its size. */
static int settings(struct hgc_config *c, const char *text, bool boot, size_t n, bool *named)
{
    char *exact = strdup(text), *error = malloc(n);
    memset(error, 'x', n);
    int result = boot ? settings_boot(c, exact, error, n) : hgc_settings(c, exact, error, n);
    if (result != HGC_OK && (result != HGC_EINVAL || !memchr(error, 0, n) || (n > 1 && !error[0])))
        fail("refused without an error that ends");
    *named = result == HGC_OK || n < HGC_SETTINGS_ERROR || strstr(error, ": ");
    free(exact);
    free(error);
    return result;
}

/* ---- any text ---------------------------------------------------------------------------------------------------- */

static void any_text(struct bytes *in)
{
    struct hgc_config c = {.size = HGC_ARENA_MAX, .percent = 77, .stress = 5}, before = c;
    char text[TEXT_MAX + 1] = "", error[ERROR_MAX];
    bool boot = take(in) & 1, named;
    size_t n = 1 + take(in) % ERROR_MAX, length = left(in) < TEXT_MAX ? left(in) : TEXT_MAX;
    memcpy(text, in->at, length);
    int result = settings(&c, text, boot, n, &named);
    if (result != HGC_OK && memcmp(&c, &before, sizeof c) != 0)
        fail("refused, and yet something was taken");
    c.mark_harts = c.free_harts = 0;    /* whether these harts are there the text does not know, nor how large the arena is */
    if (c.limit > c.size)
        c.limit = 0;
    if (c.min_trigger > c.size)
        c.min_trigger = 0;
    if (result == HGC_OK && !settings_valid(&c, error, sizeof error))
        fail("taken, but out of its range");
    if (!named)
        fail("the error does not say what is wrong");
}

/* ---- made texts -------------------------------------------------------------------------------------------------- */

static const char *const names[] = { "gctrace", "stoptheworld", "verify", "clobber", "noauto", "stress", "percent",
                                     "mintrigger", "limit", "markharts", "freeharts", "harts" };
enum { NAMES = sizeof names / sizeof *names };

/* What the value means; false: it is not allowed. */
static bool apply(struct hgc_config *c, unsigned which, uint64_t v, unsigned shift, bool boot)
{
    uint64_t size = v << shift;
    bool is_size = which == 7 || which == 8;
    if (shift && !is_size)
        return false;
    if (is_size && size >> shift != v)
        return false;
    switch (which) {
    case 0: c->trace = v; return v <= 1;
    case 1: c->stoptheworld = (unsigned)v; return v <= 2;
    case 2: c->verify = v; return v <= 1;
    case 3: c->clobber = v; return v <= 1;
    case 4: c->no_auto = v; return v <= 1;
    case 5: c->stress = (unsigned)v; return v <= UINT32_MAX;
    case 6: c->percent = (unsigned)v; return v <= 10000;
    case 7: c->min_trigger = size; return true;
    case 8: c->limit = size; return size == 0 || size >= 65536;
    case 9: c->mark_harts = (uint64_t)1 << (v & 63); return v < HK_MAX_HARTS;
    case 10: c->free_harts = (uint64_t)1 << (v & 63); return v < HK_MAX_HARTS;
    default: return boot && v >= 1 && v <= HK_MAX_HARTS;
    }
}

static void made_text(struct bytes *in)
{
    struct hgc_config c = {.size = SIZE_MAX}, want = c;
    char text[TEXT_MAX + 1] = "";
    size_t at = 0;
    bool good = true, boot = take(in) & 1, named;
    while (left(in) > 0 && at < TEXT_MAX - 64) {
        static const char separators[] = " ,\t\n\r";
        unsigned which = take(in) % NAMES, unit = take(in) % 16;
        uint64_t v = take64(in);
        v >>= take(in) & 63;
        for (unsigned n = 1 + take(in) % 3; n > 0; n--)
            text[at++] = separators[take(in) % 5];
        at += (size_t)sprintf(text + at, "%s=%llu", names[which], (unsigned long long)v);
        if (unit < 6)
            text[at++] = "KMGkmg"[unit];
        text[at] = 0;
        struct hgc_config was = want;
        if (good && !apply(&want, which, v, unit < 6 ? 10 * (unit % 3 + 1) : 0, boot)) {
            good = false;
            want = was;
        }
    }
    if (take(in) & 1)
        at += (size_t)sprintf(text + at, " -- colour=%u", take(in));
    int result = settings(&c, text, boot, HGC_SETTINGS_ERROR, &named);
    if ((result == HGC_OK) != good)
        fail(good ? "right settings were refused" : "wrong settings were taken");
    if (good && memcmp(&c, &want, sizeof c) != 0)
        fail("other settings");
    if (!named)
        fail("the error does not say what is wrong");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, data + size };
    if (take(&in) & 1)
        made_text(&in);
    else
        any_text(&in);
    return 0;
}
