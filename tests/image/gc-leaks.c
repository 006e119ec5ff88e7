/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 8 */
/* seconds: 60 */
/* hal: riscv host */
/*
 * Tasks that wait for ever are found and named: alone, in a chain, in a circle, for each thing that one can wait for.  Those
 * that somebody can wake are not, also where that one waits, too.  What a leaked task holds is kept.
 */
#include "gc/hgc.h"
#include "tap.h"
#include "waits.h"

enum { ARENA = 4 << 20, MAX = 8, KEPT = 0x600d };

struct box { struct hk_mutex mutex; struct hk_sem sem; struct hk_event event; };

static hgc_ref(void) root;
static struct task *started[MAX];       /* since the last settle(); they end in no test before they have been seen to wait */
static unsigned nstarted;
static char found[MAX][20];
static const void *waits_for[MAX];
static unsigned count;

static void note(const struct hgc_leak *leak, void *arg)
{
    (void)arg;
    if (count < MAX) {
        waits_for[count] = leak->object;
        hk_snprintf(found[count], sizeof found[count], "%s", leak->name);
    }
    count++;
}

static bool named(const char *name)
{
    for (unsigned i = 0; i < count && i < MAX; i++) {
        const char *a = found[i], *b = name;
        while (*a && *a == *b)
            a++, b++;
        if (*a == *b)
            return true;
    }
    return false;
}

static void run(void *fn)
{
    (*(void (**)(void))fn)();
}

/* On a stack of its own, which is gone then: what lies about on this one would keep things. */
static void in_task(void (*fn)(void))
{
    struct task *t;
    hk_task_create(&t, &(struct hk_task_config){.name = "scene"}, run, &fn);
    hk_task_join(t, NULL);
}

static unsigned named_now;

static void ask(void)
{
    named_now = hgc_leaks(note, NULL);
}

static void ask_for_lines(void)
{
    named_now = hgc_leaks(NULL, NULL);
}

static unsigned look(void)
{
    count = 0;
    in_task(ask);
    return named_now;
}

/* Until each of them waits. */
static void settle(void)
{
    while (nstarted)
        until_waits(started[--nstarted]);
}

/* ---- tasks that wait --------------------------------------------------------------------------------------------- */

static void receives(void *chan)
{
    void *p;
    while (hgc_chan_recv(chan, &p, HK_FOREVER) == HGC_OK) {
    }
}

static void receives_for_a_time(void *chan)
{
    void *p;
    hgc_chan_recv(chan, &p, UINT64_C(3600000000000));
}

/* Holds an object, and an address of nothing else, for ever. */
static void sends(void *chan)
{
    uintptr_t *kept = hgc_alloc(HGC_LEAF, 64);
    *kept = KEPT;
    while (hgc_chan_send(chan, kept, HK_FOREVER) == HGC_OK && *kept == KEPT) {
    }
}

struct pair { hgc_ref(struct hgc_chan) mine, other; };

/* Waits for its own channel, and holds the other's, which it would close. */
static void passes_on(void *arg)
{
    struct pair *p = arg;
    void *word;
    hgc_chan_recv(hgc_get(p->mine), &word, HK_FOREVER);
    hgc_chan_close(hgc_get(p->other));
}

static void waits_mutex(void *arg) { hk_mutex_lock(&((struct box *)arg)->mutex); }
static void waits_sem(void *arg) { hk_sem_wait(&((struct box *)arg)->sem, HK_FOREVER); }
static void waits_event(void *arg) { hk_event_wait(&((struct box *)arg)->event, HK_FOREVER); }

/* Locks the mutex and waits for its own semaphore, so it never unlocks. */
static void holds_mutex(void *arg)
{
    struct box *b = arg;
    hk_mutex_lock(&b->mutex);
    hk_sem_wait(&b->sem, HK_FOREVER);
}

static void start(const char *name, void (*fn)(void *), void *arg)
{
    hk_task_create(&started[nstarted++], &(struct hk_task_config){.name = name, .detached = true}, fn, arg);
}

static void make_reachable(void)
{
    hgc_set(&root, hgc_chan_new(1));
    start("reached", receives, hgc_get(root));
    settle();
}

