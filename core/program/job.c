#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/hash.h"
#include "private.h"

extern const char gn_job_packages[];
extern const char gn_job_job[];
extern const char gn_job_preflight[];

/* NAME='value' */
static void put(struct gn_buf *b, const char *name, const char *value)
{
    gn_buf_adds(b, name);
    gn_buf_addc(b, '=');
    gn_buf_addsh(b, value ? value : "");
    gn_buf_addc(b, '\n');
}

/* --- env -------------------------------------------------------------------------------------- */

/* Shells refuse to set these, or the job would be thrown off its rails by them. */
static bool is_reserved(const char *name)
{
    static const char *const names[] = {"UID",      "EUID",      "PPID",         "IFS",
                                        "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"};

    if (!strncmp(name, "gnj_", 4) || !strncmp(name, "GNRRUN_", 7))
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strcmp(name, names[i]))
            return true;
    }
    return false;
}

static int check_name(const char *name, struct gn_err *err)
{
    bool good = *name && !isdigit((unsigned char)*name);

    for (const char *s = name; *s; s++)
        good = good && (*s & 0x80) == 0 && (isalnum((unsigned char)*s) || *s == '_');
    if (good && !is_reserved(name))
        return GN_OK;
    char *shown = gn_safe_text(name);
    int rc = gn_err_set(err, GN_E_CONFIG, "env: '%s' %s", shown,
                        good ? "is the shell's or gnrrun's own" : "is not a name for a variable");
    free(shown);
    return rc;
}

struct env_list {
    const struct gn_env_var **v;
    size_t n, cap;
};

/* Later ones take the place of earlier ones of the same name. */
static int merge(struct env_list *list, const struct gn_env_var *vars, size_t n, struct gn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        int rc = check_name(vars[i].name, err);

        if (rc < 0)
            return rc;
        while (at < list->n && strcmp(list->v[at]->name, vars[i].name))
            at++;
        if (at == list->n) {
            GN_GROW(list->v, list->n, list->cap);
            list->n++;
        }
        list->v[at] = &vars[i];
    }
    return GN_OK;
}

static int write_env(const struct gn_ctx *ctx, const struct env_list *list, struct gn_buf *env,
                     bool *secret, struct gn_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        const char *name = list->v[i]->name;
        const char *value = list->v[i]->value;

        if (!value) {
            *secret = true;
            value = ctx->env ? ctx->env(ctx, name) : NULL;
        }
        if (!value) {
            gn_err_set(err, GN_E_CONFIG, "env: '%s' is to be taken from here, but is not set",
                       name);
            return gn_err_hint(err, "export %s, or take it out of env:", name);
        }
        gn_buf_adds(env, "export ");
        put(env, name, value);
    }
    if (gn_buf_over(env))
        return gn_err_set(err, GN_E_LIMIT, "env: its values are too long");
    return GN_OK;
}

static int make_env(const struct gn_ctx *ctx, const struct gn_job_opts *o, struct gn_buf *env,
                    bool *secret, struct gn_err *err)
{
    struct env_list list = {0};
    int rc = merge(&list, o->project->env, o->project->n_env, err);

    if (rc == GN_OK && o->target)
        rc = merge(&list, o->target->env, o->target->n_env, err);
    if (rc == GN_OK)
        rc = merge(&list, o->env, o->n_env, err);
    if (rc == GN_OK)
        rc = write_env(ctx, &list, env, secret, err);
    free(list.v);
    return rc;
}

/* --- job -------------------------------------------------------------------------------------- */

static const char *kind_word(const struct gn_program *p)
{
    switch (p->kind) {
    case GN_PROG_PYTHON:
        return "python";
    case GN_PROG_MODULE:
        return "module";
    case GN_PROG_SHELL:
        return "shell";
    case GN_PROG_NOTEBOOK:
        return "notebook";
    case GN_PROG_CAFFE:
        return "caffe";
    case GN_PROG_EXEC:
        return "exec";
    case GN_PROG_COMMAND:
        return strcmp(p->start, "python") ? "command" : "pycmd";
    }
    return "";
}

static const char *setup_word(enum gn_setup_kind kind)
{
    switch (kind) {
    case GN_SETUP_NONE:
        return "none";
    case GN_SETUP_COMMAND:
        return "command";
    case GN_SETUP_REQUIREMENTS:
        return "requirements";
    case GN_SETUP_PYPROJECT:
        return "pyproject";
    case GN_SETUP_CONDA:
        return "conda";
    }
    return "none";
}

