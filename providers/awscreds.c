/* awscreds.c - credentials from where the vendor's own tools have them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws.h"
#include "awsrun.h"
#include "gnrrun/fs.h"

#define CHAIN_MAX 5   /* roles one behind the other */
#define GOOD_S    300 /* credentials that expire sooner are renewed */
#define ROLE_S    "3600"

void gn_aws_keys_clear(struct gn_aws_keys *k)
{
    gn_aws_wipe(k->id);
    gn_aws_wipe(k->secret);
    gn_aws_wipe(k->token);
    memset(k, 0, sizeof *k);
}

static void take(struct gn_aws_keys *k, const char *id, const char *secret, const char *token)
{
    gn_aws_keys_clear(k);
    k->id = gn_strdup(id);
    k->secret = gn_strdup(secret);
    k->token = token && *token ? gn_strdup(token) : NULL;
}

/* --- what is there --- */

static const char *env(const struct gn_ctx *ctx, const char *name)
{
    const char *v = ctx->env(ctx, name);

    return v && *v ? v : NULL;
}

/* "" when there is none. */
static int read_file(const struct gn_ctx *ctx, const char *variable, const char *usual, char **out,
                     struct gn_err *err)
{
    struct gn_buf text = GN_BUF_INIT(GN_MAX_FILE);
    const char *named = env(ctx, variable);
    char *path = gn_path_tilde(named ? named : usual, ctx->home);
    int rc = gn_fs_read(path, &text, err);

    if (rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        rc = GN_OK;
    }
    free(path);
    *out = rc ? NULL : gn_strdup(text.ptr);
    gn_buf_wipe(&text);
    return rc;
}

static bool take_env(const struct gn_ctx *ctx, struct gn_aws_keys *k)
{
    const char *id = env(ctx, "AWS_ACCESS_KEY_ID"), *secret = env(ctx, "AWS_SECRET_ACCESS_KEY");

    if (!id || !secret)
        return false;
    take(k, id, secret, env(ctx, "AWS_SESSION_TOKEN"));
    return true;
}

static const char *first(const char *a, const char *b)
{
    return a ? a : b;
}

static void find_region(const struct gn_ctx *ctx, const struct gn_aws_profile *p,
                        struct gn_aws *out)
{
    const char *region = first(env(ctx, "AWS_REGION"), env(ctx, "AWS_DEFAULT_REGION"));

    region = first(region, p->v[GN_AWS_REGION]);
    out->region = region ? gn_strdup(region) : NULL;
}

static char *without_slash(const char *url)
{
    size_t n = strlen(url);

    while (n && url[n - 1] == '/')
        n--;
    return gn_strndup(url, n);
}

static int no_credentials(const char *name, bool found, struct gn_err *err)
{
    if (!found)
        gn_err_set(err, GN_E_AUTH, "there are no AWS credentials: no profile '%.60s' in ~/.aws",
                   name);
    else
        gn_err_set(err, GN_E_AUTH, "AWS profile '%.60s' has no credentials that gnrrun can use",
                   name);
    return gn_err_hint(err, "aws configure, or aws sso login, or set AWS_ACCESS_KEY_ID and "
                            "AWS_SECRET_ACCESS_KEY");
}

static bool has_credentials(const struct gn_aws_profile *p)
{
    return p->v[GN_AWS_ROLE] || (p->v[GN_AWS_KEY_ID] && p->v[GN_AWS_SECRET]) ||
           p->v[GN_AWS_PROCESS] || p->v[GN_AWS_SSO_URL];
}

int gn_aws_open(const struct gn_ctx *ctx, const char *profile, const char *endpoint,
                struct gn_aws *out, struct gn_err *err)
{
    const char *name = first(
        profile, first(env(ctx, "AWS_PROFILE"), first(env(ctx, "AWS_DEFAULT_PROFILE"), "default")));
    struct gn_aws_profile p = {0};
    bool from_env;
    int rc;

