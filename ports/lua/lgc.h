/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lua's collector interface, kept by hgc: stands for Lua's own lgc.h.  Lua's other files are compiled as they are; what they
 * include before or after this file decides which of their macros can be given another meaning here, for all files or for
 * one (each of them defines a macro named after itself first).
 *
 * How the two fit together stands in docs/embedding.md; its words:
 *   state      a global_State and all that belongs to it: one program uses it at a time
 *   taken      a state's stacks have been marked in this cycle, all at one instant: from then on the state is black
 *   vector     memory of a table, function or stack: an object of the heap without a header of Lua's
 *
 * Barriers.  A state has one mutator, so neither half needs a critical section.  The deletion half comes before the store:
 * if the phase changes between them, the mutator is not taken yet, and what it cannot reach then it will never reach.  The
 * insertion half comes after the store, for the compiler, too (hgc_marking): a phase that was OFF there was OFF at the store, so the
 * marker sees what was stored.
 */
#ifndef lgc_h
#define lgc_h

#include "lobject.h"
#include "lstate.h"

#include "lmem.h"
#include "ltable.h"
#include "ltm.h"
#include "lvm.h"

#include "gc/stacks.h"

/* ---- what Lua's files ask for by these names --------------------------------------------------------------------- */

#define GCSpropagate 0
#define GCSpause     8

#define bitmask(b)   (1 << (b))
#define WHITE0BIT    3
#define FINALIZEDBIT 6                  /* of `marked`: a finalizer is registered */
#define tofinalize(x) ((x)->marked & bitmask(FINALIZEDBIT))

/* Colours are the collector's own.  Whoever asks is told that a barrier is needed and an object is alive. */
#define iswhite(x)   0
#define isblack(x)   1
#define nw2black(x)  ((void)0)
#define changewhite(x) ((void)0)
#define isdead(g, v) ((void)(g), (void)(v), 0)
#define luaC_white(g) 0

#define LUAI_GENMAJORMUL 100
#define LUAI_GENMINORMUL 20
#define LUAI_GCPAUSE     200
#define LUAI_GCMUL       100
#define LUAI_GCSTEPSIZE  13
#define getgcparam(p)    ((p) * 4)
#define setgcparam(p, v) ((p) = (lu_byte)((v) / 4))
#define isdecGCmodegen(g) ((g)->gckind == KGC_GEN)

#define GCSTPUSR 1                      /* stopped by the program */
#define GCSTPGC  2                      /* by the collector itself: a state is built, or a finalizer runs */
#define GCSTPCLS 4                      /* the state is being closed */
#define gcrunning(g) ((g)->gcstp == 0)

#define luaC_condGC(L, pre, pos)                                                                                     \
    {                                                                                                                \
        if (l_unlikely(G(L)->GCdebt > 0)) {                                                                          \
            pre;                                                                                                     \
            luaC_step(L);                                                                                            \
            pos;                                                                                                     \
        }                                                                                                            \
    }
#define luaC_checkGC(L) luaC_condGC(L, (void)0, (void)0)

LUAI_FUNC void luaC_fix(lua_State *L, GCObject *o);
LUAI_FUNC void luaC_freeallobjects(lua_State *L);
LUAI_FUNC void luaC_step(lua_State *L);
LUAI_FUNC void luaC_fullgc(lua_State *L, int isemergency);
LUAI_FUNC GCObject *luaC_newobj(lua_State *L, int tt, size_t sz);
LUAI_FUNC void luaC_checkfinalizer(lua_State *L, GCObject *o, Table *mt);
LUAI_FUNC void luaC_changemode(lua_State *L, int newmode);

/* ---- barriers ---------------------------------------------------------------------------------------------------- */

#define lgc_on()          l_unlikely(ld_rlx(&hgc_phase) != 0)     /* before a store: the compiler may look earlier */
#define lgc_on_after()    l_unlikely(hgc_marking())             /* after one */

