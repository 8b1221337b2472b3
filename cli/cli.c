#include "cli/cmd.h"

#include "cli/world.h"

int gn_cli_signal(const struct gn_cli *c)
{
    if (gn_ui_gone(c->ui))
        return SIGPIPE;
    return gn_signals_last();
}

int gn_cli_interrupts(const struct gn_cli *c)
{
    return (int)*c->ctx->interrupts;
}

void gn_cli_resume(struct gn_cli *c)
{
    (void)c;
    gn_signals_forget();
}

int gn_cli_config(struct gn_cli *c, struct gn_config *out, struct gn_err *err)
{
    int rc = gn_config_load(c->ctx, c->ctx->cwd, out, err);

    for (size_t i = 0; !rc && i < out->notes.n; i++)
        gn_event_text(c->ctx, GN_EV_WARN, "%s", out->notes.v[i]);
    return rc;
}

int gn_cli_run(struct gn_cli *c, struct gn_store *s, size_t i, struct gn_run *out,
               struct gn_err *err)
{
    const char *name = i < c->args.words.n ? c->args.words.v[i] : NULL;
    struct gn_config cfg = {0};
    struct gn_err trouble = GN_ERR_INIT;
    int rc;

    /* A mistake in gnrrun.yaml must not stand between a user and a run that has a name. */
    rc = gn_config_load(c->ctx, c->ctx->cwd, &cfg, &trouble);
    if (rc && !name) {
        *err = trouble;
        return rc;
    }
    rc = gn_store_find(s, name, rc ? NULL : cfg.project.root, out, err);
    gn_config_clear(&cfg);
    return rc;
}
