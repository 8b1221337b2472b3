/*
 * google.h - an access token of Google, from where its own tools keep credentials.
 */
#ifndef GN_PROVIDERS_GOOGLE_H
#define GN_PROVIDERS_GOOGLE_H

#include "rest.h"

/* The file of GOOGLE_APPLICATION_CREDENTIALS, or the application default credentials of gcloud. */
struct google {
    const struct gn_ctx *ctx;
    struct gn_json *file; /* its object; holds secrets */
    char *project;        /* that it names; NULL: none */
    char *quota_project;  /* to be told with each call; NULL: none */
    char who[160];
};

GN_MUST int gn_google_open(const struct gn_ctx *ctx, struct google *out, struct gn_err *err);
void gn_google_clear(struct google *g);

/* A token for scope, appended to token (to be wiped). */
GN_MUST int gn_google_token(const struct google *g, const char *scope, struct gn_buf *token,
                            struct gn_err *err);

#endif
