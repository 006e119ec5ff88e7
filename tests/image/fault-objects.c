/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 60 */
/* match: task hk_sem_wait ended on hart \d+: (load|store) access fault */
/* match: task hgc_chan_recv/out ended on hart \d+: store to read-only memory */
/*
 * Kernel and collector called with pointers that lead nowhere, or to constants: each call ends its task alone, because it finds that
 * out before it holds a lock or has interrupts off.
 */
#include "gc/hgc.h"
#include "tap.h"

enum { ARENA = 1 << 20 };
#define NOWHERE ((uintptr_t)-4096)

struct node { hgc_ref(struct node) next; };

static hgc_ref(struct hgc_chan) chan;
static struct hk_sem sem;
static const uintptr_t constant[64] = { [0 ... 63] = 1 };
static uintptr_t words[4];
static struct hgc_isr_queue *queue;
static struct task *joined;

static void nothing(void *arg) { (void)arg; }

static void sem_wait(void *p) { (void)hk_sem_wait(p, HK_FOREVER); }
static void sem_try(void *p) { (void)hk_sem_wait(p, 0); }
static void sem_post(void *p) { hk_sem_post(p); }
static void event_set(void *p) { hk_event_set(p); }
static void event_clear(void *p) { hk_event_clear(p); }
static void event_wait(void *p) { (void)hk_event_wait(p, HK_FOREVER); }
static void chan_send(void *p) { (void)hk_chan_send(p, 1, HK_FOREVER); }
static void chan_recv(void *p) { uintptr_t w; (void)hk_chan_recv(p, &w, HK_FOREVER); }
static void chan_close(void *p) { hk_chan_close(p); }
static void mutex_lock(void *p) { (void)hk_mutex_lock(p); }
static void mutex_try(void *p) { (void)hk_mutex_try(p); }
static void mutex_unlock(void *p) { (void)hk_mutex_unlock(p); }
static void timer_start(void *p) { hk_timer_start(p, hk_now(), nothing, NULL); }
static void timer_cancel(void *p) { (void)hk_timer_cancel(p); }
static void gc_send(void *p) { (void)hgc_chan_send(p, NULL, HK_FOREVER); }
static void gc_recv(void *p) { void *r; (void)hgc_chan_recv(p, &r, HK_FOREVER); }
static void gc_recv_to(void *p) { (void)hgc_chan_recv(hgc_get(chan), p, 0); }
static void gc_close(void *p) { hgc_chan_close(p); }
static void isr_get_to(void *p) { (void)hgc_isr_get(queue, p, 0); }
static void weak_get(void *p) { (void)hgc_weak_get(p); }
static void ephemeron_key(void *p) { (void)hgc_ephemeron_key(p); }
static void ephemeron_get(void *p) { (void)hgc_ephemeron_get(p); }
static void ephemeron_set(void *p) { (void)hgc_ephemeron_set(p, NULL); }
static void sets(void *p) { hgc_set(&((struct node *)p)->next, NULL); }
static void swaps(void *p) { (void)hgc_swap(&((struct node *)p)->next, NULL); }
static void cas(void *p) { (void)hgc_cas(&((struct node *)p)->next, NULL, NULL); }
static void copies_to(void *p) { hgc_copy(p, words, sizeof(words)); }
static void copies_from(void *p) { hgc_copy(words, p, sizeof(words)); }
static void clears(void *p) { hgc_clear(p, sizeof(words)); }
static void joins_to(void *p) { (void)hk_task_join(joined, p); }

