/* range.c - log-normal ranges, and money by the hour. */
#include <math.h>

#include "gnrrun/scale.h"

#define Z_P90 1.2816 /* of the normal distribution */
#define Z_P80 0.8416

struct gn_range gn_range_of(double p50, double sigma)
{
    double factor = exp(Z_P90 * sigma);

    return (struct gn_range){p50 / factor, p50, p50 * factor, sigma};
}

double gn_range_p80(const struct gn_range *r)
{
    return r->p50 * exp(Z_P80 * r->sigma);
}

int64_t gn_scale_cost(int64_t price_microusd_h, double seconds, int64_t granularity_s)
{
    double unit = granularity_s > 0 ? (double)granularity_s : 1;
    double billed = ceil(seconds / unit) * unit, cost;

    if (price_microusd_h < 0 || !(seconds >= 0))
        return -1;
    cost = ceil(billed / 3600 * (double)price_microusd_h);
    /* More than anyone has; and a double beyond it would not be an integer of ours. */
    return cost < 1e18 ? (int64_t)cost : INT64_MAX;
}
