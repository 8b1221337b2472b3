/*
 * http.h - one request to a REST provider and its answer.
 *
 * Certificates are always verified; plain http is only spoken to this machine.  No redirect is followed, so
 * no credential travels to where it does not belong.  Answers have a ceiling.  The usual variables
 * (https_proxy, no_proxy, ...) name proxies, and
 * SSL_CERT_FILE a file of authorities instead of this machine's.  What is reported of a call is its method, host, path and
 * `what`, never a header, a query or a body.
 */
#ifndef GNRRUN_HTTP_H
#define GNRRUN_HTTP_H

#include "gnrrun/ctx.h"
#include "gnrrun/mem.h"

struct gn_http_call;

/*
 * Add headers that depend on the time ("Authorization: ..."), before each trial.  Whatever is added is
 * wiped after it.
 */
typedef int (*gn_http_sign_fn)(const struct gn_http_call *c, int64_t now_s, struct gn_strs *headers,
                               void *arg, struct gn_err *err);

struct gn_http_call {
    const char *method; /* "GET", "POST", ... */
    const char *url;
    const char *what;       /* for people: "RunInstances"; or NULL */
    struct gn_strs headers; /* "Name: value" */
    const char *body;       /* NULL: none */
    size_t body_len;
    bool safe;          /* may be sent again when nobody knows whether it was carried out */
    int64_t timeout_ms; /* of one trial; 0: 60 s */
    size_t max_answer;  /* 0: 16 MiB */
    gn_http_sign_fn sign;
    void *sign_arg;
    const char *keep; /* small name of a header of the answer that is wanted; or NULL */
    int64_t *skew_s; /* theirs less ours, learnt from an answer that refuses a signature; or NULL */
};

struct gn_http_answer {
    int status;
    struct gn_buf body;
    struct gn_buf kept;    /* value of the header `keep` */
    int64_t date_s;        /* theirs; 0 unknown */
    int64_t retry_after_s; /* 0: no advice */
    bool doubt;            /* an earlier trial of this call may have been carried out */
};
#define GN_HTTP_ANSWER_INIT                                                                        \
    {                                                                                              \
        .body = GN_BUF_INIT((size_t)16 << 20), .kept = GN_BUF_INIT((size_t)64 << 10)               \
    }

/*
 * GN_OK: there is an answer, whatever its status.  GN_E_NET, GN_E_TIMEOUT: none; GN_E_PROTO: one that is too
 * long to be read, so what was asked for may have been done.
 * Tried up to four times, with full jitter and Retry-After, where that is safe: after 429, after a connection
 * that did not come about, and if c->safe after any failure of theirs (500, 502, 503, 504) or of the line.
 */
GN_MUST int gn_http(const struct gn_ctx *ctx, const struct gn_http_call *c,
                    struct gn_http_answer *out, struct gn_err *err);
void gn_http_answer_clear(struct gn_http_answer *a);

/*
 * A status that is no success as an error: 401, 403 GN_E_AUTH; 404 GN_E_NOTFOUND; 409 GN_E_EXISTS; 429, 5xx
 * GN_E_NET; others GN_E_FAIL; with what they say, made safe.
 */
int gn_http_err(const struct gn_http_answer *a, const char *said, struct gn_err *err);

/* s percent-encoded but for letters, digits and -_.~ (RFC 3986); form: as a web form has it, a space as +. */
void gn_url_add(struct gn_buf *out, const char *s);
void gn_url_add_form(struct gn_buf *out, const char *s);

#endif