/* --python 3.11 means python3.11. */
static int put_python(const struct gn_job_opts *o, struct gn_buf *job, struct gn_err *err)
{
    const char *asked = o->python;

    if (!asked && o->target)
        asked = o->target->python;
    if (asked && (*asked == '-' || !*asked)) {
        char *shown = gn_safe_text(asked);
        int rc = gn_err_set(err, GN_E_CONFIG, "python: '%s' is not a program", shown);

        free(shown);
        return rc;
    }
    if (asked && isdigit((unsigned char)*asked) && !asked[strspn(asked, "0123456789.")]) {
        char *name = gn_printf("python%s", asked);

        put(job, "gnj_python", name);
        free(name);
    } else {
        put(job, "gnj_python", asked);
    }

    struct gn_buf expr = GN_BUF_INIT(GN_MAX_LINE);
    const char *range = o->project->python;
    int rc = GN_OK;
    if (range)
        rc = gn_python_expr(range, &expr, err);
    if (rc == GN_OK) {
        put(job, "gnj_want", range ? expr.ptr : "v[0] == 3");
        put(job, "gnj_want_text", range);
    }
    gn_buf_clear(&expr);
    return rc;
}

/* What the target does first may change what is built (compilers, CUDA), so it is part of the key. */
static void put_key(const struct gn_job_opts *o, struct gn_buf *job)
{
    const char *lines = o->target && o->target->setup ? o->target->setup : "";
    struct gn_hash *h = gn_hash_new();
    uint8_t digest[GN_HASH_LEN];
    char hex[GN_HASH_HEX];

    gn_hash_add(h, "gnrrun env 1", 13);
    gn_hash_add(h, o->setup->key, strlen(o->setup->key) + 1);
    gn_hash_add(h, lines, strlen(lines));
    gn_hash_end(h, digest);
    gn_hash_free(h);
    gn_hex(digest, 16, hex);
    put(job, "gnj_key", hex);
}

static void put_setup(const struct gn_job_opts *o, struct gn_buf *job)
{
    const struct gn_setup *s = o->setup;
    struct gn_buf paths = GN_BUF_INIT(GN_MAX_FILE);

    put(job, "gnj_tsetup", o->target ? o->target->setup : NULL);
    put(job, "gnj_setup", setup_word(s->kind));
    put(job, "gnj_sfile", s->file);
    put(job, "gnj_commands", s->command);
    put(job, "gnj_venv", s->venv ? "1" : "");
    put(job, "gnj_local", s->local ? "1" : "");
    for (size_t i = 0; i < s->paths.n; i++) {
        if (i)
            gn_buf_addc(&paths, ':');
        gn_buf_adds(&paths, s->paths.v[i]);
    }
    put(job, "gnj_paths", paths.ptr);
    gn_buf_clear(&paths);
    put_key(o, job);
}

static void put_program(const struct gn_program *p, struct gn_buf *job)
{
    put(job, "gnj_kind", kind_word(p));
    put(job, "gnj_file", p->start);
    put(job, "gnj_interp", p->interp);
    put(job, "gnj_workdir", p->workdir);
    gn_buf_adds(job, "set --");
    for (size_t i = p->first_arg; i < p->words.n; i++) {
        gn_buf_addc(job, ' ');
        gn_buf_addsh(job, p->words.v[i]);
    }
    gn_buf_addc(job, '\n');
}

int gn_job_write(const struct gn_ctx *ctx, const struct gn_job_opts *o, struct gn_buf *job,
                 struct gn_buf *env, struct gn_err *err)
{
    bool secret = false;
    int rc = make_env(ctx, o, env, &secret, err);

    if (rc < 0)
        return rc;
    put(job, "gnj_run", o->run);
    put(job, "gnj_snapshot", o->snapshot);
    put(job, "gnj_secret", secret ? "1" : "");
    gn_buf_addf(job, "gnj_nodes=%d\ngnj_tasks=%d\n", o->nodes > 1 ? o->nodes : 1,
                o->gpus > 1 ? o->gpus : 1);
    rc = put_python(o, job, err);
    if (rc < 0)
        return rc;
    put_setup(o, job);
    put_program(o->program, job);
    gn_buf_adds(job, gn_job_packages);
    if (o->gpus)
        gn_buf_adds(job, gn_job_preflight);
    gn_buf_adds(job, gn_job_job);
    if (gn_buf_over(job))
        return gn_err_set(err, GN_E_LIMIT, "the command line and the setup are too long");
    return GN_OK;
}
