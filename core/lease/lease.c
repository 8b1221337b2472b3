/*
 * lease.c - the machine of a run: chosen, written down, asked for, awaited.
 *
 * The record says intent before the provider hears of it, with the name and the token by which it can
 * be found again.  An answer that says no closes the record; one that is lost does not, and the
 * same question is asked again, never another one in its place.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/hash.h"
#include "lease_private.h"

#define OFFERS_MAX 12     /* that are tried one after the other */
#define ASKS       6      /* of a create whose answer is lost */
#define COME_UP_MS 900000 /* from "it is being made" to an address */
#define UNSEEN_MS  180000 /* a new machine may be unknown to the provider's other servers so long */

/* A token as a version 4 UUID has it: some providers want that. */
static void make_token(char out[40])
{
    char hex[33];

    gn_random_hex(hex, 16);
    snprintf(out, 40, "%.8s-%.4s-4%.3s-a%.3s-%.12s", hex, hex + 8, hex + 13, hex + 17, hex + 20);
}

static int write_intent(struct gn_hire *h, const struct gn_offer *o, int64_t deadline_s,
                        int64_t worst, struct gn_err *err)
{
    const struct gn_ctx *ctx = h->l->ctx;
    struct gn_rent *r = &h->rent;
    struct gn_lease *l = &r->lease;
    const char *user = gn_target_setting(h->target, "user");
    int rc;

    if (user && !gn_is_login(user))
        return gn_err_set(err, GN_E_CONFIG, "'user' must be the name of a login, not '%.40s'",
                          user);
    gn_rent_clear(r);
    r->run_id = h->run->id;
    r->target = gn_strdup(h->target->name);
    r->type = gn_strdup(h->target->type_name);
    r->settings = gn_settings_text(h->target);
    r->asked_s = ctx->wall_s(ctx);
    r->worst_microusd = worst;
    make_token(r->token);
    gn_lease_owner(ctx, l->owner);
    gn_lease_name(l->owner, deadline_s, l->name);
    snprintf(l->run, sizeof l->run, "%.60s", h->run->name);
    snprintf(l->region, sizeof l->region, "%s", o->region);
    snprintf(l->zone, sizeof l->zone, "%s", o->zone);
    snprintf(l->machine, sizeof l->machine, "%s", o->machine);
    snprintf(l->user, sizeof l->user, "%.60s", user ? user : "gnr");
    l->spot = o->spot;
    l->deadline_s = deadline_s;
    l->price_microusd_h = o->price_microusd_h;
    rc = gn_lease_keys_make(h, err);
    if (!rc)
        rc = gn_store_add_lease(h->l->store, r, err);
    if (rc)
        gn_lease_keys_drop(ctx, r);
    return rc;
}

/* Nothing was made, says the provider. */
static int close_intent(struct gn_hire *h, struct gn_err *err)
{
    struct gn_err ignored = GN_ERR_INIT;

    h->rent.lease.id[0] = '\0';
    snprintf(h->rent.lease.why, sizeof h->rent.lease.why, "%.199s", err->msg);
    if (gn_rent_put(h->l, &h->rent, GN_LEASE_GONE, &ignored))
        return *err = ignored, err->code;
    gn_lease_keys_drop(h->l->ctx, &h->rent);
    h->rent.id = 0;
    return err->code;
}

/*
 * This process slept between its intent and its question, and another one had closed the record: what
 * was made all the same gets one of its own, to be ended by.
 */
static int undo(struct gn_hire *h, struct gn_err *err)
{
    int rc;

    gn_err_clear(err);
    make_token(h->rent.token);
    h->rent.lease.state = GN_LEASE_ENDING;
    rc = gn_store_add_lease(h->l->store, &h->rent, err);
    if (!rc)
        rc = gn_rent_end(h->l, h->provider, &h->rent, err);
    h->rent.id = 0;
    return rc ? rc
              : gn_err_set(err, GN_E_CANCEL, "the machine of '%s' was given up meanwhile",
                           h->run->name);
}

