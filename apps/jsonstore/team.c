/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/jsonstore/team.h"

static struct member members[2 * HK_MAX_HARTS];
static uint32_t failed;                 /* atomic */

unsigned team_size(void)
{
    return 2 * hk_harts();
}

const struct member *team_member(unsigned i)
{
    return &members[i];
}

void team_fail(const char *fmt, ...)
{
    va_list ap;
    if (amo_swap_rlx(&failed, 1))       /* orders nothing: the others only stop sooner by it */
        return;
    va_start(ap, fmt);
    hk_vprintf(fmt, ap);
    va_end(ap);
}

bool team_failed(void)
{
    return ld_rlx(&failed) != 0;
}

struct label label_of(const void *bytes, size_t length)
{
    const unsigned char *b = bytes;
    struct label l = {""};
    for (size_t i = 0; i < length && i < sizeof l.s - 1; i++)
        l.s[i] = b[i] < ' ' ? '?' : (char)b[i];
    return l;
}

static void start(void *arg)
{
    struct member *m = arg;
    m->fn(m);
}

int team_run(const char *name, void (*fn)(struct member *))
{
    struct hk_task_config config = {.name = name};
    unsigned started = 0;
    for (; started < team_size(); started++) {
        struct member *m = &members[started];
        m->number = started;
        m->fn = fn;
        m->documents = m->lookups = m->bytes = m->history = 0;
        if (hk_task_create(&m->task, &config, start, m)) {
            team_fail("jsonstore: %s: no memory for a task\n", name);
            break;
        }
    }
    for (unsigned i = 0; i < started; i++) {
        if (hk_task_join(members[i].task, NULL))
            team_fail("jsonstore: %s: task %u ended by a fault\n", name, i);
    }
    return team_failed() ? -1 : 0;
}

#define PATIENCE (60 * 1000000000ull)

static int answer(int error)
{
    if (error == HGC_ETIMEOUT)
        team_fail("jsonstore: a task waited for a minute in vain\n");
    return error;
}

int team_send(struct hgc_chan *c, void *reference)
{
    return answer(hgc_chan_send(c, reference, PATIENCE));
}

int team_recv(struct hgc_chan *c, void **reference)
{
    return answer(hgc_chan_recv(c, reference, PATIENCE));
}

uint32_t counter_take(struct counter *c)
{
    (void)hk_mutex_lock(&c->lock);
    uint32_t n = c->next++;
    (void)hk_mutex_unlock(&c->lock);
    return n;
}
