/*
 * fetch - one call of gn_http() and what came of it: fetch [safe] METHOD URL [BODY]
 *
 * Writes "STATUS BYTES", " in doubt" behind it if an earlier trial may have been carried out, or "error CODE
 * MESSAGE"; and each event on stderr.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/http.h"

static int64_t skew;

static const char *real_env(const struct gn_ctx *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static void on_event(const struct gn_ctx *ctx, const struct gn_event *ev)
{
    (void)ctx;
    fprintf(stderr, "%s\n", ev->text);
}

static int sign(const struct gn_http_call *c, int64_t now_s, struct gn_strs *headers, void *arg,
                struct gn_err *err)
{
    (void)c;
    (void)arg;
    (void)err;
    gn_strs_take(headers, gn_printf("Authorization: Bearer s3cret-%lld", (long long)now_s));
    return GN_OK;
}

int main(int argc, char **argv)
{
    struct gn_ctx ctx = gn_ctx_none;
    struct gn_http_call c = {
        .what = "Test", .timeout_ms = 2000, .max_answer = 100000, .sign = sign, .skew_s = &skew};
    struct gn_http_answer a = GN_HTTP_ANSWER_INIT;
    struct gn_err err = GN_ERR_INIT;
    int at = 1;

    if (argc > 1 && strcmp(argv[1], "safe") == 0) {
        c.safe = true;
        at++;
    }
    if (argc < at + 2)
        return 2;
    c.method = argv[at];
    c.url = argv[at + 1];
    c.body = argv[at + 2];
    c.body_len = c.body ? strlen(c.body) : 0;
    ctx.event = on_event;
    ctx.env = real_env;
    if (gn_http(&ctx, &c, &a, &err))
        printf("error %d %s\n", err.code, err.msg);
    else
        printf("%d %zu%s\n", a.status, a.body.len, a.doubt ? " in doubt" : "");
    gn_http_answer_clear(&a);
    return 0;
}
