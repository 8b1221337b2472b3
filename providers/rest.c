#include "rest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gn_rest_clear(struct gn_rest *r)
{
    for (size_t i = 0; i < r->headers.n; i++)
        for (volatile char *p = r->headers.v[i]; *p; p++)
            *p = 0;
    gn_strs_clear(&r->headers);
    free(r->base);
    r->base = NULL;
}

static int refused(const struct gn_rest *r, const struct gn_http_answer *a, struct gn_err *err)
{
    struct gn_buf said = GN_BUF_INIT(2000);
    struct gn_json *body = NULL;
    struct gn_err none = GN_ERR_INIT;
    int code;

    if (gn_json_parse(a->body.ptr, a->body.len, &body, &none))
        body = NULL;
    code = r->explain(a->status, body, &said);
    gn_json_free(body);
    gn_http_err(a, said.ptr, err);
    if (code)
        err->code = code;
    gn_err_prefix(err, "%s: ", r->name);
    gn_buf_clear(&said);
    return err->code;
}

/* A refusal that follows a lost answer says nothing of what the lost one did. */
static int in_doubt(const struct gn_rest_call *c, const struct gn_http_answer *a, int rc,
                    struct gn_err *err)
{
    bool adds = strcmp(c->method, "POST") == 0 || strcmp(c->method, "PUT") == 0;

    if (!rc || !a->doubt || !adds || rc == GN_E_EXISTS || rc == GN_E_NOTFOUND || rc == GN_E_NET ||
        rc == GN_E_TIMEOUT || rc == GN_E_CANCEL)
        return rc;
    return err->code = GN_E_PROTO;
}

static int read_answer(const struct gn_rest *r, const struct gn_http_answer *a,
                       struct gn_json **out, struct gn_err *err)
{
    struct gn_err why = GN_ERR_INIT;

    if (a->status < 200 || a->status > 299)
        return refused(r, a, err);
    if (!out)
        return GN_OK;
    *out = NULL;
    if (!a->body.len)
        return GN_OK;
    if (gn_json_parse(a->body.ptr, a->body.len, out, &why))
        return gn_err_set(err, GN_E_PROTO, "%s: an answer that cannot be read", r->name);
    return GN_OK;
}

int gn_rest(const struct gn_rest *r, const struct gn_rest_call *c, struct gn_json **out,
            struct gn_err *err)
{
    struct gn_http_answer a = GN_HTTP_ANSWER_INIT;
    struct gn_buf body = GN_BUF_INIT((size_t)1 << 20);
    struct gn_http_call call = {
        .method = c->method, .what = c->what, .safe = c->safe, .keep = c->keep};
    char *url = gn_printf("%s%s", r->base, c->path);
    int rc;

    gn_strs_copy(&call.headers, &r->headers);
    for (size_t i = 0; c->headers && i < c->headers->n; i++)
        gn_strs_add(&call.headers, c->headers->v[i]);
    gn_strs_add(&call.headers, "Accept: application/json");
    if (c->body) {
        gn_json_dump(c->body, &body);
        gn_strs_add(&call.headers, "Content-Type: application/json");
        call.body = body.ptr;
        call.body_len = body.len;
    }
    call.url = url;
    rc = gn_http(r->ctx, &call, &a, err);
    if (rc && rc != GN_E_CANCEL)
        gn_err_prefix(err, "%s: ", r->name);
    if (!rc)
        rc = read_answer(r, &a, out, err);
    rc = in_doubt(c, &a, rc, err);
    if (!rc && c->keep)
        gn_buf_add(c->kept, a.kept.ptr, a.kept.len);
    for (size_t i = 0; i < call.headers.n; i++)
        for (volatile char *p = call.headers.v[i]; *p; p++)
            *p = 0;
    gn_strs_clear(&call.headers);
    gn_http_answer_clear(&a);
    gn_json_free(c->body);
    gn_buf_wipe(&body);
    free(url);
    return rc;
}

