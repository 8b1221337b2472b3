/*
 * rest.h - what providers with JSON over HTTP share: a call, its answer as JSON, its error in words.
 */
#ifndef GN_PROVIDERS_REST_H
#define GN_PROVIDERS_REST_H

#include "gnrrun/http.h"
#include "gnrrun/json.h"
#include "gnrrun/provider.h"

struct gn_rest {
    const struct gn_ctx *ctx;
    const char *name;       /* of the provider, for messages: "DigitalOcean" */
    char *base;             /* "https://api.digitalocean.com/v2" */
    struct gn_strs headers; /* "Authorization: ...", wiped by gn_rest_clear() */
    /*
     * What an error answer says, into said; the enum gn_rc it means, or 0: by its status.  body NULL: it was
     * no JSON.
     */
    int (*explain)(int status, const struct gn_json *body, struct gn_buf *said);
};
void gn_rest_clear(struct gn_rest *r);

struct gn_rest_call {
    const char *method, *path;     /* path: after base, with its query */
    const char *what;              /* for --verbose */
    struct gn_json *body;          /* taken, also on failure; NULL: none */
    bool safe;                     /* may be sent twice */
    const struct gn_strs *headers; /* of this call alone; or NULL */
    const char *keep;              /* as of struct gn_http_call, its value goes to: */
    struct gn_buf *kept;
};

/* GN_OK: 2xx; *out is the answer (the caller's), NULL where it has no body.  out NULL: not wanted. */
GN_MUST int gn_rest(const struct gn_rest *r, const struct gn_rest_call *c, struct gn_json **out,
                    struct gn_err *err);

/* NAME=VALUE of a web form, at its end. */
void gn_rest_field(struct gn_buf *form, const char *name, const char *value);

/*
 * The access token that an OAuth 2 server gives for the form (RFC 6749), appended to token, which is to be
 * wiped.  GN_E_AUTH: it gives none, and says why.
 */
GN_MUST int gn_rest_token(const struct gn_ctx *ctx, const char *name, const char *url,
                          const struct gn_buf *form, struct gn_buf *token, struct gn_err *err);

/* The target's `endpoint:`, else what is usual; the caller's. */
char *gn_rest_base(const struct gn_target *t, const char *usual);

/* The first variable that is set; NULL: none. */
const char *gn_rest_env(const struct gn_ctx *ctx, const char *a, const char *b);

/* No credential where one should be: AUTH, with where they are looked for. */
int gn_rest_no_token(const char *name, const char *where, struct gn_err *err);

/* A string of foreign JSON into a field, cut and made safe; "" when it is absent. */
void gn_rest_text(const struct gn_json *o, const char *key, char *to, size_t size);

/* An id that may stand in a path: letters, digits, - and _; otherwise GN_E_PROTO. */
GN_MUST int gn_rest_id(const char *name, const char *id, struct gn_err *err);

/* "2026-11-27T05:00:00Z" and its kind; 0 when it is none. */
int64_t gn_rest_time(const char *text);

#endif
