/* SPDX-License-Identifier: Apache-2.0 */
/* The fast parts of hal_seq.h under ThreadSanitizer: in a critical section nothing stops between check and store. */
#include "hal_internal.h"

#if HAL_TSAN
#include "hal_seq.h"

void *hal_seq_try_new(size_t off, size_t cell)
{
    hal_crit_t c = hal_crit_enter();
    uintptr_t *run = (uintptr_t *)(void *)((char *)hal_self() + off);
    uintptr_t p = ld_rlx(&run[0]);
    bool fits = p + cell <= ld_rlx(&run[1]);
    if (fits)
        st_rlx(&run[0], p + cell);
    hal_crit_exit(c);
    return fits ? (void *)p : NULL;
}

int hal_seq_try_set(const uint32_t *phase, void **slot, void *value)
{
    hal_crit_t c = hal_crit_enter();
    bool off = ld_rlx(phase) == 0;
    if (off)
        st_rlx(slot, value);
    hal_crit_exit(c);
    return off;
}
#endif
