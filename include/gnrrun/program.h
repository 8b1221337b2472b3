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
    GN_PROG_EXEC,     /* an executable file of the project */
    GN_PROG_COMMAND,  /* a command that is found over there: make, torchrun, python -c */
};

struct gn_program {
    enum gn_program_kind kind;
    char *file;           /* relative to the project, or NULL (-m, a command) */
    char *workdir;        /* folder to start in, relative to the project, "" for its root */
    char *start;          /* what is started: file as seen from workdir, module, command */
    char *interp;         /* GN_PROG_SHELL: sh, bash, ...; else NULL */
    struct gn_strs words; /* program as typed and its arguments */
    size_t first_arg;     /* words[first_arg...] are the program's arguments */
};

/*
 * words: PROGRAM ARGS... as typed; ctx->cwd: where the user stands (its root for `run:` of
 * gnrrun.yaml).  "python x.py" and "python -m x" are taken for what they start.  A program that
 * is a file must lie in the project; it starts in the folder the user stands in, as it would
 * here (in the project's root when that is outside of it).  A word without "/" and without a
 * known ending that is no file is a command over there.  No such file: GN_E_NOTFOUND, with the
 * nearest name as the hint.
 */
GN_MUST int gn_program_resolve(const struct gn_ctx *ctx, const struct gn_project *p,
                               const struct gn_strs *words, struct gn_program *out,
                               struct gn_err *err);
void gn_program_clear(struct gn_program *p);

/* One line for people and for `ps`: words quoted where need be. */
char *gn_program_text(const struct gn_program *p);

/* A command line (`run:`) into words: quotes and backslashes as in sh, nothing is expanded. */
GN_MUST int gn_words_split(const char *line, struct gn_strs *out, struct gn_err *err);

enum gn_setup_kind {
    GN_SETUP_NONE,
    GN_SETUP_COMMAND,
    GN_SETUP_REQUIREMENTS,
    GN_SETUP_PYPROJECT,
    GN_SETUP_CONDA
};

/* How its packages are made. */
struct gn_setup {
    enum gn_setup_kind kind;
    char *command;        /* GN_SETUP_COMMAND: sh lines */
    char *file;           /* requirements.txt, ...: relative to the project */
    char key[65];         /* hash of all that its result depends on, but the far side */
    bool venv;            /* wants a virtual environment */
    bool local;           /* installs from the project itself: holds for one snapshot only */
    struct gn_strs paths; /* folders of the project that hold packages of its own, "." for it */
};

/*
 * command (--setup, or NULL), else p->setup, else requirements.txt, pyproject.toml with something
 * to install, environment.yml.  A command that is blank: no setup.  The key covers the text, the
 * files that it names (and those name), and the project's dependency files.
 */
GN_MUST int gn_setup_detect(const struct gn_ctx *ctx, const struct gn_project *p,
                            const char *command, struct gn_setup *out, struct gn_err *err);
void gn_setup_clear(struct gn_setup *s);

/*
 * ">=3.9,<3.13" as an expression of Python's over v = sys.version_info, appended to out.
 * Compared are as many parts as are written: "<=3.12" and "3.12" let 3.12.4 pass.
 */
GN_MUST int gn_python_expr(const char *constraint, struct gn_buf *out, struct gn_err *err);

/*
 * The files of the run's folder over there: "job" (sh: environment, setup, exec of the
 * program; run by the supervisor) and "env" (sh: export lines, 0600).  Of project, target and
 * opts env the later one wins.  A value that is NULL comes from ctx->env and is secret: the job
 * then removes env as soon as it has read it.  One that is unset is GN_E_CONFIG.
 *
 * The job expects the work folder as its cwd, GNRRUN_RUN_DIR (this run's folder) and GNRRUN_ROOT
 * (its env/ holds the packages) absolute and exported.  It leaves in the run's folder:
 *     phase          "setup" while that goes on
 *     setup.failed   the status, if the program was never started because of it
 */
struct gn_job_opts {
    const struct gn_project *project;
    const struct gn_target *target; /* or NULL */
    const struct gn_program *program;
    const struct gn_setup *setup;
    const struct gn_env_var *env; /* --env, strongest */
    size_t n_env;
    const char *python;   /* --python, or NULL: a path or name over there, or a version */
    const char *run;      /* its name, becomes GNRRUN_RUN; NULL: its folder's name */
    const char *snapshot; /* id of what is shipped; NULL: setups that change files are not kept */
    int nodes,
        gpus; /* on more than one node srun starts "rank" for each, or for each of its GPUs */
};
/* The file "rank" of the run's folder, where nodes is more than one. */
extern const char gn_job_rank[];

GN_MUST int gn_job_write(const struct gn_ctx *ctx, const struct gn_job_opts *o, struct gn_buf *job,
                         struct gn_buf *env, struct gn_err *err);

#endif
