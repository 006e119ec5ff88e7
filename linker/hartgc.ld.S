/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one linker script, preprocessed with the board's header in front.  From low to high: code, constants, data,
 * zeroed data, the harts' trap stacks, and then the free memory that hal_memory() hands out.
 */
#include "boot/riscv.h"

OUTPUT_ARCH(riscv)
ENTRY(_start)

MEMORY
{
    ram (rwx) : ORIGIN = BOARD_RAM_BASE, LENGTH = BOARD_RAM_SIZE
}

PHDRS
{
    code PT_LOAD FLAGS(5);              /* r-x; data apart from it, or ld warns of a segment that is all of rwx */
    data PT_LOAD FLAGS(6);
}

SECTIONS
{
    .text : {
        __text_start = .;
        KEEP(*(.reset))                 /* first: some machines jump to the start of RAM whatever the ELF says */
        *(.text.unlikely .text.unlikely.*)
        *(.text.hot .text.hot.*)
        *(.text .text.*)
        __text_end = .;
    } > ram :code

    .rodata : ALIGN(16) {
        *(.rodata .rodata.*)
        *(.srodata .srodata.*)
        . = ALIGN(8);
        __preinit_array_start = .;
        KEEP(*(.preinit_array))
        __preinit_array_end = .;
        __init_array_start = .;
        KEEP(*(SORT_BY_INIT_PRIORITY(.init_array.*)))
        KEEP(*(.init_array))
        __init_array_end = .;
        __fini_array_start = .;
        KEEP(*(SORT_BY_INIT_PRIORITY(.fini_array.*)))
        KEEP(*(.fini_array))
        __fini_array_end = .;
        . = ALIGN(8);
        libc_files_lo = .;              /* libc/libc.h: the files that a program has in its image */
        KEEP(*(.libc_files))
        libc_files_hi = .;
    } > ram

    /* Thread-local storage would need tp, which is the hart's. */
    .tdata : { *(.tdata .tdata.*) } > ram
    .tbss  : { *(.tbss .tbss.*) *(.tcommon) } > ram

    /* Not in a page with code: after a store into it QEMU translates the code again, which is 270 times slower. */
    .data : ALIGN(RISCV_PAGE) {
        __constants_end = .;            /* and up to here PMP refuses stores (hal/riscv/guard.c) */
        *(.data .data.*)
        . = ALIGN(8);
        hal_restart_lo = .;             /* here and not in .rodata: boot sorts it in place */
        KEEP(*(.hgc_restart))
        hal_restart_hi = .;
    } > ram :data

    /* gp reaches 2 KiB each way: the phase word, so that the barrier loads it with one instruction.  A section of its
     * own, and gp not quite 2 KiB from its start: ld gives up as much of the reach as the section's alignment is and the
     * variable is large, and .data's alignment is a page. */
    .sdata : ALIGN(16) {
        __global_pointer$ = . + 0x700;
        *(.sdata .sdata.*)
        *(.sbss .sbss.*)                /* small data that is zero, kept with it for the same reason */
        *(.scommon)
    } > ram :data

    .bss (NOLOAD) : ALIGN(8) {
        __bss_start = .;
        *(.bss .bss.*)
        *(COMMON)
        . = ALIGN(8);
        __bss_end = .;
    } > ram

    /* Last, so that the stacks of harts that are not there become free memory.  The guard is the low page of each. */
    .trap_stacks (NOLOAD) : ALIGN(RISCV_PAGE) {
        __trap_stacks = .;
        . += BOARD_MAX_HARTS * (RISCV_PAGE + BOARD_TRAP_STACK);
        __free_start = .;
    } > ram

    /DISCARD/ : { *(.eh_frame .eh_frame_hdr) *(.note .note.*) }
}

ASSERT(_start == BOARD_RAM_BASE, "_start must be the first byte of RAM: .reset is missing")
ASSERT(SIZEOF(.tdata) == 0 && SIZEOF(.tbss) == 0, "thread-local variables are not supported: tp belongs to the hart")
ASSERT(__free_start < BOARD_RAM_BASE + BOARD_RAM_SIZE, "the image leaves no free memory")
ASSERT(BOARD_TRAP_STACK % RISCV_PAGE == 0, "BOARD_TRAP_STACK must be whole pages: the next guard follows it")
