/*
 * slurm.c - a run as a Slurm job (sbatch(1) of 20.02 and later).
 *
 * The limit that counts is ours, kept by the supervisor in the job; Slurm's is set a little later,
 * for when that fails.  Slurm warns a while before its own (which a site may set where nobody
 * asked): the supervisor takes USR1 for "the time is over".
 */
#include <inttypes.h>

#include "gnrrun/far.h"
#include "providers/scheduler/directive.h"

#define WARN_S  30  /* before the limit, and up to a minute sooner */
#define SPARE_S 150 /* for the start, the warning, and the minutes that Slurm counts in */
#define MIB     ((uint64_t)1 << 20)

static int add_gpus(const struct gn_needs *n, struct gn_buf *out, struct gn_err *err)
{
    int rc = n->gpu_type ? gn_directive_check(n->gpu_type, "a kind of GPU", err) : GN_OK;

    if (!rc && n->gpus)
        gn_buf_addf(out, "#SBATCH --gres=gpu:%s%s%d\n", n->gpu_type ? n->gpu_type : "",
                    n->gpu_type ? ":" : "", n->gpus);
    return rc;
}

/* On a node; on several nodes there is one for each GPU. */
static int tasks_of(const struct gn_needs *n)
{
    return n->nodes > 1 && n->gpus > 1 ? n->gpus : 1;
}

static void add_sizes(const struct gn_job_wish *w, struct gn_buf *out)
{
    const struct gn_needs *n = w->needs;

    if (n->cpus)
        gn_buf_addf(out, "#SBATCH --cpus-per-task=%d\n",
                    n->cpus > tasks_of(n) ? n->cpus / tasks_of(n) : 1);
    if (n->memory_bytes)
        gn_buf_addf(out, "#SBATCH --mem=%" PRIu64 "M\n", (n->memory_bytes + MIB - 1) / MIB);
    if (w->time_s)
        gn_buf_addf(out, "#SBATCH --time=%" PRId64 "\n",
                    (w->time_s + w->grace_s + SPARE_S + 59) / 60);
}

static int head(const struct gn_job_wish *w, struct gn_buf *out, struct gn_err *err)
{
    const struct gn_target *t = w->target;
    const struct gn_needs *n = w->needs;
    int tasks = tasks_of(n), rc;

    gn_buf_addf(out,
                "#!/bin/sh\n"
                "#SBATCH --job-name=%s\n"
                "#SBATCH --nodes=%d\n"
                "#SBATCH --ntasks-per-node=%d\n"
                "#SBATCH --no-requeue\n"
                "#SBATCH --signal=B:USR1@%d\n",
                w->name, n->nodes > 1 ? n->nodes : 1, tasks, WARN_S);
    if (w->members)
        gn_buf_addf(out, "#SBATCH --array=1-%" PRId64, w->members);
    if (w->members && w->parallel)
        gn_buf_addf(out, "%%%d", w->parallel);
    if (w->members)
        gn_buf_addc(out, '\n');
    add_sizes(w, out);
    rc = add_gpus(w->needs, out, err);
    if (!rc)
        rc = gn_directive(out, "#SBATCH --partition=", t->partition, "a partition of Slurm", err);
    if (!rc)
        rc = gn_directive(out, "#SBATCH --account=", t->account, "an account of Slurm", err);
    if (!rc)
        rc = gn_directive(out, "#SBATCH --qos=", t->qos, "a qos of Slurm", err);
    return rc ? rc : gn_directive_raw(out, "#SBATCH ", t, "--constraint=v100", err);
}

extern const struct gn_scheduler gn_scheduler_slurm;
const struct gn_scheduler gn_scheduler_slurm = {
    .name = "slurm", .sh = gn_sh_slurm, .member = "$SLURM_ARRAY_TASK_ID", .head = head};
