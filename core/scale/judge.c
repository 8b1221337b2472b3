/* judge.c - is a place feasible, by itself?  The first cause that rules it out is the one that is said. */
#include <stdio.h>

#include "gnrrun/buf.h"
#include "judge.h"

#define SHARED_LONGEST_S (4 * 3600.0) /* beyond it a machine that others sit at is no place */
#define COLAB_LONGEST_S  (3 * 3600.0) /* sessions end at 12 h at most, and nothing is promised */
#define COLAB_UNSAVED_S  3600.0
#define COLAB_SHIP       1e9
#define COLAB_MEMORY     14e9 /* of its T4's 15 GB */

static const char *hours(double seconds, char out[32])
{
    return gn_fmt_seconds(seconds < 1e15 ? (int64_t)seconds : (int64_t)1e15, out);
}

static const char *bytes(double n, char out[32])
{
    return gn_fmt_bytes(n < 1e18 ? (uint64_t)n : (uint64_t)1e18, out);
}

#define SAY(v, ...) snprintf((v)->cause, sizeof(v)->cause, __VA_ARGS__)

static bool lacks_room(const struct gn_workload *w, const struct gn_place *p,
                       struct gn_judgement *v)
{
    char a[32], b[32];
    double need = p->ship_bytes > 0 ? p->ship_bytes : 0;

    if (v->fit == GN_FIT_NO) {
        SAY(v, "needs %s of memory, %s are free there", bytes(v->memory.bytes, a),
            bytes(p->free_mem_bytes, b));
        return true;
    }
    if (w->dataset_downloads)
        need += w->dataset_bytes.value;
    if (p->disk_free_bytes >= 0 && need > p->disk_free_bytes) {
        SAY(v, "needs %s of disk, %s are free there", bytes(need, a), bytes(p->disk_free_bytes, b));
        return true;
    }
    return false;
}

static bool impolite(const struct gn_place *p, struct gn_judgement *v)
{
    char a[32];

    if (p->busy) {
        SAY(v, "somebody's process is on its GPU");
        return true;
    }
    if (!p->shared)
        return false;
    if (p->load >= 0 && p->cores > 0 && p->load > p->cores) {
        SAY(v, "others use all of it: a load of %.1f on %.0f cores", p->load, p->cores);
        return true;
    }
    if (v->time.known && gn_range_p80(&v->time.total_s) > SHARED_LONGEST_S) {
        SAY(v, "up to %s is too long for a machine that others use without a queue",
            hours(gn_range_p80(&v->time.total_s), a));
        return true;
    }
    return false;
}

static bool too_long(const struct gn_place *p, struct gn_judgement *v)
{
    char a[32], b[32];

    if (!(p->walltime_s > 0) || !v->time.known || gn_range_p80(&v->time.total_s) <= p->walltime_s)
        return false;
    SAY(v, "takes up to %s, and %s is its limit", hours(gn_range_p80(&v->time.total_s), a),
        hours(p->walltime_s, b));
    return true;
}

static bool not_for_colab(const struct gn_workload *w, const struct gn_place *p,
                          struct gn_judgement *v)
{
    double most = v->time.known ? v->time.total_s.p90 : 0;
    char a[32];

    if (!p->opted_in)
        SAY(v, "its free tier forbids remote control; use it only where you said so");
    else if (!v->time.known)
        SAY(v, "%s, and its sessions end", v->time.why);
    else if (most > COLAB_LONGEST_S)
        SAY(v, "takes up to %s, and its sessions may end before", hours(most, a));
    else if (p->ship_bytes > COLAB_SHIP)
        SAY(v, "%s are much to upload for one session", bytes(p->ship_bytes, a));
    else if (v->memory.known && v->memory.bytes > COLAB_MEMORY)
        SAY(v, "needs %s of memory, more than its T4 has", bytes(v->memory.bytes, a));
    else if (!w->saves && most > COLAB_UNSAVED_S)
        SAY(v, "takes up to %s without a checkpoint, and its sessions end", hours(most, a));
    else
        return false;
    return true;
}

static bool too_dear(const struct gn_choose_policy *policy, const struct gn_place *p,
                     struct gn_judgement *v)
{
    char a[32], b[32];

    if (p->price_microusd_h < 0)
        SAY(v, "its price is not known");
    else if (policy->max_cost_microusd <= 0)
        SAY(v, "costs money, and none is allowed (max_cost)");
    else if (v->cost_microusd < 0)
        SAY(v, "what it would cost is not known: %s", v->time.why);
    else if (v->cost_microusd > policy->max_cost_microusd)
        SAY(v, "may cost %s, more than the %s allowed", gn_fmt_money(v->cost_microusd, a),
            gn_fmt_money(policy->max_cost_microusd, b));
    else
        return false;
    return true;
}

static bool ruled_out(const struct gn_workload *w, const struct gn_choose_policy *policy,
                      const struct gn_place *p, struct gn_judgement *v)
{
    if (p->unusable)
        SAY(v, "%s", p->unusable);
    else if (policy->rank[p->rung] < 0)
        SAY(v, "'prefer' does not name its kind");
    else if (policy->gpus > p->gpus)
        SAY(v, "has %d GPU%s for one run, %d wanted", p->gpus, p->gpus == 1 ? "" : "s",
            policy->gpus);
    else if (policy->gpus > 0 && p->device.cls == GN_DEVICE_CPU)
        SAY(v, "processors only, and a GPU is wanted");
    else
        return lacks_room(w, p, v) || impolite(p, v) || too_long(p, v) ||
               (p->rung == GN_RUNG_COLAB && not_for_colab(w, p, v)) ||
               (p->rung == GN_RUNG_PAID && too_dear(policy, p, v));
    return true;
}

void gn_judge(const struct gn_workload *w, const struct gn_choose_policy *policy,
              const struct gn_place *p, struct gn_judgement *out)
{
    double wait = p->wait_s > 0 ? p->wait_s : 0;

    *out = (struct gn_judgement){.done_s = -1};
    gn_scale_time(w, &p->device, &out->time);
    gn_scale_memory(w, &out->memory);
    out->fit =
        p->free_mem_bytes > 0 ? gn_scale_fit(&out->memory, p->free_mem_bytes) : GN_FIT_UNKNOWN;
    if (out->time.known)
        out->done_s = wait + p->ready_s + out->time.total_s.p50;
    if (p->rung == GN_RUNG_PAID)
        out->cost_microusd =
            out->time.known && out->time.bound != GN_FIG_AT_LEAST
                ? gn_scale_cost(p->price_microusd_h, p->ready_s + out->time.total_s.p90,
                                p->granularity_s)
                : -1;
    out->feasible = !ruled_out(w, policy, p, out);
    if (out->feasible && out->fit == GN_FIT_TIGHT)
        SAY(out, "memory is tight: a smaller batch is safer");
}
