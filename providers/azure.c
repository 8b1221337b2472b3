/*
 * azure.c - virtual machines of Microsoft Azure (Resource Manager).
 *
 * Each has a resource group of its own, of the lease's name: all that comes with a machine lies in it, and to
 * end it is to delete one thing.  Everything is a PUT on a name, so it may be done again.  Powering off does
 * not end the bill.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azurebody.h"
#include "offers.h"
#include "prices.h"
#include "rest.h"

#define API      "https://management.azure.com"
#define LOGIN    "https://login.microsoftonline.com"
#define SCOPE    "https://management.azure.com/.default"
#define LOCATION "eastus"
#define GROUPS   "api-version=2021-04-01"
#define NETWORK  "api-version=2022-11-01"
#define COMPUTE  "api-version=2024-11-01"
#define NET      "Microsoft.Network"
#define VM       "Microsoft.Compute/virtualMachines/vm"
#define PAGES    50
#define READY_MS 120000 /* a network is made in seconds */
#define LOOK_MS  2000
#define MACHINES 4

struct azure {
    struct gn_provider base; /* first */
    struct gn_rest rest;
    char *subscription, *tenant, *client;
    struct gn_buf secret;
    bool logged_in;
};

static struct azure *of(struct gn_provider *p)
{
    return (struct azure *)p;
}

static bool is_one_of(const char *code, const char *const *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(code, all[i]) == 0)
            return true;
    return false;
}

static int code_of(const char *code, const char *message)
{
    static const char *const full[] = {"SkuNotAvailable", "AllocationFailed",
                                       "ZonalAllocationFailed", "OverconstrainedAllocationRequest",
                                       "QuotaExceeded"};
    static const char *const who[] = {"InvalidAuthenticationToken", "ExpiredAuthenticationToken",
                                      "AuthorizationFailed", "InvalidAuthenticationTokenTenant"};

    if (is_one_of(code, full, sizeof full / sizeof *full) ||
        (strcmp(code, "OperationNotAllowed") == 0 && message && strstr(message, "quota")))
        return GN_E_CAPACITY;
    return is_one_of(code, who, sizeof who / sizeof *who) ? GN_E_AUTH : 0;
}

/* {"error": {"code": "SkuNotAvailable", "message": "..."}} */
static int explain(int status, const struct gn_json *body, struct gn_buf *said)
{
    const struct gn_json *e = gn_json_get(body, "error");
    const char *code = gn_json_get_str(e, "code"), *message = gn_json_get_str(e, "message");
    int rc = code ? code_of(code, message) : 0;

    gn_buf_adds(said, message ? message : "");
    return rc ? rc : status == 400 ? GN_E_CONFIG : status == 412 ? GN_E_EXISTS : 0;
}

static void close_azure(struct gn_provider *p)
{
    struct azure *a = of(p);

    if (!p)
        return;
    gn_rest_clear(&a->rest);
    gn_buf_wipe(&a->secret);
    free(a->subscription);
    free(a->tenant);
    free(a->client);
    free(a);
}

extern const struct gn_provider_ops gn_provider_azure;

static int open_azure(const struct gn_ctx *ctx, const struct gn_target *t, struct gn_provider **out,
                      struct gn_err *err)
{
    const char *subscription = gn_target_setting(t, "subscription");
    const char *tenant = gn_rest_env(ctx, "AZURE_TENANT_ID", "ARM_TENANT_ID");
    const char *client = gn_rest_env(ctx, "AZURE_CLIENT_ID", "ARM_CLIENT_ID");
    const char *secret = gn_rest_env(ctx, "AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET");
    struct azure *a;

    if (!subscription)
        subscription = gn_rest_env(ctx, "AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID");
    if (!tenant || !client || !secret || !subscription)
        return gn_rest_no_token(
            "Azure",
            "export AZURE_SUBSCRIPTION_ID, AZURE_TENANT_ID, AZURE_CLIENT_ID and "
            "AZURE_CLIENT_SECRET, those of a service principal",
            err);
    a = gn_new(struct azure);
    a->base = (struct gn_provider){&gn_provider_azure, t};
    a->rest = (struct gn_rest){
        .ctx = ctx, .name = "Azure", .base = gn_rest_base(t, API), .explain = explain};
    a->subscription = gn_strdup(subscription);
    a->tenant = gn_strdup(tenant);
    a->client = gn_strdup(client);
    a->secret = (struct gn_buf)GN_BUF_INIT(4096);
    gn_buf_adds(&a->secret, secret);
    if (gn_rest_id("Azure", a->subscription, err) || gn_rest_id("Azure", a->tenant, err)) {
        close_azure(&a->base);
        return gn_err_set(err, GN_E_CONFIG,
                          "the ids of a subscription and a tenant are letters, digits and -");
    }
    *out = &a->base;
    return GN_OK;
}

