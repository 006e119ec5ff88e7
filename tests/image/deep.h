/* SPDX-License-Identifier: Apache-2.0 */
/* A function that calls itself until the stack ends. */
#ifndef DEEP_H
#define DEEP_H

static int goes_deep(volatile int *depth)
{
    volatile char frame[200];
    frame[0] = (char)++*depth;
    int below = *depth < 0 ? 0 : goes_deep(depth);
    return below + frame[0];
}

static void deep(void *arg)
{
    (void)arg;
    volatile int depth = 0;
    goes_deep(&depth);
}

#endif
