/* target.c - from a name on the command line to a place. */
#include <stdlib.h>
#include <string.h>

#include "gnrrun/sshconf.h"
#include "hostspec.h"
#include "values.h"

/* Words for clouds that people will try; each needs an entry of its own in config.yaml, later. */
static const char *const later[] = {"gcp", "gce", "azure", "colab", "openstack"};

/* Clouds by their own names, with nothing configured. */
static const struct {
    const char *type, *alias;
} clouds[] = {
#define GN_PROVIDER(name, alias) {#name, #alias},
#include "gnrrun/providers.def"
#undef GN_PROVIDER
    {NULL, NULL},
};

void gn_target_copy(struct gn_target *to, const struct gn_target *from)
{
    *to = *from;
    to->name = gn_strdup(from->name);
    to->type_name = gn_strdup(from->type_name);
    to->where = gn_strdup(from->where);
    to->host = gn_strdup(from->host);
    memset(&to->hosts, 0, sizeof to->hosts);
    gn_strs_copy(&to->hosts, &from->hosts);
    to->user = gn_strdup(from->user);
    to->jump = gn_strdup(from->jump);
    to->identity = gn_strdup(from->identity);
    to->known_hosts = gn_strdup(from->known_hosts);
    to->workdir = gn_strdup(from->workdir);
    to->python = gn_strdup(from->python);
    to->setup = gn_strdup(from->setup);
    to->scheduler = gn_strdup(from->scheduler);
    to->partition = gn_strdup(from->partition);
    to->pe = gn_strdup(from->pe);
    to->memory_resource = gn_strdup(from->memory_resource);
    to->gpu_resource = gn_strdup(from->gpu_resource);
    to->account = gn_strdup(from->account);
    to->qos = gn_strdup(from->qos);
    memset(&to->submit, 0, sizeof to->submit);
    gn_strs_copy(&to->submit, &from->submit);
    memset(&to->tags, 0, sizeof to->tags);
    gn_strs_copy(&to->tags, &from->tags);
    to->env = gn_calloc(from->n_env ? from->n_env : 1, sizeof *to->env);
    for (size_t i = 0; i < from->n_env; i++) {
        to->env[i].name = gn_strdup(from->env[i].name);
        to->env[i].value = gn_strdup(from->env[i].value);
    }
    to->settings = gn_calloc(from->n_settings ? from->n_settings : 1, sizeof *to->settings);
    for (size_t i = 0; i < from->n_settings; i++) {
        to->settings[i] = from->settings[i];
        to->settings[i].key = gn_strdup(from->settings[i].key);
        to->settings[i].value = gn_strdup(from->settings[i].value);
    }
}

static struct gn_target plain_target(const char *name, enum gn_target_type type, const char *where)
{
    struct gn_target t = {.nice = -1, .type = type};

    t.name = gn_strdup(name);
    t.type_name = gn_strdup(type == GN_TARGET_LOCAL ? "local" : "ssh");
    t.where = gn_strdup(where);
    return t;
}

static bool has(const struct gn_strs *s, const char *str)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->v[i], str) == 0)
            return true;
    }
    return false;
}

static void add_once(struct gn_strs *s, const char *str)
{
    if (!has(s, str))
        gn_strs_add(s, str);
}

static int unknown_target(const struct gn_config *c, const struct gn_strs *aliases,
                          const char *name, struct gn_err *err)
{
    struct gn_buf safe = GN_BUF_INIT(512);
    struct gn_strs names = GN_STRS_INIT;
    unsigned best = 2 + (unsigned)strlen(name) / 4;
    const char *near = NULL;

    for (size_t i = 0; i < c->n_targets; i++)
        add_once(&names, c->targets[i].name);
    add_once(&names, "local");
    for (size_t i = 0; i < aliases->n; i++)
        add_once(&names, aliases->v[i]);
    for (size_t i = 0; strlen(name) <= 64 && i < names.n; i++) {
        unsigned d = strlen(names.v[i]) <= 64 ? gn_edit_distance(name, names.v[i]) : best;

        if (d < best) {
            best = d;
            near = names.v[i];
        }
    }
    gn_buf_addsafe(&safe, name, strlen(name), 100);
    gn_err_set(err, GN_E_CONFIG, "no target is called '%s'", safe.ptr);
    gn_err_hint(err, "'gnrrun targets' lists them; a host that is not among them: user@host");
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        if (strcmp(later[i], name) == 0)
            gn_err_hint(err, "this version knows this machine and hosts that ssh can reach");
    }
    if (near) {
        gn_buf_reset(&safe);
        gn_buf_addsafe(&safe, near, strlen(near), 100);
        gn_err_hint(err, "did you mean '%s'?", safe.ptr);
    }
    gn_strs_clear(&names);
    gn_buf_clear(&safe);
    return err->code;
}

static int from_hostspec(const char *name, struct gn_target *out, struct gn_err *err)
{
    struct gn_hostspec h;

    if (!gn_hostspec_parse(name, &h)) {
        struct gn_buf safe = GN_BUF_INIT(512);

        gn_buf_addsafe(&safe, name, strlen(name), 100);
        gn_err_set(err, GN_E_CONFIG, "'%s' is not user@host[:port]", safe.ptr);
        gn_buf_clear(&safe);
        return err->code;
    }
    *out = plain_target(name, GN_TARGET_SSH, "the command line");
    out->host = h.host;
    out->user = h.user;
    out->port = h.port;
    return GN_OK;
}

