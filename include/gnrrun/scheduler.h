/*
 * scheduler.h - how a run starts where a batch queue stands between login and machines.
 *
 * A scheduler is text and does no I/O: the directives of the job's script, and sh words that submit
 * it, ask for it and cancel it, which travel with the run (core/remote/sh/queue.sh).  Adding one is a
 * file in providers/scheduler/, a file of sh words in core/remote/sh/, and a line in
 * providers/scheduler/schedulers.def.
 */
#ifndef GNRRUN_SCHEDULER_H
#define GNRRUN_SCHEDULER_H

#include "gnrrun/config.h"

/* What the queue is asked for. */
struct gn_job_wish {
    const char *name;               /* of the job: the run's token */
    const struct gn_needs *needs;   /* 0 and NULL: what the site gives by itself */
    const struct gn_target *target; /* partition, account, qos, submit */
    int64_t time_s;                 /* our own limit, 0: none */
    int64_t grace_s;                /* that follows it */
    int64_t members;                /* of a sweep: one job for each; 0: it is none */
    int parallel;                   /* of them at a time; 0: as the queue likes */
};

struct gn_scheduler {
    const char *name; /* "slurm" */
    const char *sh;   /* its words */
    /* In the script: which member of a sweep this job is, "$SLURM_ARRAY_TASK_ID". */
    const char *member;
    /* The script's first lines, from "#!/bin/sh" on.  GN_E_CONFIG for what it cannot say. */
    int (*head)(const struct gn_job_wish *w, struct gn_buf *out, struct gn_err *err);
};

/* The one of that name; NULL for NULL, "direct" and names of later versions. */
const struct gn_scheduler *gn_scheduler_find(const char *name);

#endif