void gn_rest_field(struct gn_buf *form, const char *name, const char *value)
{
    gn_buf_addf(form, "%s%s=", form->len ? "&" : "", name);
    gn_url_add_form(form, value ? value : "");
}

/* {"access_token": ...}, or {"error": "invalid_grant", "error_description": ...} with 400 or 401 */
static int read_token(const char *name, const struct gn_http_answer *a, struct gn_buf *token,
                      struct gn_err *err)
{
    struct gn_err none = GN_ERR_INIT;
    struct gn_json *j = NULL;
    const char *text, *why;

    if (gn_json_parse(a->body.ptr, a->body.len, &j, &none))
        j = NULL;
    text = gn_json_get_str(j, "access_token");
    why = gn_json_get_str(j, "error_description");
    if (a->status == 200 && text) {
        gn_buf_adds(token, text);
    } else {
        gn_http_err(a, why ? why : "no token", err);
        if (a->status == 400 || a->status == 200)
            err->code = a->status == 400 ? GN_E_AUTH : GN_E_PROTO;
        gn_err_prefix(err, "%s: ", name);
    }
    gn_json_free(j);
    return err->code;
}

int gn_rest_token(const struct gn_ctx *ctx, const char *name, const char *url,
                  const struct gn_buf *form, struct gn_buf *token, struct gn_err *err)
{
    struct gn_http_answer a = GN_HTTP_ANSWER_INIT;
    struct gn_http_call c = {.method = "POST", .what = "token", .safe = true};
    int rc;

    c.url = url;
    c.body = form->ptr;
    c.body_len = form->len;
    gn_strs_add(&c.headers, "Content-Type: application/x-www-form-urlencoded");
    rc = gn_http(ctx, &c, &a, err);
    if (!rc)
        rc = read_token(name, &a, token, err);
    gn_strs_clear(&c.headers);
    gn_http_answer_clear(&a);
    return rc;
}

char *gn_rest_base(const struct gn_target *t, const char *usual)
{
    const char *own = gn_target_setting(t, "endpoint");
    char *base = gn_strdup(own ? own : usual);

    while (*base && base[strlen(base) - 1] == '/')
        base[strlen(base) - 1] = '\0';
    return base;
}

const char *gn_rest_env(const struct gn_ctx *ctx, const char *a, const char *b)
{
    const char *v = ctx->env(ctx, a);

    if ((!v || !*v) && b)
        v = ctx->env(ctx, b);
    return v && *v ? v : NULL;
}

int gn_rest_no_token(const char *name, const char *where, struct gn_err *err)
{
    gn_err_set(err, GN_E_AUTH, "no credentials of %s are here", name);
    return gn_err_hint(err, "%s", where);
}

void gn_rest_text(const struct gn_json *o, const char *key, char *to, size_t size)
{
    const char *s = gn_json_get_str(o, key);
    struct gn_buf safe = GN_BUF_INIT(size > 1 ? size - 1 : 1);

    to[0] = '\0';
    if (!s)
        return;
    gn_buf_addsafe(&safe, s, strlen(s), size > 4 ? size - 4 : 0);
    snprintf(to, size, "%s", safe.ptr);
    gn_buf_clear(&safe);
}

int gn_rest_id(const char *name, const char *id, struct gn_err *err)
{
    if (*id && strlen(id) < 128 &&
        strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
            strlen(id))
        return GN_OK;
    return gn_err_set(err, GN_E_PROTO, "%s: an id that is none", name);
}

/* Days since 1970 of a date (proleptic Gregorian, as ISO 8601 has it). */
static int64_t days(int y, int m, int d)
{
    int64_t era, yoe, doy;

    y -= m <= 2;
    era = y / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t gn_rest_time(const char *text)
{
    int y, mo, d, h, mi, s;

    if (!text || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &y, &mo, &d, &h, &mi, &s) != 6 ||
        y < 1970 || mo < 1 || mo > 12 || d < 1 || d > 31)
        return 0;
    return days(y, mo, d) * 86400 + h * 3600 + mi * 60 + s;
}
