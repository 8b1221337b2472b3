#include "gnrrun/provider.h"

/* Machines that exist: this one, and whatever ssh reaches. */

extern const struct gn_provider_ops gn_provider_host;

static bool takes(const struct gn_target *t)
{
    return t->type == GN_TARGET_LOCAL || t->type == GN_TARGET_SSH;
}

static int open_host(const struct gn_ctx *ctx, const struct gn_target *t,
                     const struct gn_ssh_opts *opts, struct gn_transport **out, struct gn_err *err)
{
    if (t->hosts.n) {
        gn_err_set(err, GN_E_USAGE, "'%s' is a pool of %zu hosts", t->name, t->hosts.n);
        return gn_err_hint(err, "name one of them: '%s/%s'", t->name, t->hosts.v[0]);
    }
    return gn_transport_open(ctx, t, opts, out, err);
}

const struct gn_provider_ops gn_provider_host = {
    .name = "host",
    .summary = "machines that exist: this one, and whatever ssh reaches",
    .takes = takes,
    .open = open_host,
};
