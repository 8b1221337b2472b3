#include "cli/runs.h"

static void say(struct gn_cli *c, const struct gn_asked *a, const struct gn_ship_report *r)
{
    char size[64], sent[32];

    if (c->json) {
        struct gn_json *o = gn_json_object();

        gn_json_set_str(o, "target", a->target.name);
        gn_json_set_str(o, "project", a->config.project.name);
        gn_json_set_str(o, "snapshot", r->snapshot);
        gn_json_set_int(o, "entries", (int64_t)r->entries);
        gn_json_set_int(o, "bytes", (int64_t)r->bytes);
        gn_json_set_int(o, "sent_bytes", (int64_t)r->sent_bytes);
        gn_ui_json(c->ui, o);
        return;
    }
    gn_ui_say(c->ui, "'%s' has project '%s': %s; %s were sent", a->target.name,
              a->config.project.name, gn_fmt_files(r->files, r->bytes, size),
              gn_fmt_bytes(r->sent_bytes, sent));
}

static int check_target(const struct gn_asked *a, struct gn_err *err)
{
    if (a->target.type != GN_TARGET_LOCAL)
        return GN_OK;
    gn_err_set(err, GN_E_USAGE, "the project is on this machine already");
    return gn_err_hint(err, "say where to: gnrrun ship --target NAME");
}

int cmd_ship(struct gn_cli *c, struct gn_err *err)
{
    struct gn_ship_report report;
    struct gn_engine e = gn_cli_road(c);
    struct gn_asked a;
    int rc = gn_cli_asked(c, false, &a, err);

    if (rc)
        return rc;
    rc = check_target(&a, err);
    if (!rc)
        rc = gn_engine_ship(&e, &a.config, &a.target, &a.spec, NULL, &report, err);
    if (!rc)
        say(c, &a, &report);
    gn_asked_clear(&a);
    return rc;
}