LUAI_FUNC void lgc_shade_value(const TValue *v);        /* what a value refers to */
LUAI_FUNC void lgc_shade_slot(const Table *t, const TValue *slot);      /* of a table: its value; its key, if it has one */
LUAI_FUNC void lgc_shade_node(const Node *n);           /* value and key */
LUAI_FUNC void lgc_shade_vectors(const Table *t);       /* of the table: what is in them too */

#define lgc_stored(v) ((lgc_on_after() && iscollectable(v)) ? hgc_shade(gcvalue(v)) : cast_void(0))
#define luaC_barrier(L, p, v)     ((void)(p), lgc_stored(v))
#define luaC_barrierback(L, p, v) ((void)(p), lgc_stored(v))
#define luaC_objbarrier(L, p, o)  ((void)(p), lgc_on_after() ? hgc_shade(o) : cast_void(0))

#define lgc_copy(o1, o2)                                                                                             \
    {                                                                                                                \
        TValue *io1 = (o1);                                                                                          \
        const TValue *io2 = (o2);                                                                                    \
        io1->value_ = io2->value_;                                                                                   \
        settt_(io1, io2->tt_);                                                                                       \
    }
/* A slot of table t is overwritten, with a value or with nothing. */
#define lgc_copy_to_slot(t, o1, o2)                                                                                  \
    {                                                                                                                \
        TValue *slot_ = (o1);                                                                                        \
        if (lgc_on())                                                                                                \
            lgc_shade_slot(t, slot_);                                                                                \
        lgc_copy(slot_, o2);                                                                                         \
        if (lgc_on_after())                                                                                          \
            lgc_shade_slot(t, slot_);                                                                                \
    }
/* Another place in the heap, or one that may be. */
#define lgc_copy_over(o1, o2)                                                                                        \
    {                                                                                                                \
        TValue *over_ = (o1);                                                                                        \
        if (lgc_on())                                                                                                \
            lgc_shade_value(over_);                                                                                  \
        lgc_copy(over_, o2);                                                                                         \
    }

#undef luaV_finishfastset
#define luaV_finishfastset(L, t, slot, v)                                                                            \
    {                                                                                                                \
        if (lgc_on())                                                                                                \
            lgc_shade_slot(hvalue(t), slot);                                                                         \
        lgc_copy(cast(TValue *, slot), v);                                                                           \
        luaC_barrierback(L, gcvalue(t), v);                                                                          \
    }

#if defined(ltable_c)
/* `t` is what the functions of ltable.c call the table that they store to. */
#undef setobj2t
#define setobj2t(L, o1, o2) lgc_copy_to_slot(t, o1, o2)
/* A node's contents have moved to another node, or it is new. */
#undef setempty
#define setempty(v)                                                                                                  \
    {                                                                                                                \
        if (lgc_on_after())                                                                                          \
            lgc_shade_slot(t, v);                                                                                    \
        settt_(v, LUA_VEMPTY);                                                                                       \
    }
#undef setnodekey
#define setnodekey(L, node, key)                                                                                     \
    {                                                                                                                \
        Node *n_ = (node);                                                                                           \
        const TValue *key_ = (key);                                                                                  \
        if (lgc_on())                                                                                                \
            lgc_shade_node(n_);                                                                                      \
        n_->u.key_val = key_->value_;                                                                                \
        n_->u.key_tt = key_->tt_;                                                                                    \
    }
/* The first thing that luaH_resize does with a table is to ask for its real size.  Its vectors may then be in no table for a
 * while, or in another one on the C stack. */
#undef setrealasize
#define setrealasize(t) (lgc_on() ? lgc_shade_vectors(t) : cast_void(0), (t)->flags &= cast_byte(~BITRAS))
#endif

#if defined(lundump_c)
/* A string is in no prototype yet when Lua tells of it: until it is, taking keeps it. */
LUAI_FUNC void lgc_note(lua_State *L, void *object);
#undef luaC_objbarrier
#define luaC_objbarrier(L, p, o) ((void)(p), lgc_note(L, o))
#endif

/* Lua makes room on the stack before it counts the value that it has put there, and a mark may begin in that: taking clears what is
 * not counted. */
LUAI_FUNC void lgc_inctop(lua_State *L);
#if !defined(ldo_c)
#define luaD_inctop lgc_inctop
#endif

