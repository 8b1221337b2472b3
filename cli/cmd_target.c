#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"

static char *text(const struct gn_cli *c, const char *name)
{
    return gn_strdup(gn_args_text(&c->args, name));
}

static int refuse(const char *name, const char *why, struct gn_err *err)
{
    gn_err_set(err, GN_E_USAGE, "'%.100s' cannot be the name of a target: %s", name, why);
    return gn_err_hint(err, "letters, digits, '-', '_' and '.', for example 'ravan'");
}

/* A name that can be typed anywhere and is nothing else already. */
static int check_name(const char *name, struct gn_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    if (!strcmp(name, "local"))
        return refuse(name, "it is this machine", err);
    if (!*name || !strchr(letters, name[0]))
        return refuse(name, "it does not begin with a letter or digit", err);
    for (const char *p = name; *p; p++) {
        if (!strchr(letters, *p) && !strchr("-_.", *p))
            return refuse(name, "there is a character in it that a name may not have", err);
    }
    if (strlen(name) > 64)
        return refuse(name, "it is too long", err);
    return GN_OK;
}

static int add(struct gn_cli *c, const char *name, struct gn_err *err)
{
    const char *host = gn_args_text(&c->args, "host");
    struct gn_target t = {
        .name = gn_strdup(name),
        .type = GN_TARGET_SSH,
        .type_name = gn_strdup("ssh"),
        .host = gn_strdup(host ? host : name),
        .user = text(c, "user"),
        .port = (int)gn_args_num(&c->args, "port", 0),
        .jump = text(c, "jump"),
        .identity = text(c, "identity"),
        .workdir = text(c, "workdir"),
        .shared = gn_args_has(&c->args, "shared"),
        .nice = (int)gn_args_num(&c->args, "nice", -1),
        .python = text(c, "python"),
        .setup = text(c, "setup"),
    };
    int rc;

    gn_args_each(&c->args, "tag", &t.tags);
    rc = gn_config_add_target(c->ctx, &t, err);
    if (rc == GN_E_EXISTS && !err->hint[0])
        gn_err_hint(err, "'gnrrun target rm %s' takes it out", name);
    gn_target_clear(&t);
    return rc;
}

int cmd_target(struct gn_cli *c, struct gn_err *err)
{
    const char *verb = c->args.words.v[0], *name = c->args.words.v[1];
    bool adding = !strcmp(verb, "add");
    int rc;

    if (!adding && strcmp(verb, "rm") != 0) {
        gn_err_set(err, GN_E_USAGE, "'target' knows 'add' and 'rm', not '%.60s'", verb);
        return gn_err_hint(err, "usage: gnrrun %s", c->command->usage);
    }
    for (size_t i = 0; !adding && i < c->args.n; i++) {
        const char *option = c->args.v[i].opt->name;

        if (strcmp(option, "json") && strcmp(option, "quiet") && strcmp(option, "verbose"))
            return gn_err_set(err, GN_E_USAGE, "'target rm' does not take '--%s'", option);
    }
    rc = adding ? check_name(name, err) : GN_OK;
    if (!rc)
        rc = adding ? add(c, name, err) : gn_config_rm_target(c->ctx, name, err);
    if (rc)
        return rc;
    if (c->json) {
        struct gn_json *j = gn_json_object();

        gn_json_set_str(j, "target", name);
        gn_json_set_str(j, "done", adding ? "added" : "removed");
        gn_ui_json(c->ui, j);
    } else if (adding) {
        gn_ui_say(c->ui, "target '%s' is in %s/config.yaml; 'gnrrun doctor %s' tries it", name,
                  c->ctx->config_dir, name);
    } else {
        gn_ui_say(c->ui, "target '%s' is gone from %s/config.yaml", name, c->ctx->config_dir);
    }
    return GN_OK;
}
