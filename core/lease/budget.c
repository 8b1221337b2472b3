/* budget.c - money into time: a machine's deadline is what the allowed amount pays for. */
#include <string.h>

#include "lease_private.h"

#define BOOT_S    1200  /* to come up, to be shipped to, to be set up */
#define GRACE_S   3600  /* after the program's own limit: for the results */
#define DAY_S     86400 /* without any limit: nobody waits longer and does not look */
#define WATCHED_S 14400 /* the same for one that only we can end */
#define LEAST_S   600   /* in less nothing can be done with a machine */
#define MAX_PRICE ((int64_t)1000 * 1000000) /* an hour */

bool gn_ends_itself(const struct gn_provider *p)
{
    return (p->ops->caps & (GN_CAP_DEADLINE | GN_CAP_HALT)) != 0;
}

/* The provider's, or else what the user knows of it. */
static int price_of(const struct gn_hire *h, struct gn_offer *o, struct gn_err *err)
{
    const char *own = gn_target_setting(h->target, "price");

    if (own) {
        if (!gn_parse_money(own, &o->price_microusd_h))
            return gn_err_set(err, GN_E_CONFIG, "'price' must be dollars an hour, not '%.40s'",
                              own);
        memcpy(o->price_date, "yours", sizeof "yours");
    }
    if (o->price_microusd_h < 0 || o->price_microusd_h > MAX_PRICE) {
        gn_err_set(err, GN_E_CAPACITY, "nobody knows what '%s' in '%s' costs", o->machine,
                   *o->zone ? o->zone : o->region);
        return gn_err_hint(err, "say it yourself, in dollars an hour: 'price: 0.50' at target '%s'",
                           h->target->name);
    }
    return GN_OK;
}

static int allowed(const struct gn_hire *h, int64_t *out, struct gn_err *err)
{
    const char *own = gn_target_setting(h->target, "max_cost");

    *out = h->budget->max_microusd;
    if (*out || !own)
        return GN_OK;
    if (!gn_parse_money(own, out))
        return gn_err_set(err, GN_E_CONFIG, "'max_cost' must be dollars, not '%.40s'", own);
    return GN_OK;
}

int gn_budget_fit(const struct gn_hire *h, struct gn_offer *o, int64_t *deadline_s,
                  int64_t *worst_microusd, struct gn_err *err)
{
    int64_t now = h->l->ctx->wall_s(h->l->ctx), most, span, money = 0;
    char price[32], sum[32], time[32];
    int rc = price_of(h, o, err);

    if (!rc)
        rc = allowed(h, &money, err);
    if (rc)
        return rc;
    most = h->budget->time_s             ? BOOT_S + h->budget->time_s + GRACE_S
           : gn_ends_itself(h->provider) ? DAY_S
                                         : WATCHED_S;
    span = most;
    if (o->price_microusd_h > 0) {
        if (money <= 0) {
            gn_err_set(err, GN_E_CAPACITY,
                       "'%s' costs money (%s at %s an hour), and none was allowed", h->target->name,
                       o->machine, gn_fmt_money(o->price_microusd_h, price));
            return gn_err_hint(err, "--max-cost 2.50, or 'max_cost:' at the target");
        }
        if (money / o->price_microusd_h < DAY_S && money * 3600 / o->price_microusd_h < span)
            span = money * 3600 / o->price_microusd_h;
    }
    if (span < LEAST_S)
        return gn_err_set(err, GN_E_CAPACITY, "%s pays for %s of '%s' (%s an hour)",
                          gn_fmt_money(money, sum), gn_fmt_seconds(span, time), o->machine,
                          gn_fmt_money(o->price_microusd_h, price));
    *deadline_s = now + span;
    *worst_microusd = (span * o->price_microusd_h + 3599) / 3600;
    return GN_OK;
}