/* `reads`: constants will do, so only the address that leads nowhere is tried. */
static const struct { const char *name; void (*fn)(void *); bool reads; } calls[] = {
    { "hk_sem_wait", sem_wait, false }, { "hk_sem_wait/0", sem_try, false }, { "hk_sem_post", sem_post, false },
    { "hk_event_set", event_set, false }, { "hk_event_clear", event_clear, false }, { "hk_event_wait", event_wait, false },
    { "hk_chan_send", chan_send, false }, { "hk_chan_recv", chan_recv, false }, { "hk_chan_close", chan_close, false },
    { "hk_mutex_lock", mutex_lock, false }, { "hk_mutex_try", mutex_try, false },
    { "hk_mutex_unlock", mutex_unlock, true }, { "hk_timer_start", timer_start, false },
    { "hk_timer_cancel", timer_cancel, false },
    { "hgc_chan_send", gc_send, false }, { "hgc_chan_recv", gc_recv, false }, { "hgc_chan_close", gc_close, false },
    { "hgc_chan_recv/out", gc_recv_to, false }, { "hgc_isr_get/out", isr_get_to, false },
    { "hgc_weak_get", weak_get, true }, { "hgc_ephemeron_key", ephemeron_key, true },
    { "hgc_ephemeron_get", ephemeron_get, true }, { "hgc_ephemeron_set", ephemeron_set, false },
    { "hgc_set", sets, false }, { "hgc_swap", swaps, false }, { "hgc_cas", cas, false },
    { "hgc_copy/to", copies_to, false }, { "hgc_copy/from", copies_from, true }, { "hgc_clear", clears, false },
};

static void ends(const char *name, void (*fn)(void *), uintptr_t p)
{
    struct hk_task_config config = { .name = name };
    struct task *t;
    hk_task_create(&t, &config, fn, (void *)p);
    is(hk_task_join(t, NULL), HK_EFAULT, name);
}

static void each(void)
{
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        ends(calls[i].name, calls[i].fn, NOWHERE);
        ends(calls[i].name, calls[i].fn, 0);
        if (!calls[i].reads)
            ends(calls[i].name, calls[i].fn, (uintptr_t)constant);
    }
}

/* Of a piece the first word is there, and the next is beyond the memory. */
static void beyond(void)
{
    uintptr_t lo, hi;
    hal_memory(&lo, &hi);
    ends("hgc_copy/from the end", copies_from, hi - sizeof(uintptr_t));
    ends("hgc_copy/to the end", copies_to, hi - sizeof(uintptr_t));
    ends("hgc_clear/the end", clears, hi - sizeof(uintptr_t));
}

static void joins(void)
{
    hk_task_create(&joined, NULL, nothing, NULL);
    ends("hk_task_join/result", joins_to, NOWHERE);
    ends("hk_task_join/result", joins_to, (uintptr_t)constant);
    is(hk_task_join(joined, NULL), HK_OK, "who could not be told a result leaves the task to be joined");
}

static void marks(void *arg)
{
    while (!ld_rlx((uint32_t *)arg))
        hgc_collect(HGC_START);
}

int app_main(void)
{
    static uint32_t over;               /* atomic */
    struct hgc_config config = { .base = hk_mem_alloc(ARENA), .size = ARENA };
    struct task *t;
    void *got = NULL;
    is(hgc_init(&config) | hgc_root_add(&chan, sizeof(chan)), HGC_OK, "the heap starts");
    hgc_set(&chan, hgc_chan_new(2));
    queue = hgc_isr_queue_new(2);
    hk_sem_init(&sem, 0);
    each();
    hk_task_create(&t, NULL, marks, &over);
    each();
    beyond();
    st_rlx(&over, 1);
    hk_task_join(t, NULL);
    joins();
    void *p = hgc_new(HGC_LEAF, 32);
    is(hgc_chan_send(hgc_get(chan), p, HK_FOREVER), HGC_OK, "the channel works");
    is(hgc_chan_recv(hgc_get(chan), &got, HK_FOREVER), HGC_OK, "both ways");
    ok(got == p, "and nothing was lost");
    hk_sem_post(&sem);
    is(hk_sem_wait(&sem, 0), HK_OK, "so do semaphores");
    is(hgc_collect(HGC_WAIT), HGC_OK, "and the collector");
    return tap_end();
}