static int adopt(struct gn_hire *h, const struct gn_lease *got, struct gn_err *err)
{
    struct gn_lease *l = &h->rent.lease;
    int rc;

    snprintf(l->id, sizeof l->id, "%s", got->id);
    if (*got->region)
        snprintf(l->region, sizeof l->region, "%s", got->region);
    if (*got->zone)
        snprintf(l->zone, sizeof l->zone, "%s", got->zone);
    if (got->made_s)
        l->made_s = got->made_s;
    rc = gn_rent_put(h->l, &h->rent, GN_LEASE_PENDING, err);
    return rc == GN_E_EXISTS ? undo(h, err) : rc;
}

static int create(struct gn_hire *h, bool again, const struct gn_buf *data,
                  const struct gn_buf *login, struct gn_lease *got, struct gn_err *err)
{
    const struct gn_lease *l = &h->rent.lease;
    struct gn_lease_spec spec = {.token = h->rent.token,
                                 .again = again,
                                 .owner = l->owner,
                                 .run = l->run,
                                 .deadline_s = l->deadline_s,
                                 .user_data = data->ptr,
                                 .user = l->user,
                                 .login_key = login->ptr};
    const char *disk = gn_target_setting(h->provider->target, "disk");
    uint64_t bytes = 0;

    snprintf(spec.name, sizeof spec.name, "%s", l->name);
    snprintf(spec.offer.machine, sizeof spec.offer.machine, "%s", l->machine);
    snprintf(spec.offer.region, sizeof spec.offer.region, "%s", l->region);
    snprintf(spec.offer.zone, sizeof spec.offer.zone, "%s", l->zone);
    spec.offer.spot = l->spot;
    spec.offer.price_microusd_h = l->price_microusd_h;
    if (disk && (!gn_parse_bytes(disk, &bytes) || bytes > (uint64_t)100 << 40))
        return gn_err_set(err, GN_E_CONFIG, "'disk' must be a size such as 100GB, not '%.40s'",
                          disk);
    spec.disk_gb = (int)(bytes / 1000000000);
    *got = *l;
    return h->provider->ops->create(h->provider, h->l->ctx, &spec, got, err);
}

/*
 * An answer was lost: was it made?  Asked for until it must have shown up.  *found: it is there.  GN_OK
 * without it: the provider itself said so in the end; a look that fails says nothing.
 */
static int search(struct gn_hire *h, bool *found, struct gn_err *err)
{
    const struct gn_ctx *ctx = h->l->ctx;
    int64_t begun = ctx->mono_ms(ctx);
    int rc = GN_OK;

    *found = false;
    for (unsigned n = 0; !rc; n++) {
        struct gn_lease got = h->rent.lease;
        int64_t waited = ctx->mono_ms(ctx) - begun;

        rc = h->provider->ops->poll(h->provider, ctx, &got, err);
        if (!rc || rc == GN_E_CAPACITY) { /* the latter: what is left of it must be ended */
            gn_err_clear(err);
            *found = true;
            return adopt(h, &got, err);
        }
        if (waited >= UNSEEN_MS && rc == GN_E_NOTFOUND) {
            gn_err_clear(err);
            return GN_OK;
        }
        if (waited >= 2 * UNSEEN_MS || (rc != GN_E_NOTFOUND && !gn_is_unsure(rc)))
            return rc;
        gn_err_clear(err);
        rc = gn_lease_wait(ctx, n, err);
    }
    return rc;
}

/*
 * The provider says no.  That is no word about an earlier question whose answer was lost: one that knows its
 * tokens again was not searched for before this one, so it is now.
 */
static int refused(struct gn_hire *h, bool again, struct gn_err *err)
{
    struct gn_err no = *err;
    bool found = false;
    int rc = GN_OK;

    if (again && (h->provider->ops->caps & GN_CAP_IDEMPOTENT)) {
        gn_err_clear(err);
        rc = search(h, &found, err);
    }
    if (rc || found)
        return rc;
    *err = no;
    return close_intent(h, err);
}

