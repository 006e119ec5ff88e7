/* SPDX-License-Identifier: Apache-2.0 */
/* What the collector did during the run. */
#include "apps/jsonstore/phases.h"
#include "apps/jsonstore/team.h"

enum { OPERATIONS, SHADES, RESTARTS, STEALS, COLUMNS };
static const char *const columns[COLUMNS] = {"operations", "shades", "restarts", "steals"};

/* What a hart did while the phase was MARK. */
static void hart_row(unsigned hart, uint64_t row[COLUMNS])
{
    struct hgc_hart_stats s;
    hgc_hart_stats(hart, &s);
    row[OPERATIONS] = 0;
    for (unsigned i = 0; i < team_size(); i++)
        row[OPERATIONS] += team_member(i)->ops_marking[hart];
    row[SHADES] = s.shades;
    row[RESTARTS] = s.restarts;
    row[STEALS] = s.steals;
}

static void print_row(const char *name, const uint64_t row[COLUMNS])
{
    hk_printf("%8s %12llu %12llu %12llu %12llu\n", name, (unsigned long long)row[0], (unsigned long long)row[1],
              (unsigned long long)row[2], (unsigned long long)row[3]);
}

/* Prints the table; its totals go to sum. */
static void print_table(uint64_t sum[COLUMNS])
{
    char name[12];
    hk_printf("while marking:\n%8s %12s %12s %12s %12s\n", "hart", columns[0], columns[1], columns[2], columns[3]);
    for (unsigned hart = 0; hart < hk_harts(); hart++) {
        uint64_t row[COLUMNS];
        hart_row(hart, row);
        for (unsigned i = 0; i < COLUMNS; i++)
            sum[i] += row[i];
        hk_snprintf(name, sizeof name, "%u", hart);
        print_row(name, row);
    }
    print_row("all", sum);
}

/* About one interrupt in ten thousand falls inside a restartable sequence: of a run this long one in 20,000 meets none. */
enum { SAMPLES_ENOUGH = 100000 };

/* May this column be zero?  One hart has nobody to steal from; a short run may meet no restart; and ThreadSanitizer's build
 * has no restartable sequences (hal/host/hal_seq.h). */
static bool may_be_zero(unsigned column)
{
#if defined(HAL_TSAN) && HAL_TSAN
    if (column == RESTARTS)
        return true;
#endif
    if (column == RESTARTS)
        return sample_count() < SAMPLES_ENOUGH;
    return column == STEALS && hk_harts() == 1;
}

/* A column whose total is zero means that the program never met the collector there, and so shows nothing. */
static int check_columns(const uint64_t sum[COLUMNS])
{
    int result = 0;
    for (unsigned i = 0; i < COLUMNS; i++) {
        if (sum[i] || may_be_zero(i))
            continue;
        hk_printf("jsonstore: no %s while marking on any hart\n", columns[i]);
        result = -1;
    }
    return result;
}

int report(void)
{
    struct hgc_stats s;
    uint64_t sum[COLUMNS] = {0};
    hgc_stats(&s);
    hk_printf("jsonstore: %u cycles, worst pause %u us of %u, heap peak %u KiB, live %u KiB, %u MiB allocated\n",
              (unsigned)s.cycles, (unsigned)(s.pause_max_ns / 1000), (unsigned)s.pauses, (unsigned)(s.heap_peak >> 10),
              (unsigned)(s.heap_live >> 10), (unsigned)(s.alloc_bytes >> 20));
    print_table(sum);
    return check_columns(sum);
}
