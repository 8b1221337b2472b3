/*
 * engine.h - the way a run travels: created, shipped, started, followed, fetched.
 *
 * Every call is "look at the store, do the next step": the store says what is meant
 * to be true before a step is taken and what became of it after, so whoever comes
 * next, after a crash at any instant, goes on from there.  Over there the run's token
 * makes each step idempotent: nothing is started twice.
 */
#ifndef GNRRUN_ENGINE_H
#define GNRRUN_ENGINE_H

#include "gnrrun/config.h"
#include "gnrrun/fetch.h"
#include "gnrrun/lease.h"
#include "gnrrun/program.h"
#include "gnrrun/scheduler.h"
#include "gnrrun/store.h"
#include "gnrrun/transport.h"

/* Reasons of one that runs and does nothing, as far as was seen when it was last looked at. */
#define GN_RESTS_GPU "gpu-idle"
#define GN_RESTS_LOG "log-silent"

/* What one invocation works with. */
struct gn_engine {
    const struct gn_ctx *ctx;
    struct gn_store *store;
    struct gn_ssh_opts ssh;
    /* How a machine is reached: gn_transport_open(), or a test's own. */
    int (*connect)(const struct gn_ctx *ctx, const struct gn_target *t,
                   const struct gn_ssh_opts *opts, struct gn_transport **out, struct gn_err *err);
    /* gn_provider_open(), or a test's own; NULL: nothing is rented. */
    gn_provider_fn provider;
    /* gn_scheduler_find(), likewise. */
    const struct gn_scheduler *(*scheduler)(const char *name);
    /* An open line to the target of that name, for whoever goes there next; both are the caller's. */
    struct gn_transport *ready;
    char *ready_for;
};

/* All that was asked for with `run`; kept with the run, so that it can be launched again. */
struct gn_spec {
    struct gn_strs words;   /* program and arguments as typed */
    char *cwd;              /* where they were typed */
    char *setup, *python;   /* --setup, --python; NULL: not given */
    struct gn_env_var *env; /* --env */
    size_t n_env;
    struct gn_strs data;   /* --data */
    struct gn_strs allow;  /* --allow */
    struct gn_strs ignore; /* files of the project that our own output goes to */
    int64_t time_s;        /* 0: no limit */
    int64_t grace_s;       /* between TERM and KILL */
    int nice;              /* -1: the target's */
    uint64_t max_bytes;    /* size gate; 0: none */
    char *dest;            /* --results, absolute; NULL: the project */
    bool no_fetch;
    int64_t sync_s; /* fetch every so often while it runs; 0: at the end only */
    struct gn_needs needs;
    int64_t max_microusd; /* --max-cost; 0: nothing paid */
    struct gn_strs sweep; /* --sweep (vary.h); empty: one run */
    int parallel;         /* members at a time; 0: as many as there is room for */
    char *pool;           /* the target that the host was chosen from; NULL: it was named */
};
void gn_spec_clear(struct gn_spec *s);
/* As JSON; out is the caller's. */
void gn_spec_format(const struct gn_spec *s, struct gn_buf *out);
GN_MUST int gn_spec_parse(const char *text, struct gn_spec *out, struct gn_err *err);

/* What would travel and be started: `plan`, `files`, and the first half of a launch. */
struct gn_preview {
    struct gn_program program;
    struct gn_setup setup;
    struct gn_manifest *tree;
    struct gn_buf job, env;
    struct gn_data_item {
        char *path;               /* here, absolute */
        char *name;               /* in the run's work folder */
        char *there;              /* path over there that is used as it is, or NULL */
        struct gn_manifest *tree; /* what to ship otherwise */
    } * data;
    size_t n_data;
};
/* run: its name, for GNRRUN_RUN; NULL: not known yet.  A spec without words is of no program. */
GN_MUST int gn_preview_make(const struct gn_ctx *ctx, const struct gn_config *config,
                            const struct gn_target *target, const struct gn_spec *spec,
                            const char *run, struct gn_preview *out, struct gn_err *err);
