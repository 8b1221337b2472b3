/*
 * choose.h - which of several places a workload should run at, and why not the others.
 *
 * Pure.  A place is a target with one device of it; a host with processors and a GPU is two.
 * The least intrusive place wins unless another saves more than the model may be wrong by.
 * Invariants: nothing paid is chosen without an amount that was allowed; where times are
 * unknown the lowest feasible rung is taken; every place that is not feasible has its cause;
 * a place that is worse than one already there changes nothing.
 */
#ifndef GNRRUN_CHOOSE_H
#define GNRRUN_CHOOSE_H

#include "gnrrun/config.h"
#include "gnrrun/scale.h"

/* From the least intrusive up. */
enum gn_rung {
    GN_RUNG_LOCAL_CPU,
    GN_RUNG_LOCAL_GPU,
    GN_RUNG_SHARED_CPU,
    GN_RUNG_SHARED_GPU,
    GN_RUNG_QUEUE,
    GN_RUNG_COLAB,
    GN_RUNG_PAID,
};

#define GN_GPUS_UNKNOWN 1000 /* as many as are asked for */

/* What is known of a place; -1 where a number is not. */
struct gn_place {
    const char *name; /* of the target; borrowed */
    enum gn_rung rung;
    struct gn_device device;
    const char *unusable;  /* why it cannot be used at all ("unreachable"); NULL: it can */
    bool shared;           /* with people, and without a queue between them */
    bool busy;             /* its GPU has somebody's process on it */
    int gpus;              /* that one run can have there */
    double load, cores;    /* of the whole machine */
    double free_mem_bytes; /* of the device, now */
    double disk_free_bytes;
    double ship_bytes;        /* that it lacks */
    double wait_s;            /* in the queue */
    double ready_s;           /* boot, upload and set-up, as far as they are known; 0: none */
    double walltime_s;        /* 0: no limit */
    int64_t price_microusd_h; /* GN_RUNG_PAID; -1: unknown */
    int64_t granularity_s;    /* of its bill */
    bool opted_in;            /* GN_RUNG_COLAB: the user said that it may be used */
};

struct gn_choose_policy {
    double local_if_within_s;   /* 0: 15 minutes */
    double deadline_s;          /* 0: none */
    int64_t max_cost_microusd;  /* -1: not said, so nothing paid */
    int gpus;                   /* asked for; 0: not said */
    int rank[GN_RUNG_PAID + 1]; /* of `prefer`: lower first, -1: never; all 0: the ladder alone */
};

/* What the two files say, the project's over the user's; but a project cannot allow money, only
 * lower what the user allowed.  asked_microusd: of the command line, and then that alone; -1: not given. */
void gn_choose_policy_of(const struct gn_config *c, int64_t asked_microusd, int gpus,
                         struct gn_choose_policy *out);

struct gn_judgement {
    bool feasible;
    enum gn_fit fit;
    struct gn_footprint memory;
    struct gn_duration time;
    double done_s;         /* from now, P50, as far as waits are known; -1: unknown */
    int64_t cost_microusd; /* at P90; 0: free; -1: unknown */
    char cause[224];       /* not feasible: why; feasible: a remark, or "" */
};

struct gn_choice {
    size_t place;     /* SIZE_MAX: none is feasible */
    char reason[256]; /* one sentence */
};

/*
 * The places that a target is, by what op probe said of it (lines: foreign): its processors and the
 * GPU that would be taken, a free one with most memory if there is one.  A queue's machines are not
 * the one that was asked: of them nothing is known.  Returns how many; they borrow t's name.
 */
#define GN_PLACES_MAX 2
size_t gn_places_of(const struct gn_target *t, const struct gn_strs *lines, double ship_bytes,
                    struct gn_place out[GN_PLACES_MAX]);

/* verdicts holds n. */
void gn_choose(const struct gn_workload *w, const struct gn_choose_policy *policy,
               const struct gn_place *places, size_t n, struct gn_judgement *verdicts,
               struct gn_choice *out);

#endif
