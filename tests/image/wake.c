/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 2 4 8 */
/* seconds: 60 */
/* hal: riscv host */ /* host-harts: 1 4 */
/*
 * No wake-up is lost.  Tasks pass a token on with nothing else going on: no timer, no tick, no other task would help a hart
 * that fell asleep over work.
 */
#include "tap.h"

enum { TURNS = 20000, RING = 8 };

static struct hk_sem token[RING];

struct player { unsigned me, next, turns; };

static void passes(void *arg)
{
    const struct player *p = arg;
    for (unsigned i = 0; i < p->turns; i++) {
        hk_sem_wait(&token[p->me], HK_FOREVER);
        hk_sem_post(&token[p->next]);
    }
}

/* `n` tasks in a ring with `tokens` tokens; each on its hart, or anywhere. */
static void play(unsigned n, unsigned tokens, bool bound, const char *text)
{
    struct task *t[RING];
    struct player p[RING];
    for (unsigned i = 0; i < n; i++) {
        hk_sem_init(&token[i], i < tokens);
        p[i] = (struct player){ i, (i + 1) % n, TURNS };
    }
    for (unsigned i = 0; i < n; i++) {
        struct hk_task_config config = { .hart_plus_1 = bound ? (int)(i % hk_harts()) + 1 : 0 };
        hk_task_create(&t[i], &config, passes, &p[i]);
    }
    for (unsigned i = 0; i < n; i++)
        hk_task_join(t[i], NULL);
    ok(true, text);
}

int app_main(void)
{
    play(2, 1, true, "two harts wake each other");
    play(2, 1, false, "two tasks wake each other");
    play(RING, 1, false, "one token goes round");
    play(RING, 3, false, "three do");
    return tap_end();
}
