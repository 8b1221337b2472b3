/*
 * scale.h - how long a workload takes on a device, what memory it needs, what that costs.
 *
 * Pure: structs in, structs out.  A number comes with its range, and where a figure that
 * decides is missing the answer is "unknown" with its reason, never a guess.  Ranges are
 * log-normal: P50 is always within.  The constants and where they are from stand in
 * core/scale/time.c and memory.c.
 */
#ifndef GNRRUN_SCALE_H
#define GNRRUN_SCALE_H

#include <stdbool.h>
#include <stdint.h>

#include "gnrrun/workload.h"

enum gn_device_class { GN_DEVICE_UNKNOWN, GN_DEVICE_CPU, GN_DEVICE_GPU };

/* Something that computes.  A class of GN_DEVICE_UNKNOWN: no time can be said for it. */
struct gn_device {
    enum gn_device_class cls;
    char name[96];           /* as it was reported; foreign text */
    bool kepler;             /* a generation whose kernels are far from its figures */
    double fp32, tf32, fp16; /* FLOP/s, dense; 0: it has no such units */
    double bytes_s;          /* of its memory */
    double mem_bytes;        /* in all; 0: unknown */
    bool calibrated;         /* fp32 is a measured rate, not one of a table */
};

/*
 * The GPU that a driver calls name, of the table core/scale/data/gpus.csv.  False: no row says
 * what it is, and a name that is only similar ("RTX 3080 Laptop GPU") is another device.  A MIG
 * slice is that share of the whole.
 */
bool gn_device_gpu(const char *name, struct gn_device *out);

/* A processor by its model, `sockets` of them; false: not in the table. */
bool gn_device_cpu(const char *model, int sockets, struct gn_device *out);
/* One of which only the number of logical cores is known. */
void gn_device_cores(int cores, struct gn_device *out);

/* x/÷ e^(1.28 sigma) round P50: four of five truths are inside. */
struct gn_range {
    double p10, p50, p90, sigma;
};
struct gn_range gn_range_of(double p50, double sigma);
double gn_range_p80(const struct gn_range *r); /* four of five end by then */

struct gn_duration {
    bool known;          /* the whole run's; else see why */
    bool step_known;     /* one step's */
    enum gn_known bound; /* of the whole: EXACT, AT_LEAST, AT_MOST as the figures it is made of */
    struct gn_range total_s, step_s;
    double steps;      /* 0: unknown */
    double flop;       /* of the whole run; 0: unknown */
    bool launch_bound; /* the host's calls decide: a faster device would not help */
    char why[160];     /* not known: what is missing; "" otherwise */
};
void gn_scale_time(const struct gn_workload *w, const struct gn_device *d, struct gn_duration *out);

/* Bytes of device memory while it trains. */
struct gn_footprint {
    bool known;
    bool rough; /* the activations are derived, not known: within a factor of two */
    double bytes;
    char why[160];
};
void gn_scale_memory(const struct gn_workload *w, struct gn_footprint *out);

enum gn_fit { GN_FIT_UNKNOWN, GN_FIT_YES, GN_FIT_TIGHT, GN_FIT_NO };
/* In so many bytes that are free; a driver keeps 3 % for itself.  free_bytes 0: unknown. */
enum gn_fit gn_scale_fit(const struct gn_footprint *m, double free_bytes);

/* Millionths of a dollar for so many seconds, begun units of billing count whole.  -1: no price. */
int64_t gn_scale_cost(int64_t price_microusd_h, double seconds, int64_t granularity_s);

#endif
