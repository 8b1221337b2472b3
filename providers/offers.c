#include "offers.h"

#include <stdlib.h>
#include <string.h>

#define SHORT                                                                                      \
    0.92 /* of the memory that was asked for: "16 GB" are 16 GiB to one, and less a kernel to another */

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* "v100" is in "Tesla V100-SXM2", "a100" is not in "A10". */
static bool is_kind(const char *gpu, const char *wanted)
{
    size_t n = strlen(wanted);

    for (; *gpu; gpu++) {
        size_t i = 0;

        while (i < n && gpu[i] && small(gpu[i]) == small(wanted[i]))
            i++;
        if (i == n)
            return true;
    }
    return false;
}

bool gn_offer_fits(const struct gn_offer *o, const char *machine, const struct gn_needs *needs)
{
    if (machine)
        return strcmp(o->machine, machine) == 0;
    if (!needs)
        return true;
    if (o->gpus < needs->gpus || (!needs->gpus && !needs->gpu_type && o->gpus))
        return false;
    if (needs->gpu_mem_bytes && (double)o->gpu_mem_bytes < (double)needs->gpu_mem_bytes * SHORT)
        return false;
    return o->cpus >= needs->cpus &&
           (double)o->memory_bytes >= (double)needs->memory_bytes * SHORT &&
           (!needs->gpu_type || is_kind(o->gpu, needs->gpu_type));
}

static int by_price(const void *a, const void *b)
{
    const struct gn_offer *x = a, *y = b;
    uint64_t p = (uint64_t)x->price_microusd_h, q = (uint64_t)y->price_microusd_h;

    return p < q ? -1 : p > q;
}

void gn_offers_sort(struct gn_offers *all, size_t from)
{
    if (all->n > from)
        qsort(all->v + from, all->n - from, sizeof *all->v, by_price);
}
