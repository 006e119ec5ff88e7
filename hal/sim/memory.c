/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory as harts see it.  A subset of what RVWMO allows; never more.
 *
 * Stores: each hart has a buffer.  An entry may drain when no earlier entry is at the same address and all entries that an
 * order puts before it have drained: a release, all earlier ones; a store behind fence w,w, those before the fence.  Which
 * one drains when is the schedule's choice.  An AMO or compare-and-swap works on memory itself, and first drains what its
 * order or its address demands; so does a full fence.
 *
 * Loads: one may be early: it returns what memory held at a moment in the past.  Not before the last fence or acquire of
 * this hart (load_floor), not before a write to the same address that this hart has seen, and not before a load that
 * returned an address (sim_is_address: the later one may depend on it).  What depends on an index says so with
 * hal_dependent.
 *
 * A store to the hart's current stack is out at once, with those before it: the frame may be gone, and its place in use by
 * accesses that nobody reports.
 *
 * Not modelled: loads that are late (load buffering), accesses of mixed size, devices.  Ordinary accesses, those of the
 * compiler, are immediate: race.c finds those that need an order and have none.
 */
#include "sim_internal.h"

#include <string.h>

static uint64_t read_memory(uintptr_t p, unsigned size)
{
    return size == 4 ? *(volatile uint32_t *)p : *(volatile uint64_t *)p;
}

static bool overlaps(uintptr_t p, unsigned n, uintptr_t q, unsigned m)
{
    return p < q + m && q < p + n;
}

/* ---- the past --------------------------------------------------------------------------------------------------- */

/* What the hart saw last at p was current at write number `at`. */
static void saw(struct sim_hart *h, uintptr_t p, uint64_t at)
{
    unsigned i = (unsigned)(p / 4 % SIM_SEEN);
    if (h->seen[i].addr != p) {
        if (h->seen[i].at > h->load_floor)
            h->load_floor = h->seen[i].at;      /* forgotten: all loads pay for it */
        h->seen[i].addr = p;
        h->seen[i].at = at;
    } else if (at > h->seen[i].at) {
        h->seen[i].at = at;
    }
}

static uint64_t floor_of(const struct sim_hart *h, uintptr_t p)
{
    unsigned i = (unsigned)(p / 4 % SIM_SEEN);
    uint64_t at = h->load_floor;
    return h->seen[i].addr == p && h->seen[i].at > at ? h->seen[i].at : at;
}

static void write_memory(struct sim_hart *h, uintptr_t p, unsigned size, uint64_t value)
{
    struct sim_written *w = &sim->history[sim->writes++ % SIM_HISTORY];
    w->addr = p;
    w->size = size;
    w->old = read_memory(p, size);
    if (size == 4)
        *(volatile uint32_t *)p = (uint32_t)value;
    else
        *(volatile uint64_t *)p = value;
    saw(h, p, sim->writes);
}

/* Goes back through the writes to p that this hart has not seen yet.  *at: the moment that the value is of. */
static uint64_t early(const struct sim_hart *h, uintptr_t p, unsigned size, uint64_t *at)
{
    uint64_t value = read_memory(p, size), floor = floor_of(h, p), i = sim->writes;
    *at = i;
    while (i > floor && i + SIM_HISTORY > sim->writes) {
        const struct sim_written *w = &sim->history[--i % SIM_HISTORY];
        if (!overlaps(p, size, w->addr, w->size))
            continue;
        if (w->addr != p || w->size != size || sim_choose(2) == 0)
            break;
        value = w->old;
        *at = i;                                /* before write number i */
    }
    return value;
}

void mem_now(struct sim_hart *h)
{
    h->load_floor = h->loads_max = sim->writes;
}

void sim_depends(void)
{
    struct sim_hart *h = sim->cur;
    if (h->loads_max > h->load_floor)
        h->load_floor = h->loads_max;
}

/* ---- the buffer ------------------------------------------------------------------------------------------------- */

static bool may_drain(const struct sim_hart *h, unsigned i)
{
    const struct sim_pending *e = &h->buffer[i];
    for (unsigned k = 0; k < i; k++)
        if (h->buffer[k].number < e->need || overlaps(e->addr, e->size, h->buffer[k].addr, h->buffer[k].size))
            return false;
    return true;
}

