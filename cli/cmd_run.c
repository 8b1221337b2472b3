#include "cli/runs.h"

static int start(struct gn_cli *c, const struct gn_asked *a, struct gn_err *err)
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
    gn_program_clear(&program);
    rc = gn_cli_engine(c, &e, err);
    if (rc)
        return rc;
    rc = gn_engine_create(&e, &a->config, &a->target, &a->spec, note, &run, err);
    if (!rc) {
        if (gn_args_has(&c->args, "detach"))
            until = GN_UNTIL_STARTED;
        else if (a->spec.no_fetch)
            until = GN_UNTIL_OVER;
        gn_event_text(c->ctx, GN_EV_STEP, "%s on '%s': %s", run.name, run.target, run.command);
        rc = gn_cli_drive(c, &e, &run, until, err);
        gn_run_clear(&run);
    }
    gn_store_close(e.store);
    return rc;
}

int cmd_run(struct gn_cli *c, struct gn_err *err)
{
    struct gn_asked a;
    int rc = gn_cli_asked(c, &a, err);

    if (rc)
        return rc;
    rc = gn_args_has(&c->args, "dry-run") ? gn_cli_preview(c, &a, err) : start(c, &a, err);
    gn_asked_clear(&a);
    return rc;
}