void gn_preview_clear(struct gn_preview *p);

/* Write a new run down (durably), with its members if it is a sweep.  Nothing is sent.  *run is the caller's. */
GN_MUST int gn_engine_create(struct gn_engine *e, const struct gn_config *config,
                             const struct gn_target *target, const struct gn_spec *spec,
                             const char *note, struct gn_run *run, struct gn_err *err);

/* `ship`: what the target lacks of project and data comes there; nothing is run. */
struct gn_ship_report {
    char snapshot[GN_HASH_HEX];
    uint64_t entries, files, bytes; /* of the project; entries: with folders and links */
    uint64_t sent_bytes;            /* over the line */
};
/* line: an open connection to use, which stays the caller's, or NULL.  A broken line is tried again. */
GN_MUST int gn_engine_ship(struct gn_engine *e, const struct gn_config *config,
                           const struct gn_target *target, const struct gn_spec *spec,
                           struct gn_transport *line, struct gn_ship_report *report,
                           struct gn_err *err);

enum gn_until {
    GN_UNTIL_STARTED, /* --detach */
    GN_UNTIL_OVER,    /* follow it to its end */
    GN_UNTIL_FETCHED, /* and bring the results home */
};

/*
 * Do what is left to do of run, whatever state it is in.  Output goes out as GN_EV_LOG from
 * byte run->shown_bytes on.  GN_OK: as far as asked.  GN_E_CANCEL: interrupted; the run goes on
 * (state says whether it was started).  Once the run is over, errors are of the fetch.
 * An error before anything was sent leaves no row behind: run->id is 0 then.
 */
GN_MUST int gn_engine_drive(struct gn_engine *e, struct gn_run *run, enum gn_until until,
                            struct gn_err *err);

/*
 * The log alone (of a run on several nodes: that of task `rank`, 0: the run's own), from byte `from` on, to its end if `follow`, else to what there is now.  What
 * `attach` goes on from is not touched.
 */
GN_MUST int gn_engine_log(struct gn_engine *e, struct gn_run *run, int rank, int64_t from,
                          bool follow, struct gn_err *err);

/* Ask the far sides how runs are (at most one connection a target); unreachable ones stay as they are. */
GN_MUST int gn_engine_refresh(struct gn_engine *e, struct gn_run *const *runs, size_t n,
                              struct gn_err *err);

/* TERM, grace, KILL.  Already over is GN_OK. */
GN_MUST int gn_engine_stop(struct gn_engine *e, struct gn_run *run, int64_t grace_s,
                           struct gn_err *err);

/* Results now.  patterns empty: those of the project; dest NULL: where the run wants them. */
GN_MUST int gn_engine_fetch(struct gn_engine *e, struct gn_run *run, const struct gn_strs *patterns,
                            const char *dest, struct gn_fetch_report *report, struct gn_err *err);

/* Remove it over there, then forget it.  force: also when it runs or was never fetched. */
GN_MUST int gn_engine_remove(struct gn_engine *e, struct gn_run *run, bool force,
                             struct gn_err *err);

/* A connection to where the run lives; root: its folder's parent ("a_root"). */
GN_MUST int gn_engine_connect(struct gn_engine *e, const struct gn_run *run,
                              struct gn_transport **out, struct gn_target *target,
                              struct gn_err *err);

/* What the far side says about itself: lines of op probe, one a string. */
GN_MUST int gn_engine_probe(struct gn_engine *e, const struct gn_target *target,
                            struct gn_strs *lines, struct gn_err *err);

/* Exit status of `run`, `attach`, `logs -f` for a run that is over; -1: it is not. */
int gn_run_exit_status(const struct gn_run *run);

/* One line for people: "succeeded", "failed with status 3", "killed by KILL", ... */
void gn_run_outcome(const struct gn_run *run, struct gn_buf *out);

#endif
