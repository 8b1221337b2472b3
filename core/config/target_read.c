/* target_read.c - the map under targets. */
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "hostspec.h"
#include "values.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* What a target's map holds beside what gn_target keeps. */
struct draft {
    struct gn_target t;
    struct gn_strs hosts, modules;
    char *scheduler;
};

/* Machines that exist, those that are made, and what later versions will know. */
static const struct {
    const char *name;
    enum gn_target_type type;
} types[] = {
    {"local", GN_TARGET_LOCAL},     {"ssh", GN_TARGET_SSH},
#define GN_PROVIDER(name, alias) {#name, GN_TARGET_CLOUD},
#include "gnrrun/providers.def"
#undef GN_PROVIDER
    {"gce", GN_TARGET_LATER},       {"azure", GN_TARGET_LATER},
    {"openstack", GN_TARGET_LATER}, {"colab", GN_TARGET_LATER},
    {"lambda", GN_TARGET_LATER},    {"runpod", GN_TARGET_LATER},
    {"e2e", GN_TARGET_LATER},       {"digitalocean", GN_TARGET_LATER},
};

static int read_checked(const struct gn_reading *in, const struct gn_yaml_node *n, char **to,
                        bool (*good)(const char *), const char *want, struct gn_err *err)
{
    const char *text = gn_plain_text(in, n, want, err);

    if (!text)
        return err->code;
    if (!good(text))
        return gn_bad_value(in, n, want, err);
    free(*to);
    *to = gn_strdup(text);
    return GN_OK;
}

static int read_host(const struct gn_reading *in, const struct gn_yaml_node *n,
                     const struct gn_key *key, void *base, struct gn_err *err)
{
    (void)key;
    return read_checked(in, n, &((struct draft *)base)->t.host, gn_is_host,
                        "the name, alias or address of a host", err);
}

static int read_user(const struct gn_reading *in, const struct gn_yaml_node *n,
                     const struct gn_key *key, void *base, struct gn_err *err)
{
    (void)key;
    return read_checked(in, n, &((struct draft *)base)->t.user, gn_is_user, "a user's name", err);
}

static int read_jump(const struct gn_reading *in, const struct gn_yaml_node *n,
                     const struct gn_key *key, void *base, struct gn_err *err)
{
    (void)key;
    return read_checked(in, n, &((struct draft *)base)->t.jump, gn_is_jump,
                        "hosts as user@host:port, with commas between", err);
}

static bool is_far_path(const char *s)
{
    return *s == '/' || strcmp(s, "~") == 0 || strncmp(s, "~/", 2) == 0;
}

static int read_workdir(const struct gn_reading *in, const struct gn_yaml_node *n,
                        const struct gn_key *key, void *base, struct gn_err *err)
{
    (void)key;
    return read_checked(in, n, &((struct draft *)base)->t.workdir, is_far_path,
                        "a path there that begins with / or ~/", err);
}

static int read_identity(const struct gn_reading *in, const struct gn_yaml_node *n,
                         const struct gn_key *key, void *base, struct gn_err *err)
{
    struct gn_target *t = &((struct draft *)base)->t;
    char *path;
    int rc;

    (void)key;
    rc = read_checked(in, n, &t->identity, is_far_path, "a key file, from / or ~/ on", err);
    if (rc || !in->home)
        return rc;
    path = gn_path_tilde(t->identity, in->home);
    free(t->identity);
    t->identity = path;
    return GN_OK;
}

/* Element i of a list, or the text that stands for a list of one. */
static const struct gn_yaml_node *element(const struct gn_yaml_node *n, size_t i)
{
    const struct gn_yaml_node *e = n->kind == GN_YAML_LIST ? n->child : n;

    while (i-- > 0 && e->next)
        e = e->next;
    return e;
}

