#include "cli/bills.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/runtext.h"
#include "gnrrun/lease.h"

char *gn_cli_until(const struct gn_cli *c, int64_t at_s)
{
    int64_t now_s = c->ctx->wall_s(c->ctx);
    time_t t = (time_t)at_s;
    struct tm tm;
    char text[64];

    if (!at_s || !localtime_r(&t, &tm) ||
        !strftime(text, sizeof text, at_s - now_s < 43200 ? "%H:%M" : "%Y-%m-%d %H:%M", &tm))
        return gn_strdup("an unknown time");
    return gn_strdup(text);
}

struct bills {
    struct gn_cli *c;
    struct gn_json *to; /* NULL: for people */
    int n;
};

static const char *id_of(const struct gn_lease *l)
{
    return *l->id ? l->id : l->name;
}

/* Does it cost nothing any more when it halts? */
static bool ends_itself(const char *type)
{
    const struct gn_provider_ops *ops = gn_provider_find(type);

    return ops && (ops->caps & (GN_CAP_HALT | GN_CAP_DEADLINE));
}

static int say_bill(const struct gn_rent *r, void *arg, struct gn_err *err)
{
    struct bills *b = arg;
    int64_t now_s = b->c->ctx->wall_s(b->c->ctx);
    char price[32], cost[32], worst[32], *until = gn_cli_until(b->c, r->lease.deadline_s);

    (void)err;
    b->n++;
    if (r->lease.state == GN_LEASE_HALTED)
        gn_ui_say(
            b->c->ui,
            "machine '%s' of '%s' has halted, and its disk, which may cost a little, holds what "
            "%s left; to bring it here and end it: gnrrun fetch %s",
            id_of(&r->lease), r->target, r->lease.run, r->lease.run);
    else if (r->lease.deadline_s && r->lease.deadline_s < now_s)
        gn_ui_say(
            b->c->ui,
            "machine '%s' of '%s' should have ended by itself at %s; is it gone? gnrrun sweep",
            id_of(&r->lease), r->target, until);
    else
        gn_ui_say(b->c->ui,
                  "machine '%s' of '%s' for %s costs %s an hour: about %s so far, %s by %s, %s",
                  id_of(&r->lease), r->target, r->lease.run,
                  gn_fmt_money(r->lease.price_microusd_h, price),
                  gn_fmt_money(gn_rent_cost(r, now_s), cost),
                  gn_fmt_money(r->worst_microusd, worst), until,
                  ends_itself(r->type) ? "when it ends by itself"
                                       : "and more after that if nobody ends it");
    free(until);
    return GN_OK;
}

int gn_cli_bills(struct gn_cli *c, struct gn_store *s, int64_t run_id)
{
    struct bills b = {.c = c};
    struct gn_err err = GN_ERR_INIT;

    if (gn_store_leases(s, run_id, false, say_bill, &b, &err)) {
        gn_ui_say(c->ui, "%s", err.msg);
        return 1; /* in doubt: yes */
    }
    return b.n;
}

int gn_cli_unless_bills(struct gn_cli *c, struct gn_store *s, int64_t run_id, int rc,
                        struct gn_err *err)
{
    if (rc >= 0 || !gn_cli_bills(c, s, run_id))
        return rc;
    gn_ui_error(c->ui, err, GN_EXIT_BILLING);
    return GN_EXIT_BILLING;
}

static void set_money(struct gn_json *o, const char *key, int64_t microusd)
{
    if (microusd < 0)
        gn_json_set_null(o, key);
    else
        gn_json_set_real(o, key, (double)microusd / 1e6);
}

static int show_bill(const struct gn_rent *r, void *arg, struct gn_err *err)
{
    struct bills *b = arg;
    const struct gn_lease *l = &r->lease;
    int64_t cost = gn_rent_cost(r, b->c->ctx->wall_s(b->c->ctx));
    struct gn_json *o;
    char money[32], price[32];

    (void)err;
    if (!b->to) {
        gn_ui_outf(b->c->ui, "%-11s%s %s in %s, %s an hour: %s%s%s%s, about %s\n", "machine",
                   l->machine, id_of(l), *l->zone ? l->zone : l->region,
                   gn_fmt_money(l->price_microusd_h, price), gn_lease_state_name(l->state),
                   *l->why ? " (" : "", l->why, *l->why ? ")" : "", gn_fmt_money(cost, money));
        return GN_OK;
    }
    o = gn_json_object();
    gn_json_set_str(o, "id", *l->id ? l->id : NULL);
    gn_json_set_str(o, "name", l->name);
    gn_json_set_str(o, "machine", l->machine);
    gn_json_set_str(o, "region", l->region);
    gn_json_set_str(o, "zone", *l->zone ? l->zone : NULL);
    gn_json_set_bool(o, "spot", l->spot);
    gn_json_set_str(o, "state", gn_lease_state_name(l->state));
    set_money(o, "usd_per_hour", l->price_microusd_h);
    set_money(o, "usd_so_far", cost);
    set_money(o, "usd_worst", r->worst_microusd);
    gn_json_set_int(o, "deadline", l->deadline_s);
    gn_json_append(b->to, o);
    return GN_OK;
}

int gn_cli_show_bills(struct gn_cli *c, struct gn_store *s, int64_t run_id, struct gn_json *to,
                      struct gn_err *err)
{
    struct bills b = {.c = c, .to = to ? gn_json_array() : NULL};
    int rc = gn_store_leases(s, run_id, true, show_bill, &b, err);

    if (to)
        gn_json_set(to, "machines", b.to);
    return rc;
}

int gn_cli_show_offer(struct gn_cli *c, const struct gn_asked *a, struct gn_err *err)
{
    const struct gn_leasing l = {.ctx = c->ctx, .provider = gn_provider_open};
    const struct gn_budget budget = {.max_microusd = a->spec.max_microusd,
                                     .time_s = a->spec.time_s};
    struct gn_offer o;
    int64_t deadline = 0, worst = 0;
    char price[32], sum[32], *until;
    int rc = gn_lease_offer(&l, &a->target, &a->spec.needs, &budget, &o, &deadline, &worst, err);

    if (rc)
        return rc;
    until = gn_cli_until(c, deadline);
    gn_ui_outf(c->ui, "machine  %s in %s, %s an hour (%s), until %s at the latest\n", o.machine,
               *o.zone ? o.zone : o.region, gn_fmt_money(o.price_microusd_h, price),
               *o.price_date ? o.price_date : "date unknown", until);
    gn_ui_outf(c->ui, "cost     %s at worst\n", gn_fmt_money(worst, sum));
    free(until);
    return GN_OK;
}

int gn_cli_cloud_account(struct gn_cli *c, const struct gn_target *t, struct gn_account *out,
                         struct gn_err *err)
{
    struct gn_provider *p = NULL;
    int rc = gn_provider_open(c->ctx, t, &p, err);

    if (!rc)
        rc = p->ops->check(p, c->ctx, out, err);
    gn_provider_close(p);
    return rc;
}
