#include "gnrrun/provider.h"

#define GN_PROVIDER(name) extern const struct gn_provider_ops gn_provider_##name;
#include "providers/providers.def"
#undef GN_PROVIDER

static const struct gn_provider_ops *const table[] = {
#define GN_PROVIDER(name) &gn_provider_##name,
#include "providers/providers.def"
#undef GN_PROVIDER
};

int gn_provider_find(const struct gn_target *t, const struct gn_provider_ops **out,
                     struct gn_err *err)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i]->takes(t)) {
            *out = table[i];
            return GN_OK;
        }
    }
    gn_err_set(err, GN_E_CONFIG, "target '%s': this version cannot use targets of type '%s'",
               t->name, t->type_name ? t->type_name : "?");
    return gn_err_hint(err,
                       "types that work: 'ssh' for any machine you can log in to, and 'local'%s%s",
                       t->where ? "; it is set in " : "", t->where ? t->where : "");
}

int gn_provider_connect(const struct gn_ctx *ctx, const struct gn_target *t,
                        const struct gn_ssh_opts *opts, struct gn_transport **out,
                        struct gn_err *err)
{
    const struct gn_provider_ops *p = NULL;
    int rc = gn_provider_find(t, &p, err);

    return rc ? rc : p->open(ctx, t, opts, out, err);
}
