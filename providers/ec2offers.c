/* ec2offers.c - which machine types are to be had in which zones, and at what price. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ec2.h"
#include "offers.h"
#include "prices.h"

#define TYPES_MAX 12 /* the cheapest that would do: nobody tries more of them */

static int add_place(const struct gn_xml *item, void *arg, struct gn_err *err)
{
    struct gn_offers *all = arg;
    struct gn_offer o = {.price_microusd_h = GN_PRICE_UNKNOWN};

    (void)err;
    gn_ec2_text(item, "instanceType", o.machine, sizeof o.machine);
    gn_ec2_text(item, "location", o.zone, sizeof o.zone);
    if (!*o.zone)
        gn_ec2_text(item, "availabilityZone", o.zone, sizeof o.zone);
    if (*gn_xml_text(item, "spotPrice") &&
        !gn_parse_money(gn_xml_text(item, "spotPrice"), &o.price_microusd_h))
        return GN_OK;
    GN_GROW(all->v, all->n, all->cap);
    all->v[all->n++] = o;
    return GN_OK;
}

static const struct gn_offer *find(const struct gn_offers *all, const struct gn_offer *like)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->v[i].machine, like->machine) == 0 &&
            (!*like->zone || strcmp(all->v[i].zone, like->zone) == 0))
            return &all->v[i];
    return NULL;
}

/* Today's price in each zone; what is not told stays unknown. */
static int price_spot(struct gn_ec2 *p, const struct gn_ctx *ctx, const struct gn_offers *types,
                      struct gn_offers *prices, struct gn_err *err)
{
    struct gn_buf form = GN_BUF_INIT(GN_MAX_LINE);
    time_t now = (time_t)(ctx->wall_s(ctx) + p->aws.skew_s);
    struct tm tm;
    char at[32] = "";

    if (gmtime_r(&now, &tm))
        strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
    gn_aws_form(&form, "DescribeSpotPriceHistory", GN_AWS_EC2);
    for (size_t i = 0; i < types->n; i++)
        gn_aws_add(&form, types->v[i].machine, "InstanceType.%zu", i + 1);
    gn_aws_add(&form, "Linux/UNIX", "ProductDescription.1");
    gn_aws_add(&form, at, "StartTime");
    return gn_ec2_pages(p, ctx, p->region, "DescribeSpotPriceHistory", &form,
                        "spotPriceHistorySet/item", add_place, prices, err);
}

static int ask_zones(struct gn_ec2 *p, const struct gn_ctx *ctx, const struct gn_offers *types,
                     struct gn_offers *out, struct gn_err *err)
{
    struct gn_buf form = GN_BUF_INIT(GN_MAX_LINE);

    gn_aws_form(&form, "DescribeInstanceTypeOfferings", GN_AWS_EC2);
    gn_aws_add(&form, "availability-zone", "LocationType");
    gn_aws_add(&form, "instance-type", "Filter.1.Name");
    for (size_t i = 0; i < types->n; i++)
        gn_aws_add(&form, types->v[i].machine, "Filter.1.Value.%zu", i + 1);
    return gn_ec2_pages(p, ctx, p->region, "DescribeInstanceTypeOfferings", &form,
                        "instanceTypeOfferingSet/item", add_place, out, err);
}

static void add(struct gn_offers *out, const struct gn_offer *type, const char *zone)
{
    GN_GROW(out->v, out->n, out->cap);
    out->v[out->n] = *type;
    snprintf(out->v[out->n++].zone, sizeof out->v[0].zone, "%s", zone);
}

/* Each type in each zone that it can be had in; where the target says which, in those. */
static int spread(struct gn_ec2 *p, const struct gn_ctx *ctx, const struct gn_offers *types,
                  struct gn_offers *out, struct gn_err *err)
{
    const char *zones = gn_ec2_setting(p, "zone");
    struct gn_offers places = {0};
    char zone[64];
    int rc = GN_OK;

    if (!zones && !gn_ec2_setting(p, "subnet"))
        rc = ask_zones(p, ctx, types, &places, err);
    /* who may not ask for zones may still get machines: in one that EC2 chooses */
    if (rc == GN_E_AUTH && strcmp(p->code, "UnauthorizedOperation") == 0) {
        gn_err_clear(err);
        for (size_t i = 0; i < types->n; i++)
            add(out, &types->v[i], "");
        rc = GN_OK;
    } else if (!rc) {
        for (size_t i = 0; i < types->n; i++) {
            /* a subnet has its zone */
            if (gn_ec2_setting(p, "subnet"))
                add(out, &types->v[i], "");
            else if (zones)
                for (size_t k = 0; gn_ec2_word(zones, k, zone, sizeof zone); k++)
                    add(out, &types->v[i], zone);
            for (size_t k = 0; k < places.n; k++)
                if (strcmp(places.v[k].machine, types->v[i].machine) == 0)
                    add(out, &types->v[i], places.v[k].zone);
        }
    }
    free(places.v);
    return rc;
}

static int put_spot_prices(struct gn_ec2 *p, const struct gn_ctx *ctx,
                           const struct gn_offers *types, struct gn_offers *out, size_t from,
                           struct gn_err *err)
{
    struct gn_offers prices = {0};
    int rc = price_spot(p, ctx, types, &prices, err);

    for (size_t i = from; !rc && i < out->n; i++) {
        struct gn_offer *o = &out->v[i];
        const struct gn_offer *is = find(&prices, o);

        o->spot = true;
        o->price_microusd_h = is ? is->price_microusd_h : GN_PRICE_UNKNOWN;
        snprintf(o->price_date, sizeof o->price_date, "%s", is ? "now" : "");
    }
    free(prices.v);
    return rc;
}

int gn_ec2_offers(struct gn_provider *base, const struct gn_ctx *ctx, const struct gn_needs *needs,
                  struct gn_offers *out, struct gn_err *err)
{
    struct gn_ec2 *p = gn_ec2_of(base);
    const char *machines = gn_ec2_setting(p, "machine");
    struct gn_offers types = {0};
    size_t from = out->n;
    char machine[64];
    int rc = GN_OK;

    if (!machines)
        gn_prices_offer("ec2", NULL, p->region, needs, &types);
    else
        for (size_t i = 0; gn_ec2_word(machines, i, machine, sizeof machine); i++)
            gn_prices_offer("ec2", machine, p->region, needs, &types);
    if (types.n > TYPES_MAX)
        types.n = TYPES_MAX;
    if (types.n)
        rc = spread(p, ctx, &types, out, err);
    if (!rc && p->spot && out->n > from)
        rc = put_spot_prices(p, ctx, &types, out, from, err);
    if (rc)
        out->n = from;
    gn_offers_sort(out, from);
    free(types.v);
    return rc;
}