static void drain(struct sim_hart *h, unsigned i)
{
    struct sim_pending e = h->buffer[i];
    memmove(&h->buffer[i], &h->buffer[i + 1], (--h->buffered - i) * sizeof e);
    write_memory(h, e.addr, e.size, e.value);
    if (sim->cfg.race)
        *race_message(e.addr) = e.clock;
}

void mem_drain_one(struct sim_hart *h, unsigned choice)
{
    unsigned i = choice % h->buffered;
    if (!may_drain(h, i))
        i = 0;
    drain(h, i);
}

static void flush_before(struct sim_hart *h, uint64_t number)
{
    while (h->buffered && h->buffer[0].number < number)
        drain(h, 0);
}

void mem_flush(struct sim_hart *h)
{
    flush_before(h, UINT64_MAX);
}

void mem_flush_at(struct sim_hart *h, uintptr_t p, unsigned size)
{
    for (unsigned i = h->buffered; i-- > 0;)
        if (overlaps(p, size, h->buffer[i].addr, h->buffer[i].size)) {
            flush_before(h, h->buffer[i].number + 1);
            return;
        }
}

/* ---- accesses --------------------------------------------------------------------------------------------------- */

/* What this access has read, by its order. */
static void acquired(struct sim_hart *h, uintptr_t p, enum sim_order order, uint64_t value, uint64_t at)
{
    if (at > h->loads_max)
        h->loads_max = at;
    saw(h, p, at);
    if (sim->cfg.race)
        race_join((order & SIM_ACQ) || sim_is_address(value) ? &h->clock : &h->unfenced, race_message(p));
    if (sim->cfg.race && sim_is_address(value))
        h->learnt = h->clock;
    if (sim->cfg.race && (order & SIM_ACQ))
        race_join(&h->fenced, race_message(p));     /* all later stores come after what was read, wherever that was written */
    if (((order & SIM_ACQ) || sim_is_address(value)) && at > h->load_floor)
        h->load_floor = at;
}

/*
 * What the reader of a relaxed store by h may rely on: what lies before h's last fence.  Of an address also what h had
 * learnt from others when it last loaded an address, for the one it stores may depend on that; its own writes since the fence
 * are not among it.  Other stores that depend on loads (by their address, by a branch, or where 32 bits stand for an address)
 * get nothing of it: they would be reported though they are in order.
 */
static struct sim_clock relaxed(const struct sim_hart *h, uint64_t value)
{
    struct sim_clock c = h->fenced;
    if (sim_is_address(value)) {
        race_join(&c, &h->learnt);
        c.at[h->index] = h->fenced.at[h->index];
    }
    return c;
}

uint64_t mem_load(uintptr_t p, unsigned size, enum sim_order order, uintptr_t pc)
{
    struct sim_hart *h = sim->cur;
    uint64_t at = sim->writes, value;
    if (sim->cfg.race)
        race_atomic(p, size, false, pc);
    for (unsigned i = h->buffered; i-- > 0;) {
        struct sim_pending *e = &h->buffer[i];
        if (e->addr == p && e->size == size) {
            value = e->value;               /* our own, not out yet */
            goto out;
        }
        if (overlaps(p, size, e->addr, e->size)) {
            mem_flush_at(h, p, size);
            break;
        }
    }
    if (sim->cfg.weak && sim_choose(sim->stale_in) == 0)
        value = early(h, p, size, &at);
    else
        value = read_memory(p, size);
    acquired(h, p, order, value, at);
out:
    if (order & SIM_ACQ) {                  /* a load and fence r,rw: all earlier loads stay before what comes */
        sim_depends();
        race_join(&h->clock, &h->unfenced);
        race_join(&h->fenced, &h->unfenced);
    }
    sim_event(order & SIM_ACQ ? "ld.acq" : "ld", p, value, pc);
    return value;
}

void mem_store(uintptr_t p, unsigned size, uint64_t value, enum sim_order order, uintptr_t pc)
{
    struct sim_hart *h = sim->cur;
    if (sim->cfg.race)
        race_atomic(p, size, true, pc);
    sim_event(order & SIM_REL ? "st.rel" : "st", p, value, pc);
    if (h->buffered == SIM_BUFFER)
        drain(h, 0);
    struct sim_pending *e = &h->buffer[h->buffered++];
    *e = (struct sim_pending){p, value, h->number++, h->fence_need, size, relaxed(h, value)};
    if (order & SIM_REL) {                  /* fence rw,w and a store: all later stores stay behind what was before */
        e->need = h->fence_need = e->number;
        e->clock = h->fenced = h->clock;
        race_tick(h);
    }
    if (!sim->cfg.weak)
        mem_flush(h);
    else if (h->ctx && p - (uintptr_t)__builtin_frame_address(0) < h->ctx->hi - (uintptr_t)__builtin_frame_address(0))
        mem_flush_at(h, p, size);
}

