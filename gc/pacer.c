/* SPDX-License-Identifier: Apache-2.0 */
/* The pacer's arithmetic: see pacer.h. */
#include "gc/pacer.h"

enum {
    LOW = 45, LOW_LEAST = 13,   /* 64ths: 70 % of the way from live to goal, and 20 % where tasks had to assist */
    HIGH = 61,                  /* 95 % */
    LOW_DOWN = 8, LOW_UP = 2,
    MARK_SHARE = 4,             /* the background workers have one part in so many of the harts' time */
    LEFT = 32, LEFT_LEAST = 64, /* a mark that goes on has a 32nd of its work left, and some bytes */
};

/* ---- arithmetic -------------------------------------------------------------------------------------------------- */

static uint64_t add(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t times(uint64_t a, uint32_t n)
{
    uint64_t low = (a & UINT32_MAX) * n, high = (a >> 32) * n + (low >> 32);
    return high >> 32 ? UINT64_MAX : high << 32 | (low & UINT32_MAX);
}

uint64_t pacer_scale(uint64_t a, uint64_t num, uint64_t den)
{
    while ((num | den) >> 32) {
        num >>= 1;
        den >>= 1;
    }
    if (den == 0)
        den = 1;
    return add(times(a / den, (uint32_t)num), a % den * num / den);
}

static uint64_t shifted(uint64_t a)
{
    return a >> (64 - PACER_SHIFT) ? UINT64_MAX : a << PACER_SHIFT;
}

/* ---- goal and trigger -------------------------------------------------------------------------------------------- */

/* How much more the program allocates while a mark runs in the background alone: three parts of the time are the program's. */
static uint64_t runway(const struct pacer *p)
{
    uint64_t ratio = 0;
    for (unsigned i = 0; i < PACER_PAST; i++)
        ratio = most_of(ratio, p->past[i]);
    return ratio ? pacer_scale(times(p->work, MARK_SHARE - 1), ratio, 1u << PACER_SHIFT) : UINT64_MAX;
}

static uint64_t percent_goal(const struct pacer *p)
{
    if (p->percent == PACER_PERCENT_OFF)
        return UINT64_MAX;
    return add(p->live, pacer_scale(add(p->live, add(p->stacks, p->roots)), p->percent, 100));
}

/* P1 */
static void commit(struct pacer *p)
{
    uint64_t goal = most_of(least_of(most_of(percent_goal(p), p->least), p->limit), p->live), room = goal - p->live;
    uint64_t lower = p->live + pacer_scale(room, p->low, 64), upper = p->live + pacer_scale(room, HIGH, 64);
    uint64_t trigger = least_of(most_of(less(goal, runway(p)), lower), upper);
    if (trigger < p->least) {           /* a little heap: leave some room above the trigger, if there is any */
        trigger = least_of(p->least, most_of(p->limit, p->live));
        goal = most_of(goal, least_of(add(trigger, p->arena / 64), most_of(p->limit, p->live)));
    }
    p->goal = goal;
    p->trigger = trigger;
}

void pacer_init(struct pacer *p, uint64_t arena, uint64_t limit, uint64_t least, uint32_t percent)
{
    *p = (struct pacer){.arena = arena, .least = least, .percent = percent, .low = LOW};
    pacer_set_limit(p, limit);
}

void pacer_set_percent(struct pacer *p, uint32_t percent)
{
    p->percent = percent;
    commit(p);
}

void pacer_set_limit(struct pacer *p, uint64_t limit)
{
    p->limit = limit ? least_of(limit, p->arena) : p->arena - p->arena / 8;
    commit(p);
}

/* ---- a cycle ----------------------------------------------------------------------------------------------------- */

void pacer_begin(struct pacer *p, uint64_t used)
{
    p->began = used;
    pacer_revise(p, used, 0);
}

/* Where more is marked than the last cycle foretold, all that was in use may be live: the goal moves in proportion, so that
 * the ratio stays as it was, by `percent` at most and never beyond the limit.  A heap above its goal gets another tenth. */
static uint64_t stretched(const struct pacer *p, uint64_t used, uint64_t work, uint64_t *expected)
{
    uint64_t goal = p->goal, hard = most_of(p->limit, p->live);
    if (*expected == 0 || work > *expected || used > goal) {
        uint64_t all = most_of(p->began, work);
        if (*expected && work > *expected) {
            uint64_t most = p->percent == PACER_PERCENT_OFF ? hard : add(goal, pacer_scale(goal, p->percent, 100));
            uint64_t far = add(p->trigger, pacer_scale(goal - p->trigger, all, *expected));
            goal = most_of(goal, least_of(far, most));
        }
        *expected = all;
    }
    if (used > goal)
        goal = add(goal, goal / 10);
    return least_of(goal, hard);
}

uint32_t pacer_revise(struct pacer *p, uint64_t used, uint64_t work)
{
    uint64_t expected = p->work, goal = stretched(p, used, work, &expected);
    uint64_t left = most_of(less(expected, work), expected / LEFT + LEFT_LEAST), room = most_of(less(goal, used), 1);
    p->assist = (uint32_t)least_of(shifted(left) / room, UINT32_MAX);
    return p->assist;
}

/* Bytes allocated in the program's share of the time over bytes marked in the time that marking took. */
static uint64_t rate(const struct pacer_cycle *c, uint64_t harts_ns)
{
    uint64_t program_ns = most_of(less(harts_ns - harts_ns / MARK_SHARE, c->assist_ns), harts_ns / 16);
    if (c->work == 0 || program_ns == 0)
        return 0;
    return most_of(pacer_scale(shifted(c->allocated), c->mark_ns, program_ns) / c->work, 1);
}

void pacer_end(struct pacer *p, const struct pacer_cycle *c)
{
    uint64_t harts_ns = times(c->wall_ns, c->harts);
    p->live = least_of(c->live, p->arena);
    p->newborn = least_of(c->allocated, p->live);
    p->stacks = c->stacks;
    p->roots = c->roots;
    p->work = c->work;
    p->past[p->next] = rate(c, harts_ns);
    p->next = (p->next + 1) % PACER_PAST;
    if (c->assist_ns > harts_ns / 32)
        p->low = (uint32_t)most_of(less(p->low, LOW_DOWN), LOW_LEAST);
    else if (c->assist_ns <= harts_ns / 128)
        p->low = (uint32_t)least_of(p->low + LOW_UP, LOW);
    p->assist = 0;
    commit(p);
}

uint64_t pacer_sweep_step(const struct pacer *p, uint64_t used, uint64_t blocks)
{
    uint64_t room = less(p->trigger, used);
    return blocks ? most_of((room - room / 16) / blocks, 1) : UINT64_MAX;
}

/* ---- the limiter ------------------------------------------------------------------------------------------------- */

void limiter_init(struct limiter *l, uint32_t harts)
{
    *l = (struct limiter){.capacity = harts * LIMITER_NS_PER_HART};
}

void limiter_update(struct limiter *l, uint64_t gc_ns, uint64_t program_ns)
{
    l->fill = least_of(less(add(l->fill, gc_ns), program_ns), l->capacity);
    if (l->fill == l->capacity)
        l->limiting = true;
    else if (l->fill <= l->capacity - l->capacity / 8)
        l->limiting = false;
}

bool pacer_refuses(const struct pacer *p, bool limiting, uint64_t used, uint64_t size)
{
    return limiting && add(used, size) > p->limit && p->live - p->newborn > p->limit - p->limit / 8;
}