static int log_in(struct azure *a, struct gn_err *err)
{
    const char *own = gn_target_setting(a->base.target, "endpoint");
    struct gn_buf form = GN_BUF_INIT((size_t)16 << 10), token = GN_BUF_INIT((size_t)64 << 10);
    char *url;
    int rc;

    if (a->logged_in)
        return GN_OK;
    url = gn_printf("%s/%s/oauth2/v2.0/token", own ? a->rest.base : LOGIN, a->tenant);
    gn_rest_field(&form, "grant_type", "client_credentials");
    gn_rest_field(&form, "client_id", a->client);
    gn_rest_field(&form, "client_secret", a->secret.ptr);
    gn_rest_field(&form, "scope", SCOPE);
    rc = gn_rest_token(a->rest.ctx, "Azure", url, &form, &token, err);
    if (!rc)
        gn_strs_take(&a->rest.headers, gn_printf("Authorization: Bearer %s", token.ptr));
    a->logged_in = !rc;
    gn_buf_wipe(&form);
    gn_buf_wipe(&token);
    free(url);
    return rc;
}

/* A call below /subscriptions/ID; path and body are taken. */
static int call(struct azure *a, const char *method, char *path, const char *what,
                struct gn_json *body, struct gn_json **out, struct gn_err *err)
{
    char *whole = gn_printf("/subscriptions/%s%s", a->subscription, path);
    struct gn_rest_call c = {
        .method = method, .path = whole, .what = what, .body = body, .safe = true};
    int rc = log_in(a, err);

    if (rc)
        gn_json_free(body);
    else
        rc = gn_rest(&a->rest, &c, out, err);
    free(whole);
    free(path);
    return rc;
}

static const char *location_of(const struct gn_target *t)
{
    const char *location = gn_target_setting(t, "location");

    if (!location)
        location = gn_target_setting(t, "region");
    return location ? location : LOCATION;
}

static int check(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_account *out,
                 struct gn_err *err)
{
    struct gn_json *j = NULL;
    int rc =
        call(of(p), "GET", gn_strdup("?api-version=2022-12-01"), "subscription", NULL, &j, err);

    (void)ctx;
    if (rc)
        return rc;
    memset(out, 0, sizeof *out);
    gn_rest_text(j, "displayName", out->who, sizeof out->who);
    if (!*out->who)
        snprintf(out->who, sizeof out->who, "subscription %s", of(p)->subscription);
    snprintf(out->where, sizeof out->where, "%.100s", location_of(p->target));
    gn_json_free(j);
    return GN_OK;
}

static int offers(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_needs *needs,
                  struct gn_offers *out, struct gn_err *err)
{
    size_t from = out->n;

    (void)ctx;
    (void)err;
    gn_prices_offer("azure", gn_target_setting(p->target, "machine"), location_of(p->target), needs,
                    out);
    if (out->n > from + MACHINES)
        out->n = from + MACHINES;
    return GN_OK;
}

/* --- making one --- */

/* "/resourcegroups/NAME/providers/WHAT?VERSION" */
static char *in_group(const char *name, const char *what, const char *version)
{
    return gn_printf("/resourcegroups/%s%s%s?%s", name, *what ? "/providers/" : "", what, version);
}

static const char *state_of(const struct gn_json *o)
{
    const char *s = gn_json_get_str(gn_json_get(o, "properties"), "provisioningState");

    return s ? s : "";
}

/* PUT, and look until it is there: what comes next refers to it. */
static int put(struct azure *a, const char *group, const char *what, struct gn_json *body,
               struct gn_err *err)
{
    const struct gn_ctx *ctx = a->rest.ctx;
    int64_t begun = ctx->mono_ms(ctx);
    struct gn_json *j = NULL;
    int rc = call(a, "PUT", in_group(group, what, NETWORK), "put network", body, &j, err);

    while (!rc && strcmp(state_of(j), "Succeeded") != 0) {
        if (strcmp(state_of(j), "Failed") == 0)
            rc = gn_err_set(err, GN_E_FAIL, "Azure: '%s' could not be made", what);
        else if (!*state_of(j))
            rc = gn_err_set(err, GN_E_PROTO, "Azure: an answer without a state");
        else if (ctx->mono_ms(ctx) - begun > READY_MS)
            rc = gn_err_set(err, GN_E_TIMEOUT, "Azure: '%s' is not ready after two minutes", what);
        if (!rc)
            rc = gn_wait_ms(ctx, LOOK_MS, err);
        gn_json_free(j);
        j = NULL;
        if (!rc)
            rc = call(a, "GET", in_group(group, what, NETWORK), "network", NULL, &j, err);
    }
    gn_json_free(j);
    return rc;
}