/* Until there is an answer; without one the intent stays. */
static int ask(struct gn_hire *h, bool again, struct gn_err *err)
{
    struct gn_buf data = GN_BUF_INIT((size_t)64 << 10), login = GN_BUF_INIT((size_t)16 << 10);
    const struct gn_ctx *ctx = h->l->ctx;
    int rc = gn_lease_keys_read(h, &data, &login, err);

    for (unsigned n = 0; !rc; n++) {
        struct gn_lease got;
        bool found = false;

        if (again && !(h->provider->ops->caps & GN_CAP_IDEMPOTENT))
            rc = search(h, &found, err);
        if (rc || found)
            break;
        /* how long one that was made may stay unseen counts from here */
        h->rent.asked_s = ctx->wall_s(ctx);
        rc = gn_rent_put(h->l, &h->rent, GN_LEASE_INTENT, err);
        if (rc)
            break;
        rc = create(h, again, &data, &login, &got, err);
        if (!rc) {
            rc = adopt(h, &got, err); /* it is made, whatever fails from here */
            break;
        }
        if (rc == GN_E_CANCEL)
            break;
        if (!gn_is_unsure(rc)) {
            rc = refused(h, again, err);
            break;
        }
        if (n + 1 == ASKS)
            break;
        gn_event_text(ctx, GN_EV_NOTE, "%s; asking again", err->msg);
        again = true;
        rc = gn_lease_wait(ctx, n + 1, err);
        gn_err_clear(err);
    }
    gn_buf_wipe(&data);
    gn_buf_clear(&login);
    return rc;
}

/* It ended before it was of any use. */
static int came_to_nothing(struct gn_hire *h, const char *why, struct gn_err *err)
{
    struct gn_err ending = GN_ERR_INIT;
    int rc = GN_OK;

    if (h->rent.lease.state != GN_LEASE_GONE)
        rc = gn_rent_end(h->l, h->provider, &h->rent, &ending);
    else
        rc = gn_rent_put(h->l, &h->rent, GN_LEASE_GONE, &ending);
    h->rent.id = 0;
    if (rc)
        return *err = ending, rc;
    gn_lease_keys_drop(h->l->ctx, &h->rent);
    return gn_err_set(err, GN_E_CAPACITY, "machine '%s' of '%s' %s%s%s", h->rent.lease.machine,
                      h->target->name, why, *h->rent.lease.why ? ": " : "", h->rent.lease.why);
}

/* One look; *up: it has an address.  Not found yet, or no answer, is worth another. */
static int look(struct gn_hire *h, int64_t waited_ms, bool *up, struct gn_err *err)
{
    struct gn_rent *r = &h->rent;
    enum gn_lease_state was = r->lease.state;
    int rc = h->provider->ops->poll(h->provider, h->l->ctx, &r->lease, err);

    *up = false;
    if (rc == GN_E_NOTFOUND && waited_ms > UNSEEN_MS)
        return came_to_nothing(h, "is unknown to the provider", err);
    if (rc == GN_E_CAPACITY) { /* it was accepted, and then there was none */
        snprintf(r->lease.why, sizeof r->lease.why, "%.199s", err->msg);
        return came_to_nothing(h, "could not be made", err);
    }
    if (rc)
        return gn_is_unsure(rc) || rc == GN_E_NOTFOUND ? GN_OK : rc;
    gn_err_clear(err);
    if (r->lease.state == GN_LEASE_GONE)
        return came_to_nothing(h, "was taken back", err);
    if (r->lease.state == GN_LEASE_HALTED) {
        rc = h->provider->ops->wake(h->provider, h->l->ctx, &r->lease, err);
        if (rc && !gn_is_unsure(rc))
            return rc;
        r->lease.state = GN_LEASE_PENDING;
    }
    *up = r->lease.state == GN_LEASE_UP && *r->lease.address;
    return r->lease.state == was && !*up ? GN_OK : gn_rent_put(h->l, r, r->lease.state, err);
}

