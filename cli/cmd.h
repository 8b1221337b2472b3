/*
 * cmd.h - what a command is, and what it is given.
 *
 * A command is one file cli/cmd_NAME.c with
 *
 *     int cmd_NAME(struct gn_cli *c, struct gn_err *err);
 *
 * and one line in commands.def.  It returns the exit status of the process (0, the program's own,
 * or an enum gn_exit), or a negative enum gn_rc with err set: cli/main.c prints that with its
 * hint and maps it to the exit status.  A command never prints errors and never exits.
 *
 * Options come from its tables in options.c and are checked already:
 *
 *     const char *target = gn_args_text(&c->args, "target");      NULL: not given
 *     int64_t limit_s = gn_args_num(&c->args, "time", 0);          seconds, bytes, count, micro-$
 *     bool detach = gn_args_has(&c->args, "detach");
 *     gn_args_each(&c->args, "env", &strs);                        each --env
 *     c->args.words                                                RUN, PROGRAM ARGS...
 *
 * Core reports through c->ctx->event, which shows it (words and bars on stderr, the program's
 * bytes on stdout) or writes it as JSON lines.  Rows: gn_table_*() or, if c->json, gn_ui_json().
 *
 * Ctrl-C, SIGTERM, SIGHUP and a closed stdout make gn_interrupted(ctx) true and waits end with
 * GN_E_CANCEL.  A command that goes on after that (to stop the run) calls gn_cli_resume().
 */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include "cli/exit.h"
#include "cli/opt.h"
#include "cli/ui.h"
#include "gnrrun/config.h"
#include "gnrrun/ctx.h"
#include "gnrrun/store.h"

struct gn_command;

struct gn_cli {
    const struct gn_ctx *ctx;
    const struct gn_command *command;
    struct gn_args args;
    struct gn_ui *ui;
    bool json, quiet, verbose;
};

enum gn_group { GN_GROUP_START, GN_GROUP_WATCH, GN_GROUP_HOME, GN_GROUP_CARE, GN_GROUPS };

struct gn_command {
    const char *name;
    int (*fn)(struct gn_cli *c, struct gn_err *err);
    enum gn_group group;
    enum gn_opt_mode mode;
    int min_words, max_words; /* max -1: any number */
    const char *usage;        /* after "gnrrun " */
    const char *line;         /* what it does, one line */
    unsigned ends;            /* GN_ENDS...: how it may end */
    const struct gn_opt *const *options;
    const char *example[2];
};

const struct gn_command *gn_command_list(size_t *n);
const struct gn_command *gn_command_find(const char *name); /* or NULL */

/* What interrupted us last: SIGINT, SIGTERM, SIGHUP, SIGPIPE (stdout closed), or 0. */
int gn_cli_signal(const struct gn_cli *c);
/* How often since the start or the last gn_cli_resume(). */
int gn_cli_interrupts(const struct gn_cli *c);
/* Forget the interruptions, so that waits wait again. */
void gn_cli_resume(struct gn_cli *c);

/* Configuration as seen from ctx->cwd; notes are reported as warnings. */
GN_MUST int gn_cli_config(struct gn_cli *c, struct gn_config *out, struct gn_err *err);
/* The run that word i names; without such a word the newest of this project. */
GN_MUST int gn_cli_run(struct gn_cli *c, struct gn_store *s, size_t i, struct gn_run *out,
                       struct gn_err *err);

/*
 * `gnrrun train.py >log 2>err` in the project: these files grow by our own words while the
 * project is read.  Add them to ignore, as patterns that match nothing else.
 */
void gn_cli_skip_own_output(const char *root, struct gn_strs *ignore);

/* The commands. */
#define GN_COMMAND(name, ...) int cmd_##name(struct gn_cli *c, struct gn_err *err);
#include "cli/commands.def"
#undef GN_COMMAND

#endif
