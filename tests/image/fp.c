/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 4 */
/* seconds: 60 */
/* hal: riscv host */ /* host-harts: 1 4 */
/* Floating-point registers belong to the task: they survive preemption, stops, waiting and going to another hart. */
#include "kernel/world.h"
#include "tap.h"

enum { TASKS = 8, STEPS = 400000 };

/* A loop whose state lives in floating-point registers, and whose result is known. */
static double chaos(double x, int steps)
{
    double y = x * 0.5, z = x * 0.25;
    for (int i = 0; i < steps; i++) {
        x = 3.75 * x * (1 - x);
        y = y * 0.999 + x * 0.001;
        z = z * 0.5 + y * 0.5;
    }
    return x + y + z;
}

static double result[TASKS];

static void computes(void *arg)
{
    uintptr_t i = (uintptr_t)arg;
    double sum = 0;
    for (int part = 0; part < 4; part++) {
        sum += chaos(0.1 + 0.05 * (double)i, STEPS / 4);
        if (part == 1)
            hk_sleep(100000);
        else
            hk_yield();
    }
    result[i] = sum;
}

int app_main(void)
{
    struct task *t[TASKS];
    unsigned good = 0;
    for (uintptr_t i = 0; i < TASKS; i++)
        hk_task_create(&t[i], NULL, computes, (void *)i);
    for (int i = 0; i < 50; i++) {
        hk_sleep(500000);
        world_stop(WORLD_OTHER, NULL, NULL);
        world_start();
    }
    for (int i = 0; i < TASKS; i++)
        hk_task_join(t[i], NULL);
    for (int i = 0; i < TASKS; i++) {
        double sum = 0, x = 0.1 + 0.05 * (double)i;
        for (int part = 0; part < 4; part++)
            sum += chaos(x, STEPS / 4);
        good += sum == result[i];
    }
    is(good, TASKS, "computations are not disturbed");
    return tap_end();
}
