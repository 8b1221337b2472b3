/*
 * digitalocean.c - droplets of DigitalOcean (API v2).
 *
 * A droplet that is switched off still bills in full; nothing but its end ends that.  There are no
 * idempotency tokens: the caller looks for the name before it asks again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offers.h"
#include "rest.h"

#define API   "https://api.digitalocean.com/v2"
#define TAG   "gnrrun"
#define PAGES 50

struct ocean {
    struct gn_provider base; /* first */
    struct gn_rest rest;
};

static struct gn_rest *rest_of(struct gn_provider *p)
{
    return &((struct ocean *)p)->rest;
}

/* {"id": "unprocessable_entity", "message": "..."} */
static int explain(int status, const struct gn_json *body, struct gn_buf *said)
{
    const char *message = gn_json_get_str(body, "message");

    gn_buf_adds(said, message ? message : "");
    if (status != 422 || !message)
        return 0;
    /* no size of that kind free, or more droplets than the account may have: another offer may do */
    return strstr(message, "available") || strstr(message, "capacity") || strstr(message, "limit")
               ? GN_E_CAPACITY
               : GN_E_CONFIG;
}

static void close_ocean(struct gn_provider *p)
{
    if (!p)
        return;
    gn_rest_clear(rest_of(p));
    free(p);
}

extern const struct gn_provider_ops gn_provider_digitalocean;

static int open_ocean(const struct gn_ctx *ctx, const struct gn_target *t, struct gn_provider **out,
                      struct gn_err *err)
{
    const char *token = gn_rest_env(ctx, "DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN");
    struct ocean *o;

    if (!token)
        return gn_rest_no_token("DigitalOcean", "export DIGITALOCEAN_TOKEN", err);
    o = gn_new(struct ocean);
    o->base = (struct gn_provider){&gn_provider_digitalocean, t};
    o->rest = (struct gn_rest){
        .ctx = ctx, .name = "DigitalOcean", .base = gn_rest_base(t, API), .explain = explain};
    gn_strs_take(&o->rest.headers, gn_printf("Authorization: Bearer %s", token));
    *out = &o->base;
    return GN_OK;
}

static int check(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_account *out,
                 struct gn_err *err)
{
    const struct gn_json *account;
    struct gn_json *j = NULL;
    const char *region = gn_target_setting(p->target, "region");
    int64_t limit;
    int rc = gn_rest(rest_of(p),
                     &(struct gn_rest_call){
                         .method = "GET", .path = "/account", .what = "account", .safe = true},
                     &j, err);

    (void)ctx;
    if (rc)
        return rc;
    account = gn_json_get(j, "account");
    limit = gn_json_get_int(account, "droplet_limit");
    memset(out, 0, sizeof *out);
    gn_rest_text(account, "email", out->who, sizeof out->who);
    snprintf(out->where, sizeof out->where, "%.100s", region ? region : "any region");
    if (limit)
        snprintf(out->note, sizeof out->note, "at most %" PRId64 " droplets", limit);
    gn_json_free(j);
    return GN_OK;
}

/* --- offers --- */

static bool has_region(const struct gn_json *size, const char *region)
{
    const struct gn_json *all = gn_json_get(size, "regions");

    for (size_t i = 0; i < gn_json_len(all); i++) {
        const char *r = gn_json_value_str(gn_json_at(all, i));

        if (r && strcmp(r, region) == 0)
            return true;
    }
    return false;
}

static void read_size(const struct gn_json *size, struct gn_offer *o)
{
    const struct gn_json *gpu = gn_json_get(size, "gpu_info"), *vram = gn_json_get(gpu, "vram");

    memset(o, 0, sizeof *o);
    gn_rest_text(size, "slug", o->machine, sizeof o->machine);
    o->cpus = (int)gn_json_get_int(size, "vcpus");
    o->memory_bytes = (uint64_t)gn_json_get_int(size, "memory") << 20;
    o->gpus = (int)gn_json_get_int(gpu, "count");
    gn_rest_text(gpu, "model", o->gpu, sizeof o->gpu);
    o->gpu_mem_bytes = (uint64_t)gn_json_get_int(vram, "amount") << 30;
    o->price_microusd_h = gn_json_get(size, "price_hourly")
                              ? (int64_t)(gn_json_get_real(size, "price_hourly") * 1e6 + 0.999)
                              : GN_PRICE_UNKNOWN;
    snprintf(o->price_date, sizeof o->price_date, "now");
}

static int offers(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_needs *needs,
                  struct gn_offers *out, struct gn_err *err)
{
    const char *region = gn_target_setting(p->target, "region");
    const char *machine = gn_target_setting(p->target, "machine");
    const struct gn_json *sizes;
    struct gn_json *j = NULL;
    size_t from = out->n;
    int rc =
        gn_rest(rest_of(p),
                &(struct gn_rest_call){
                    .method = "GET", .path = "/sizes?per_page=200", .what = "sizes", .safe = true},
                &j, err);

