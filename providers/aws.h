/*
 * aws.h - what a provider at Amazon needs beside its own requests: credentials from where the vendor's own
 * tools have them, signed calls, errors as gn_err codes.
 *
 * Credentials are looked for in this order: the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
 * AWS_SESSION_TOKEN (unless the target names a profile); the profile that it, AWS_PROFILE or
 * AWS_DEFAULT_PROFILE names, else "default": a role to assume (role_arn with source_profile), single sign-on
 * as `aws sso login` left it, keys, credential_process.  Short-lived ones are renewed before they expire.
 * They are kept in memory alone and wiped.
 */
#ifndef GN_PROVIDERS_AWS_H
#define GN_PROVIDERS_AWS_H

#include "awsfile.h"
#include "gnrrun/ctx.h"
#include "gnrrun/json.h"
#include "gnrrun/xml.h"

struct gn_aws_keys {
    char *id, *secret, *token; /* token NULL: none */
    int64_t expires_s;         /* 0: never */
};

struct gn_aws {
    char *config, *credentials; /* the texts of the two files */
    char *profile;              /* NULL: the environment's keys */
    char *region;               /* of the environment or of the profile; NULL: not said */
    char *endpoint;             /* for all services, without a slash at the end; NULL: Amazon's */
    char *from;                 /* where the credentials are from: "the environment" */
    char *sso_cache;            /* folder */
    struct gn_aws_keys env, keys;
    int64_t skew_s;
};

/*
 * Find the credentials, without a network.  profile, endpoint: as the target has them, or NULL.  GN_E_AUTH:
 * there are none.
 */
GN_MUST int gn_aws_open(const struct gn_ctx *ctx, const char *profile, const char *endpoint,
                        struct gn_aws *out, struct gn_err *err);
void gn_aws_close(struct gn_aws *a);

/* a->keys are good for some minutes from now. */
GN_MUST int gn_aws_need(struct gn_aws *a, const struct gn_ctx *ctx, struct gn_err *err);
void gn_aws_keys_clear(struct gn_aws_keys *k);

/* --- calls --- */

#define GN_AWS_EC2 "2016-11-15"
#define GN_AWS_STS "2011-06-15"

/* A form: "Action=...&Version=...", and more keys ("Filter.1.Name") with their values. */
void gn_aws_form(struct gn_buf *form, const char *action, const char *version);
void gn_aws_add(struct gn_buf *form, const char *value, const char *key, ...) GN_PRINTF(3, 4);

struct gn_aws_call {
    const char *service, *region;   /* "ec2", "ap-south-1" */
    const char *action;             /* for people; of JSON services the whole X-Amz-Target */
    const struct gn_buf *body;      /* a form, or JSON */
    bool safe;                      /* may be sent twice */
    const struct gn_aws_keys *keys; /* NULL: those of gn_aws_need() */
    char code[80];                  /* out: of an error, in their words; "" */
};

/* *out is the answer, the caller's.  Errors as provider.h has them. */
GN_MUST int gn_aws_query(struct gn_aws *a, const struct gn_ctx *ctx, struct gn_aws_call *c,
                         struct gn_xml **out, struct gn_err *err);
GN_MUST int gn_aws_json(struct gn_aws *a, const struct gn_ctx *ctx, struct gn_aws_call *c,
                        struct gn_json **out, struct gn_err *err);

/* Their error as ours: code and message are foreign, action is ours. */
int gn_aws_error(int status, const char *code, const char *message, const char *action,
                 struct gn_err *err);

#endif
