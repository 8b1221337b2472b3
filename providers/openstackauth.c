/* openstackauth.c - who we are to an OpenStack, and where its services are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "gnrrun/yaml.h"
#include "openstack.h"

/* --- from variables and files --- */

struct source {
    const char *env, *key; /* of `auth:` in clouds.yaml */
    size_t at;
};
#define AT(field) offsetof(struct stack_auth, field)
static const struct source sources[] = {
    {"OS_AUTH_URL", "auth_url", AT(url)},
    {"OS_APPLICATION_CREDENTIAL_ID", "application_credential_id", AT(app_id)},
    {"OS_APPLICATION_CREDENTIAL_SECRET", "application_credential_secret", AT(app_secret)},
    {"OS_USERNAME", "username", AT(user)},
    {"OS_PASSWORD", "password", AT(password)},
    {"OS_USER_DOMAIN_NAME", "user_domain_name", AT(user_domain)},
    {"OS_PROJECT_NAME", "project_name", AT(project)},
    {"OS_PROJECT_ID", "project_id", AT(project_id)},
    {"OS_PROJECT_DOMAIN_NAME", "project_domain_name", AT(project_domain)},
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static char **field(struct stack_auth *a, size_t i)
{
    return (char **)(void *)((char *)a + sources[i].at);
}

static void set(char **to, const char *value)
{
    if (!value || !*value)
        return;
    free(*to);
    *to = gn_strdup(value);
}

static void wipe(char **text)
{
    for (volatile char *p = *text; p && *p; p++)
        *p = 0;
    free(*text);
    *text = NULL;
}

void gn_stack_auth_clear(struct stack_auth *a)
{
    for (size_t i = 0; i < COUNT(sources); i++)
        wipe(field(a, i));
    free(a->region);
    a->region = NULL;
}

static const char *text_of(const struct gn_yaml_node *map, const char *key)
{
    const struct gn_yaml_node *n = gn_yaml_get(map, key);

    return n && n->kind == GN_YAML_SCALAR && !gn_yaml_is_null(n) ? n->text : NULL;
}

/* The entry `name` of clouds.yaml or secure.yaml in dir; *found: there was one. */
static int read_file(const char *dir, const char *leaf, const char *name, struct stack_auth *a,
                     bool *found, struct gn_err *err)
{
    struct gn_buf text = GN_BUF_INIT(GN_MAX_FILE);
    char *path = gn_path_join(dir, leaf);
    const struct gn_yaml_node *cloud, *auth;
    struct gn_yaml y = {0};
    int rc = gn_fs_read(path, &text, err);

    if (rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        rc = GN_OK;
        goto out;
    }
    if (!rc)
        rc = gn_yaml_parse(leaf, text.ptr, text.len, &y, err);
    if (rc)
        goto out;
    cloud = gn_yaml_get(gn_yaml_get(y.root, "clouds"), name);
    auth = gn_yaml_get(cloud, "auth");
    for (size_t i = 0; i < COUNT(sources); i++)
        set(field(a, i), text_of(auth, sources[i].key));
    set(&a->region, text_of(cloud, "region_name"));
    *found = *found || cloud;
out:
    gn_yaml_clear(&y);
    gn_buf_wipe(&text);
    free(path);
    return rc;
}

static int read_cloud(const struct gn_ctx *ctx, const char *name, struct stack_auth *a,
                      struct gn_err *err)
{
    char *home = gn_path_join(ctx->home, ".config/openstack");
    const char *const dirs[] = {ctx->cwd, home, "/etc/openstack"};
    bool found = false;
    int rc = GN_OK;

    /* not from the folder of a project: it could name a host that is sent the password */
    for (size_t i = 1; !rc && i < COUNT(dirs) && !found; i++) {
        rc = read_file(dirs[i], "clouds.yaml", name, a, &found, err);
        if (!rc && found)
            rc = read_file(dirs[i], "secure.yaml", name, a, &found, err);
    }
    free(home);
    if (!rc && !found)
        rc = gn_err_set(err, GN_E_CONFIG, "no cloud is called '%.60s' in clouds.yaml", name);
    return rc;
}

int gn_stack_auth(const struct gn_ctx *ctx, const struct gn_target *t, struct stack_auth *out,
                  struct gn_err *err)
{
    const char *cloud = gn_target_setting(t, "cloud");
    struct stack_auth a = {0};
    int rc = GN_OK;

    if (!cloud)
        cloud = gn_rest_env(ctx, "OS_CLOUD", NULL);
    if (cloud)
        rc = read_cloud(ctx, cloud, &a, err);
    for (size_t i = 0; !cloud && i < COUNT(sources); i++)
        set(field(&a, i), gn_rest_env(ctx, sources[i].env, NULL));
    set(&a.region, gn_rest_env(ctx, "OS_REGION_NAME", NULL));
    set(&a.region, gn_target_setting(t, "region"));
    set(&a.url, gn_target_setting(t, "endpoint"));
    if (!rc && (!a.url || !((a.app_id && a.app_secret) || (a.user && a.password))))
        rc = gn_rest_no_token(
            "OpenStack",
            "source an openrc file, or name a cloud of ~/.config/openstack/clouds.yaml"
            " with OS_CLOUD or 'cloud:'",
            err);
    if (rc)
        gn_stack_auth_clear(&a);
    else
        *out = a;
    return rc;
}

/* --- the session --- */

int gn_stack_explain(int status, const struct gn_json *body, struct gn_buf *said)
{
    struct gn_strs keys = GN_STRS_INIT;
    const char *message = NULL;

    gn_json_keys(body, &keys);
    for (size_t i = 0; i < keys.n && !message; i++)
        message = gn_json_get_str(gn_json_get(body, keys.v[i]), "message");
    gn_strs_clear(&keys);
    gn_buf_adds(said, message ? message : "");
    if (message && (strstr(message, "uota") || strstr(message, "No valid host")))
        return GN_E_CAPACITY;
    return status == 400 ? GN_E_CONFIG : 0;
}

static struct gn_json *named(const char *key, const char *value)
{
    struct gn_json *o = gn_json_object();

    gn_json_set_str(o, key, value);
    return o;
}

static struct gn_json *domain(const char *name)
{
    return named("name", name ? name : "Default");
}

static struct gn_json *by_password(const struct stack_auth *a, struct gn_json *auth)
{
    struct gn_json *user = named("name", a->user), *password = gn_json_object();
    struct gn_json *scope = gn_json_object(), *project;

    gn_json_set(user, "domain", domain(a->user_domain));
    gn_json_set_str(user, "password", a->password);
    gn_json_set(password, "user", user);
    if (a->project_id) {
        project = named("id", a->project_id);
    } else {
        project = named("name", a->project ? a->project : a->user);
        gn_json_set(project, "domain",
                    domain(a->project_domain ? a->project_domain : a->user_domain));
    }
    gn_json_set(scope, "project", project);
    gn_json_set(auth, "scope", scope);
    return password;
}

static struct gn_json *login_body(const struct stack_auth *a)
{
    struct gn_json *body = gn_json_object(), *auth = gn_json_object();
    struct gn_json *identity = gn_json_object(), *methods = gn_json_array(), *how;
    const char *method = a->app_id ? "application_credential" : "password";

    if (a->app_id) {
        how = named("id", a->app_id);
        gn_json_set_str(how, "secret", a->app_secret);
    } else {
        how = by_password(a, auth);
    }
    gn_json_append(methods, gn_json_string(method));
    gn_json_set(identity, "methods", methods);
    gn_json_set(identity, method, how);
    gn_json_set(auth, "identity", identity);
    gn_json_set(body, "auth", auth);
    return body;
}

/* Its public address in our region, with `version` at the end; NULL: there is none. */
static char *find_service(const struct gn_json *catalog, const char *type, const char *region,
                          const char *version)
{
    for (size_t i = 0; i < gn_json_len(catalog); i++) {
        const struct gn_json *service = gn_json_at(catalog, i);
        const struct gn_json *ends = gn_json_get(service, "endpoints");
        const char *its = gn_json_get_str(service, "type");

        if (!its || strcmp(its, type) != 0)
            continue;
        for (size_t k = 0; k < gn_json_len(ends); k++) {
            const struct gn_json *e = gn_json_at(ends, k);
            const char *interface = gn_json_get_str(e, "interface");
            const char *where = gn_json_get_str(e, "region"), *url = gn_json_get_str(e, "url");
            size_t n = url ? strlen(url) : 0;

            if (!url || !interface || strcmp(interface, "public") != 0 ||
                (region && (!where || strcmp(where, region) != 0)))
                continue;
            while (n && url[n - 1] == '/')
                n--;
            return gn_printf("%.*s%s", (int)n, url,
                             *version && !strstr(url, version) ? version : "");
        }
    }
    return NULL;
}

static void set_service(struct gn_rest *r, const struct stack *s, char *base, const char *token)
{
    *r = (struct gn_rest){
        .ctx = s->keystone.ctx, .name = "OpenStack", .base = base, .explain = gn_stack_explain};
    gn_strs_take(&r->headers, gn_printf("X-Auth-Token: %s", token));
}

static int take_catalog(struct stack *s, const struct gn_json *token, const char *secret,
                        struct gn_err *err)
{
    const struct gn_json *catalog = gn_json_get(token, "catalog");
    const char *user = gn_json_get_str(gn_json_get(token, "user"), "name");
    const char *project = gn_json_get_str(gn_json_get(token, "project"), "name");
    char *compute = find_service(catalog, "compute", s->auth.region, "");
    char *image = find_service(catalog, "image", s->auth.region, "/v2");
    char *network = find_service(catalog, "network", s->auth.region, "/v2.0");

    if (!compute || !image || !network) {
        free(compute);
        free(image);
        free(network);
        gn_err_set(err, GN_E_CONFIG,
                   "OpenStack: no compute, image and network service in region '%s'",
                   s->auth.region ? s->auth.region : "any");
        return gn_err_hint(err, "'region:' names another");
    }
    set_service(&s->compute, s, compute, secret);
    gn_strs_add(&s->compute.headers, "OpenStack-API-Version: compute 2.61");
    set_service(&s->image, s, image, secret);
    set_service(&s->network, s, network, secret);
    snprintf(s->who, sizeof s->who, "%.60s in project %.60s", user ? user : "?",
             project ? project : "?");
    s->logged_in = true;
    return GN_OK;
}

int gn_stack_login(struct stack *s, struct gn_err *err)
{
    struct gn_buf token = GN_BUF_INIT((size_t)64 << 10);
    struct gn_json *j = NULL;
    struct gn_rest_call c = {.method = "POST",
                             .path = "/auth/tokens",
                             .what = "log in",
                             .safe = true,
                             .keep = "x-subject-token",
                             .kept = &token};
    int rc;

    if (s->logged_in)
        return GN_OK;
    c.body = login_body(&s->auth);
    rc = gn_rest(&s->keystone, &c, &j, err);
    if (!rc && (!token.len || !gn_json_get(j, "token")))
        rc = gn_err_set(err, GN_E_PROTO, "OpenStack: a login without a token");
    if (!rc)
        rc = take_catalog(s, gn_json_get(j, "token"), token.ptr, err);
    gn_json_free(j);
    gn_buf_wipe(&token);
    return rc;
}