static int read_tags(const struct gn_reading *in, const struct gn_yaml_node *n,
                     const struct gn_key *key, void *base, struct gn_err *err)
{
    struct gn_target *t = &((struct draft *)base)->t;
    int rc = gn_read_strs(in, n, key, base, err);

    for (size_t i = 0; !rc && i < t->tags.n; i++) {
        if (!gn_is_name(t->tags.v[i]))
            rc = gn_bad_value(in, element(n, i), "words of letters, digits, . _ and -", err);
    }
    return rc;
}

static int read_scheduler(const struct gn_reading *in, const struct gn_yaml_node *n,
                          const struct gn_key *key, void *base, struct gn_err *err)
{
    static const char *const names[] = {"direct", "slurm", "pbs", "sge"};
    int rc = gn_read_line(in, n, key, base, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcmp(names[i], n->text) == 0)
            return GN_OK;
    }
    gn_bad_value(in, n, "direct, slurm, pbs or sge", err);
    gn_hint_near(err, n->text, names, COUNT(names), "schedulers");
    return err->code;
}

static bool is_module(const char *s)
{
    return *s && *s != '-' &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+/:-") ==
               strlen(s);
}

static int read_modules(const struct gn_reading *in, const struct gn_yaml_node *n,
                        const struct gn_key *key, void *base, struct gn_err *err)
{
    struct draft *d = base;
    int rc = gn_read_strs(in, n, key, base, err);

    for (size_t i = 0; !rc && i < d->modules.n; i++)
        if (!is_module(d->modules.v[i]))
            rc = gn_bad_value(in, element(n, i), "names of modules, such as cuda/12.2", err);
    return rc;
}

/*
 * Before all else there.  "module" is a function of shells that log in, which ours is not: it is
 * looked for where Lmod and Environment Modules put it.
 */
static void load_modules(struct draft *d)
{
    struct gn_buf sh = GN_BUF_INIT((size_t)1 << 16);

    if (!d->modules.n)
        return;
    gn_buf_adds(&sh, "command -v module >/dev/null 2>&1 || for f in /etc/profile.d/lmod.sh"
                     " /etc/profile.d/z00_lmod.sh /etc/profile.d/modules.sh"
                     " /usr/share/lmod/lmod/init/sh /usr/share/modules/init/sh; do\n"
                     "[ ! -r \"$f\" ] || { . \"$f\"; break; }\n"
                     "done\n"
                     "module load");
    for (size_t i = 0; i < d->modules.n; i++)
        gn_buf_addf(&sh, " %s", d->modules.v[i]);
    gn_buf_addf(&sh, "\n%s", d->t.setup ? d->t.setup : "");
    free(d->t.setup);
    d->t.setup = gn_buf_detach(&sh);
}

static int read_type(const struct gn_reading *in, const struct gn_yaml_node *n,
                     const struct gn_key *key, void *base, struct gn_err *err)
{
    struct gn_target *t = &((struct draft *)base)->t;
    const char *names[COUNT(types)];
    int rc = gn_read_line(in, n, key, base, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < COUNT(types); i++) {
        names[i] = types[i].name;
        if (strcmp(types[i].name, n->text) == 0) {
            t->type = types[i].type;
            return GN_OK;
        }
    }
    gn_bad_value(in, n, "the type of a target", err);
    gn_hint_near(err, n->text, names, COUNT(names), "types");
    return err->code;
}

