/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of Lua's collector share: a state, and the kinds of its objects. */
#ifndef STATE_H
#define STATE_H

#include "ports/lua/lgc.h"

#include "gc/hgc.h"
#include "gc/stacks.h"
#include "kernel/hk.h"

/* The last kinds, so that a program numbers its own from HGC_KIND_FIRST on. */
enum {
    KIND_STATE = HGC_KINDS - 13, KIND_THREAD, KIND_CALL, KIND_TABLE, KIND_VALUES, KIND_NODES, KIND_POINTERS, KIND_NAMES,
    KIND_LUA_CLOSURE, KIND_C_CLOSURE, KIND_UPVALUE, KIND_PROTO, KIND_USERDATA,
    KIND_SHORT_STRING = KIND_STATE - 1,
};
_Static_assert((int)KIND_SHORT_STRING >= (int)HGC_KIND_FIRST, "HGC_KINDS is too small for Lua");

/* As lstate.c lays them out. */
struct lx { lu_byte extra[LUA_EXTRASPACE]; lua_State l; };
struct lg { struct lx l; global_State g; };

/* A coroutine's cell. */
struct lgc_thread { struct hgc_stacks stacks; struct lx lx; };

/* A growing vector of objects.  Behind its last place comes place 0: `room` is a power of two, or 0. */
struct lgc_list { GCObject **at; int first, n, room; };

static inline GCObject **lgc_list_place(const struct lgc_list *l, int i) { return &l->at[(l->first + i) & (l->room - 1)]; }

/* A marker may be reading the list. */
HAL_NO_SANITIZE static inline void lgc_list_put(const struct lgc_list *l, int i, GCObject *o)
{
    *(GCObject *volatile *)lgc_list_place(l, i) = o;
}

enum { FRESH = 4 };

/* One state, an object of the heap.  "Owner": the task that uses it now. */
struct lgc_state {
    hgc_ref(struct lgc_state) next;     /* states_lock: all that are open */
    struct hk_mutex door;       /* held while the owner changes, and while one leaves */
    struct task *owner;         /* door, atomic: who entered it last */
    unsigned owner_slot;        /* atomic: constant while owner is */
    uint32_t taken;             /* atomic: the last cycle that its stacks were marked for, all at once */
    uint32_t strings;           /* atomic: the lock of strt: 0, or who has it, see strings.c */

    /* see weak.c */
    GCObject *weak;             /* atomic: weak tables that this mark has met, linked by gclist */
    uint32_t park;              /* atomic: the owner shall wait at its next safepoint until the mark is over */
    uint32_t parked;            /* atomic: it does */
    uint32_t stands;            /* atomic: a marker relies on that nobody uses the state now, for assertions */
    struct hk_mutex still;      /* held by a marker that looks at the state, by who comes to it in a mark, and who ends a wait */
    uint32_t in_vector;         /* atomic: it allocates a vector: its tables are in no state to be looked at */
    unsigned asked;             /* by who ends the mark */
    bool keeps_all;             /* the same: its weak tables are strong in this cycle */
    bool separated;             /* the same: what is to be finalized has been found */

    bool closed, building;      /* owner */
    uint32_t cleaned;           /* owner: the cycle in which it last cleared the dead part of a stack */
    bool asks;                  /* owner: in collectgarbage("step", asks_for) */
    int asks_for;
    bool steps;                 /* owner: a step has begun a mark and has not seen its end */
    uint32_t counted;           /* owner: the cycle whose end it has seen */
    l_mem manual;               /* owner: bytes that it has from `alloc` */
    void *fresh[FRESH];         /* owner: the last vectors made between cycles, and strings of a prototype: they may be in nothing yet */
    unsigned fresh_at;
    struct lgc_list fixed;      /* owner: never collected */
    struct lgc_list fin, due;   /* objects with finalizers, in the order in which they got them; those to be called.  Owner, in
                                   critical sections, and who ends a mark, in the stop.  Only the latter's `first` moves */
    lua_State *current;         /* owner: the coroutine that it entered last; a reference */
    lua_State **touched;        /* owner: those that it used since the state was taken; see lgc_enter.  Of `alloc` */
    int ntouched, touched_room;
    lua_State *moves;           /* atomic, owner: lua_xmove takes values off this one's stack, and may have lowered its top */
    uint32_t touched_cycle, touched_lost;       /* owner: for which cycle; there was no memory to list one in that cycle */
    lua_Alloc alloc;            /* owner: of the program, for what is not collected */
    void *alloc_ud;