#if defined(lvm_c)
/* The one setobj of lvm.c stores to an upvalue, which may lie in the stack of another coroutine; its one setobj2t to an array. */
#undef setobjs2s
#define setobjs2s(L, o1, o2) lgc_copy(s2v(o1), s2v(o2))
#undef setobj2s
#define setobj2s(L, o1, o2) lgc_copy(s2v(o1), o2)
#undef setobj
#define setobj(L, o1, o2) lgc_copy_over(o1, o2)
#undef setobj2t
#define setobj2t(L, o1, o2) lgc_copy_over(o1, o2)
#endif

#if defined(lapi_c)
/* lua_copy, lua_setiuservalue, lua_setupvalue, lua_load; and lua_rotate, to a local variable. */
#undef setobjs2s
#define setobjs2s(L, o1, o2) lgc_copy(s2v(o1), s2v(o2))
#undef setobj2s
#define setobj2s(L, o1, o2) lgc_copy(s2v(o1), o2)
/* Lua knows a new closure for white, and the registry for looked at again: ours are black, and what was read from a weak table has been
 * in no other object. */
#undef setobj2n
#define setobj2n(L, o1, o2)                                                                                          \
    {                                                                                                                \
        TValue *new_ = (o1);                                                                                         \
        lgc_copy(new_, o2);                                                                                          \
        lgc_stored(new_);                                                                                            \
    }