#define T(field) offsetof(struct draft, t.field)
static const struct gn_key target_keys[] = {
    {"type", read_type, T(type_name), 0},
    {"host", read_host, T(host), 0},
    {"hosts", gn_read_strs, offsetof(struct draft, hosts), 0},
    {"user", read_user, T(user), 0},
    {"port", gn_read_port, T(port), 0},
    {"jump", read_jump, T(jump), 0},
    {"identity", read_identity, T(identity), 0},
    {"keep", gn_read_keep, T(keep_s), 0},
    {"workdir", read_workdir, T(workdir), 0},
    {"shared", gn_read_bool, T(shared), 0},
    {"nice", gn_read_nice, T(nice), 0},
    {"python", gn_read_line, T(python), 0},
    {"setup", gn_read_sh, T(setup), 0},
    {"env", gn_read_env, T(env), T(n_env)},
    {"tags", read_tags, T(tags), 0},
    {"scheduler", read_scheduler, offsetof(struct draft, scheduler), 0},
    {"partition", gn_read_line, T(partition), 0},
    {"queue", gn_read_later, 0, 0},
    {"modules", read_modules, offsetof(struct draft, modules), 0},
    {"account", gn_read_line, T(account), 0},
    {"qos", gn_read_line, T(qos), 0},
    {"pe", gn_read_line, T(pe), 0},
    {"gpu_resource", gn_read_line, T(gpu_resource), 0},
    {"memory_resource", gn_read_line, T(memory_resource), 0},
    {"submit", gn_read_strs, T(submit), 0},
    {"gpu", gn_read_later, 0, 0},
    {"gpus", gn_read_later, 0, 0},
};

/* Keys that would make no sense where the program runs on this machine. */
static const char *const only_ssh[] = {"host", "hosts", "user", "port", "jump", "identity", "keep"};

static int check_local(const struct gn_reading *in, const struct gn_yaml_node *n,
                       struct gn_err *err)
{
    for (size_t i = 0; i < COUNT(only_ssh); i++) {
        const struct gn_yaml_node *v = gn_yaml_get(n, only_ssh[i]);

        if (v)
            return gn_yaml_err(err, in->file, v->key_line, v->key_col,
                               "'%s' has no meaning for a target of type 'local'", only_ssh[i]);
    }
    return GN_OK;
}

/* Keys that mean the same for a rented machine. */
static const char *const also_cloud[] = {"type", "workdir", "python", "setup",
                                         "env",  "tags",    "modules"};

/*
 * A key of a cloud is its provider's to know (gn_provider_open()).  A project must not bring any: its
 * endpoint would be sent the user's token.
 */
static int read_cloud(const struct gn_reading *in, const struct gn_yaml_node *map, struct draft *d,
                      struct gn_err *err)
{
    struct gn_target *t = &d->t;

    if (!in->is_users) {
        gn_yaml_err(err, in->file, map->key_line, map->key_col,
                    "target '%s': machines that cost money are only read from your own config.yaml",
                    t->name);
        return gn_err_hint(err, "move it there");
    }
    for (const struct gn_yaml_node *n = map->child; n; n = n->next) {
        const struct gn_key *key = NULL;
        const char *text;
        int rc = GN_OK;

        for (size_t i = 0; i < COUNT(also_cloud); i++)
            if (strcmp(n->key, also_cloud[i]) == 0)
                key = gn_find_key(target_keys, COUNT(target_keys), n->key);
        if (gn_yaml_is_null(n))
            continue;
        if (key) {
            rc = key->read(in, n, key, d, err);
        } else if ((text = gn_plain_text(in, n, "one line of text", err))) {
            t->settings = gn_realloc(t->settings, t->n_settings + 1, sizeof *t->settings);
            t->settings[t->n_settings++] =
                (struct gn_setting){gn_strdup(n->key), gn_strdup(text), n->key_line, n->key_col};
        } else {
            rc = err->code;
        }
        if (rc)
            return rc;
    }
    load_modules(d);
    return GN_OK;
}

static void make_later(const struct gn_reading *in, const struct gn_yaml_node *n,
                       struct gn_target *t, const char *why, const char *what)
{
    t->type = GN_TARGET_LATER;
    gn_note(in, n->key_line, "target '%s' cannot be used by this version yet: %s%s", t->name, why,
            what);
}

/* One host however it was given, or several. */
static int settle_hosts(const struct gn_reading *in, const struct gn_yaml_node *n, struct draft *d,
                        struct gn_err *err)
{
    const struct gn_yaml_node *hosts = gn_yaml_get(n, "hosts");
    struct gn_target *t = &d->t;