    struct hgc_stacks stacks;   /* right before lg: see LGC_STACKS */
    struct lg lg;
};
_Static_assert(offsetof(struct lgc_state, lg) - offsetof(struct lgc_state, stacks) == sizeof(struct hgc_stacks), "LGC_STACKS");
_Static_assert(offsetof(struct lgc_thread, lx) == sizeof(struct hgc_stacks), "LGC_STACKS");

static inline struct lgc_state *lgc_state_of(const global_State *g)
{
    return (struct lgc_state *)((char *)(uintptr_t)g - offsetof(struct lgc_state, lg.g));
}
#define U(L) lgc_state_of(G(L))

static inline lua_State *lgc_thread_of(struct hgc_stacks *s)
{
    return (lua_State *)(void *)((char *)s + sizeof(struct hgc_stacks) + LUA_EXTRASPACE);
}

extern struct lgc_root { hgc_ref(struct lgc_state) first; } lgc_states;     /* a registered root */

enum { MARKING = 1 };           /* of hgc_phase */

/* ---- trace.c: what refers to what -------------------------------------------------------------------------------- */

/* Registers kinds, root and hooks.  HGC_OK, or the first error. */
int lgc_kinds(void);
/* What a state keeps, coroutines left out. */
void lgc_visit_state(struct lgc_state *u, struct hgc_visitor *v);
/* What a coroutine keeps: its stack up to `top`, or all of it. */
void lgc_visit_thread(lua_State *L, struct hgc_visitor *v, bool whole);
/* struct hgc_stacks.trace of every coroutine. */
void lgc_trace_stacks(struct hgc_stacks *s, const struct task *task, struct hgc_visitor *v);
/* See hgc_runtime.stray. */
bool lgc_is_stray(const struct task *task, const void *p);
/* The letters of __mode: bit 0 weak values, bit 1 weak keys.  Also while the program changes the table. */
enum { WEAK_VALUES = 1, WEAK_KEYS = 2 };
unsigned lgc_mode(const Table *t);
/* How many elements the heap has room for in a vector. */
static inline size_t lgc_room(const void *vector, size_t each) { return hgc_size(vector) / each; }
/* The nodes of a table: a power of two. */
size_t lgc_nodes(const Node *node);

/* ---- weak.c: the end of a mark ----------------------------------------------------------------------------------- */

extern const struct hgc_runtime lgc_runtime;
/* A weak table was met.  By markers. */
void lgc_weak_met(struct lgc_state *u, Table *t);
/* From here to there the owner is at a safepoint, where a marker may look at all that is its.  lgc_go_on waits while one does. */
void lgc_rest(struct lgc_state *u);
void lgc_go_on(struct lgc_state *u);
/* Waits until the mark is over.  At a safepoint. */
void lgc_park(struct lgc_state *u);

/* ---- lgc.c ------------------------------------------------------------------------------------------------------- */

/* Calls up to `max` finalizers. */
void lgc_finalize(lua_State *L, int max);
/* Keeps Lua's count of bytes sensible: see lgc.c.  Before Lua looks at it. */
void lgc_count_floor(global_State *g);
/* Makes room for n in all.  False: no memory. */
bool lgc_list_room(lua_State *L, struct lgc_list *l, int n, enum lgc_kind kind);

/* ---- state.c ----------------------------------------------------------------------------------------------------- */

/* The stacks of the task, if it is the owner and has not gone on with another state since; or NULL.  Under its slot's lock. */
struct hgc_stacks *lgc_stacks_in(const struct task *t, const struct lgc_state *u);

/* Marks what is on the stacks of the state, at one instant, and clears their dead parts.  By its owner, at a safepoint, or while
 * it stands at one. */
void lgc_take(struct lgc_state *u);
/* Forgets what lies above a stack's top: nothing there is ever read again, but who looks at all of the stack would find it.  At a
 * safepoint. */
void lgc_drop_dead(lua_State *L);
/* Shades what a coroutine keeps: its stack up to `top`, or all of it.  By its owner, or while that stands still. */
void lgc_shade_thread(lua_State *L, bool whole);
/* hgc_alloc, with what has to follow it in a mark.  NULL: no memory. */
void *lgc_alloc(lua_State *L, unsigned kind, size_t size);
/* strings.c: gives the string lock back if the owner has it, and takes it again. */
bool lgc_strings_leave(struct lgc_state *u);
void lgc_strings_enter(struct lgc_state *u);
/* A state is closed: no string of it knows it any longer. */
void lgc_strings_forget(struct lgc_state *u);
bool lgc_release_string(void *object);

#endif
