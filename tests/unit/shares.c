/* SPDX-License-Identifier: Apache-2.0 */
/* How the quarter of the harts' time is shared out among workers, for every number of harts and of each role. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gc/gc_internal.h"

enum { SHARE = 1024, MAX = HK_MAX_HARTS };

static void is(struct worker_shares s, unsigned dedicated, unsigned fraction)
{
    assert_int_equal(s.dedicated, dedicated);
    assert_int_equal(s.fraction, fraction);
}

static void without_roles(void **state)
{
    (void)state;
    is(worker_shares(1, 0, 0), 0, 256);
    is(worker_shares(2, 0, 0), 0, 256);
    is(worker_shares(3, 0, 0), 0, 256);
    is(worker_shares(4, 0, 0), 1, 0);
    is(worker_shares(5, 0, 0), 1, 0);
    is(worker_shares(6, 0, 0), 1, 102);    /* of each of the other five */
    is(worker_shares(8, 0, 0), 2, 0);
}

static void with_roles(void **state)
{
    (void)state;
    is(worker_shares(4, 1, 0), 0, 0);       /* it is the quarter */
    is(worker_shares(2, 1, 0), 0, 0);       /* and more */
    is(worker_shares(8, 1, 0), 1, 0);
    is(worker_shares(8, 1, 7), 0, 0);       /* nobody else may */
    is(worker_shares(4, 0, 3), 1, 0);       /* all of the one that may */
    is(worker_shares(2, 0, 1), 0, 512);
    is(worker_shares(3, 0, 2), 0, 768);
    is(worker_shares(8, 0, 7), 1, 0);       /* where two harts would be due */
}

/* Together it is a quarter, as far as there are harts for it, or within 30 % of it. */
static void a_quarter(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= MAX; n++)
        for (unsigned given = 0; given <= n; given++)
            for (unsigned kept_free = 0; kept_free + given <= n; kept_free++) {
                struct worker_shares s = worker_shares(n, given, kept_free);
                unsigned others = n - given - kept_free, rest = others - s.dedicated;
                unsigned all = (given + s.dedicated) * SHARE + s.fraction * rest;
                unsigned wanted = n * SHARE / 4, most = (given + others) * SHARE;
                assert_true(s.dedicated <= others && s.fraction <= SHARE);
                if (given * SHARE >= wanted)
                    assert_int_equal(all, given * SHARE);
                else if (most <= wanted)
                    assert_true(all == most || (all >= most * 7 / 10 && all <= most));
                else if (s.fraction)
                    assert_true(all <= wanted && all + rest >= wanted);
                else
                    assert_true(all >= wanted * 7 / 10 && all <= wanted * 13 / 10);
            }
}

/* The kernel wants one wherever it is linked. */
int app_main(void)
{
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_roles),
        cmocka_unit_test(with_roles),
        cmocka_unit_test(a_quarter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