static void make_timed(void)
{
    start("timed", receives_for_a_time, hgc_chan_new(1));
    settle();
}

static void make_one(void)
{
    start("receiver", receives, hgc_chan_new(1));
    struct hgc_chan *c = hgc_chan_new(1);
    hgc_chan_send(c, NULL, 0);
    start("sender", sends, c);
    settle();
}

static void make_box(void)
{
    struct box *b = hgc_alloc(HGC_AMBIGUOUS, sizeof *b);
    start("holder", holds_mutex, b);
    settle();
    start("mutex", waits_mutex, b);
    start("event", waits_event, hgc_alloc(HGC_AMBIGUOUS, sizeof *b));
    start("sem", waits_sem, hgc_alloc(HGC_AMBIGUOUS, sizeof *b));
    settle();
}

static struct pair *make_pair(struct hgc_chan *mine, struct hgc_chan *other)
{
    struct pair *p = hgc_alloc(HGC_AMBIGUOUS, sizeof *p);
    hgc_set(&p->mine, mine);
    hgc_set(&p->other, other);
    return p;
}

/* root -> a; "first" waits for a and can wake "second", which waits for b and can wake "third". */
static void make_chain(void)
{
    struct hgc_chan *b = hgc_chan_new(1), *c = hgc_chan_new(1), *d = hgc_chan_new(1);
    start("third", passes_on, make_pair(c, d));
    start("second", passes_on, make_pair(b, c));
    hgc_set(&root, hgc_chan_new(1));
    start("first", passes_on, make_pair(hgc_get(root), b));
    settle();
}

static void make_circle(void)
{
    struct hgc_chan *a = hgc_chan_new(1), *b = hgc_chan_new(1);
    start("left", passes_on, make_pair(a, b));
    start("right", passes_on, make_pair(b, a));
    settle();
}

static void close_root(void)
{
    hgc_chan_close(hgc_get(root));
    hgc_set(&root, NULL);
    hk_sleep(20000000);
}

/* Wakes "receiver" and "sender" by what the report says. */
static void free_one(void)
{
    for (unsigned i = 0; i < 2 && i < count; i++)
        hgc_chan_close((struct hgc_chan *)(uintptr_t)waits_for[i]);
    for (unsigned i = 0; i < MAX; i++)
        waits_for[i] = NULL;
    hk_sleep(20000000);
}

static void scenes(void *arg)
{
    (void)arg;
    is(look(), 0, "where nobody waits nobody is named");
    in_task(make_reachable);
    is(look(), 0, "nor is one that waits for what a root leads to");
    in_task(make_timed);
    is(look(), 0, "nor one whose wait has a limit");
    in_task(make_one);
    is(look(), 2, "two that nobody can reach are found");
    ok(named("receiver") && named("sender"), "and named");
    is(look(), 2, "again, if asked again");
    hgc_collect(HGC_WAIT);
    in_task(ask_for_lines);
    is(named_now, 2, "without a function lines are printed");
    is(look(), 2, "what they hold is kept");
    in_task(free_one);
    is(look(), 0, "who is woken by what the report names goes on");
    in_task(close_root);
    in_task(make_chain);
    is(look(), 0, "a task that one can wake who waits himself is reached");
    in_task(close_root);
    is(look(), 0, "and they were");
    in_task(make_circle);
    is(look(), 2, "a circle of tasks is found");
    ok(named("left") && named("right"), "and named");
    static uintptr_t plain;
    hgc_root_add_plain(&plain, sizeof plain);
    is(look(), 2, "where there are plain roots, too");
    hgc_root_remove(&plain);
    in_task(make_box);
    is(look(), 6, "mutex, semaphore, event in an object");
    ok(named("holder") && named("mutex") && named("event") && named("sem"), "and named");
}

int app_main(void)
{
    struct hgc_config config = {.base = hk_mem_alloc(ARENA), .size = ARENA, .period_ns = HGC_PERIOD_OFF, .no_auto = true,
                                .verify = true};
    struct task *t;
    is(hgc_init(&config) | hgc_root_add(&root, sizeof root), HGC_OK, "the heap starts");
    hk_task_create(&t, &(struct hk_task_config){.name = "scenes"}, scenes, NULL);
    hk_task_join(t, NULL);
    return tap_end();
}