static int create(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease_spec *spec,
                  struct gn_lease *out, struct gn_err *err)
{
    struct azure *a = of(p);
    const char *place = spec->offer.region;
    char *group = gn_printf("/subscriptions/%s/resourcegroups/%s", a->subscription, spec->name);
    struct gn_json *j = NULL;
    int rc = call(a, "PUT", in_group(spec->name, "", GROUPS), "put group",
                  gn_azure_group(spec, place, ctx->wall_s(ctx)), NULL, err);

    if (!rc)
        rc = put(a, spec->name, NET "/networkSecurityGroups/nsg", gn_azure_firewall(place), err);
    if (!rc)
        rc = put(a, spec->name, NET "/virtualNetworks/vnet", gn_azure_network(place), err);
    if (!rc)
        rc = call(a, "PUT", in_group(spec->name, VM, COMPUTE), "put machine",
                  gn_azure_machine(spec, place, group, gn_target_setting(p->target, "image")), &j,
                  err);
    if (!rc && !*state_of(j))
        rc = gn_err_set(err, GN_E_PROTO, "Azure: an answer without a state");
    gn_json_free(j);
    free(group);
    if (rc == GN_E_CAPACITY || rc == GN_E_CONFIG) {
        /* nothing of the group is wanted any more */
        struct gn_err ignored = GN_ERR_INIT;

        if (call(a, "DELETE", in_group(spec->name, "", GROUPS), "delete group", NULL, NULL,
                 &ignored))
            gn_event_text(a->rest.ctx, GN_EV_WARN, "the resource group '%s' is left: %s",
                          spec->name, ignored.msg);
    }
    if (rc)
        return rc;
    snprintf(out->id, sizeof out->id, "%s", spec->name);
    out->state = GN_LEASE_PENDING;
    return GN_OK;
}

/* --- looking --- */

static void read_group(const struct gn_json *group, struct gn_lease *l)
{
    const struct gn_json *tags = gn_json_get(group, "tags");
    char made[24];

    gn_rest_text(group, "name", l->name, sizeof l->name);
    snprintf(l->id, sizeof l->id, "%s", l->name);
    gn_rest_text(group, "location", l->region, sizeof l->region);
    gn_rest_text(tags, "gnrrun-run", l->run, sizeof l->run);
    gn_rest_text(tags, "gnrrun-owner", l->owner, sizeof l->owner);
    gn_rest_text(tags, "gnrrun-machine", l->machine, sizeof l->machine);
    gn_rest_text(tags, "gnrrun-made", made, sizeof made);
    l->made_s = strtoll(made, NULL, 10);
    l->state = strcmp(state_of(group), "Deleting") == 0 ? GN_LEASE_ENDING : GN_LEASE_PENDING;
}

static bool has_power(const struct gn_json *vm, const char *state)
{
    const struct gn_json *all =
        gn_json_get(gn_json_get(gn_json_get(vm, "properties"), "instanceView"), "statuses");

    for (size_t i = 0; i < gn_json_len(all); i++) {
        const char *code = gn_json_get_str(gn_json_at(all, i), "code");

        if (code && strncmp(code, "PowerState/", 11) == 0 && strcmp(code + 11, state) == 0)
            return true;
    }
    return false;
}

static int read_address(struct azure *a, struct gn_lease *l, struct gn_err *err)
{
    struct gn_json *j = NULL;
    int rc = call(a, "GET", in_group(l->name, NET "/publicIPAddresses", NETWORK), "addresses", NULL,
                  &j, err);

    if (!rc)
        gn_rest_text(gn_json_get(gn_json_at(gn_json_get(j, "value"), 0), "properties"), "ipAddress",
                     l->address, sizeof l->address);
    if (!rc && *l->address)
        l->state = GN_LEASE_UP;
    gn_json_free(j);
    return rc;
}

/* Why it came to nothing. */
static int could_not(const struct gn_json *vm, struct gn_err *err)
{
    const struct gn_json *all =
        gn_json_get(gn_json_get(gn_json_get(vm, "properties"), "instanceView"), "statuses");
    char why[200];

    gn_rest_text(gn_json_at(all, 0), "message", why, sizeof why);
    return gn_err_set(err, GN_E_CAPACITY, "Azure: %s",
                      *why ? why : "the machine could not be made");
}

