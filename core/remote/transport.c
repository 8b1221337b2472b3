#include "gnrrun/far.h"
#include "gnrrun/keep.h"

#define NEAR_MS 2   /* a longer line is not that fast, and to try it costs a round trip */
#define FAST    200 /* bytes a microsecond */

int gn_transport_open(const struct gn_ctx *ctx, const struct gn_target *target,
                      const struct gn_ssh_opts *opts, struct gn_transport **out, struct gn_err *err)
{
    switch (target->type) {
    case GN_TARGET_LOCAL:
        return gn_transport_local(ctx, out, err);
    case GN_TARGET_SSH:
        if (target->hosts.n) {
            gn_err_set(err, GN_E_USAGE, "'%s' is a pool of %zu hosts", target->name,
                       target->hosts.n);
            return gn_err_hint(err, "name one of them: '%s/%s'", target->name, target->hosts.v[0]);
        }
        return gn_keep_open(ctx, target, opts, out, err);
    case GN_TARGET_CLOUD:
        gn_err_set(err, GN_E_USAGE, "'%s' has no machine until a run is made there", target->name);
        return gn_err_hint(err, "gnrrun PROGRAM --target %s", target->name);
    case GN_TARGET_LATER:
        break;
    }
    return gn_err_set(err, GN_E_CONFIG, "target '%s': type '%s' is not available in this version",
                      target->name, target->type_name ? target->type_name : "?");
}

bool gn_transport_is_fast(struct gn_transport *t, const struct gn_ctx *ctx)
{
    if (t->fast == GN_UNKNOWN)
        t->fast = t->ops->rtt_ms && t->ops->rtt_ms(t) < NEAR_MS &&
                          (!t->ops->rate || t->ops->rate(t, ctx) >= FAST)
                      ? GN_YES
                      : GN_NO;
    return t->fast == GN_YES;
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