    if (!d->hosts.n) {
        if (!t->host)
            t->host = gn_strdup(t->name); /* an alias of ~/.ssh/config, most likely */
        return GN_OK;
    }
    if (t->host)
        return gn_yaml_err(err, in->file, hosts->key_line, hosts->key_col,
                           "'host' and 'hosts' exclude each other");
    for (size_t i = 0; i < d->hosts.n; i++)
        if (!gn_hostlist_expand(d->hosts.v[i], &t->hosts))
            return gn_bad_value(in, element(hosts, i),
                                "names or addresses of hosts, each once, at most 1000: pc[01-40]",
                                err);
    if (t->hosts.n > 1)
        return GN_OK;
    t->host = gn_strdup(t->hosts.v[0]);
    gn_strs_clear(&t->hosts);
    return GN_OK;
}

static int read_draft(const struct gn_reading *in, const struct gn_yaml_node *n, struct draft *d,
                      struct gn_err *err)
{
    const struct gn_yaml_node *type = gn_yaml_get(n, "type");
    struct gn_target *t = &d->t;
    int rc = GN_OK;

    t->type = GN_TARGET_SSH;
    if (type && !gn_yaml_is_null(type)) /* first: it decides which other keys there are */
        rc = read_type(in, type, &target_keys[0], d, err);
    if (rc)
        return rc;
    if (!t->type_name)
        t->type_name = gn_strdup("ssh");
    if (t->type == GN_TARGET_LATER) {
        make_later(in, n, t, "its type is ", t->type_name);
        return GN_OK;
    }
    if (t->type == GN_TARGET_CLOUD)
        return read_cloud(in, n, d, err);
    rc = gn_read_map(in, n, target_keys, COUNT(target_keys), d, err);
    if (!rc)
        rc = t->type == GN_TARGET_LOCAL ? check_local(in, n, err) : settle_hosts(in, n, d, err);
    if (!rc)
        load_modules(d);
    if (!rc && d->scheduler && strcmp(d->scheduler, "direct") == 0)
        t->direct = true;
    else if (!rc && d->scheduler)
        t->scheduler = gn_strdup(d->scheduler);
    return rc;
}

static int read_target(const struct gn_reading *in, const struct gn_yaml_node *n,
                       struct gn_err *err)
{
    struct draft d = {.t = {.nice = -1}};
    struct gn_config *cfg = in->cfg;
    int rc;

    if (!gn_is_name(n->key)) {
        struct gn_buf safe = GN_BUF_INIT(512);

        gn_buf_addsafe(&safe, n->key, strlen(n->key), 100);
        gn_yaml_err(err, in->file, n->key_line, n->key_col, "'%s' cannot name a target", safe.ptr);
        gn_buf_clear(&safe);
        return gn_err_hint(err, "letters, digits, . _ and -, a letter or digit first");
    }
    d.t.name = gn_strdup(n->key);
    d.t.where = gn_printf("%s:%d:%d", in->file, n->key_line, n->key_col);
    rc = read_draft(in, n, &d, err);
    free(d.scheduler);
    gn_strs_clear(&d.hosts);
    gn_strs_clear(&d.modules);
    if (rc) {
        gn_target_clear(&d.t);
        return rc;
    }
    cfg->targets = gn_realloc(cfg->targets, cfg->n_targets + 1, sizeof *cfg->targets);
    cfg->targets[cfg->n_targets++] = d.t;
    return GN_OK;
}

int gn_read_targets(const struct gn_reading *in, const struct gn_yaml_node *n,
                    const struct gn_key *key, void *base, struct gn_err *err)
{
    (void)key;
    (void)base;
    if (n->kind != GN_YAML_MAP)
        return gn_bad_value(in, n, "a map of names and targets", err);
    for (const struct gn_yaml_node *t = n->child; t; t = t->next) {
        int rc = read_target(in, t, err);

        if (rc)
            return rc;
    }
    return GN_OK;
}
