/* record.c - between the store's row and the provider it speaks of. */
#include <stdlib.h>
#include <string.h>

#include "gnrrun/json.h"
#include "lease_private.h"

char *gn_settings_text(const struct gn_target *t)
{
    struct gn_buf out = GN_BUF_INIT((size_t)1 << 20);
    struct gn_json *o = gn_json_object();

    for (size_t i = 0; i < t->n_settings; i++)
        gn_json_set_str(o, t->settings[i].key, t->settings[i].value);
    gn_json_dump(o, &out);
    gn_json_free(o);
    return gn_buf_detach(&out);
}

int gn_rent_target(const struct gn_rent *r, struct gn_target *out, struct gn_err *err)
{
    struct gn_json *o = NULL;
    struct gn_strs keys = GN_STRS_INIT;
    int rc = gn_json_parse(r->settings, strlen(r->settings), &o, err);

    if (rc)
        return gn_err_prefix(err, "the record of machine '%s': ", r->lease.name);
    *out = (struct gn_target){.nice = -1, .type = GN_TARGET_CLOUD};
    out->name = gn_strdup(r->target);
    out->type_name = gn_strdup(r->type);
    out->where = gn_strdup("the record");
    gn_json_keys(o, &keys);
    out->settings = gn_calloc(keys.n ? keys.n : 1, sizeof *out->settings);
    for (size_t i = 0; i < keys.n; i++) {
        const char *value = gn_json_get_str(o, keys.v[i]);

        if (value)
            out->settings[out->n_settings++] =
                (struct gn_setting){gn_strdup(keys.v[i]), gn_strdup(value), 0, 0};
    }
    gn_strs_clear(&keys);
    gn_json_free(o);
    return GN_OK;
}

int gn_rent_put(const struct gn_leasing *l, struct gn_rent *r, enum gn_lease_state state,
                struct gn_err *err)
{
    r->lease.state = state;
    if (state == GN_LEASE_GONE && !r->ended_s)
        r->ended_s = l->ctx->wall_s(l->ctx);
    return gn_store_set_lease(l->store, r, err);
}

static int take(const struct gn_rent *r, void *arg, struct gn_err *err)
{
    struct gn_rent *to = arg;

    (void)err;
    gn_rent_clear(to);
    *to = *r;
    to->target = gn_strdup(r->target);
    to->type = gn_strdup(r->type);
    to->settings = gn_strdup(r->settings);
    return GN_OK;
}

int gn_hire_find(struct gn_hire *h, struct gn_err *err)
{
    return gn_store_leases(h->l->store, h->run->id, false, take, &h->rent, err);
}
