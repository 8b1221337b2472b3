/*
 * provider.h - where a machine comes from.
 *
 * A provider turns a target into something that can be reached, and ends there:
 * shipping, starting, following and fetching are written once, above it.  Adding one is
 * a file in providers/ and a line in providers/providers.def.
 */
#ifndef GNRRUN_PROVIDER_H
#define GNRRUN_PROVIDER_H

#include "gnrrun/config.h"
#include "gnrrun/transport.h"

struct gn_provider_ops {
    const char *name;                         /* "host" */
    const char *summary;                      /* one line */
    bool (*takes)(const struct gn_target *t); /* is this target one of its own? */
    /* A connection to the machine; *out is the caller's. */
    int (*open)(const struct gn_ctx *ctx, const struct gn_target *t, const struct gn_ssh_opts *opts,
                struct gn_transport **out, struct gn_err *err);
};

/* The provider of the target; GN_E_CONFIG naming the type when this version has none. */
GN_MUST int gn_provider_find(const struct gn_target *t, const struct gn_provider_ops **out,
                             struct gn_err *err);

/* Find it and open: what everybody calls. */
GN_MUST int gn_provider_connect(const struct gn_ctx *ctx, const struct gn_target *t,
                                const struct gn_ssh_opts *opts, struct gn_transport **out,
                                struct gn_err *err);

#endif
