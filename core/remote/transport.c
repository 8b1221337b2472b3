#include "gnrrun/far.h"

int gn_transport_open(const struct gn_ctx *ctx, const struct gn_target *target,
                      const struct gn_ssh_opts *opts, struct gn_transport **out, struct gn_err *err)
{
    switch (target->type) {
    case GN_TARGET_LOCAL:
        return gn_transport_local(ctx, out, err);
    case GN_TARGET_SSH:
        return gn_transport_ssh(ctx, target, opts, out, err);
    case GN_TARGET_LATER:
        break;
    }
    return gn_err_set(err, GN_E_CONFIG, "target '%s': type '%s' is not available in this version",
                      target->name, target->type_name ? target->type_name : "?");
}

void gn_transport_close(struct gn_transport *t)
{
    if (!t)
        return;
    gn_far_close(t->waiting);
    t->ops->close(t);
}

void gn_stream_close(struct gn_stream *s)
{
    if (s)
        s->ops->close(s);
}
