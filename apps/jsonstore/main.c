/* SPDX-License-Identifier: Apache-2.0 */
/* hal: riscv host */
/* harts: 4 1 */
/* seconds: 180 */
/* tap: no */
/* match: ^jsonstore: OK */
/* expect: exit 0 */
/*
 * jsonstore: a store of JSON documents on the collected heap.
 *
 * Real and generated documents are parsed by tasks on all harts, indexed by code and by name, then edited, deleted,
 * inserted again, looked up and printed while the collector runs beside them.  At the end each document is compared with
 * what Python's json module made of the same edits.  Nothing is ever freed by hand.
 *
 *   json.h  json.c  parse.c  print.c     values: building, parsing, printing
 *   index.c  store.c  edit.c             documents: hash tables, the store, the edits
 *   corpus.c  team.c                     the embedded texts; two tasks for each hart
 *   load.c  run.c  check.c  report.c     the phases
 */
#include "apps/jsonstore/corpus.h"
#include "apps/jsonstore/phases.h"
#include "apps/jsonstore/store.h"
#include "apps/jsonstore/team.h"
#include "expect.h"

/* About three times what lives. */
#ifndef JSONSTORE_HEAP
#define JSONSTORE_HEAP (40u << 20)
#endif

/* Starts the collector. */
static int start_heap(void)
{
    struct hgc_config config = {
        .base = hk_mem_alloc(JSONSTORE_HEAP), .size = JSONSTORE_HEAP, .percent = 50, .trace = true,
    };
    if (!config.base) {
        hk_printf("jsonstore: no %u KiB for the heap; the largest free piece has %zu KiB\n", JSONSTORE_HEAP >> 10,
                  hk_mem_largest() >> 10);
        return -1;
    }
    int error = hgc_init(&config);
    if (!error)
        error = json_init();
    if (error)
        hk_printf("jsonstore: the heap does not start: %s\n", hgc_strerror(error));
    return error;
}

int app_main(void)
{
    hk_printf("jsonstore: %u harts, heap %u MiB, hgc " HGC_VERSION ", corpus %zu KiB\n", hk_harts(), JSONSTORE_HEAP >> 20,
              corpus_size() >> 10);
    if (!corpus_ok()) {
        hk_printf("jsonstore: the embedded corpus does not belong to expect.h: make clean\n");
        return 1;
    }
    if (start_heap() || check_refused() || load())
        return 1;
    sample_start();
    int wrong = run();
    sample_stop();
    if (!team_failed())
        wrong |= check_store();         /* says which documents */
    if (report() || wrong)
        return 1;
    hk_printf("jsonstore: OK %u documents, %u versions, %u texts refused\n", JS_DOCUMENTS, JS_VERSIONS, JS_REFUSED);
    return 0;
}
