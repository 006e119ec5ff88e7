/* SPDX-License-Identifier: Apache-2.0 */
/* The console: a 16550 UART.  Output is polled, so that it works anywhere; input can interrupt. */
#include "hal/riscv/hal_internal.h"

enum { RBR = 0, THR = 0, DLL = 0, IER = 1, DLM = 1, FCR = 2, LCR = 3, LSR = 5 };
enum { IER_RX = 1, FCR_ON_CLEAR = 7, LCR_8N1 = 3, LCR_DLAB = 0x80 };
enum { LSR_DATA = 1, LSR_THR_EMPTY = 0x20 };

static uintptr_t reg(unsigned r)
{
    return BOARD_UART + ((uintptr_t)r << BOARD_UART_SHIFT);
}

void hal_console_init(void)
{
    const unsigned divisor = BOARD_UART_CLOCK / (16 * BOARD_UART_BAUD);
    mmio_w8(reg(IER), 0);
    mmio_w8(reg(LCR), LCR_DLAB | LCR_8N1);
    mmio_w8(reg(DLL), divisor & 0xff);
    mmio_w8(reg(DLM), divisor >> 8);
    mmio_w8(reg(LCR), LCR_8N1);
    mmio_w8(reg(FCR), FCR_ON_CLEAR);
    mmio_w8(reg(IER), IER_RX);      /* heard once somebody registers the line */
}

void hal_console_write(const char *s, size_t n)
{
    for (; n; n--, s++) {
        while (!(mmio_r8(reg(LSR)) & LSR_THR_EMPTY))
            ;
        mmio_w8(reg(THR), (uint8_t)*s);
    }
}

int hal_console_getc(void)
{
    return mmio_r8(reg(LSR)) & LSR_DATA ? mmio_r8(reg(RBR)) : -1;
}

unsigned hal_console_irq(void)
{
    return BOARD_UART_IRQ;
}