static bool from_cloud(const char *name, struct gn_target *out)
{
    for (size_t i = 0; clouds[i].type; i++) {
        if (strcmp(clouds[i].type, name) && strcmp(clouds[i].alias, name))
            continue;
        *out = plain_target(name, GN_TARGET_CLOUD, "built in");
        free(out->type_name);
        out->type_name = gn_strdup(clouds[i].type);
        return true;
    }
    return false;
}

static int check_word(const char *name, struct gn_err *err)
{
    struct gn_buf safe = GN_BUF_INIT(512);
    bool good = *name && *name != '-' && strlen(name) <= 512;

    for (const char *s = name; *s; s++)
        good = good && (unsigned char)*s > 0x20 && *s != 0x7f;
    if (!good) {
        gn_buf_addsafe(&safe, name, strlen(name), 100);
        gn_err_set(err, GN_E_CONFIG, "'%s' cannot name a target", safe.ptr);
    }
    gn_buf_clear(&safe);
    return good ? GN_OK : err->code;
}

void gn_target_member(const struct gn_target *pool, size_t i, struct gn_target *out)
{
    gn_target_copy(out, pool);
    free(out->name);
    out->name = gn_printf("%s/%s", pool->name, pool->hosts.v[i]);
    out->host = gn_strdup(pool->hosts.v[i]);
    gn_strs_clear(&out->hosts);
}

/* "pclab/pc07.lab", or "pclab/pc07" when that is only one; false when there is no such pool or host. */
static bool find_member(const struct gn_config *c, const char *name, struct gn_target *out)
{
    const char *slash = strchr(name, '/');
    size_t n = slash ? (size_t)(slash - name) : 0, len = slash ? strlen(slash + 1) : 0;
    const struct gn_target *pool = NULL;
    size_t found = 0, at = 0;

    for (size_t i = 0; slash && i < c->n_targets && !pool; i++)
        if (strlen(c->targets[i].name) == n && strncmp(c->targets[i].name, name, n) == 0)
            pool = &c->targets[i];
    for (size_t i = 0; pool && i < pool->hosts.n; i++) {
        const char *host = pool->hosts.v[i];

        if (strcmp(host, slash + 1) == 0) {
            gn_target_member(pool, i, out);
            return true;
        }
        if (len && strncmp(host, slash + 1, len) == 0 && host[len] == '.') {
            found++;
            at = i;
        }
    }
    if (found == 1)
        gn_target_member(pool, at, out);
    return found == 1;
}

static int resolve(const struct gn_ctx *ctx, const struct gn_config *c, const char *name,
                   struct gn_target *out, struct gn_err *err)
{
    struct gn_strs aliases = GN_STRS_INIT;
    int rc = check_word(name, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < c->n_targets; i++) {
        if (strcmp(c->targets[i].name, name) == 0) {
            gn_target_copy(out, &c->targets[i]);
            return GN_OK;
        }
    }
    if (find_member(c, name, out))
        return GN_OK;
    if (strcmp(name, "local") == 0) {
        *out = plain_target("local", GN_TARGET_LOCAL, "built in");
        return GN_OK;
    }
    rc = gn_sshconf_aliases(ctx, &aliases, err);
    if (!rc && has(&aliases, name) && gn_is_host(name)) {
        *out = plain_target(name, GN_TARGET_SSH, "~/.ssh/config");
        out->host = gn_strdup(name);
    } else if (!rc && from_cloud(name, out)) {
        rc = GN_OK;
    } else if (!rc && strchr(name, '@')) {
        rc = from_hostspec(name, out, err);
    } else if (!rc) {
        rc = unknown_target(c, &aliases, name, err);
    }
    gn_strs_clear(&aliases);
    return rc;
}

int gn_target_resolve(const struct gn_ctx *ctx, const struct gn_config *c, const char *name,
                      struct gn_target *out, struct gn_err *err)
{
    int rc = resolve(ctx, c, name, out, err);

    if (!rc && !out->keep_s)
        out->keep_s = c->keep_s;
    return rc;
}

int gn_target_names(const struct gn_ctx *ctx, const struct gn_config *c, struct gn_strs *out,
                    struct gn_err *err)
{
    struct gn_strs aliases = GN_STRS_INIT;
    int rc = gn_sshconf_aliases(ctx, &aliases, err);

    for (size_t i = 0; !rc && i < c->n_targets; i++)
        add_once(out, c->targets[i].name);
    if (!rc)
        add_once(out, "local");
    for (size_t i = 0; !rc && i < aliases.n; i++)
        add_once(out, aliases.v[i]);
    gn_strs_clear(&aliases);
    return rc;
}

const char *gn_target_setting(const struct gn_target *t, const char *key)
{
    for (size_t i = 0; i < t->n_settings; i++)
        if (strcmp(t->settings[i].key, key) == 0)
            return t->settings[i].value;
    return NULL;
}