static int await(struct gn_hire *h, struct gn_err *err)
{
    const struct gn_ctx *ctx = h->l->ctx;
    int64_t begun = ctx->mono_ms(ctx);
    bool up = false;
    int rc = GN_OK;

    for (unsigned n = 0; !rc && !up; n++) {
        int64_t waited = ctx->mono_ms(ctx) - begun;

        if (waited > COME_UP_MS)
            return came_to_nothing(h, "did not come up within 15 minutes", err);
        rc = look(h, waited, &up, err);
        if (!rc && !up)
            rc = gn_lease_wait(ctx, n, err);
    }
    if (!rc)
        gn_lease_keys_used(h);
    return rc;
}

static void say_what(const struct gn_hire *h, const struct gn_offer *o)
{
    const struct gn_lease *l = &h->rent.lease;
    int64_t span = l->deadline_s - h->l->ctx->wall_s(h->l->ctx);
    char price[32], worst[32], time[32];

    gn_event_text(h->l->ctx, GN_EV_STEP,
                  "renting %s%s in %s at '%s': %s an hour%s%s, for %s at most: worst case %s",
                  o->machine, o->spot ? " (spot)" : "", *o->zone ? o->zone : o->region,
                  h->target->name, gn_fmt_money(o->price_microusd_h, price),
                  *o->price_date ? " as of " : "", o->price_date, gn_fmt_seconds(span, time),
                  gn_fmt_money(h->rent.worst_microusd, worst));
    if (!gn_ends_itself(h->provider))
        gn_event_text(
            h->l->ctx, GN_EV_WARN,
            "a machine of '%s' bills until this program ends it: come back before that time is "
            "over, from any laptop: gnrrun sweep --terminate",
            h->target->name);
    if (!(h->provider->ops->caps & GN_CAP_USER_DATA))
        gn_event_text(h->l->ctx, GN_EV_WARN,
                      "'%s' cannot be given a host key: the one it shows first is trusted",
                      h->target->name);
}

/* Somebody ended or forgot the run while its machine was waited for: no other one is made then. */
static int check_wanted(const struct gn_hire *h, struct gn_err *err)
{
    struct gn_run now;
    bool over;
    int rc = gn_store_find(h->l->store, h->run->name, NULL, &now, err);

    if (rc && rc != GN_E_NOTFOUND)
        return rc;
    over = rc == GN_E_NOTFOUND || gn_state_over(now.state);
    if (!rc)
        gn_run_clear(&now);
    gn_err_clear(err);
    return over ? gn_err_set(err, GN_E_CANCEL, "'%s' was ended meanwhile", h->run->name) : GN_OK;
}

/* *tried: the money would do. */
static int try_offer(struct gn_hire *h, struct gn_offer *o, bool *tried, struct gn_err *err)
{
    int64_t deadline = 0, worst = 0;
    int rc = check_wanted(h, err);

    if (!rc)
        rc = gn_budget_fit(h, o, &deadline, &worst, err);
    *tried = !rc;
    if (!rc)
        rc = write_intent(h, o, deadline, worst, err);
    if (rc)
        return rc;
    say_what(h, o);
    rc = ask(h, false, err);
    return rc ? rc : await(h, err);
}

static int nothing_offered(const struct gn_hire *h, struct gn_err *err)
{
    return gn_err_set(err, GN_E_CAPACITY, "'%s' offers no machine that would do", h->target->name);
}

/* The cheapest that can be had.  What was wrong with the first is told when all fail. */
static int hire(struct gn_hire *h, struct gn_err *err)
{
    struct gn_offers all = {0};
    struct gn_err first = GN_ERR_INIT;
    int rc = h->provider->ops->offers(h->provider, h->l->ctx, h->needs, &all, err);

    if (!rc && !all.n)
        rc = nothing_offered(h, err);
    for (size_t i = 0; i < all.n && i < OFFERS_MAX; i++) {
        bool tried = false;

        rc = try_offer(h, &all.v[i], &tried, err);
        if (!first.code && rc)
            first = *err;
        /* what the cheapest costs is too much: so are the others */
        if (rc != GN_E_CAPACITY || (!tried && all.v[i].price_microusd_h >= 0))
            break;
        if (i + 1 < all.n)
            gn_event_text(h->l->ctx, GN_EV_NOTE, "%s; trying the next", err->msg);
    }
    if (rc == GN_E_CAPACITY && first.code)
        *err = first;
    free(all.v);
    return rc;
}

