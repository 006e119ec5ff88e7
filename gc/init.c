/* SPDX-License-Identifier: Apache-2.0 */
/* Starting the collector, kinds, and the hooks that it gives the kernel. */
#include "gc/gc_internal.h"
#include "kernel/args.h"

struct gc gc;
struct kind_entry gc_kinds[GC_KINDS];
bool gc_leaf[GC_KINDS];

/* I11: a reference that passes from one task to another is shaded as it passes. */
static void handover(uintptr_t word)
{
    if (gc_is_on())
        mark_word(word);
}

static const struct task_hooks hooks = {
    .pick = worker_pick,
    .handover = handover,
    .born = root_born,
    .claimed = root_claimed,
    .died = root_died,
};

/* Cuts the arena: descriptors, free map, verifier, blocks.  False: too small. */
static bool lay_out(const struct hgc_config *cfg)
{
    uintptr_t at = ((uintptr_t)cfg->base + 63) & ~(uintptr_t)63, end = (uintptr_t)cfg->base + cfg->size;
    size_t each = sizeof(struct block) + HGC_BLOCK + (cfg->verify ? verify_bytes(1) : 0);
    size_t slack = 2 * HGC_BLOCK + 4 * WORD;
    if (end <= at + slack + each)
        return false;
    /* Less than a quarter of a byte a block for the free map and its summary, rounded up to one. */
    gc.nblocks = (uint32_t)((end - at - slack) / (each + 1));
    gc.blocks = (struct block *)at;
    at += gc.nblocks * sizeof(struct block);
    gc.free_map = (uintptr_t *)at;
    gc.free_words = BITS_WORDS(gc.nblocks);
    at += gc.free_words * WORD;
    gc.free_summary = (uintptr_t *)at;
    at += BITS_WORDS(gc.free_words) * WORD;
    if (cfg->verify) {
        verify_init((uintptr_t *)at);
        at += verify_bytes(gc.nblocks);
    }
    gc.base = (at + HGC_BLOCK - 1) & ~(uintptr_t)(HGC_BLOCK - 1);
    while (gc.base + ((uintptr_t)gc.nblocks << HGC_BLOCK_SHIFT) > end)
        gc.nblocks--;
    if (gc.nblocks < 4) {
        gc.nblocks = 0;
        return false;
    }
    gc.bytes = (size_t)gc.nblocks << HGC_BLOCK_SHIFT;
    memset(gc.blocks, 0, gc.nblocks * sizeof(struct block));
    return true;
}

/* Prints the words that it took, as one line. */
static void tell(const char *text)
{
    char line[HK_PRINT_MAX - 32];
    int at = 0;
    for (struct args_word w; at < (int)sizeof line && args_next(&text, &w);)
        if (!args_is(&w, "harts"))
            at += hk_snprintf(line + at, sizeof line - (size_t)at, " %.*s", (int)w.length, w.text);
    if (at)
        hk_printf("hgc:%s (boot arguments)\n", line);
}

/* The settings that hold: those of the program, then the boot arguments.  False: one is wrong, and the console says so. */
static bool settle(const struct hgc_config *config)
{
    char error[HGC_SETTINGS_ERROR];
    gc.cfg = *config;
    if (!settings_valid(&gc.cfg, error, sizeof error)) {
        hk_printf("hgc: in the configuration: %s\n", error);
        return false;
    }
    if (config->no_bootargs)
        return true;
    if (settings_boot(&gc.cfg, hk_boot_args(), error, sizeof error) != HGC_OK || !settings_valid(&gc.cfg, error, sizeof error)) {
        hk_printf("hgc: boot argument %s\n", error);
        return false;
    }
    tell(hk_boot_args());
    return true;
}

int hgc_init(const struct hgc_config *config)
{
    if (gc.nblocks)
        return HGC_EBUSY;
    if (!config || !config->base || config->size < HGC_ARENA_MIN || config->size > UINTPTR_MAX - 64 - (uintptr_t)config->base
        || config->size >> HGC_BLOCK_SHIFT >= NO_BLOCK || !settle(config) || !lay_out(&gc.cfg))
        return HGC_EINVAL;
    if (!worker_init() || !sweep_init()) {
        hk_printf("hgc: the pages that the arena has left are too few for the collector's tasks\n");
        gc.nblocks = 0;                 /* nothing can be allocated yet, and no address is an object */
        gc.bytes = 0;
        return HGC_ENOMEM;
    }
    if (!gc.cfg.percent)
        gc.cfg.percent = PACE_PERCENT;
    if (!gc.cfg.min_trigger)
        gc.cfg.min_trigger = gc.bytes / 16;
    if (gc.cfg.min_trigger > gc.bytes - gc.bytes / 8)
        gc.cfg.min_trigger = gc.bytes - gc.bytes / 8;
    gc.automatic = !gc.cfg.no_auto;
    gc.stress_left = gc.cfg.stress;
    gc.born_ns = hal_time_ns();
    gc.overflow = NO_BLOCK;
    gc_kinds[HGC_LEAF] = (struct kind_entry){.k = {.name = "leaf"}, .used = true};
    gc_leaf[HGC_LEAF] = true;
    gc_kinds[HGC_AMBIGUOUS] = (struct kind_entry){.k = {.name = "ambiguous"}, .used = true};
    special_init();
    class_init();
    free_init();
    for (unsigned i = 0; i < IDS; i++)
        gc.partial[i].head = NO_BLOCK;
    worker_roles(gc.cfg.mark_harts, gc.cfg.free_harts);
    task_hooks_set(&hooks);
    pace_init();
    return HGC_OK;
}

static uintptr_t repeated(const struct hgc_kind *k)
{
    uintptr_t pattern = 0;
    for (unsigned i = 0; i < WORD_BITS && k->map; i++) {
        unsigned word = i % k->words;
        pattern |= (uintptr_t)(k->map[word / 32] >> (word % 32) & 1) << i;
    }
    return pattern;
}

int hgc_kind(unsigned kind, const struct hgc_kind *k)
{
    if (kind < HGC_KIND_FIRST || kind >= HGC_KINDS || !k || k->words > 1024 || (k->map != NULL && k->trace != NULL)
        || (k->words && !k->map && !k->trace) || (k->map && !k->words) || (k->release && (k->map || k->trace)))
        return HGC_EINVAL;
    if (gc_kinds[kind].used)
        return HGC_EBUSY;
    gc_kinds[kind].k = *k;
    gc_leaf[kind] = !k->map && !k->trace;
    gc_kinds[kind].pattern = repeated(k);
    fence_ww();                         /* [L-none: the program lets no task allocate before, and orders that] */
    gc_kinds[kind].used = true;
    return HGC_OK;
}

const char *hgc_strerror(int error)
{
    switch (error) {
    case HGC_OK:       return "no error";
    case HGC_EINVAL:   return "an argument is out of its range";
    case HGC_ENOMEM:   return "a table is full, or no memory is left";
    case HGC_EBUSY:    return "done already";
    case HGC_ETIMEOUT: return "the time passed first";
    case HGC_ECLOSED:  return "the channel is closed";
    default:           return "unknown error";
    }
}
