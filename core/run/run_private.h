/*
 * run_private.h - what the files of core/run/ share.
 */
#ifndef GNRRUN_RUN_PRIVATE_H
#define GNRRUN_RUN_PRIVATE_H

#include "gnrrun/engine.h"
#include "gnrrun/far.h"
#include "gnrrun/lease.h"

/* One run on its way: the row, what it was asked to be, and the line to where it lives. */
struct gn_road {
    struct gn_engine *e;
    struct gn_run *run;
    struct gn_spec spec;
    struct gn_config config;
    struct gn_target target;
    struct gn_transport *line;      /* NULL: not connected */
    const struct gn_manifest *tree; /* what is about to be shipped; or NULL */
    char client[17]; /* of this process: what it left half done over there is its own */
    bool connected_once;
    bool is_kept; /* the line is somebody's who will go on with it */
    bool have_config;
    bool rented; /* target is the machine that was made; of this: */
    struct gn_target cloud;
    bool forward;   /* follow: wait for what is still to come */
    int64_t *shown; /* follow: what was shown; of the run itself, or of a look aside */
    char queue[16]; /* launch: the batch queue that was found there */
    int rank;       /* follow: of which task of a run on several nodes; 0: the run's own log */
    bool aside;     /* the latter: `attach` does not go on from there */
};

/* Read the record, the project's files and the target's entry; no network. */
GN_MUST int gn_road_open(struct gn_engine *e, struct gn_run *run, struct gn_road *road,
                         struct gn_err *err);
void gn_road_close(struct gn_road *road);
/* One whose parts are all the caller's: to be hung up, not closed. */
void gn_road_lend(struct gn_road *road, struct gn_engine *e, struct gn_run *run,
                  const struct gn_config *config, const struct gn_target *target,
                  const struct gn_spec *spec);

/* How to log in, from here on; and that it was done. */
struct gn_ssh_opts gn_road_ssh_opts(const struct gn_road *road);
void gn_road_connected(struct gn_road *road);

/* Make sure there is a line; drop a broken one first with gn_road_hang_up(). */
GN_MUST int gn_road_connect(struct gn_road *road, struct gn_err *err);
void gn_road_hang_up(struct gn_road *road);

/* Wait before trial number n (from 0) of a broken line: 0.2 s, 0.5 s, 1 s, ... 30 s, with jitter. */
GN_MUST int gn_road_wait(struct gn_road *road, unsigned n, struct gn_err *err);

/* A broken line, as opposed to a refusal. */
bool gn_is_line_error(int rc);

/* Put what the far side says into the row and the store; reports a change of state. */
GN_MUST int gn_road_note_status(struct gn_road *road, const struct gn_far_status *st,
                                struct gn_err *err);
/* Set the state, durably. */
GN_MUST int gn_road_set_state(struct gn_road *road, enum gn_state state, struct gn_err *err);

/* --- notes of what lies over there (base.c) --- */

struct gn_base_notes {
    const struct gn_manifest *sure;     /* what certainly was there; NULL: nothing is known */
    const struct gn_manifest *intended; /* what was on its way when the line broke; or NULL */
    struct gn_manifest *read[2];        /* what of them is ours */
    bool zstd;                          /* it can unpack that */
};

/* Name of the project's folder of snapshots over there, the same on every invocation; the caller's. */
char *gn_base_key(const struct gn_project *project);
/* A note that says what road->tree is becomes just that: it is not read, nor twice in memory. */
void gn_base_load(const struct gn_road *road, const char *key, struct gn_base_notes *out);
void gn_base_notes_clear(struct gn_base_notes *n);
/* Before it is sent, and when it has arrived. */
void gn_base_intend(const struct gn_road *road, const char *key, const struct gn_base_notes *notes,
                    const struct gn_manifest *tree);
void gn_base_settle(const struct gn_road *road, const char *key, const struct gn_base_notes *notes,
                    const struct gn_manifest *tree);
/* What the line takes: 'z' zstd, 'i' programs as commands, 'q' those in plain quotes; and noting it. */
bool gn_base_line_note(const struct gn_road *road, char letter);
/* The batch queue that was found there, or NULL; the caller's.  And noting it. */
char *gn_base_queue(const struct gn_road *road);
void gn_base_note_queue(const struct gn_road *road, const char *name);
void gn_base_note_line(const struct gn_road *road, bool zstd, bool plain);

/* --- dialing in a thread (dial.c) --- */

/* NULL when there is a line, or no thread to be had: gn_road_connect() does it then. */
struct gn_dial *gn_dial_start(struct gn_road *road);
/* The ctx for what is done meanwhile, in room. */
const struct gn_ctx *gn_dial_ctx(struct gn_dial *d, struct gn_ctx *room);
/* The line is the road's, or is dropped when it is not wanted any more; frees.  NULL is allowed. */
GN_MUST int gn_dial_join(struct gn_dial *d, bool wanted, struct gn_err *err);

/* Connected, and the preview made, at the same time. */
GN_MUST int gn_road_prepare(struct gn_road *road, struct gn_preview *view, struct gn_err *err);

/* --- on a machine that is made for it (rented.c) --- */

struct gn_leasing gn_leasing_of(const struct gn_engine *e);
/* The machine of road->target, a cloud, becomes its target: as the record has it, if it does. */
GN_MUST int gn_rented_known(struct gn_road *road, struct gn_err *err);
/* The same, asking the provider; made if the run is only about to begin.  One that is gone takes its run with it. */
GN_MUST int gn_rented_get(struct gn_road *road, struct gn_err *err);
/* Log in to it, as soon as it is ready for that. */
GN_MUST int gn_rented_dial(struct gn_road *road, struct gn_err *err);
/* End it, if the run has one. */
GN_MUST int gn_rented_end(struct gn_engine *e, const struct gn_run *run, struct gn_err *err);

/* Ship if need be, start if need be; after it the run is started, or over. */
GN_MUST int gn_road_launch(struct gn_road *road, struct gn_err *err);

/* Bring log bytes here and show them until the run is over. */
GN_MUST int gn_road_follow(struct gn_road *road, struct gn_err *err);

/* Results, by the spec's wishes unless patterns or dest say otherwise. */
GN_MUST int gn_road_fetch(struct gn_road *road, const struct gn_strs *patterns, const char *dest,
                          bool while_running, struct gn_fetch_report *report, struct gn_err *err);

/* The same, trying again over a broken line; and all results at the end, where they are wanted. */
GN_MUST int gn_road_fetch_retrying(struct gn_road *road, const struct gn_strs *patterns,
                                   const char *dest, bool while_running,
                                   struct gn_fetch_report *report, struct gn_err *err);
void gn_road_say_fetched(const struct gn_road *road, const struct gn_fetch_report *r);
GN_MUST int gn_road_bring(struct gn_road *road, struct gn_err *err);

/* Where the target keeps our things, as the a_root of every program. */
const char *gn_road_root(const struct gn_road *road);

/* The row goes, those of its members too, and then what lies here of them. */
GN_MUST int gn_run_forget(struct gn_engine *e, const struct gn_run *run, struct gn_err *err);

/* *to becomes a copy of text, which may be *to itself. */
void gn_run_set_text(char **to, const char *text);

#endif
