#include "google.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/fs.h"
#include "gnrrun/sign.h"

#define FILE_MAX ((size_t)1 << 20)
#define TOKEN    "https://oauth2.googleapis.com/token"
#define LIFE_S   3600 /* the longest that they take */
#define GRANT    "urn:ietf:params:oauth:grant-type:jwt-bearer"

static char *file_of(const struct gn_ctx *ctx)
{
    const char *named = gn_rest_env(ctx, "GOOGLE_APPLICATION_CREDENTIALS", NULL);
    const char *config = gn_rest_env(ctx, "CLOUDSDK_CONFIG", NULL);

    if (named)
        return gn_strdup(named);
    if (config)
        return gn_path_join(config, "application_default_credentials.json");
    return gn_path_join(ctx->home, ".config/gcloud/application_default_credentials.json");
}

static int read_file(const char *path, struct gn_json **out, struct gn_err *err)
{
    struct gn_buf text = GN_BUF_INIT(FILE_MAX);
    struct gn_err why = GN_ERR_INIT;
    int rc = gn_fs_read(path, &text, err);

    if (rc == GN_E_NOTFOUND)
        rc = gn_rest_no_token("Google Cloud",
                              "gcloud auth application-default login, or a key file named by"
                              " GOOGLE_APPLICATION_CREDENTIALS",
                              err);
    else if (!rc && gn_json_parse(text.ptr, text.len, out, &why))
        rc = gn_err_set(err, GN_E_AUTH, "'%s' cannot be read: %s", path, why.msg);
    gn_buf_wipe(&text);
    return rc;
}

int gn_google_open(const struct gn_ctx *ctx, struct google *out, struct gn_err *err)
{
    char *path = file_of(ctx);
    const char *type, *who;
    int rc;

    *out = (struct google){.ctx = ctx};
    rc = read_file(path, &out->file, err);
    if (!rc) {
        type = gn_json_get_str(out->file, "type");
        who = gn_json_get_str(out->file, "client_email");
        if (!type || (strcmp(type, "service_account") && strcmp(type, "authorized_user")))
            rc = gn_err_set(err, GN_E_AUTH,
                            "'%s' holds credentials of a kind that is not known here", path);
        out->project = gn_strdup(gn_json_get_str(out->file, "project_id"));
        out->quota_project = gn_strdup(gn_json_get_str(out->file, "quota_project_id"));
        if (who)
            gn_rest_text(out->file, "client_email", out->who, sizeof out->who);
        else
            snprintf(out->who, sizeof out->who, "you");
    }
    free(path);
    if (rc)
        gn_google_clear(out);
    return rc;
}

void gn_google_clear(struct google *g)
{
    gn_json_free(g->file);
    free(g->project);
    free(g->quota_project);
    memset(g, 0, sizeof *g);
}

static void add64(struct gn_buf *out, struct gn_json *part)
{
    struct gn_buf text = GN_BUF_INIT((size_t)64 << 10);

    gn_json_dump(part, &text);
    gn_json_free(part);
    gn_buf_addb64(out, text.ptr, text.len, true);
    gn_buf_clear(&text);
}

/* A statement that we are that account, signed with its key (RFC 7523). */
static int assertion(const struct google *g, const char *scope, const char *where,
                     struct gn_buf *out, struct gn_err *err)
{
    struct gn_json *head = gn_json_object(), *claims = gn_json_object();
    const char *id = gn_json_get_str(g->file, "private_key_id");
    const char *key = gn_json_get_str(g->file, "private_key");
    struct gn_buf sig = GN_BUF_INIT(4096);
    int64_t now = g->ctx->wall_s(g->ctx);
    int rc;

    gn_json_set_str(head, "alg", "RS256");
    gn_json_set_str(head, "typ", "JWT");
    if (id)
        gn_json_set_str(head, "kid", id);
    gn_json_set_str(claims, "iss", gn_json_get_str(g->file, "client_email"));
    gn_json_set_str(claims, "scope", scope);
    gn_json_set_str(claims, "aud", where);
    gn_json_set_int(claims, "iat", now);
    gn_json_set_int(claims, "exp", now + LIFE_S);
    add64(out, head);
    gn_buf_addc(out, '.');
    add64(out, claims);
    rc = gn_sign_rs256(key ? key : "", out->ptr, out->len, &sig, err);
    gn_buf_addc(out, '.');
    gn_buf_addb64(out, sig.ptr, sig.len, true);
    gn_buf_wipe(&sig);
    return rc;
}

static int make_form(const struct google *g, const char *scope, const char *where,
                     struct gn_buf *form, struct gn_err *err)
{
    struct gn_buf jwt = GN_BUF_INIT((size_t)64 << 10);
    const char *type = gn_json_get_str(g->file, "type");
    int rc = GN_OK;

    if (strcmp(type, "service_account") == 0) {
        rc = assertion(g, scope, where, &jwt, err);
        gn_rest_field(form, "grant_type", GRANT);
        gn_rest_field(form, "assertion", jwt.ptr);
    } else {
        gn_rest_field(form, "grant_type", "refresh_token");
        gn_rest_field(form, "client_id", gn_json_get_str(g->file, "client_id"));
        gn_rest_field(form, "client_secret", gn_json_get_str(g->file, "client_secret"));
        gn_rest_field(form, "refresh_token", gn_json_get_str(g->file, "refresh_token"));
    }
    gn_buf_wipe(&jwt);
    return rc;
}

int gn_google_token(const struct google *g, const char *scope, struct gn_buf *token,
                    struct gn_err *err)
{
    struct gn_buf form = GN_BUF_INIT((size_t)128 << 10);
    const char *where = gn_json_get_str(g->file, "token_uri");
    int rc;

    if (!where)
        where = TOKEN;
    rc = make_form(g, scope, where, &form, err);
    if (!rc)
        rc = gn_rest_token(g->ctx, "Google", where, &form, token, err);
    if (rc == GN_E_AUTH)
        gn_err_hint(err, "gcloud auth application-default login");
    gn_buf_wipe(&form);
    return rc;
}
