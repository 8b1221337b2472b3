#include "gnrrun/provider.h"

#include <string.h>

#define GN_PROVIDER(name, alias) extern const struct gn_provider_ops gn_provider_##name;
#include "gnrrun/providers.def"
#undef GN_PROVIDER

static const struct gn_provider_ops *const table[] = {
#define GN_PROVIDER(name, alias) &gn_provider_##name,
#include "gnrrun/providers.def"
#undef GN_PROVIDER
    NULL,
};

const struct gn_provider_ops *gn_provider_at(size_t i)
{
    return i < sizeof table / sizeof *table ? table[i] : NULL;
}

const struct gn_provider_ops *gn_provider_find(const char *type)
{
    for (size_t i = 0; table[i]; i++)
        if (strcmp(table[i]->name, type) == 0)
            return table[i];
    return NULL;
}

/* What lease.h reads, whatever the cloud. */
static const char *const common[] = {"price", "max_cost", "disk", "user", NULL};

static bool knows(const struct gn_provider_ops *ops, const char *key)
{
    for (size_t i = 0; common[i]; i++)
        if (strcmp(common[i], key) == 0)
            return true;
    for (size_t i = 0; ops->keys[i]; i++)
        if (strcmp(ops->keys[i], key) == 0)
            return true;
    return false;
}

/* "config.yaml:3:5: unknown key 'zome'", as the strict reader of the rest has it. */
static int check_keys(const struct gn_provider_ops *ops, const struct gn_target *t,
                      struct gn_err *err)
{
    for (size_t i = 0; i < t->n_settings; i++) {
        const struct gn_setting *s = &t->settings[i];
        unsigned best = 1 + (unsigned)strlen(s->key) / 3;
        const char *near = NULL;

        if (knows(ops, s->key))
            continue;
        gn_err_set(err, GN_E_CONFIG,
                   "config.yaml:%d:%d: unknown key '%.60s' of a target of type '%s'", s->line,
                   s->col, s->key, ops->name);
        for (size_t k = 0; ops->keys[k] && strlen(s->key) < 60; k++) {
            unsigned d = gn_edit_distance(s->key, ops->keys[k]);

            if (d < best) {
                best = d;
                near = ops->keys[k];
            }
        }
        return near ? gn_err_hint(err, "did you mean '%s'?", near) : err->code;
    }
    return GN_OK;
}

int gn_provider_open(const struct gn_ctx *ctx, const struct gn_target *t, struct gn_provider **out,
                     struct gn_err *err)
{
    const struct gn_provider_ops *ops = gn_provider_find(t->type_name);
    int rc;

    if (!ops)
        return gn_err_set(err, GN_E_CONFIG, "target '%s': nothing is known of type '%s'", t->name,
                          t->type_name);
    rc = check_keys(ops, t, err);
    if (!rc)
        rc = ops->open(ctx, t, out, err);
    return rc && rc != GN_E_CANCEL ? gn_err_prefix(err, "target '%s': ", t->name) : rc;
}
