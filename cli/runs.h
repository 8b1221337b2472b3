/*
 * runs.h - what run, attach, logs, stop and their kin share.
 */
#ifndef CLI_RUNS_H
#define CLI_RUNS_H

#include "cli/cmd.h"
#include "gnrrun/engine.h"

/* An engine that reaches targets and knows no runs. */
struct gn_engine gn_cli_road(const struct gn_cli *c);

/* The store and what else the engine wants; close the store when done. */
GN_MUST int gn_cli_engine(struct gn_cli *c, struct gn_engine *e, struct gn_err *err);
/* The store, and a line that nobody took. */
void gn_cli_engine_close(struct gn_engine *e);

/*
 * The project of the program that was typed (or of cwd), its target and the request; out's are
 * the caller's to clear.
 */
struct gn_asked {
    struct gn_config config;
    struct gn_target target;
    struct gn_spec spec;
};
/* program: one must be given, or configured. */
GN_MUST int gn_cli_asked(struct gn_cli *c, bool program, struct gn_asked *out, struct gn_err *err);
void gn_asked_clear(struct gn_asked *a);

/* What plan and --dry-run say. */
GN_MUST int gn_cli_preview(struct gn_cli *c, const struct gn_asked *a, struct gn_err *err);

/* Drive run as far as asked and say how it went; the exit status of the process, or an error. */
int gn_cli_drive(struct gn_cli *c, struct gn_engine *e, struct gn_run *run, enum gn_until until,
                 struct gn_err *err);

/* --no-fetch, --results, --sync of the command line, put into the run's record (in memory). */
GN_MUST int gn_cli_override(struct gn_cli *c, struct gn_run *run, struct gn_err *err);

/* The members of a sweep as a table; as "members" of an object. */
GN_MUST int gn_cli_sweep_table(struct gn_cli *c, struct gn_store *s, const struct gn_run *run,
                               struct gn_err *err);
GN_MUST int gn_cli_sweep_json(struct gn_cli *c, struct gn_store *s, const struct gn_run *run,
                              struct gn_json *out, struct gn_err *err);

/* One line: how the run is or went. */
void gn_cli_say_outcome(struct gn_cli *c, const struct gn_run *run);

#endif
