/*
 * sge.c - a run as a job of Grid Engine (qsub(1) of 8.1; its forks differ in what they can be asked for).
 *
 * What a site calls its parallel environment and its GPUs is its own: `pe` and `gpu_resource` of the
 * target.  So is what it calls memory, and there nothing can be taken for granted: h_vmem, which all
 * know, is a limit that CUDA does not live with, and with "-w e" mem_free, which is a load, never fits.
 */
#include <inttypes.h>

#include "gnrrun/far.h"
#include "providers/scheduler/directive.h"

#define SPARE_S 150 /* for the start, and for our own limit to do its work */
#define MIB     ((uint64_t)1 << 20)

/* What it has no words for. */
static int check(const struct gn_job_wish *w, struct gn_err *err)
{
    if (w->needs->nodes > 1)
        return gn_err_set(err, GN_E_CONFIG,
                          "this version starts a job of Grid Engine on one node only");
    if (w->target->qos)
        return gn_err_set(err, GN_E_CONFIG, "Grid Engine knows no 'qos'");
    if (w->needs->gpu_type)
        return gn_err_set(err, GN_E_CONFIG,
                          "Grid Engine has no common word for a kind of GPU; say it with 'submit'");
    return GN_OK;
}

/* Of each slot. */
static int add_memory(const struct gn_job_wish *w, struct gn_buf *out, struct gn_err *err)
{
    const char *memory = w->target->memory_resource;
    uint64_t slots = w->needs->cpus > 1 ? (uint64_t)w->needs->cpus : 1;

    if (!w->needs->memory_bytes)
        return GN_OK;
    if (!memory) {
        gn_err_set(err, GN_E_CONFIG, "what this Grid Engine calls memory is not known");
        return gn_err_hint(err, "set the target's 'memory_resource', to mem or h_vmem, say");
    }
    if (gn_directive_check(memory, "what Grid Engine calls memory", err))
        return err->code;
    gn_buf_addf(out, "#$ -l %s=%" PRIu64 "M\n", memory,
                (w->needs->memory_bytes + slots * MIB - 1) / (slots * MIB));
    return GN_OK;
}

static int add_sizes(const struct gn_job_wish *w, struct gn_buf *out, struct gn_err *err)
{
    const struct gn_needs *n = w->needs;
    const char *pe = w->target->pe ? w->target->pe : "smp";
    const char *gpu = w->target->gpu_resource ? w->target->gpu_resource : "gpu";
    int slots = n->cpus > 1 ? n->cpus : 1;
    int rc = gn_directive_check(pe, "a parallel environment of Grid Engine", err);

    if (!rc)
        rc = gn_directive_check(gpu, "what Grid Engine calls the GPUs", err);
    if (rc)
        return rc;
    if (slots > 1)
        gn_buf_addf(out, "#$ -pe %s %d\n", pe, slots);
    if (w->time_s)
        gn_buf_addf(out, "#$ -l h_rt=%" PRId64 "\n", w->time_s + w->grace_s + SPARE_S);
    if (n->gpus)
        gn_buf_addf(out, "#$ -l %s=%d\n", gpu, n->gpus);
    return add_memory(w, out, err);
}

static int head(const struct gn_job_wish *w, struct gn_buf *out, struct gn_err *err)
{
    const struct gn_target *t = w->target;
    int rc = check(w, err);

    if (rc)
        return rc;
    gn_buf_addf(out, "#!/bin/sh\n#$ -N gn-%s\n#$ -r n\n", w->name);
    if (w->members)
        gn_buf_addf(out, "#$ -t 1-%" PRId64 "\n", w->members);
    if (w->members && w->parallel)
        gn_buf_addf(out, "#$ -tc %d\n", w->parallel);
    rc = add_sizes(w, out, err);
    if (!rc)
        rc = gn_directive(out, "#$ -q ", t->partition, "a queue of Grid Engine", err);
    if (!rc)
        rc = gn_directive(out, "#$ -P ", t->account, "a project of Grid Engine", err);
    return rc ? rc : gn_directive_raw(out, "#$ ", t, "-l host=n01", err);
}

extern const struct gn_scheduler gn_scheduler_sge;
const struct gn_scheduler gn_scheduler_sge = {
    .name = "sge", .sh = gn_sh_sge, .member = "$SGE_TASK_ID", .head = head};