    (void)ctx;
    if (rc)
        return rc;
    sizes = gn_json_get(j, "sizes");
    for (size_t i = 0; i < gn_json_len(sizes); i++) {
        const struct gn_json *size = gn_json_at(sizes, i);
        const struct gn_json *regions = gn_json_get(size, "regions");
        const char *first = gn_json_value_str(gn_json_at(regions, 0));
        struct gn_offer o;

        read_size(size, &o);
        if (!first || !gn_json_get_bool(size, "available") ||
            (region && !has_region(size, region)) || !gn_offer_fits(&o, machine, needs))
            continue;
        snprintf(o.region, sizeof o.region, "%.60s", region ? region : first);
        GN_GROW(out->v, out->n, out->cap);
        out->v[out->n++] = o;
    }
    gn_offers_sort(out, from);
    gn_json_free(j);
    return GN_OK;
}

/* --- droplets --- */

static const char *public_address(const struct gn_json *droplet)
{
    const struct gn_json *v4 = gn_json_get(gn_json_get(droplet, "networks"), "v4");

    for (size_t i = 0; i < gn_json_len(v4); i++) {
        const struct gn_json *net = gn_json_at(v4, i);
        const char *type = gn_json_get_str(net, "type");

        if (type && strcmp(type, "public") == 0)
            return gn_json_get_str(net, "ip_address");
    }
    return NULL;
}

static void read_droplet(const struct gn_json *d, struct gn_lease *l)
{
    const char *status = gn_json_get_str(d, "status"), *ip = public_address(d);
    const struct gn_json *tags = gn_json_get(d, "tags");

    snprintf(l->id, sizeof l->id, "%" PRId64, gn_json_get_int(d, "id"));
    gn_rest_text(d, "name", l->name, sizeof l->name);
    gn_rest_text(d, "size_slug", l->machine, sizeof l->machine);
    gn_rest_text(gn_json_get(d, "region"), "slug", l->region, sizeof l->region);
    l->made_s = gn_rest_time(gn_json_get_str(d, "created_at"));
    l->state = GN_LEASE_PENDING;
    if (status && strcmp(status, "active") == 0 && ip) {
        l->state = GN_LEASE_UP;
        snprintf(l->address, sizeof l->address, "%.60s", ip);
    } else if (status && strcmp(status, "off") == 0) {
        l->state = GN_LEASE_HALTED;
    } else if (status && strcmp(status, "archive") == 0) {
        l->state = GN_LEASE_GONE;
    }
    for (size_t i = 0; i < gn_json_len(tags); i++) {
        const char *tag = gn_json_value_str(gn_json_at(tags, i));

        if (tag && strncmp(tag, TAG "-run-", sizeof TAG + 4) == 0)
            snprintf(l->run, sizeof l->run, "%.60s", tag + sizeof TAG + 4);
    }
}

/* Pages of those with our tag; each is handed to fn until it says true. */
typedef bool (*droplet_fn)(const struct gn_json *droplet, void *arg);

static int each(struct gn_provider *p, droplet_fn fn, void *arg, struct gn_err *err)
{
    for (int page = 1; page <= PAGES; page++) {
        char *path = gn_printf("/droplets?tag_name=" TAG "&per_page=200&page=%d", page);
        const struct gn_json *all;
        struct gn_json *j = NULL;
        bool more;
        int rc = gn_rest(
            rest_of(p),
            &(struct gn_rest_call){.method = "GET", .path = path, .what = "droplets", .safe = true},
            &j, err);

        free(path);
        if (rc)
            return rc;
        all = gn_json_get(j, "droplets");
        more = gn_json_get_str(gn_json_get(gn_json_get(j, "links"), "pages"), "next") != NULL;
        if (!all) {
            gn_json_free(j);
            return gn_err_set(err, GN_E_PROTO, "DigitalOcean: a list that is none");
        }
        for (size_t i = 0; i < gn_json_len(all); i++) {
            if (fn(gn_json_at(all, i), arg)) {
                gn_json_free(j);
                return GN_OK;
            }
        }
        gn_json_free(j);
        if (!more)
            break;
    }
    return GN_OK;
}

static bool match(const struct gn_json *droplet, void *arg)
{
    struct gn_lease *l = arg;
    const char *name = gn_json_get_str(droplet, "name");

    if (!name || strcmp(name, l->name) != 0)
        return false;
    read_droplet(droplet, l);
    return true;
}

static int find(struct gn_provider *p, struct gn_lease *l, struct gn_err *err)
{
    int rc = each(p, match, l, err);

    return rc || *l->id ? rc : gn_err_set(err, GN_E_NOTFOUND, "DigitalOcean has no '%s'", l->name);
}