#undef setobj
#define setobj(L, o1, o2)                                                                                            \
    {                                                                                                                \
        TValue *set_ = (o1);                                                                                         \
        if (__builtin_strcmp(#o1, "&temp") == 0) {                                                                   \
            lgc_copy(set_, o2);                                                                                      \
        } else {                                                                                                     \
            lgc_copy_over(set_, o2);                                                                                 \
            lgc_stored(set_);                                                                                        \
        }                                                                                                            \
    }
#endif

/* ---- interned strings -------------------------------------------------------------------------------------------- */

/* The table of short strings keeps none of them.  The sweep takes out those that die, under the state's string lock, which
 * ours hold around Lua's. */
#if defined(lstring_c)
#define luaS_newlstr lgc_newlstr_locked
#define luaS_new     lgc_new_locked
LUAI_FUNC void lgc_found(TString *ts);
#undef isdead
#define isdead(g, ts) (lgc_found(ts), 0)
#endif

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

enum lgc_kind {
    LGC_MANUAL,                 /* not collected: what only its state's program reaches */
    LGC_LEAF,                   /* no references; or those of a stack, which its coroutine knows */
    LGC_VALUES, LGC_NODES,      /* of a table; the first also constants of a function */
    LGC_POINTERS,               /* every word is one */
    LGC_NAMES,                  /* pairs of words, the first is a string */
};
#define LGC_KIND(p)                                                                                                  \
    _Generic((p), StackValue *: LGC_LEAF, TValue *: LGC_VALUES, Node *: LGC_NODES, Proto **: LGC_POINTERS,           \
             Upvaldesc *: LGC_NAMES, LocVar *: LGC_NAMES, Instruction *: LGC_LEAF, ls_byte *: LGC_LEAF,              \
             AbsLineInfo *: LGC_LEAF, default: LGC_MANUAL)

/* A new vector with the contents of the old one, as far as they fit, or NULL.  The old one is left as it is. */
LUAI_FUNC void *lgc_revec(lua_State *L, void *old, size_t osize, size_t nsize, enum lgc_kind kind);
LUAI_FUNC void *lgc_revec_or_error(lua_State *L, void *old, size_t osize, size_t nsize, enum lgc_kind kind);
LUAI_FUNC void *lgc_growvec(lua_State *L, void *old, int n, int *size, size_t each, int limit, const char *what,
                            enum lgc_kind kind);
LUAI_FUNC void lgc_dropvec(lua_State *L, void *old, size_t size);

#undef luaM_newvector
#define luaM_newvector(L, n, t)                                                                                      \
    cast(t *, LGC_KIND((t *)0) == LGC_MANUAL ? luaM_malloc_(L, (n) * sizeof(t), 0)                                   \
                                             : lgc_revec_or_error(L, NULL, 0, (n) * sizeof(t), LGC_KIND((t *)0)))
#undef luaM_reallocvector
#if defined(ltable_c)
/* luaH_resize, with an array: between the two vectors of the table it may have waited for memory. */
#define luaM_reallocvector(L, v, oldn, n, t_)                                                                        \
    cast(t_ *, lgc_rearray(L, t, cast_sizet(oldn) * sizeof(t_), cast_sizet(n) * sizeof(t_)))
LUAI_FUNC void *lgc_rearray(lua_State *L, Table *t, size_t osize, size_t nsize);
#else
#define luaM_reallocvector(L, v, oldn, n, t)                                                                         \
    cast(t *, LGC_KIND((t *)0) == LGC_MANUAL                                                                         \
             ? luaM_realloc_(L, v, cast_sizet(oldn) * sizeof(t), cast_sizet(n) * sizeof(t))                          \
             : lgc_revec(L, v, cast_sizet(oldn) * sizeof(t), cast_sizet(n) * sizeof(t), LGC_KIND((t *)0)))
#endif
#undef luaM_growvector
#define luaM_growvector(L, v, nelems, size, t, limit, e)                                                             \
    ((v) = cast(t *, LGC_KIND((t *)0) == LGC_MANUAL                                                                  \
                    ? luaM_growaux_(L, v, nelems, &(size), sizeof(t), luaM_limitN(limit, t), e)                      \
                    : lgc_growvec(L, v, nelems, &(size), sizeof(t), luaM_limitN(limit, t), e, LGC_KIND((t *)0))))
#undef luaM_shrinkvector
#define luaM_shrinkvector(L, v, size, fs, t)                                                                         \
    ((v) = cast(t *, lgc_revec_or_error(L, v, cast_sizet(size) * sizeof(t), cast_sizet(fs) * sizeof(t),              \
                                        LGC_KIND((t *)0))),                                                          \
     (size) = (fs))
#undef luaM_freearray
#define luaM_freearray(L, b, n)                                                                                      \
    (LGC_KIND(b) == LGC_MANUAL ? luaM_free_(L, (b), (n) * sizeof(*(b))) : lgc_dropvec(L, (b), (n) * sizeof(*(b))))

#if defined(ldo_c)
/* luaD_reallocstack moves a stack; there is no other memcpy in ldo.c. */
#undef memcpy
#define memcpy(to, from, size) lgc_copy_stack(to, from, size)
LUAI_FUNC void lgc_copy_stack(StackValue *to, const StackValue *from, size_t size);
#endif

#if defined(lstate_c)
/* Call records: the only thing that lstate.c makes with luaM_new. */
#undef luaM_new
#define luaM_new(L, t) cast(t *, lgc_newci(L))
#undef luaM_free
#define luaM_free(L, b) ((void)(L), lgc_on() ? hgc_shade(b) : cast_void(0))   /* one that a mark may have counted on */
LUAI_FUNC CallInfo *lgc_newci(lua_State *L);
#endif

/* ---- entering a state -------------------------------------------------------------------------------------------- */

/* In front of each lua_State, and of the program's extra space.  A task that is in a coroutine's stacks has entered it (lgc_enter).  It
 * enters it anew when a mark has begun since, when it is asked to wait for the mark's end, and when it has lost the state. */
#define LGC_STACKS(L) ((struct hgc_stacks *)(void *)(cast_charp(L) - LUA_EXTRASPACE - sizeof(struct hgc_stacks)))

LUAI_FUNC void lgc_enter(lua_State *L);
#undef lua_lock
#undef lua_unlock
#undef luai_threadyield
#define lua_lock(L)                                                                                                  \
    {                                                                                                                \
        if (l_unlikely(hgc_stacks_entered() != LGC_STACKS(L)))                                                       \
            HAL_SLOW_CALL(lgc_enter, (L));                                                                           \
    }
#define lua_unlock(L)       ((void)0)
#define luai_threadyield(L) ((void)0)   /* the stack's top is not told there */

#endif
