/* SPDX-License-Identifier: Apache-2.0 */
/* A machine without device interrupts: its console is polled. */
#include "hal/hal.h"

unsigned hal_console_irq(void)
{
    return 0;
}

int hal_irq_register(unsigned irq, unsigned hart, unsigned prio, hal_irq_fn *fn, void *arg)
{
    (void)irq, (void)hart, (void)prio, (void)fn, (void)arg;
    return HAL_EIRQ;
}

void hal_irq_unregister(unsigned irq)
{
    (void)irq;
}