static int poll_droplet(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_lease *l,
                        struct gn_err *err)
{
    struct gn_json *j = NULL;
    char *path;
    int rc;

    (void)ctx;
    if (!*l->id)
        return find(p, l, err);
    rc = gn_rest_id("DigitalOcean", l->id, err);
    if (rc)
        return rc;
    path = gn_printf("/droplets/%s", l->id);
    rc = gn_rest(
        rest_of(p),
        &(struct gn_rest_call){.method = "GET", .path = path, .what = "droplet", .safe = true}, &j,
        err);
    free(path);
    if (!rc && !gn_json_get(j, "droplet"))
        rc = gn_err_set(err, GN_E_PROTO, "DigitalOcean: an answer without its droplet");
    if (!rc)
        read_droplet(gn_json_get(j, "droplet"), l);
    gn_json_free(j);
    return rc;
}

static int create(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease_spec *spec,
                  struct gn_lease *out, struct gn_err *err)
{
    const char *image = gn_target_setting(p->target, "image");
    struct gn_json *body = gn_json_object(), *j = NULL;
    struct gn_strs tags = GN_STRS_INIT;
    int rc;

    (void)ctx;
    gn_strs_add(&tags, TAG);
    gn_strs_take(&tags, gn_printf(TAG "-owner-%s", spec->owner));
    gn_strs_take(&tags, gn_printf(TAG "-run-%s", spec->run));
    gn_json_set_str(body, "name", spec->name);
    gn_json_set_str(body, "region", spec->offer.region);
    gn_json_set_str(body, "size", spec->offer.machine);
    gn_json_set_str(body, "image",
                    image              ? image
                    : spec->offer.gpus ? "gpu-h100x1-base"
                                       : "ubuntu-22-04-x64");
    gn_json_set_str(body, "user_data", spec->user_data);
    gn_json_set_bool(body, "monitoring", false);
    gn_json_set(body, "tags", gn_json_strs(&tags));
    gn_strs_clear(&tags);
    rc = gn_rest(rest_of(p),
                 &(struct gn_rest_call){
                     .method = "POST", .path = "/droplets", .what = "create", .body = body},
                 &j, err);
    if (!rc && !gn_json_get_int(gn_json_get(j, "droplet"), "id"))
        rc = gn_err_set(err, GN_E_PROTO, "DigitalOcean: a droplet without a number");
    if (!rc)
        read_droplet(gn_json_get(j, "droplet"), out);
    gn_json_free(j);
    return rc;
}

static int wake(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *l,
                struct gn_err *err)
{
    struct gn_json *body;
    char *path;
    int rc = gn_rest_id("DigitalOcean", l->id, err);

    (void)ctx;
    if (rc)
        return rc;
    body = gn_json_object();
    gn_json_set_str(body, "type", "power_on");
    path = gn_printf("/droplets/%s/actions", l->id);
    rc =
        gn_rest(rest_of(p),
                &(struct gn_rest_call){
                    .method = "POST", .path = path, .what = "power_on", .body = body, .safe = true},
                NULL, err);
    free(path);
    return rc;
}

static int destroy(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *l,
                   struct gn_err *err)
{
    struct gn_lease own = *l;
    char *path;
    int rc = *own.id ? GN_OK : find(p, &own, err);

    (void)ctx;
    if (!rc)
        rc = gn_rest_id("DigitalOcean", own.id, err);
    if (rc)
        return rc;
    path = gn_printf("/droplets/%s", own.id);
    rc = gn_rest(
        rest_of(p),
        &(struct gn_rest_call){.method = "DELETE", .path = path, .what = "destroy", .safe = true},
        NULL, err);
    free(path);
    if (rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        rc = GN_OK;
    }
    return rc;
}

static bool take(const struct gn_json *droplet, void *arg)
{
    struct gn_leases *all = arg;
    struct gn_lease l = {.state = GN_LEASE_PENDING, .price_microusd_h = GN_PRICE_UNKNOWN};

    read_droplet(droplet, &l);
    GN_GROW(all->v, all->n, all->cap);
    all->v[all->n++] = l;
    return false;
}

static int list(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_leases *out,
                bool *complete, struct gn_err *err)
{
    (void)ctx;
    *complete = true;
    return each(p, take, out, err);
}

static const char *const keys[] = {"region", "machine", "image", "endpoint", NULL};

const struct gn_provider_ops gn_provider_digitalocean = {
    .name = "digitalocean",
    .summary = "droplets of DigitalOcean",
    .proven = "",
    .caps = GN_CAP_USER_DATA,
    .keys = keys,
    .open = open_ocean,
    .close = close_ocean,
    .check = check,
    .offers = offers,
    .create = create,
    .poll = poll_droplet,
    .wake = wake,
    .destroy = destroy,
    .list = list,
};
