/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 4 */
/* seconds: 600 */
/* mem: 256M */
/* tap: no */
/* match: ^luastore: OK */
/* expect: exit 0 */
/*
 * luastore: apps/jsonstore in Lua.  The same documents, edits and figures; parsed, indexed, edited and printed by Lua.
 *
 * There is one Lua state for each hart, and in each phase a task for each state.  The states know nothing of each other: the
 * documents are divided among them, and what they count is added up here.  One heap and one collector serve all.
 *
 *   main.lua   the phases            json.lua, edit.lua, store.lua   values, edits, documents and indices
 *   team.c     states and tasks      job.c                           what Lua asks this program for
 *   report.c   the collector's figures
 */
#include "apps/luastore/team.h"
#include "gc/hgc.h"
#include "kernel/hk.h"
#include "libc/libc.h"

#include "apps/jsonstore/corpus.h"
#include "expect.h"

LIBC_FILE("apps/luastore/main.lua", "apps/luastore/main.lua");
LIBC_FILE("apps/luastore/json.lua", "apps/luastore/json.lua");
LIBC_FILE("apps/luastore/edit.lua", "apps/luastore/edit.lua");
LIBC_FILE("apps/luastore/store.lua", "apps/luastore/store.lua");

/* About three times what lives; and what Lua takes from malloc: its tables of strings, and buffers. */
#ifndef LUASTORE_HEAP
#define LUASTORE_HEAP (144u << 20)
#endif
enum { MANUAL = 16 << 20 };

static int start_heap(void)
{
    struct hgc_config config = {
        .base = hk_mem_alloc(LUASTORE_HEAP), .size = LUASTORE_HEAP, .trace = true,
    };
    if (!config.base) {
        hk_printf("luastore: no %u KiB for the heap; the largest free piece has %zu KiB\n", LUASTORE_HEAP >> 10,
                  hk_mem_largest() >> 10);
        return -1;
    }
    int error = hgc_init(&config);
    if (!error)
        error = libc_heap(hk_mem_alloc(MANUAL), MANUAL);
    if (error)
        hk_printf("luastore: the heap does not start: %d\n", error);
    return error;
}

/* Runs a phase, and how long it took. */
static uint64_t timed(const char *name, unsigned results)
{
    uint64_t start = hk_now();
    team_run(name, results);
    return (hk_now() - start) / 1000000 + 1;
}

/* The texts that are no JSON are refused, and all others become documents. */
static int load(void)
{
    uint64_t ms = timed("cut", 1), refused = team_sum(0);
    ms += timed("load", 1);
    if (team_failed())
        return -1;
    unsigned documents = (unsigned)team_sum(0);
    hk_printf("luastore: parsed and inserted %u documents in %u ms: %u a second\n", documents, (unsigned)ms,
              (unsigned)(documents * 1000ull / ms));
    if (documents == JS_DOCUMENTS && refused == JS_REFUSED)
        return 0;
    hk_printf("luastore: expected %u documents, and %u texts refused, not %u\n", JS_DOCUMENTS, JS_REFUSED, (unsigned)refused);
    return -1;
}

static int run(void)
{
    uint64_t ms = timed("run", 4);
    if (team_failed())
        return -1;
    uint64_t versions = team_sum(0), history = team_sum(3);
    hk_printf("luastore: edited and printed %u documents in %u ms: %u documents per second\n", (unsigned)versions,
              (unsigned)ms, (unsigned)(versions * 1000 / ms));
    hk_printf("luastore: %u lookups, %u KiB printed, history %016llx\n", (unsigned)team_sum(1), (unsigned)(team_sum(2) >> 10),
              (unsigned long long)history);
    if (versions == JS_VERSIONS && history == JS_HISTORY)
        return 0;
    hk_printf("luastore: expected %u versions, history %016llx\n", JS_VERSIONS, (unsigned long long)JS_HISTORY);
    return -1;
}

static int check(void)
{
    team_run("check", 4);
    if (team_failed())
        return -1;
    unsigned documents = (unsigned)team_sum(0), named = (unsigned)team_sum(1), bad = (unsigned)team_sum(3);
    uint64_t total = team_sum(2);
    hk_printf("luastore: %u documents, %u by name, digest %016llx\n", documents, named, (unsigned long long)total);
    if (!bad && total == JS_TOTAL && documents == JS_DOCUMENTS && named == JS_NAMED)
        return 0;
    hk_printf("luastore: %u documents are wrong; expected %u, %u by name, digest %016llx\n", bad, JS_DOCUMENTS, JS_NAMED,
              (unsigned long long)JS_TOTAL);
    return -1;
}

int app_main(void)
{
    hk_printf("luastore: %u harts, as many Lua states, heap %u MiB, hgc " HGC_VERSION ", corpus %zu KiB\n", hk_harts(),
              LUASTORE_HEAP >> 20, corpus_size() >> 10);
    if (!corpus_ok()) {
        hk_printf("luastore: the embedded corpus does not belong to expect.h: make clean\n");
        return 1;
    }
    if (start_heap() || team_start("apps/luastore/main.lua") || load())
        return 1;
    sample_start();
    int wrong = run();
    sample_stop();
    if (!wrong)
        wrong = check();
    if (report() || wrong)
        return 1;
    team_end();
    if (team_failed())
        return 1;
    hk_printf("luastore: OK %u documents, %u versions, %u texts refused\n", JS_DOCUMENTS, JS_VERSIONS, JS_REFUSED);
    return 0;
}
