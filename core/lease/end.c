/* end.c - a machine's end: asked for until the provider says that nothing is left. */
#include <stdlib.h>
#include <string.h>

#include "lease_private.h"

#define LIMIT_MS 300000 /* for one machine, however the provider hesitates */
#define UNSEEN_S                                                                                   \
    120 /* a machine that was made shows up in lists within that [EC2: minutes at most] */

bool gn_is_unsure(int rc)
{
    return rc == GN_E_NET || rc == GN_E_TIMEOUT || rc == GN_E_PROTO;
}

int gn_lease_wait(const struct gn_ctx *ctx, unsigned n, struct gn_err *err)
{
    int64_t ms = n < 4 ? (int64_t)500 << n : 5000;

    return gn_wait_ms(ctx, ms + ctx->mono_ms(ctx) % (ms / 4 + 1), err);
}

/*
 * What the provider does not know any more, and what it will never know, is gone.  Of a machine that
 * nobody has seen yet, "not known" says nothing before its time.
 */
static bool is_gone(const struct gn_leasing *l, const struct gn_rent *r, bool seen, int polled)
{
    if (polled == GN_OK)
        return r->lease.state == GN_LEASE_GONE;
    return polled == GN_E_NOTFOUND &&
           (seen || *r->lease.address || l->ctx->wall_s(l->ctx) - r->asked_s >= UNSEEN_S);
}

static int still_there(const struct gn_rent *r, struct gn_err *err)
{
    struct gn_err why = *err;

    gn_err_set(err, why.code ? why.code : GN_E_TIMEOUT,
               "machine '%s' of '%s' may still cost money: %s",
               *r->lease.id ? r->lease.id : r->lease.name, r->target,
               *why.msg ? why.msg : "the provider does not say that it is gone");
    return gn_err_hint(err, "gnrrun sweep --terminate ends it");
}

int gn_rent_end(const struct gn_leasing *l, struct gn_provider *p, struct gn_rent *r,
                struct gn_err *err)
{
    const struct gn_ctx *ctx = l->ctx;
    int64_t begun = ctx->mono_ms(ctx);
    struct gn_err ignored = GN_ERR_INIT;
    bool asked = false, seen = false;
    int rc = gn_rent_put(l, r, GN_LEASE_ENDING, err);

    if (rc == GN_E_EXISTS) { /* somebody else has ended it, and seen it gone */
        gn_err_clear(err);
        return GN_OK;
    }
    for (unsigned n = 0; !rc && ctx->mono_ms(ctx) - begun < LIMIT_MS; n++) {
        int polled;

        gn_err_clear(err);
        /* without an id there is nothing to end until it is seen */
        if (!asked)
            rc = p->ops->destroy(p, ctx, &r->lease, err);
        asked = asked || !rc;
        if (rc && !gn_is_unsure(rc) && rc != GN_E_NOTFOUND)
            break;
        polled = p->ops->poll(p, ctx, &r->lease, &ignored);
        seen = seen || polled == GN_OK;
        if (is_gone(l, r, seen, polled)) {
            gn_err_clear(err);
            rc = gn_rent_put(l, r, GN_LEASE_GONE, err);
            if (!rc)
                gn_lease_keys_drop(ctx, r);
            return rc;
        }
        if (polled == GN_OK ? r->lease.state != GN_LEASE_ENDING : polled == GN_E_NOTFOUND)
            asked = false; /* it did not listen, or does not know of it yet */
        r->lease.state = GN_LEASE_ENDING;
        rc = gn_lease_wait(ctx, n, rc ? &ignored : err);
    }
    return still_there(r, err);
}

