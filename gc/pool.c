/* SPDX-License-Identifier: Apache-2.0 */
/* Pools that are cleared as a cycle begins: special_begin calls them, with the world stopped and the phase OFF still, so that
 * what they let go is collected in that cycle. */
#include "gc/gc_internal.h"

static int change(void (*from)(void *arg), void *from_arg, void (*to)(void *arg), void *to_arg)
{
    hal_crit_t c = spin_lock_crit(&gc_special.lock);
    unsigned i = 0;
    while (i < HGC_POOLS && (gc_special.pools[i].clear != from || gc_special.pools[i].arg != from_arg))
        i++;
    if (i < HGC_POOLS) {
        gc_special.pools[i].clear = to;
        gc_special.pools[i].arg = to_arg;
    }
    spin_unlock_crit(&gc_special.lock, c);
    return i < HGC_POOLS;
}

int hgc_pool_add(void (*clear)(void *arg), void *arg)
{
    if (!clear)
        return HGC_EINVAL;
    return change(NULL, NULL, clear, arg) ? HGC_OK : HGC_ENOMEM;
}

int hgc_pool_remove(void (*clear)(void *arg), void *arg)
{
    return clear && change(clear, arg, NULL, NULL) ? HGC_OK : HGC_EINVAL;
}
