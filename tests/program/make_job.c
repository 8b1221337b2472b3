/*
 * make_job - write the files "job" and "env" of a run as core would, for tests.
 *
 *     make_job PROJECT CWD OUT [KEY=VALUE...] -- PROGRAM ARGS...
 *
 * KEY: gpus, setup, psetup (of the project), tsetup (of the target), range, python, run, snapshot, env
 * (its value is K=V or K).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "gnrrun/program.h"

#define ENV_MAX 16

struct request {
    struct gn_project project;
    struct gn_target target;
    struct gn_job_opts opts;
    struct gn_env_var env[ENV_MAX];
    char *setup;
};

static const char *real_env(const struct gn_ctx *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static void take_env(struct request *r, char *value)
{
    char *eq = strchr(value, '=');

    if (r->opts.n_env == ENV_MAX)
        return;
    if (eq)
        *eq++ = 0;
    r->env[r->opts.n_env++] = (struct gn_env_var){.name = value, .value = eq};
}

static bool take(struct request *r, char *word)
{
    char *value = strchr(word, '=');

    if (!value)
        return false;
    *value++ = 0;
    if (!strcmp(word, "setup"))
        r->setup = value;
    else if (!strcmp(word, "psetup"))
        r->project.setup = value;
    else if (!strcmp(word, "tsetup"))
        r->target.setup = value;
    else if (!strcmp(word, "range"))
        r->project.python = value;
    else if (!strcmp(word, "python"))
        r->opts.python = value;
    else if (!strcmp(word, "gpus"))
        r->opts.gpus = (int)strtol(value, NULL, 10);
    else if (!strcmp(word, "run"))
        r->opts.run = value;
    else if (!strcmp(word, "snapshot"))
        r->opts.snapshot = value;
    else if (!strcmp(word, "env"))
        take_env(r, value);
    else
        return false;
    return true;
}

static int write_files(const char *dir, const struct gn_buf *job, const struct gn_buf *env,
                       struct gn_err *err)
{
    char *job_path = gn_path_join(dir, "job");
    char *env_path = gn_path_join(dir, "env");
    int rc = gn_fs_replace(job_path, job->ptr, job->len, 0600, err);

    if (rc == GN_OK)
        rc = gn_fs_replace(env_path, env->ptr, env->len, 0600, err);
    free(job_path);
    free(env_path);
    return rc;
}

static int run(struct request *r, const struct gn_ctx *ctx, const struct gn_strs *words,
               const char *dir, struct gn_err *err)
{
    struct gn_program program = {0};
    struct gn_setup setup = {.kind = GN_SETUP_NONE};
    struct gn_buf job = GN_BUF_INIT(GN_MAX_PROGRAM);
    struct gn_buf env = GN_BUF_INIT(GN_MAX_FILE);
    int rc = gn_program_resolve(ctx, &r->project, words, &program, err);

    if (rc == GN_OK)
        rc = gn_setup_detect(ctx, &r->project, r->setup, &setup, err);
    r->opts.project = &r->project;
    r->opts.target = &r->target;
    r->opts.program = &program;
    r->opts.setup = &setup;
    r->opts.env = r->env;
    if (rc == GN_OK)
        rc = gn_job_write(ctx, &r->opts, &job, &env, err);
    if (rc == GN_OK)
        rc = write_files(dir, &job, &env, err);
    gn_program_clear(&program);
    gn_setup_clear(&setup);
    gn_buf_clear(&job);
    gn_buf_clear(&env);
    return rc;
}

int main(int argc, char **argv)
{
    struct request r = {0};
    struct gn_ctx ctx = gn_ctx_none;
    struct gn_strs words = GN_STRS_INIT;
    struct gn_err err = GN_ERR_INIT;
    int i = 4;

    if (argc < 5)
        return 2;
    r.project.root = argv[1];
    ctx.cwd = argv[2];
    ctx.env = real_env;
    while (i < argc && strcmp(argv[i], "--")) {
        if (!take(&r, argv[i++]))
            return 2;
    }
    for (i++; i < argc; i++)
        gn_strs_add(&words, argv[i]);
    if (run(&r, &ctx, &words, argv[3], &err) < 0)
        fprintf(stderr, "%s\nhint: %s\n", err.msg, err.hint);
    gn_strs_clear(&words);
    return err.code ? 1 : 0;
}
