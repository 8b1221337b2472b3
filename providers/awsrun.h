/*
 * awsrun.h - credentials that somebody else has to be asked for: a program (credential_process), the portal of
 * single sign-on.
 */
#ifndef GN_PROVIDERS_AWSRUN_H
#define GN_PROVIDERS_AWSRUN_H

#include "aws.h"

GN_MUST int gn_aws_process(const struct gn_ctx *ctx, const char *profile, const char *command,
                           struct gn_aws_keys *out, struct gn_err *err);

/* With the token that `aws sso login` left in a->sso_cache. */
GN_MUST int gn_aws_sso(const struct gn_ctx *ctx, const struct gn_aws *a, const char *profile,
                       const struct gn_aws_profile *p, struct gn_aws_keys *out, struct gn_err *err);

#endif
