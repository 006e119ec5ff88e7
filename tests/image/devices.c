/* SPDX-License-Identifier: Apache-2.0 */
/* harts: 1 2 4 */
/* seconds: 30 */
/*
 * Device interrupts: the console's UART, set to loop its output back to its input, interrupts as real input would.  They
 * reach the hart that they are routed to, also while the world is stopped, and wake a task.
 */
#include "kernel/world.h"
#include "tap.h"

/* 16550: modem control, and its loop bit. */
enum { MCR = 4, MCR_LOOP = 0x10 };

static void loop(bool on)
{
    volatile uint8_t *mcr = (volatile uint8_t *)(BOARD_UART + (MCR << BOARD_UART_SHIFT));
    *mcr = on ? MCR_LOOP : 0;
}

static uint32_t handled, handled_on = 99, last;

static void handler(void *arg)
{
    (void)arg;
    for (int c; (c = hal_console_getc()) >= 0; ) {     /* perhaps none: an interrupt may come twice for one */
        st_rlx(&last, (uint32_t)c);
        st_rlx(&handled_on, hk_hart());
        amo_add_rel(&handled, 1);                       /* partner: await */
    }
}

/* Or the test hangs. */
static void await(uint32_t n)
{
    while (ld_acq(&handled) < n)
        ;
}

static void routed(void)
{
    unsigned to = hk_harts() - 1;
    bool good = true;
    is(hal_irq_register(0, 0, 1, handler, NULL), HAL_EIRQ, "line 0 does not exist");
    is(hal_irq_register(hal_console_irq(), 0, 1, NULL, NULL), HAL_EIRQ, "nobody would serve it");
    is(hal_irq_register(hal_console_irq(), to, 1, handler, NULL), HAL_OK, "a line is routed to the last hart");
    is(hal_irq_register(hal_console_irq(), 0, 1, handler, NULL), HAL_EIRQ, "and to no other besides");
    loop(true);
    for (uint32_t i = 1; i <= 20; i++) {
        char c = (char)('a' + i);
        hal_console_write(&c, 1);
        await(i);
        good &= ld_rlx(&last) == (uint32_t)c && ld_rlx(&handled_on) == to;
    }
    loop(false);
    ok(good, "interrupts come there");
}

static void in_a_stop(void)
{
    uint32_t begin = ld_rlx(&handled);
    for (int i = 0; i < 20; i++) {
        world_stop(WORLD_OTHER, NULL, NULL);
        uint32_t before = ld_rlx(&handled);
        loop(true);
        hal_console_write("x", 1);
        await(before + 1);
        loop(false);
        world_start();
    }
    ok(ld_rlx(&handled) - begin >= 20, "also while the world is stopped");
    hal_irq_unregister(hal_console_irq());
}

static void types(void *arg)
{
    const char *text = arg;
    hk_sleep(5000000);
    loop(true);
    for (int i = 0; text[i]; i++) {
        hal_console_write(&text[i], 1);
        hk_sleep(500000);
    }
    loop(false);
}

static void typed(void)
{
    static char text[] = "typed by nobody\n";
    struct task *t;
    bool good = true;
    hk_task_create(&t, NULL, types, text);
    for (int i = 0; text[i]; i++)
        good &= hk_getchar() == text[i];
    hk_task_join(t, NULL);
    ok(good, "hk_getchar waits for input and gets it");
}

int app_main(void)
{
    routed();
    in_a_stop();
    typed();
    return tap_end();
}