int gn_lease_offer(const struct gn_leasing *l, const struct gn_target *target,
                   const struct gn_needs *needs, const struct gn_budget *budget,
                   struct gn_offer *offer, int64_t *deadline_s, int64_t *worst_microusd,
                   struct gn_err *err)
{
    struct gn_hire h = {.l = l, .target = target, .needs = needs, .budget = budget};
    struct gn_offers all = {0};
    int rc = l->provider(l->ctx, target, &h.provider, err);

    if (!rc)
        rc = h.provider->ops->offers(h.provider, l->ctx, needs, &all, err);
    if (!rc && !all.n)
        rc = nothing_offered(&h, err);
    if (!rc) {
        *offer = all.v[0];
        rc = gn_budget_fit(&h, offer, deadline_s, worst_microusd, err);
    }
    free(all.v);
    gn_provider_close(h.provider);
    return rc;
}

static int go_on(struct gn_hire *h, struct gn_err *err)
{
    int rc = GN_OK;

    switch (h->rent.lease.state) {
    case GN_LEASE_INTENT:
        rc = ask(h, true, err);
        break;
    case GN_LEASE_ENDING:
        rc = gn_rent_end(h->l, h->provider, &h->rent, err);
        return rc ? rc
                  : gn_err_set(err, GN_E_NOTFOUND, "the machine of '%s' was ended", h->run->name);
    case GN_LEASE_PENDING:
    case GN_LEASE_UP:
    case GN_LEASE_HALTED:
    case GN_LEASE_GONE:
        break;
    }
    rc = rc ? rc : await(h, err);
    /* the run was not there yet: another machine will do as well */
    return rc == GN_E_CAPACITY && h->budget ? hire(h, err) : rc;
}

static int no_machine(const struct gn_hire *h, struct gn_err *err)
{
    return gn_err_set(err, GN_E_NOTFOUND, "the machine of '%s' is gone", h->run->name);
}

int gn_lease_get(const struct gn_leasing *l, const struct gn_run *run,
                 const struct gn_target *target, const struct gn_needs *needs,
                 const struct gn_budget *budget, struct gn_target *host, struct gn_err *err)
{
    struct gn_hire h = {.l = l, .run = run, .target = target, .needs = needs, .budget = budget};
    int rc = gn_hire_find(&h, err);

    if (!rc && h.rent.id) {
        rc = gn_rent_target(&h.rent, &h.old, err);
        if (!rc)
            rc = l->provider(l->ctx, &h.old, &h.provider, err);
        if (!rc)
            rc = go_on(&h, err);
    } else if (!rc && !budget) {
        rc = no_machine(&h, err);
    } else if (!rc) {
        rc = l->provider(l->ctx, target, &h.provider, err);
        if (!rc)
            rc = hire(&h, err);
    }
    if (!rc)
        gn_lease_host(l->ctx, &h.rent, target, host);
    gn_provider_close(h.provider);
    gn_target_clear(&h.old);
    gn_rent_clear(&h.rent);
    return rc;
}

int gn_lease_known(const struct gn_leasing *l, const struct gn_run *run,
                   const struct gn_target *target, struct gn_target *host, bool *known,
                   struct gn_err *err)
{
    struct gn_hire h = {.l = l, .run = run};
    int rc = gn_hire_find(&h, err);

    *known = !rc && h.rent.id && h.rent.lease.state == GN_LEASE_UP && *h.rent.lease.address;
    if (*known)
        gn_lease_host(l->ctx, &h.rent, target, host);
    gn_rent_clear(&h.rent);
    return rc;
}