static int end_one(const struct gn_leasing *l, struct gn_rent *r, struct gn_err *err)
{
    struct gn_provider *p = NULL;
    struct gn_target t = {0};
    char cost[32];
    int rc = gn_rent_target(r, &t, err);

    if (!rc)
        rc = l->provider(l->ctx, &t, &p, err);
    if (rc)
        rc = still_there(r, err);
    else
        rc = gn_rent_end(l, p, r, err);
    if (!rc && *r->lease.id)
        gn_event_text(l->ctx, GN_EV_NOTE, "machine '%s' of '%s' is gone; it cost about %s",
                      r->lease.id, r->target, gn_fmt_money(gn_rent_cost(r, r->ended_s), cost));
    gn_provider_close(p);
    gn_target_clear(&t);
    return rc;
}

struct ending {
    const struct gn_leasing *l;
    int rc;
    struct gn_err first;
};

/* Each is tried, whatever became of the others. */
static int end_next(const struct gn_rent *r, void *arg, struct gn_err *err)
{
    struct ending *all = arg;
    struct gn_rent own = *r;
    struct gn_err why = GN_ERR_INIT;

    (void)err;
    if (end_one(all->l, &own, &why) && !all->rc) {
        all->rc = why.code;
        all->first = why;
    }
    return GN_OK;
}

int gn_lease_end(const struct gn_leasing *l, int64_t run_id, struct gn_err *err)
{
    /* Ctrl-C must not leave a machine behind: each end has a limit of its own. */
    static const volatile sig_atomic_t never = 0;
    struct gn_ctx calm = *l->ctx;
    struct gn_leasing own = *l;
    struct ending all = {.l = &own};
    int rc;

    calm.interrupts = &never;
    calm.wake_fd = -1;
    own.ctx = &calm;
    rc = gn_store_leases(l->store, run_id, false, end_next, &all, err);
    if (!rc && all.rc) {
        *err = all.first;
        rc = all.rc;
    }
    return rc;
}

static int count(const struct gn_rent *r, void *arg, struct gn_err *err)
{
    (void)r;
    (void)err;
    ++*(int *)arg;
    return GN_OK;
}

bool gn_lease_bills(const struct gn_leasing *l, int64_t run_id)
{
    struct gn_err ignored = GN_ERR_INIT;
    int n = 0;

    return gn_store_leases(l->store, run_id, false, count, &n, &ignored) || n > 0;
}

static int look(const struct gn_rent *r, void *arg, struct gn_err *err)
{
    const struct gn_leasing *l = arg;
    struct gn_err why = GN_ERR_INIT;
    struct gn_provider *p = NULL;
    struct gn_target t = {0};
    struct gn_rent own = *r;
    int rc = gn_rent_target(r, &t, &why);

    if (!rc)
        rc = l->provider(l->ctx, &t, &p, &why);
    if (!rc && own.lease.state == GN_LEASE_ENDING)
        rc = p->ops->destroy(p, l->ctx, &own.lease, &why);
    if (!rc)
        rc = p->ops->poll(p, l->ctx, &own.lease, &why);
    gn_provider_close(p);
    gn_target_clear(&t);
    if (rc != GN_OK && !is_gone(l, &own, false, rc)) {
        gn_event_text(l->ctx, GN_EV_WARN, "machine '%s' of '%s' may still cost money: %s",
                      *r->lease.id ? r->lease.id : r->lease.name, r->target, why.msg);
        return rc == GN_E_CANCEL ? gn_err_set(err, rc, "%s", why.msg) : GN_OK;
    }
    if (rc)
        own.lease.state = GN_LEASE_GONE;
    /* its end was asked for: that it still runs does not take this back */
    else if (r->lease.state == GN_LEASE_ENDING && own.lease.state != GN_LEASE_GONE)
        own.lease.state = GN_LEASE_ENDING;
    rc = gn_rent_put(l, &own, own.lease.state, err);
    if (rc == GN_E_EXISTS) {
        gn_err_clear(err);
        rc = GN_OK;
    }
    if (!rc && own.lease.state == GN_LEASE_GONE)
        gn_lease_keys_drop(l->ctx, &own);
    return rc;
}

int gn_lease_refresh(const struct gn_leasing *l, struct gn_err *err)
{
    struct gn_leasing own = *l;

    return gn_store_leases(l->store, 0, false, look, &own, err);
}