/* A read-modify-write: on memory, after what must go before it. */
static uint64_t begin_amo(struct sim_hart *h, uintptr_t p, unsigned size, enum sim_order order, uintptr_t pc)
{
    if (sim->cfg.race)
        race_atomic(p, size, true, pc);
    if (order & SIM_REL)
        mem_flush(h);
    flush_before(h, h->fence_need);
    mem_flush_at(h, p, size);
    uint64_t value = read_memory(p, size);
    acquired(h, p, order, value, sim->writes);
    if (order & SIM_ACQ)
        mem_now(h);
    return value;
}

static void end_amo(struct sim_hart *h, uintptr_t p, unsigned size, uint64_t value, enum sim_order order)
{
    write_memory(h, p, size, value);
    if (sim->cfg.race) {
        struct sim_clock carried = order & SIM_REL ? h->clock : relaxed(h, value);
        race_join(race_message(p), &carried);
    }
    race_tick(h);
}

uint64_t sim_load(const volatile void *p, unsigned size, enum sim_order order)
{
    sim_point();
    sim->cur->idle_loads++;
    return mem_load((uintptr_t)p, size, order, (uintptr_t)__builtin_return_address(0));
}

void sim_store(volatile void *p, unsigned size, uint64_t value, enum sim_order order)
{
    sim_point();
    sim->cur->idle_loads = 0;
    if (sim->cfg.stored && !sim->cur->crit)
        sim->cfg.stored((uintptr_t)p);
    mem_store((uintptr_t)p, size, value, order, (uintptr_t)__builtin_return_address(0));
}

uint64_t sim_amo(enum sim_op op, volatile void *where, unsigned size, uint64_t v, enum sim_order order)
{
    uintptr_t p = (uintptr_t)where, pc = (uintptr_t)__builtin_return_address(0);
    sim_point();
    struct sim_hart *h = sim->cur;
    uint64_t was = begin_amo(h, p, size, order, pc), now = op == SIM_SWAP ? v : op == SIM_ADD ? was + v
                                                       : op == SIM_OR ? was | v : was & v;
    if (size == 4)
        now = (uint32_t)now;
    h->idle_loads = now == was ? h->idle_loads + 1 : 0;
    end_amo(h, p, size, now, order);
    sim_event(op == SIM_SWAP ? "swap" : op == SIM_ADD ? "add" : op == SIM_OR ? "or" : "and", p, now, pc);
    return was;
}

bool sim_cas(volatile void *where, unsigned size, uint64_t old, uint64_t new_, enum sim_order order)
{
    uintptr_t p = (uintptr_t)where, pc = (uintptr_t)__builtin_return_address(0);
    sim_point();
    struct sim_hart *h = sim->cur;
    uint64_t was = begin_amo(h, p, size, order, pc);
    if (size == 4)
        old = (uint32_t)old, new_ = (uint32_t)new_;
    sim_event(was == old ? "cas" : "cas fails", p, was == old ? new_ : was, pc);
    if (was != old) {
        h->idle_loads++;
        return false;
    }
    h->idle_loads = 0;
    end_amo(h, p, size, new_, order);
    if (order == SIM_FULL)
        mem_now(h);
    return true;
}

void sim_fence(enum sim_fence kind)
{
    sim_point();
    struct sim_hart *h = sim->cur;
    bool before_writes = kind == SIM_FENCE_FULL || kind == SIM_FENCE_WW || kind == SIM_FENCE_REL;
    sim_event("fence", 0, kind, (uintptr_t)__builtin_return_address(0));
    if (kind == SIM_FENCE_FULL) {
        mem_flush(h);
        mem_now(h);
    } else if (before_writes) {
        h->fence_need = h->number;
    } else {
        sim_depends();
    }
    if (kind != SIM_FENCE_WW && kind != SIM_FENCE_REL)
        race_join(&h->clock, &h->unfenced);
    if (kind == SIM_FENCE_ACQ)
        race_join(&h->fenced, &h->unfenced);
    if (before_writes) {
        h->fenced = h->clock;
        race_tick(h);
    }
}