    memset(out, 0, sizeof *out);
    rc = read_file(ctx, "AWS_CONFIG_FILE", "~/.aws/config", &out->config, err);
    if (!rc)
        rc = read_file(ctx, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", &out->credentials,
                       err);
    if (rc) {
        gn_aws_close(out);
        return rc;
    }
    gn_aws_profile_read(out->config, out->credentials, name, &p);
    find_region(ctx, &p, out);
    endpoint = first(endpoint, env(ctx, "AWS_ENDPOINT_URL"));
    out->endpoint = endpoint ? without_slash(endpoint) : NULL;
    out->sso_cache = gn_path_tilde("~/.aws/sso/cache", ctx->home);
    from_env = take_env(ctx, &out->env);
    if (!profile && from_env) {
        out->from = gn_strdup("the environment");
    } else if (has_credentials(&p)) {
        out->profile = gn_strdup(name);
        out->from = gn_printf("profile '%.60s'", name);
    } else {
        rc = no_credentials(name, p.found, err);
        gn_aws_close(out);
    }
    gn_aws_profile_clear(&p);
    return rc;
}

void gn_aws_close(struct gn_aws *a)
{
    gn_aws_wipe(a->config);
    gn_aws_wipe(a->credentials);
    free(a->profile);
    free(a->region);
    free(a->endpoint);
    free(a->from);
    free(a->sso_cache);
    gn_aws_keys_clear(&a->env);
    gn_aws_keys_clear(&a->keys);
    memset(a, 0, sizeof *a);
}

/* --- a role --- */

static void add_session_name(const struct gn_ctx *ctx, const struct gn_aws_profile *p,
                             struct gn_buf *form)
{
    struct gn_buf name = GN_BUF_INIT(64);

    gn_buf_adds(&name, "gnrrun-");
    for (const char *c = ctx->user ? ctx->user : ""; *c && name.len < 40; c++)
        gn_buf_addc(&name, (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ? *c : '-');
    gn_aws_add(form, first(p->v[GN_AWS_SESSION_NAME], name.ptr), "RoleSessionName");
    gn_buf_clear(&name);
}

/* keys: of who may assume it, then its own. */
static int assume(struct gn_aws *a, const struct gn_ctx *ctx, const struct gn_aws_profile *p,
                  struct gn_aws_keys *keys, struct gn_err *err)
{
    struct gn_buf form = GN_BUF_INIT(16384);
    struct gn_aws_call c = {.service = "sts",
                            .region = first(p->v[GN_AWS_REGION], first(a->region, "us-east-1")),
                            .action = "AssumeRole",
                            .body = &form,
                            .safe = true,
                            .keys = keys};
    const struct gn_xml *got;
    struct gn_xml *x = NULL;
    int rc;

    if (p->v[GN_AWS_MFA]) {
        gn_err_set(err, GN_E_AUTH, "role '%.80s' asks for a code (mfa_serial)", p->v[GN_AWS_ROLE]);
        return gn_err_hint(err, "assume it with the aws command, and put what it says into "
                                "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN");
    }
    gn_aws_form(&form, c.action, GN_AWS_STS);
    gn_aws_add(&form, p->v[GN_AWS_ROLE], "RoleArn");
    add_session_name(ctx, p, &form);
    gn_aws_add(&form, ROLE_S, "DurationSeconds");
    if (p->v[GN_AWS_EXTERNAL_ID])
        gn_aws_add(&form, p->v[GN_AWS_EXTERNAL_ID], "ExternalId");
    rc = gn_aws_query(a, ctx, &c, &x, err);
    got = gn_xml_get(x, "AssumeRoleResult/Credentials");
    if (!rc && (!*gn_xml_text(got, "AccessKeyId") || !*gn_xml_text(got, "SecretAccessKey")))
        rc = gn_err_set(err, GN_E_PROTO, "AssumeRole: an answer without credentials");
    if (!rc) {
        take(keys, gn_xml_text(got, "AccessKeyId"), gn_xml_text(got, "SecretAccessKey"),
             gn_xml_text(got, "SessionToken"));
        keys->expires_s = gn_aws_time(gn_xml_text(got, "Expiration"));
    }
    gn_xml_free(x);
    gn_buf_clear(&form);
    return rc;
}

/* --- a profile --- */

/* Of a profile without a role. */
static int base_keys(struct gn_aws *a, const struct gn_ctx *ctx, const char *name,
                     const struct gn_aws_profile *p, struct gn_aws_keys *out, struct gn_err *err)
{
    if (p->v[GN_AWS_SSO_URL] && p->v[GN_AWS_SSO_ROLE])
        return gn_aws_sso(ctx, a, name, p, out, err);
    if (p->v[GN_AWS_KEY_ID] && p->v[GN_AWS_SECRET]) {
        take(out, p->v[GN_AWS_KEY_ID], p->v[GN_AWS_SECRET], p->v[GN_AWS_TOKEN]);
        return GN_OK;
    }
    if (p->v[GN_AWS_PROCESS])
        return gn_aws_process(ctx, name, p->v[GN_AWS_PROCESS], out, err);
    return no_credentials(name, p->found, err);
}

/* The profiles from the one that is asked for to the one with keys; *n of them. */
static int follow(const struct gn_aws *a, struct gn_aws_profile *chain, char **names, size_t *n,
                  struct gn_err *err)
{
    const char *name = a->profile;

