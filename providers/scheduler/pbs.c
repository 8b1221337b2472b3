/*
 * pbs.c - a run as a job of PBS: OpenPBS, PBS Professional, and Torque (qsub(1B) of each).
 *
 * Which of them it is the far side sees when it submits the job: a line that begins with "#PRO" or
 * "#TORQUE" is for that one alone (core/remote/sh/pbs.sh).
 *
 * The limit that counts is ours, kept by the supervisor in the job; PBS's, which is TERM and soon
 * KILL for all of it, is set a little later, for when that fails.
 */
#include <ctype.h>
#include <inttypes.h>

#include "gnrrun/far.h"
#include "providers/scheduler/directive.h"

#define SPARE_S      150 /* for the start, and for our own limit to do its work */
#define MIB          ((uint64_t)1 << 20)
#define NAME_MAX_PBS 15 /* of a job, for the older of them */

/* What it has no words for. */
static int check(const struct gn_job_wish *w, struct gn_err *err)
{
    if (w->needs->nodes > 1)
        return gn_err_set(err, GN_E_CONFIG, "this version starts a job of PBS on one node only");
    if (w->target->qos)
        return gn_err_set(err, GN_E_CONFIG, "PBS knows no 'qos'");
    if (w->needs->gpu_type)
        return gn_err_set(err, GN_E_CONFIG,
                          "PBS has no common word for a kind of GPU; say it with 'submit'");
    return GN_OK;
}

/* For people: we know it by the path of its output. */
static void add_name(const char *token, struct gn_buf *out)
{
    gn_buf_adds(out, "#PBS -N gn-");
    for (size_t i = 0; token[i] && i < NAME_MAX_PBS - 3; i++)
        gn_buf_addc(out, isalnum((unsigned char)token[i]) ? token[i] : '_');
    gn_buf_addc(out, '\n');
}

static int add_sizes(const struct gn_job_wish *w, struct gn_buf *out, struct gn_err *err)
{
    const struct gn_needs *n = w->needs;
    const char *gpu = w->target->gpu_resource;
    int cpus = n->cpus ? n->cpus : 1;
    uint64_t mib = (n->memory_bytes + MIB - 1) / MIB;
    int64_t limit = w->time_s + w->grace_s + SPARE_S;

    if (gpu && gn_directive_check(gpu, "what PBS calls the GPUs", err))
        return err->code;
    gn_buf_addf(out, "#PRO -l select=1:ncpus=%d", cpus);
    if (n->gpus)
        gn_buf_addf(out, ":%s=%d", gpu ? gpu : "ngpus", n->gpus);
    if (mib)
        gn_buf_addf(out, ":mem=%" PRIu64 "mb", mib);
    gn_buf_addf(out, "\n#TORQUE -l nodes=1:ppn=%d", cpus);
    if (n->gpus)
        gn_buf_addf(out, ":%s=%d", gpu ? gpu : "gpus", n->gpus);
    if (mib)
        gn_buf_addf(out, "\n#TORQUE -l mem=%" PRIu64 "mb", mib);
    gn_buf_addc(out, '\n');
    if (w->time_s)
        gn_buf_addf(out, "#PBS -l walltime=%02" PRId64 ":%02d:%02d\n", limit / 3600,
                    (int)(limit / 60 % 60), (int)(limit % 60));
    return GN_OK;
}

static int head(const struct gn_job_wish *w, struct gn_buf *out, struct gn_err *err)
{
    const struct gn_target *t = w->target;
    int rc = check(w, err);

    if (rc)
        return rc;
    gn_buf_adds(out, "#!/bin/sh\n#PBS -S /bin/sh\n#PBS -r n\n#PBS -j oe\n#PBS -m n\n");
    add_name(w->name, out);
    rc = add_sizes(w, out, err);
    if (!rc)
        rc = gn_directive(out, "#PBS -q ", t->partition, "a queue of PBS", err);
    if (!rc)
        rc = gn_directive(out, "#PBS -A ", t->account, "an account of PBS", err);
    return rc ? rc : gn_directive_raw(out, "#PBS ", t, "-l place=excl", err);
}

extern const struct gn_scheduler gn_scheduler_pbs;
const struct gn_scheduler gn_scheduler_pbs = {.name = "pbs", .sh = gn_sh_pbs, .head = head};
