#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/runs.h"
#include "gnrrun/fs.h"
#include "gnrrun/pool.h"

/* Neither a file here nor a command of this machine: most likely a slip. */
static int find_command(const struct gn_ctx *ctx, const char *name, struct gn_err *err)
{
    const char *path = ctx->env(ctx, "PATH");
    bool found = strchr(name, '/') != NULL || !path;

    while (!found && path && *path) {
        size_t n = strcspn(path, ":");
        char *dir = gn_strndup(path, n), *file = gn_path_join(dir, name);

        found = gn_fs_is_file(file) && access(file, X_OK) == 0;
        free(file);
        free(dir);
        path += n + (path[n] == ':');
    }
    if (found)
        return GN_OK;
    gn_err_set(err, GN_E_USAGE, "'%s' is no file here and no command", name);
    return gn_err_hint(err,
                       "gnrrun PROGRAM [ARGS...] runs a program; gnrrun --help lists commands");
}

/* One host of the pool becomes the target. */
static int place(struct gn_engine *e, struct gn_asked *a, struct gn_err *err)
{
    struct gn_target chosen;
    int rc = gn_pool_pick(e, &a->target, NULL, &a->spec.needs, &chosen, err);

    if (rc)
        return rc;
    a->spec.pool = gn_strdup(a->target.name);
    gn_target_clear(&a->target);
    a->target = chosen;
    return GN_OK;
}

static int start(struct gn_cli *c, struct gn_asked *a, struct gn_err *err)
{
    const char *note = gn_args_text(&c->args, "name");
    enum gn_until until = GN_UNTIL_FETCHED;
    struct gn_engine e;
    struct gn_run run;
    struct gn_program program;
    struct gn_ctx there = *c->ctx;
    int rc;

    /* a name that is wrong is told before anything is written down */
    there.cwd = a->spec.cwd;
    rc = gn_program_resolve(&there, &a->config.project, &a->spec.words, &program, err);
    if (rc)
        return rc;
    if (program.kind == GN_PROG_COMMAND && a->target.type == GN_TARGET_LOCAL)
        rc = find_command(c->ctx, program.words.v[0], err);
    gn_program_clear(&program);
    if (rc)
        return rc;
    rc = gn_cli_engine(c, &e, err);
    if (rc)
        return rc;
    if (a->target.hosts.n)
        rc = place(&e, a, err);
    if (rc) {
        gn_cli_engine_close(&e);
        return rc;
    }
    rc = gn_engine_create(&e, &a->config, &a->target, &a->spec, note, &run, err);
    if (!rc) {
        if (gn_args_has(&c->args, "detach"))
            until = GN_UNTIL_STARTED;
        else if (a->spec.no_fetch)
            until = GN_UNTIL_OVER;
        rc = gn_cli_drive(c, &e, &run, until, err);
        gn_run_clear(&run);
    }
    gn_cli_engine_close(&e);
    return rc;
}

int cmd_run(struct gn_cli *c, struct gn_err *err)
{
    struct gn_asked a;
    int rc = gn_cli_asked(c, true, &a, err);

    if (rc)
        return rc;
    rc = gn_args_has(&c->args, "dry-run") ? gn_cli_preview(c, &a, err) : start(c, &a, err);
    gn_asked_clear(&a);
    return rc;
}