    for (*n = 0; *n < CHAIN_MAX;) {
        struct gn_aws_profile *p = &chain[*n];

        gn_aws_profile_read(a->config, a->credentials, name, p);
        names[(*n)++] = gn_strdup(name);
        if (!p->found)
            return no_credentials(name, false, err);
        if (!p->v[GN_AWS_ROLE] || !p->v[GN_AWS_SOURCE])
            return GN_OK;
        /* [AWS CLI] its own source: its keys assume its role */
        if (strcmp(p->v[GN_AWS_SOURCE], name) == 0)
            return GN_OK;
        name = p->v[GN_AWS_SOURCE];
    }
    return gn_err_set(err, GN_E_AUTH,
                      "AWS profile '%.60s': source_profile leads on and on, or in a circle",
                      a->profile);
}

static int walk(struct gn_aws *a, const struct gn_ctx *ctx, struct gn_aws_profile *chain,
                char **names, size_t n, struct gn_aws_keys *keys, struct gn_err *err)
{
    const struct gn_aws_profile *last = &chain[n - 1];
    const char *kind = last->v[GN_AWS_SOURCE_KIND];
    int rc;

    if (last->v[GN_AWS_ROLE] && !last->v[GN_AWS_SOURCE]) {
        if (!kind || strcmp(kind, "Environment") != 0 || !a->env.id)
            return gn_err_set(err, GN_E_AUTH,
                              "AWS profile '%.60s' has a role_arn, but neither a source_profile "
                              "nor keys in the environment to assume it with",
                              names[n - 1]);
        take(keys, a->env.id, a->env.secret, a->env.token);
        rc = GN_OK;
    } else {
        rc = base_keys(a, ctx, names[n - 1], last, keys, err);
    }
    for (size_t i = n; !rc && i-- > 0;)
        if (chain[i].v[GN_AWS_ROLE])
            rc = assume(a, ctx, &chain[i], keys, err);
    return rc;
}

int gn_aws_need(struct gn_aws *a, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_aws_profile chain[CHAIN_MAX] = {0};
    char *names[CHAIN_MAX] = {0};
    struct gn_aws_keys keys = {0};
    size_t n = 0;
    int rc;

    if (a->keys.id &&
        (!a->keys.expires_s || a->keys.expires_s > ctx->wall_s(ctx) + a->skew_s + GOOD_S))
        return GN_OK;
    if (!a->profile) {
        take(&a->keys, a->env.id, a->env.secret, a->env.token);
        return GN_OK;
    }
    rc = follow(a, chain, names, &n, err);
    if (!rc)
        rc = walk(a, ctx, chain, names, n, &keys, err);
    for (size_t i = 0; i < CHAIN_MAX; i++) {
        gn_aws_profile_clear(&chain[i]);
        free(names[i]);
    }
    if (rc) {
        gn_aws_keys_clear(&keys);
        return rc;
    }
    gn_aws_keys_clear(&a->keys);
    a->keys = keys;
    return GN_OK;
}
