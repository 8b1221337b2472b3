/*
 * program.h - from what the user typed to the sh program that starts it over there.
 */
#ifndef GNRRUN_PROGRAM_H
#define GNRRUN_PROGRAM_H

#include "gnrrun/config.h"

enum gn_program_kind {
    GN_PROG_PYTHON,   /* train.py */
    GN_PROG_MODULE,   /* -m pkg.mod */
    GN_PROG_SHELL,    /* train.sh */
    GN_PROG_NOTEBOOK, /* notebook.ipynb */
    GN_PROG_CAFFE,    /* solver.prototxt */
    GN_PROG_EXEC,     /* an executable file of the project, or a command that is found there */
};

struct gn_program {
    enum gn_program_kind kind;
    char *file;           /* relative to the project, or NULL (-m, a command) */
    char *workdir;        /* folder to start in, relative to the project, "" for its root */
    struct gn_strs words; /* program as typed and its arguments */
};

/*
 * words: PROGRAM ARGS... as typed; cwd: where the user stands.  A program that is a file
 * must lie in the project.  No such file: GN_E_NOTFOUND, with the nearest name as the hint.
 */
GN_MUST int gn_program_resolve(const struct gn_ctx *ctx, const struct gn_project *p,
                               const struct gn_strs *words, struct gn_program *out,
                               struct gn_err *err);
void gn_program_clear(struct gn_program *p);

/* One line for people and for `ps`: words quoted where need be. */
char *gn_program_text(const struct gn_program *p);

/* How its packages are made: */
struct gn_setup {
    enum {
        GN_SETUP_NONE,
        GN_SETUP_COMMAND,
        GN_SETUP_REQUIREMENTS,
        GN_SETUP_PYPROJECT,
        GN_SETUP_CONDA
    } kind;
    char *command; /* GN_SETUP_COMMAND: sh lines */
    char *file;    /* requirements.txt, ...: relative to the project */
    char key[65];  /* hash of all that its result depends on, but the far side's Python */
};
GN_MUST int gn_setup_detect(const struct gn_ctx *ctx, const struct gn_project *p,
                            const char *command /* --setup or NULL */, struct gn_setup *out,
                            struct gn_err *err);
void gn_setup_clear(struct gn_setup *s);

/*
 * The files of the run's folder over there: "job" (sh: environment, setup, exec of the
 * program; run by the supervisor) and "env" (sh: export lines, 0600).  secrets: values
 * for env entries whose value is NULL come from ctx->env; one that is unset is GN_E_CONFIG.
 */
struct gn_job_opts {
    const struct gn_project *project;
    const struct gn_target *target;
    const struct gn_program *program;
    const struct gn_setup *setup;
    const struct gn_env_var *env; /* --env, strongest */
    size_t n_env;
    const char *python; /* --python, or NULL */
};
GN_MUST int gn_job_write(const struct gn_ctx *ctx, const struct gn_job_opts *o, struct gn_buf *job,
                         struct gn_buf *env, struct gn_err *err);

#endif
