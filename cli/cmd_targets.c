#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/engine.h"
#include "gnrrun/keep.h"

static const char *const head[] = {"TARGET", "TYPE", "HOST", "SET IN"};

static const char *type_of(const struct gn_target *t)
{
    if (t->type_name)
        return t->type_name;
    return t->type == GN_TARGET_LOCAL ? "local" : "ssh";
}

static void print_json(struct gn_cli *c, const struct gn_target *t)
{
    struct gn_json *j = gn_json_object();

    gn_json_set_str(j, "target", t->name);
    gn_json_set_str(j, "type", type_of(t));
    gn_json_set_str(j, "where", t->where);
    gn_json_set_bool(j, "usable", t->type != GN_TARGET_LATER);
    gn_json_set_str(j, "host", t->host);
    if (t->hosts.n)
        gn_json_set(j, "hosts", gn_json_strs(&t->hosts));
    gn_json_set_str(j, "user", t->user);
    if (t->port)
        gn_json_set_int(j, "port", t->port);
    else
        gn_json_set_null(j, "port");
    gn_json_set_str(j, "jump", t->jump);
    gn_json_set_str(j, "workdir", t->workdir);
    gn_json_set_bool(j, "shared", t->shared);
    gn_json_set(j, "tags", gn_json_strs(&t->tags));
    gn_ui_json(c->ui, j);
}

static int list(struct gn_cli *c, const struct gn_config *cfg, const struct gn_strs *names,
                struct gn_err *err)
{
    struct gn_table table = {.head = head, .n = sizeof head / sizeof *head};
    int rc = GN_OK;

    for (size_t i = 0; !rc && i < names->n; i++) {
        struct gn_target t = {0};

        rc = gn_target_resolve(c->ctx, cfg, names->v[i], &t, err);
        if (!rc && c->json)
            print_json(c, &t);
        else if (!rc) {
            char *many = gn_printf("%s and %zu more", t.hosts.n ? t.hosts.v[0] : "",
                                   t.hosts.n ? t.hosts.n - 1 : 0);

            gn_table_row(&table, (const char *const[]){t.name, type_of(&t),
                                                       t.hosts.n ? many : t.host, t.where});
            free(many);
        }
        gn_target_clear(&t);
    }
    if (!rc && !c->json)
        gn_table_print(c->ui, &table);
    gn_table_clear(&table);
    return rc;
}

/* Of each, of a pool each host: whoever uses it loses it. */
static int disconnect(struct gn_cli *c, const struct gn_target *t, struct gn_err *err)
{
    bool was = false;
    int rc = GN_OK;

    for (size_t i = 0; !rc && i < t->hosts.n; i++) {
        struct gn_target member;

        gn_target_member(t, i, &member);
        rc = disconnect(c, &member, err);
        gn_target_clear(&member);
    }
    if (rc || t->hosts.n || t->type != GN_TARGET_SSH)
        return rc;
    rc = gn_keep_end(c->ctx, t, &was, err);
    if (!rc && c->json) {
        struct gn_json *j = gn_json_object();

        gn_json_set_str(j, "target", t->name);
        gn_json_set_bool(j, "disconnected", was);
        gn_ui_json(c->ui, j);
    } else if (!rc && (was || c->args.words.n)) {
        gn_ui_say(c->ui, was ? "disconnected from '%s'" : "no connection to '%s' is kept", t->name);
    }
    return rc;
}

static int disconnect_all(struct gn_cli *c, const struct gn_config *cfg,
                          const struct gn_strs *names, struct gn_err *err)
{
    int rc = GN_OK;

    for (size_t i = 0; !rc && i < names->n; i++) {
        struct gn_target t = {0};

        rc = gn_target_resolve(c->ctx, cfg, names->v[i], &t, err);
        if (!rc)
            rc = disconnect(c, &t, err);
        gn_target_clear(&t);
    }
    return rc;
}

int cmd_targets(struct gn_cli *c, struct gn_err *err)
{
    struct gn_config cfg = {0};
    struct gn_strs names = GN_STRS_INIT;
    int rc = gn_cli_config(c, &cfg, err);

    if (rc)
        return rc;
    if (c->args.words.n)
        gn_strs_copy(&names, &c->args.words);
    else
        rc = gn_target_names(c->ctx, &cfg, &names, err);
    if (!rc && gn_args_has(&c->args, "disconnect"))
        rc = disconnect_all(c, &cfg, &names, err);
    else if (!rc && gn_args_has(&c->args, "check"))
        rc = cmd_targets_check(c, &cfg, &names, err);
    else if (!rc)
        rc = list(c, &cfg, &names, err);
    gn_strs_clear(&names);
    gn_config_clear(&cfg);
    return rc;
}