static int poll_machine(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_lease *l,
                        struct gn_err *err)
{
    struct azure *a = of(p);
    struct gn_json *group = NULL, *vm = NULL;
    int rc = gn_rest_id("Azure", l->name, err);

    (void)ctx;
    if (!rc)
        rc = call(a, "GET", in_group(l->name, "", GROUPS), "group", NULL, &group, err);
    if (!rc && !gn_json_get_str(group, "name"))
        rc = gn_err_set(err, GN_E_PROTO, "Azure: a group without a name");
    if (!rc)
        read_group(group, l);
    gn_json_free(group);
    if (rc || l->state == GN_LEASE_ENDING)
        return rc;
    rc = call(a, "GET", in_group(l->name, VM, COMPUTE "&$expand=instanceView"), "machine", NULL,
              &vm, err);
    if (rc == GN_E_NOTFOUND) { /* its group comes first, and goes last */
        gn_err_clear(err);
        return GN_OK;
    }
    if (!rc && !*state_of(vm))
        rc = gn_err_set(err, GN_E_PROTO, "Azure: an answer without a state");
    else if (!rc && strcmp(state_of(vm), "Failed") == 0)
        rc = could_not(vm, err);
    else if (!rc && (has_power(vm, "stopped") || has_power(vm, "deallocated")))
        l->state = GN_LEASE_HALTED;
    else if (!rc && has_power(vm, "running"))
        rc = read_address(a, l, err);
    gn_json_free(vm);
    return rc;
}

static int wake(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *l,
                struct gn_err *err)
{
    int rc = gn_rest_id("Azure", l->name, err);

    (void)ctx;
    return rc ? rc
              : call(of(p), "POST", in_group(l->name, VM "/start", COMPUTE), "start", NULL, NULL,
                     err);
}

static int destroy(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *l,
                   struct gn_err *err)
{
    int rc = gn_rest_id("Azure", l->name, err);

    (void)ctx;
    if (!rc)
        rc = call(of(p), "DELETE", in_group(l->name, "", GROUPS), "delete group", NULL, NULL, err);
    if (rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        rc = GN_OK;
    }
    return rc;
}

/* The rest of the address of the next page; NULL: there is none, or it leads elsewhere. */
static char *next_page(const struct azure *a, const struct gn_json *j)
{
    const char *next = gn_json_get_str(j, "nextLink");
    char *here = gn_printf("%s/subscriptions/%s", a->rest.base, a->subscription);
    size_t n = strlen(here);
    char *rest = next && strncmp(next, here, n) == 0 ? gn_strdup(next + n) : NULL;

    free(here);
    return rest;
}

static int list(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_leases *out,
                bool *complete, struct gn_err *err)
{
    char *path = gn_strdup("/resourcegroups?" GROUPS "&$filter=tagName%20eq%20'gnrrun-run'");
    int rc = GN_OK;

    (void)ctx;
    *complete = true;
    for (int page = 0; !rc && path && page < PAGES; page++) {
        const struct gn_json *all;
        struct gn_json *j = NULL;

        rc = call(of(p), "GET", path, "groups", NULL, &j, err);
        path = NULL;
        all = gn_json_get(j, "value");
        if (!rc && !all)
            rc = gn_err_set(err, GN_E_PROTO, "Azure: a list that is none");
        for (size_t i = 0; !rc && i < gn_json_len(all); i++) {
            struct gn_lease l = {.price_microusd_h = GN_PRICE_UNKNOWN};

            read_group(gn_json_at(all, i), &l);
            GN_GROW(out->v, out->n, out->cap);
            out->v[out->n++] = l;
        }
        if (!rc)
            path = next_page(of(p), j);
        if (!rc && !path && gn_json_get_str(j, "nextLink"))
            *complete = false;
        gn_json_free(j);
    }
    free(path);
    return rc;
}

static const char *const keys[] = {"subscription", "location", "region", "machine",
                                   "image",        "endpoint", NULL};

const struct gn_provider_ops gn_provider_azure = {
    .name = "azure",
    .summary = "virtual machines of Microsoft Azure",
    .proven = "",
    .caps = GN_CAP_IDEMPOTENT | GN_CAP_USER_DATA,
    .keys = keys,
    .open = open_azure,
    .close = close_azure,
    .check = check,
    .offers = offers,
    .create = create,
    .poll = poll_machine,
    .wake = wake,
    .destroy = destroy,
    .list = list,
};
