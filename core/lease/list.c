/* list.c - what the providers have of ours, with or without a record of it here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease_private.h"

struct joining {
    const struct gn_leasing *l;
    struct gn_founds *all;
    size_t from; /* the first that this provider told */
};

/* The record knows more: which run, what it costs. */
static int join(const struct gn_rent *r, void *arg, struct gn_err *err)
{
    struct joining *j = arg;

    (void)err;
    for (size_t i = j->from; i < j->all->n; i++) {
        struct gn_found *f = &j->all->v[i];

        if (strcmp(f->lease.name, r->lease.name) != 0)
            continue;
        f->run_id = r->run_id;
        f->lease.price_microusd_h = r->lease.price_microusd_h;
        f->lease.deadline_s = r->lease.deadline_s;
        f->worst_microusd = r->worst_microusd;
        f->cost_microusd = gn_rent_cost(r, j->l->ctx->wall_s(j->l->ctx));
    }
    return GN_OK;
}

int gn_lease_list(const struct gn_leasing *l, const struct gn_target *target, struct gn_founds *out,
                  bool *complete, struct gn_err *err)
{
    struct joining j = {.l = l, .all = out, .from = out->n};
    struct gn_provider *p = NULL;
    struct gn_leases leases = {0};
    int rc = l->provider(l->ctx, target, &p, err);

    if (!rc)
        rc = p->ops->list(p, l->ctx, &leases, complete, err);
    for (size_t i = 0; !rc && i < leases.n; i++) {
        struct gn_found f = {.lease = leases.v[i],
                             .cost_microusd = GN_PRICE_UNKNOWN,
                             .worst_microusd = GN_PRICE_UNKNOWN};
        char owner[24];
        int64_t until;

        snprintf(f.target, sizeof f.target, "%.63s", target->name);
        if (gn_lease_name_read(f.lease.name, owner, &until)) {
            f.lease.deadline_s = f.lease.deadline_s ? f.lease.deadline_s : until;
            if (!*f.lease.owner)
                snprintf(f.lease.owner, sizeof f.lease.owner, "%s", owner);
        }
        GN_GROW(out->v, out->n, out->cap);
        out->v[out->n++] = f;
    }
    if (!rc)
        rc = gn_store_leases(l->store, 0, false, join, &j, err);
    free(leases.v);
    gn_provider_close(p);
    return rc;
}

struct wanted {
    const char *name;
    struct gn_rent rent;
};

static int find(const struct gn_rent *r, void *arg, struct gn_err *err)
{
    struct wanted *w = arg;

    (void)err;
    if (w->rent.id || strcmp(w->name, r->lease.name) != 0)
        return GN_OK;
    w->rent = *r;
    w->rent.target = gn_strdup(r->target);
    w->rent.type = gn_strdup(r->type);
    w->rent.settings = gn_strdup(r->settings);
    return GN_OK;
}

/* One without a record gets one first: its end, too, may have to be gone on with. */
static int adopt(const struct gn_leasing *l, const struct gn_target *target,
                 const struct gn_found *f, struct gn_rent *r, struct gn_err *err)
{
    *r = (struct gn_rent){.target = gn_strdup(target->name),
                          .type = gn_strdup(target->type_name),
                          .settings = gn_settings_text(target),
                          .lease = f->lease,
                          .asked_s = f->lease.made_s,
                          .worst_microusd = GN_PRICE_UNKNOWN};
    snprintf(r->token, sizeof r->token, "found-%.30s", f->lease.name);
    return gn_store_add_lease(l->store, r, err);
}

int gn_lease_end_found(const struct gn_leasing *l, const struct gn_target *target,
                       const struct gn_found *f, struct gn_err *err)
{
    struct wanted w = {.name = f->lease.name};
    struct gn_provider *p = NULL;
    int rc = l->provider(l->ctx, target, &p, err);

    if (!rc)
        rc = gn_store_leases(l->store, 0, false, find, &w, err);
    if (!rc && !w.rent.id)
        rc = adopt(l, target, f, &w.rent, err);
    if (!rc)
        rc = gn_rent_end(l, p, &w.rent, err);
    gn_rent_clear(&w.rent);
    gn_provider_close(p);
    return rc;
}
