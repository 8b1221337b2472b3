/*
 * slurm.c - a run as a Slurm job (sbatch(1) of 20.02 and later).
 *
 * The limit that counts is ours, kept by the supervisor in the job; Slurm's is set a little later,
 * for when that fails.  Slurm warns a while before its own (which a site may set where nobody
 * asked): the supervisor takes USR1 for "the time is over".
 */
#include <inttypes.h>
#include <string.h>

#include "gnrrun/far.h"
#include "gnrrun/scheduler.h"

#define WARN_S   30  /* before the limit, and up to a minute sooner */
#define SPARE_S  150 /* for the start, the warning, and the minutes that Slurm counts in */
#define MIB      ((uint64_t)1 << 20)
#define WORD_MAX 200

/* A value becomes a word of a directive line: nothing that sbatch splits, quotes or comments at. */
static bool is_word(const char *s)
{
    return *s && strlen(s) <= WORD_MAX &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                     "._-+:,@%/=[]&|*") == strlen(s);
}

static int option(struct gn_buf *out, const char *key, const char *value, struct gn_err *err)
{
    if (!value)
        return GN_OK;
    if (!is_word(value)) {
        struct gn_buf safe = GN_BUF_INIT(512);

        gn_buf_addsafe(&safe, value, strlen(value), 100);
        gn_err_set(err, GN_E_CONFIG, "'%s' cannot be a %s of Slurm", safe.ptr, key);
        gn_buf_clear(&safe);
        return err->code;
    }
    gn_buf_addf(out, "#SBATCH --%s=%s\n", key, value);
    return GN_OK;
}

static int add_gpus(const struct gn_needs *n, struct gn_buf *out, struct gn_err *err)
{
    if (n->gpus && n->gpu_type && !is_word(n->gpu_type))
        return option(out, "gres", n->gpu_type, err);
    if (n->gpus)
        gn_buf_addf(out, "#SBATCH --gres=gpu:%s%s%d\n", n->gpu_type ? n->gpu_type : "",
                    n->gpu_type ? ":" : "", n->gpus);
    return GN_OK;
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

/* What the user wants that we have no word for: "--constraint=v100". */
static int add_raw(const struct gn_target *t, struct gn_buf *out, struct gn_err *err)
{
    for (size_t i = 0; i < t->submit.n; i++) {
        if (t->submit.v[i][0] != '-' || strpbrk(t->submit.v[i], "\r\n"))
            return gn_err_set(err, GN_E_CONFIG,
                              "target '%s': each of 'submit' must be an option of sbatch, such as "
                              "--constraint=v100",
                              t->name);
        gn_buf_addf(out, "#SBATCH %s\n", t->submit.v[i]);
    }
    return GN_OK;
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
        rc = option(out, "partition", t->partition, err);
    if (!rc)
        rc = option(out, "account", t->account, err);
    if (!rc)
        rc = option(out, "qos", t->qos, err);
    return rc ? rc : add_raw(t, out, err);
}

extern const struct gn_scheduler gn_scheduler_slurm;
const struct gn_scheduler gn_scheduler_slurm = {
    .name = "slurm", .sh = gn_sh_slurm, .member = "$SLURM_ARRAY_TASK_ID", .head = head};
