/* ec2look.c - machines as EC2 tells of them: one, all of a name, all of ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ec2.h"

static enum gn_lease_state state_of(const char *s)
{
    static const struct {
        const char *name;
        enum gn_lease_state state;
    } known[] = {
        {"pending", GN_LEASE_PENDING},      {"running", GN_LEASE_UP},
        {"stopping", GN_LEASE_HALTED},      {"stopped", GN_LEASE_HALTED},
        {"shutting-down", GN_LEASE_ENDING}, {"terminated", GN_LEASE_GONE},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, s) == 0)
            return known[i].state;
    return GN_LEASE_PENDING; /* a state that came later: neither usable nor gone */
}

static void read_tags(const struct gn_xml *item, struct gn_lease *l)
{
    for (const struct gn_xml *t = gn_xml_get(item, "tagSet/item"); t; t = gn_xml_next(t)) {
        const char *key = gn_xml_text(t, "key");

        if (strcmp(key, GN_EC2_TAG) == 0)
            gn_ec2_text(t, "value", l->name, sizeof l->name);
        else if (strcmp(key, "gnrrun:owner") == 0)
            gn_ec2_text(t, "value", l->owner, sizeof l->owner);
        else if (strcmp(key, "gnrrun:run") == 0)
            gn_ec2_text(t, "value", l->run, sizeof l->run);
        else if (strcmp(key, "gnrrun:until") == 0)
            l->deadline_s = strtoll(gn_xml_text(t, "value"), NULL, 10);
    }
}

/* It goes into a connection, and into lines for people. */
static bool is_address(const char *s)
{
    return gn_ec2_is_made_of(s, "0123456789abcdefABCDEF.:", 60);
}

static void read_machine(const struct gn_ec2 *p, const struct gn_xml *item, struct gn_lease *l)
{
    const char *address = gn_xml_text(item, p->private_address ? "privateIpAddress" : "ipAddress");

    gn_ec2_text(item, "instanceId", l->id, sizeof l->id);
    gn_ec2_text(item, "instanceType", l->machine, sizeof l->machine);
    gn_ec2_text(item, "placement/availabilityZone", l->zone, sizeof l->zone);
    gn_ec2_text(item, "stateReason/message", l->why, sizeof l->why);
    l->spot = strcmp(gn_xml_text(item, "instanceLifecycle"), "spot") == 0;
    l->made_s = gn_aws_time(gn_xml_text(item, "launchTime"));
    l->state = state_of(gn_xml_text(item, "instanceState/name"));
    l->address[0] = '\0';
    if (is_address(address))
        snprintf(l->address, sizeof l->address, "%s", address);
    if (l->state == GN_LEASE_UP && !*l->address)
        l->state = GN_LEASE_PENDING;
}

struct reading {
    const struct gn_ec2 *p;
    const char *region;
    struct gn_leases *out;
};

/* An item of a reservation may be several machines. */
static int read_reservation(const struct gn_xml *reservation, void *arg, struct gn_err *err)
{
    struct reading *r = arg;

    (void)err;
    for (const struct gn_xml *i = gn_xml_get(reservation, "instancesSet/item"); i;
         i = gn_xml_next(i)) {
        struct gn_lease l = {.price_microusd_h = GN_PRICE_UNKNOWN};

        read_machine(r->p, i, &l);
        read_tags(i, &l);
        snprintf(l.region, sizeof l.region, "%s", r->region);
        if (!*l.id)
            continue;
        GN_GROW(r->out->v, r->out->n, r->out->cap);
        r->out->v[r->out->n++] = l;
    }
    return GN_OK;
}

static int describe(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                    struct gn_buf *form, struct gn_leases *out, struct gn_err *err)
{
    struct reading r = {.p = p, .region = region, .out = out};

    return gn_ec2_pages(p, ctx, region, "DescribeInstances", form, "reservationSet/item",
                        read_reservation, &r, err);
}

static int gone_last(const void *a, const void *b)
{
    const struct gn_lease *x = a, *y = b;

    return (x->state == GN_LEASE_GONE) - (y->state == GN_LEASE_GONE);
}

int gn_ec2_find(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region, const char *name,
                struct gn_leases *out, struct gn_err *err)
{
    struct gn_buf form = GN_BUF_INIT(4096);
    int rc;

    gn_aws_form(&form, "DescribeInstances", GN_AWS_EC2);
    gn_aws_add(&form, "tag:" GN_EC2_TAG, "Filter.1.Name");
    gn_aws_add(&form, name, "Filter.1.Value.1");
    rc = describe(p, ctx, region, &form, out, err);
    if (out->n)
        qsort(out->v, out->n, sizeof *out->v, gone_last);
    return rc;
}

