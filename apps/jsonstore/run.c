/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Phase 2: the work.
 *
 * Half of the tasks are editors: they take tickets, make the next version of each of a ticket's documents under its
 * shard's lock, look others up, and send the new versions through a channel.  The other half are printers: they receive
 * versions, print them, add up their digests and drop them; now and then they parse what they printed.  A version is a
 * function of the document and its number, so the sum over all versions does not depend on who comes first.
 */
#include "apps/jsonstore/edit.h"
#include "apps/jsonstore/phases.h"
#include "apps/jsonstore/store.h"
#include "apps/jsonstore/team.h"

#include <string.h>

#include "expect.h"

/* A ticket is so many documents of one pass.  A pass visits the documents in an order of its own. */
enum { TICKET = 32, TICKETS = (JS_DOCUMENTS + TICKET - 1) / TICKET, STRIDE = 7919, CHANNEL = 16,
       REPARSE = 16 };
_Static_assert(JS_DOCUMENTS % STRIDE != 0, "STRIDE is prime and must not divide JS_DOCUMENTS, or a pass leaves some out");

static hgc_ref(struct hgc_chan) channel;        /* of vectors of TICKET versions, fewer with NULLs; a root */
static struct counter tickets;
static struct counter finished;                 /* editors; the last one closes the channel */

/* ---- editors ----------------------------------------------------------------------------------------------------- */

/* Looks up some document by code, and then by the name that it has, if it has one. */
static int look_up(struct member *m, uint32_t which)
{
    struct version *v;
    struct json *root;
    const struct json *code = store_code(which % JS_DOCUMENTS);
    team_op(m);
    int error = store_get(code, &v);
    if (error)
        return error;
    m->lookups++;
    const struct json *name = json_member(hgc_get(v->root), "name");
    if (name && name->type == JSON_STRING) {
        team_op(m);
        if (store_named(name, &root))
            m->lookups++;               /* else it has another name by now */
    }
    return 0;
}

/* Makes one version: *v. */
static int advance(struct member *m, struct json_parser *p, uint32_t ordinal, uint32_t pass, struct version **v)
{
    const struct json *code = store_code(ordinal);
    team_op(m);
    int error = store_advance(code, p, v);
    if (!error)
        error = look_up(m, edit_mix(pass, ordinal));
    if (error) {
        team_fail("jsonstore: edit of %s: %s\n", label_of(json_text(code)->bytes, code->length).s,
                  store_error_name(error));
        return error;
    }
    m->documents++;
    return 0;
}

/* Makes the versions of a ticket and sends them. */
static int edit_ticket(struct member *m, struct json_parser *p, uint32_t ticket)
{
    uint32_t pass = ticket / TICKETS, first = ticket % TICKETS * TICKET, n = 0;
    struct json_vector *batch = json_vector_new(NULL, 0, TICKET);
    if (!batch) {
        team_fail("jsonstore: edit: no memory\n");
        return JSON_ENOMEM;
    }
    for (uint32_t i = first; i < first + TICKET && i < JS_DOCUMENTS; i++) {
        uint32_t ordinal = (uint32_t)(((uint64_t)i * STRIDE + pass * 4999u) % JS_DOCUMENTS);
        struct version *v;
        if (pass >= expected_versions(ordinal))
            continue;
        int error = advance(m, p, ordinal, pass, &v);
        if (error)
            return error;
        hgc_set(&batch->at[n++], (void *)v);
    }
    return n ? team_send(hgc_get(channel), batch) : 0;
}

static void edit_all(struct member *m)
{
    struct json_parser parser;
    if (json_parser_init(&parser)) {
        team_fail("jsonstore: edit: no memory\n");
        return;
    }
    for (uint32_t t; !team_failed() && (t = counter_take(&tickets)) < TICKETS * JS_PASSES;) {
        if (edit_ticket(m, &parser, t))
            return;
    }
}

/* ---- printers ---------------------------------------------------------------------------------------------------- */

/* Parses what was printed and prints it again: it must come out the same. */
static int reparse(struct json_parser *p, const struct json_out *out)
{
    struct json_out again = {0};
    struct json *root;
    size_t at;
    if (json_parse(p, out->bytes, out->length, &root, &at) || json_print(&again, root))
        return -1;
    return again.length == out->length && memcmp(again.bytes, out->bytes, out->length) == 0 ? 0 : -1;
}

static int print(struct member *m, struct json_parser *p, const struct version *v)
{
    struct json_out out = {0};
    team_op(m);
    int error = json_print(&out, hgc_get(v->root));
    if (error) {
        team_fail("jsonstore: print: %s\n", json_error_name(error));
        return error;
    }
    uint64_t term = json_digest(&out) ^ (uint64_t)v->version << 32 ^ v->ordinal;
    m->history += term * 0x9E3779B97F4A7C15u;
    m->bytes += out.length;
    if (m->documents++ % REPARSE == 0 && (error = reparse(p, &out)))
        team_fail("jsonstore: version %u of document %u does not survive printing and parsing\n", (unsigned)v->version,
                  (unsigned)v->ordinal);
    return error;
}

static void print_all(struct member *m)
{
    struct json_parser parser;
    void *received;
    if (json_parser_init(&parser)) {
        team_fail("jsonstore: print: no memory\n");
        return;
    }
    while (!team_failed() && team_recv(hgc_get(channel), &received) == 0) {
        const struct json_vector *batch = received;
        struct version *v;
        for (uint32_t i = 0; i < TICKET && (v = hgc_get(batch->at[i])); i++) {
            if (print(m, &parser, v))
                return;
        }
    }
}

/* Whoever leaves after a failure closes the channel, or the others would wait for ever. */
static void run_task(struct member *m)
{
    if (m->number % 2) {
        print_all(m);
    } else {
        edit_all(m);
        if (counter_take(&finished) + 1 == hk_harts())
            hgc_chan_close(hgc_get(channel));
    }
    if (team_failed())
        hgc_chan_close(hgc_get(channel));
}

int run(void)
{
    hgc_set(&channel, hgc_chan_new(CHANNEL));
    if (!hgc_get(channel) || hgc_root_add(&channel, sizeof channel)) {
        hk_printf("jsonstore: run: no memory\n");
        return -1;
    }
    uint64_t start = hk_now(), edited = 0, printed = 0, lookups = 0, bytes = 0, history = 0;
    if (team_run("run", run_task))
        return -1;
    uint64_t ms = (hk_now() - start) / 1000000 + 1;
    for (unsigned i = 0; i < team_size(); i++) {
        const struct member *m = team_member(i);
        *(i % 2 ? &printed : &edited) += m->documents;
        lookups += m->lookups;
        bytes += m->bytes;
        history += m->history;
    }
    hk_printf("jsonstore: edited and printed %u documents in %u ms: %u documents per second\n", (unsigned)edited,
              (unsigned)ms, (unsigned)(edited * 1000 / ms));
    hk_printf("jsonstore: %u lookups, %u KiB printed, history %016llx\n", (unsigned)lookups, (unsigned)(bytes >> 10),
              (unsigned long long)history);
    if (edited == JS_VERSIONS && printed == JS_VERSIONS && history == JS_HISTORY)
        return 0;
    hk_printf("jsonstore: expected %u versions, history %016llx\n", JS_VERSIONS, (unsigned long long)JS_HISTORY);
    return -1;
}
