/* asked.c - from the words of `run` and `plan` to a request. */
#include <stdlib.h>
#include <string.h>

#include "cli/runs.h"
#include "gnrrun/fs.h"
#include "gnrrun/vary.h"

#define MAX_SIZE_DEFAULT ((int64_t)1000000000)
#define GRACE_DEFAULT    10

/* Where to look for the project: the program's own folder if it is a file, else here. */
static char *project_start(const struct gn_cli *c)
{
    if (c->args.words.n) {
        char *path = gn_path_join(c->ctx->cwd, c->args.words.v[0]);

        if (gn_fs_is_file(path))
            return path;
        free(path);
    }
    return gn_strdup(c->ctx->cwd);
}

/* "K=V", "K" */
static void add_env(struct gn_spec *spec, const char *text)
{
    const char *eq = strchr(text, '=');
    struct gn_env_var *v;

    spec->env = gn_realloc(spec->env, spec->n_env + 1, sizeof *spec->env);
    v = &spec->env[spec->n_env++];
    v->name = eq ? gn_strndup(text, (size_t)(eq - text)) : gn_strdup(text);
    v->value = eq ? gn_strdup(eq + 1) : NULL;
}

static void take_needs(const struct gn_args *a, const struct gn_needs *file, struct gn_needs *out)
{
    const char *type = gn_args_text(a, "gpu-type");

    out->gpus = (int)gn_args_num(a, "gpus", file->gpus);
    out->cpus = (int)gn_args_num(a, "cpus", file->cpus);
    out->nodes = (int)gn_args_num(a, "nodes", file->nodes);
    out->memory_bytes = (uint64_t)gn_args_num(a, "memory", (int64_t)file->memory_bytes);
    out->gpu_mem_bytes = (uint64_t)gn_args_num(a, "gpu-memory", (int64_t)file->gpu_mem_bytes);
    out->gpu_type = gn_strdup(type ? type : file->gpu_type);
    /* who says which one wants one */
    if (!out->gpus && !gn_args_has(a, "gpus") && (out->gpu_mem_bytes || out->gpu_type))
        out->gpus = 1;
}

/* What is asked for and not looked after is said, not swallowed. */
static void say_unchecked(const struct gn_cli *c, const struct gn_target *t,
                          const struct gn_needs *n)
{
    if (t->scheduler) /* whose work that is */
        return;
    if (n->cpus || n->memory_bytes)
        gn_event_text(c->ctx, GN_EV_NOTE,
                      "processors and memory are noted; this version does not check that the "
                      "target has them");
}

static int take_words(struct gn_cli *c, const struct gn_project *project, struct gn_spec *spec,
                      struct gn_err *err)
{
    if (c->args.words.n) {
        gn_strs_copy(&spec->words, &c->args.words);
        spec->cwd = gn_strdup(c->ctx->cwd);
        return GN_OK;
    }
    spec->cwd = gn_strdup(project->root);
    if (project->run)
        return gn_words_split(project->run, &spec->words, err) ? gn_err_prefix(err, "run: ")
                                                               : GN_OK;
    gn_err_set(err, GN_E_USAGE, "no program given");
    return gn_err_hint(err, "gnrrun train.py, or 'run:' in gnrrun.yaml for a default");
}

/* What travels. */
static void take_ship(struct gn_cli *c, const struct gn_project *project, struct gn_spec *spec)
{
    const struct gn_args *a = &c->args;

    gn_args_each(a, "data", &spec->data);
    gn_args_each(a, "allow", &spec->allow);
    if (!gn_args_has(a, "all-sizes"))
        spec->max_bytes = (uint64_t)gn_args_num(a, "max-size", MAX_SIZE_DEFAULT);
    gn_cli_skip_own_output(project->root, &spec->ignore);
}

static int take_sweep(const struct gn_args *a, struct gn_spec *spec, struct gn_err *err)
{
    struct gn_vary v;
    int rc;

    gn_args_each(a, "sweep", &spec->sweep);
    if (!spec->sweep.n)
        return GN_OK;
    rc = gn_vary_parse(&spec->sweep, &v, err);
    if (!rc)
        gn_vary_clear(&v);
    return rc;
}

static int take_run(struct gn_cli *c, const struct gn_project *project, struct gn_spec *spec,
                    struct gn_err *err)
{
    int rc;
    const struct gn_args *a = &c->args;
    struct gn_strs env = GN_STRS_INIT;
    const char *dest = gn_args_text(a, "results");

    spec->setup = gn_strdup(gn_args_text(a, "setup"));
    spec->python = gn_strdup(gn_args_text(a, "python"));
    gn_args_each(a, "env", &env);
    for (size_t i = 0; i < env.n; i++)
        add_env(spec, env.v[i]);
    gn_strs_clear(&env);
    spec->time_s = gn_args_num(a, "time", project->needs.time_s);
    spec->grace_s = gn_args_num(a, "grace", GRACE_DEFAULT);
    spec->nice = (int)gn_args_num(a, "nice", -1);
    spec->dest = dest ? gn_path_join(c->ctx->cwd, dest) : NULL;
    spec->no_fetch = gn_args_has(a, "no-fetch");
    spec->sync_s = gn_args_num(a, "sync", 0);
    spec->parallel = (int)gn_args_num(a, "parallel", 0);
    spec->max_microusd = gn_args_num(a, "max-cost", 0);
    take_needs(a, &project->needs, &spec->needs);
    rc = take_words(c, project, spec, err);
    return rc ? rc : take_sweep(a, spec, err);
}

/* Settings without effect: those of this project and target now, the others with --verbose. */
static void say_notes(const struct gn_cli *c, const struct gn_asked *a)
{
    char *quoted = gn_printf("'%s'", a->target.name);

    for (size_t i = 0; i < a->config.notes.n; i++) {
        const char *note = a->config.notes.v[i];
        bool ours = strncmp(note, "gnrrun.yaml", 11) == 0 || strstr(note, quoted);

        gn_event_text(c->ctx, ours ? GN_EV_NOTE : GN_EV_DEBUG, "%s", note);
    }
    free(quoted);
}

int gn_cli_asked(struct gn_cli *c, bool program, struct gn_asked *out, struct gn_err *err)
{
    struct gn_asked a = {0};
    char *start = project_start(c);
    const char *name = gn_args_text(&c->args, "target");
    int rc = gn_config_load(c->ctx, start, &a.config, err);

    free(start);
    if (rc)
        return rc;
    rc = gn_target_resolve(c->ctx, &a.config, name ? name : "local", &a.target, err);
    if (!rc)
        say_notes(c, &a);
    if (!rc)
        take_ship(c, &a.config.project, &a.spec);
    if (!rc && program)
        rc = take_run(c, &a.config.project, &a.spec, err);
    if (!rc && program)
        say_unchecked(c, &a.target, &a.spec.needs);
    if (rc)
        gn_asked_clear(&a);
    else
        *out = a;
    return rc;
}

void gn_asked_clear(struct gn_asked *a)
{
    gn_config_clear(&a->config);
    gn_target_clear(&a->target);
    gn_spec_clear(&a->spec);
}