const char *gn_ec2_region(const struct gn_ec2 *p, const struct gn_lease *l)
{
    return *l->region ? l->region : p->region;
}

int gn_ec2_poll(struct gn_provider *base, const struct gn_ctx *ctx, struct gn_lease *lease,
                struct gn_err *err)
{
    struct gn_ec2 *p = gn_ec2_of(base);
    struct gn_leases found = {0};
    struct gn_buf form = GN_BUF_INIT(4096);
    int rc;

    if (*lease->id) {
        gn_aws_form(&form, "DescribeInstances", GN_AWS_EC2);
        gn_aws_add(&form, lease->id, "InstanceId.1");
        rc = describe(p, ctx, gn_ec2_region(p, lease), &form, &found, err);
    } else {
        rc = gn_ec2_find(p, ctx, gn_ec2_region(p, lease), lease->name, &found, err);
    }
    if (!rc && !found.n)
        rc = gn_err_set(err, GN_E_NOTFOUND, "EC2 knows no machine '%s'",
                        *lease->id ? lease->id : lease->name);
    if (!rc) {
        const struct gn_lease *f = &found.v[0];

        snprintf(lease->id, sizeof lease->id, "%s", f->id);
        snprintf(lease->zone, sizeof lease->zone, "%s", f->zone);
        snprintf(lease->why, sizeof lease->why, "%s", f->why);
        snprintf(lease->address, sizeof lease->address, "%s", f->address);
        lease->made_s = f->made_s;
        lease->state = f->state;
    }
    free(found.v);
    return rc;
}

/* --- list --- */

/* Regions of China and of the government are no part of the others, nor are their accounts. */
static bool is_beside(const char *a, const char *b)
{
    static const char *const apart[] = {"cn-", "us-gov-", "us-iso"};

    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        size_t n = strlen(apart[i]);

        if ((strncmp(a, apart[i], n) == 0) != (strncmp(b, apart[i], n) == 0))
            return false;
    }
    return true;
}

static int add_region(const struct gn_xml *item, void *arg, struct gn_err *err)
{
    char name[64];

    (void)err;
    gn_ec2_text(item, "regionName", name, sizeof name);
    if (*name)
        gn_strs_add(arg, name);
    return GN_OK;
}

static int list_region(struct gn_ec2 *p, const struct gn_ctx *ctx, const char *region,
                       struct gn_leases *out, struct gn_err *err)
{
    static const char *const states[] = {"pending", "running", "stopping", "stopped"};
    struct gn_buf form = GN_BUF_INIT(4096);

    gn_aws_form(&form, "DescribeInstances", GN_AWS_EC2);
    gn_aws_add(&form, "tag-key", "Filter.1.Name");
    gn_aws_add(&form, GN_EC2_TAG, "Filter.1.Value.1");
    gn_aws_add(&form, "instance-state-name", "Filter.2.Name");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        gn_aws_add(&form, states[i], "Filter.2.Value.%d", (int)i + 1);
    gn_aws_add(&form, "100", "MaxResults");
    return describe(p, ctx, region, &form, out, err);
}

int gn_ec2_list(struct gn_provider *base, const struct gn_ctx *ctx, struct gn_leases *out,
                bool *complete, struct gn_err *err)
{
    struct gn_ec2 *p = gn_ec2_of(base);
    struct gn_buf form = GN_BUF_INIT(4096);
    struct gn_strs regions = GN_STRS_INIT;
    int rc;

    gn_aws_form(&form, "DescribeRegions", GN_AWS_EC2);
    rc = gn_ec2_pages(p, ctx, p->region, "DescribeRegions", &form, "regionInfo/item", add_region,
                      &regions, err);
    *complete = rc == GN_OK;
    /* who may not ask which regions there are may still look into his own */
    if (rc && rc != GN_E_CANCEL) {
        gn_strs_clear(&regions);
        gn_err_clear(err);
        return list_region(p, ctx, p->region, out, err);
    }
    for (size_t i = 0; rc != GN_E_CANCEL && i < regions.n; i++) {
        if (!is_beside(regions.v[i], p->region))
            continue;
        rc = list_region(p, ctx, regions.v[i], out, err);
        if (!rc)
            continue;
        *complete = false;
        gn_event_text(ctx, GN_EV_WARN, "region %s: %s", regions.v[i], err->msg);
        if (rc != GN_E_CANCEL)
            gn_err_clear(err);
    }
    gn_strs_clear(&regions);
    return rc == GN_E_CANCEL ? rc : GN_OK;
}
