/* choose.c - up the ladder, as long as it is worth it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "gnrrun/buf.h"
#include "judge.h"

#define LOCAL_WITHIN_S 900.0
#define CPU_ENOUGH_S   600.0 /* what processors do within it needs no GPU */
#define GPU_GAIN       2.0
#define GPU_GAIN_SURE  1.3   /* where both were measured */
#define CLIMB_S        600.0 /* what a higher rung must save at least, */
#define CLIMB_SHARE    0.5   /* and of the time: the model may be wrong by two */
#define CLIMB_SURE     0.25

/* Counts of a program's own choosing may be any number. */
static const char *text(double seconds, char out[32])
{
    return gn_fmt_seconds(seconds < 1e15 ? (int64_t)seconds : (int64_t)1e15, out);
}

static bool sure(const struct gn_workload *w)
{
    return w->evidence >= GN_EVIDENCE_PROBE;
}

struct ladder {
    const struct gn_workload *w;
    const struct gn_choose_policy *policy;
    const struct gn_place *places;
    struct gn_judgement *v;
    size_t n;
};

/* By `prefer`, then the rung, then who is done first, then the order given: total, so nothing depends on the sort. */
static bool before(const struct ladder *l, size_t a, size_t b)
{
    const struct gn_place *p = &l->places[a], *q = &l->places[b];
    double da = l->v[a].done_s, db = l->v[b].done_s;

    if (l->policy->rank[p->rung] != l->policy->rank[q->rung])
        return l->policy->rank[p->rung] < l->policy->rank[q->rung];
    if (p->rung != q->rung)
        return p->rung < q->rung;
    if ((da < 0) != (db < 0))
        return da >= 0;
    if (da < db || db < da)
        return da < db;
    return a < b;
}

/* The feasible one that comes first after `after` (SIZE_MAX: of all). */
static size_t next_up(const struct ladder *l, size_t after)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < l->n; i++) {
        if (!l->v[i].feasible || (after != SIZE_MAX && !before(l, after, i)))
            continue;
        if (best == SIZE_MAX || before(l, i, best))
            best = i;
    }
    return best;
}

static size_t best_cpu(const struct ladder *l)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < l->n; i++) {
        if (!l->v[i].feasible || l->v[i].done_s < 0 || l->places[i].device.cls != GN_DEVICE_CPU)
            continue;
        if (best == SIZE_MAX || l->v[i].done_s < l->v[best].done_s)
            best = i;
    }
    return best;
}

/* GPUs that would not be worth what they take from others are feasible no more. */
static void drop_idle_gpus(const struct ladder *l)
{
    size_t cpu = best_cpu(l);
    double gain = sure(l->w) ? GPU_GAIN_SURE : GPU_GAIN;

    if (cpu == SIZE_MAX || l->policy->gpus > 0)
        return;
    for (size_t i = 0; i < l->n; i++) {
        struct gn_judgement *v = &l->v[i];

        if (!v->feasible || v->done_s < 0 || l->places[i].device.cls != GN_DEVICE_GPU ||
            l->places[i].rung == GN_RUNG_LOCAL_GPU)
            continue;
        if (l->v[cpu].time.total_s.p50 <= CPU_ENOUGH_S) {
            v->feasible = false;
            snprintf(v->cause, sizeof v->cause, "no GPU is needed: processors do it in minutes");
        } else if (l->v[cpu].done_s < gain * v->done_s) {
            v->feasible = false;
            snprintf(v->cause, sizeof v->cause,
                     "not %.1f times as fast as processors%s, all in all", gain,
                     v->time.launch_bound ? " (many small steps)" : "");
        }
    }
}

/* Is b worth climbing to from a?  A wait that nobody knows counts twice against it. */
static bool worth(const struct ladder *l, size_t a, size_t b)
{
    const struct gn_judgement *from = &l->v[a], *to = &l->v[b];
    double need, share = sure(l->w) ? CLIMB_SURE : CLIMB_SHARE;

    if (from->done_s < 0 || to->done_s < 0)
        return false;
    need = share * from->done_s;
    if (need < CLIMB_S)
        need = CLIMB_S;
    if (l->places[b].wait_s < 0)
        need = need + (from->done_s - need) / 2;
    if (l->policy->deadline_s > 0 && from->done_s > l->policy->deadline_s &&
        to->done_s <= l->policy->deadline_s)
        return true;
    return from->done_s - to->done_s >= need;
}

static bool stays_home(const struct ladder *l, size_t i)
{
    double within =
        l->policy->local_if_within_s > 0 ? l->policy->local_if_within_s : LOCAL_WITHIN_S;

    return l->places[i].rung <= GN_RUNG_LOCAL_GPU && l->v[i].time.known &&
           l->v[i].time.bound != GN_FIG_AT_LEAST && gn_range_p80(&l->v[i].time.total_s) <= within;
}

static void reason_for(const struct ladder *l, size_t first, struct gn_choice *out)
{
    const struct gn_judgement *v = &l->v[out->place], *from = &l->v[first];
    const char *name = l->places[first].name;
    char a[32], b[32];

    if (v->done_s < 0)
        snprintf(out->reason, sizeof out->reason, "the least intrusive place, for %s", v->time.why);
    else if (out->place == first)
        snprintf(out->reason, sizeof out->reason,
                 "the least intrusive place (about %s), and none saves enough over it",
                 text(v->done_s, a));
    else
        snprintf(out->reason, sizeof out->reason, "about %s instead of %s on %s",
                 text(v->done_s, a), text(from->done_s, b), name);
}

static void climb(const struct ladder *l, struct gn_choice *out)
{
    size_t first = next_up(l, SIZE_MAX), at = first;
    char a[32];

    out->place = first;
    if (first == SIZE_MAX) {
        snprintf(out->reason, sizeof out->reason, "no place is feasible");
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i].feasible && stays_home(l, i) &&
            (!stays_home(l, out->place) || before(l, i, out->place)))
            out->place = i;
    }
    if (stays_home(l, out->place)) {
        snprintf(out->reason, sizeof out->reason, "here it takes about %s",
                 text(l->v[out->place].time.total_s.p50, a));
        return;
    }
    while ((at = next_up(l, at)) != SIZE_MAX) {
        if (worth(l, out->place, at))
            out->place = at;
    }
    reason_for(l, first, out);
}

void gn_choose(const struct gn_workload *w, const struct gn_choose_policy *policy,
               const struct gn_place *places, size_t n, struct gn_judgement *verdicts,
               struct gn_choice *out)
{
    struct ladder l = {w, policy, places, verdicts, n};

    *out = (struct gn_choice){.place = SIZE_MAX};
    for (size_t i = 0; i < n; i++)
        gn_judge(w, policy, &places[i], &verdicts[i]);
    drop_idle_gpus(&l);
    climb(&l, out);
}
