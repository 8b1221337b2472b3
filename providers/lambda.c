/*
 * lambda.c - instances of Lambda (Cloud API v1).
 *
 * An instance needs a login key that the account knows by name: it gets one of the lease's own name, which
 * goes with it.  There are no tags: the name says whose it is.  Powering off does not end the bill.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/lease.h"
#include "offers.h"
#include "rest.h"

#define API  "https://cloud.lambda.ai/api/v1"
#define MINE "gnr-"

struct lambda {
    struct gn_provider base; /* first */
    struct gn_rest rest;
};

static struct gn_rest *rest_of(struct gn_provider *p)
{
    return &((struct lambda *)p)->rest;
}

/* {"error": {"code": "instance-operations/launch/insufficient-capacity", "message": "..."}} */
static int explain(int status, const struct gn_json *body, struct gn_buf *said)
{
    const struct gn_json *e = gn_json_get(body, "error");
    const char *code = gn_json_get_str(e, "code"), *message = gn_json_get_str(e, "message");

    (void)status;
    gn_buf_adds(said, message ? message : "");
    if (!code)
        return 0;
    if (strstr(code, "insufficient-capacity") || strstr(code, "quota-exceeded"))
        return GN_E_CAPACITY;
    if (strstr(code, "invalid-api-key") || strstr(code, "account-inactive"))
        return GN_E_AUTH;
    return strstr(code, "does-not-exist") ? GN_E_NOTFOUND : 0;
}

static void close_lambda(struct gn_provider *p)
{
    if (!p)
        return;
    gn_rest_clear(rest_of(p));
    free(p);
}

extern const struct gn_provider_ops gn_provider_lambda;

static int open_lambda(const struct gn_ctx *ctx, const struct gn_target *t,
                       struct gn_provider **out, struct gn_err *err)
{
    const char *token = gn_rest_env(ctx, "LAMBDA_API_KEY", "LAMBDA_CLOUD_API_KEY");
    struct lambda *l;

    if (!token)
        return gn_rest_no_token("Lambda", "export LAMBDA_API_KEY", err);
    l = gn_new(struct lambda);
    l->base = (struct gn_provider){&gn_provider_lambda, t};
    l->rest = (struct gn_rest){
        .ctx = ctx, .name = "Lambda", .base = gn_rest_base(t, API), .explain = explain};
    gn_strs_take(&l->rest.headers, gn_printf("Authorization: Bearer %s", token));
    *out = &l->base;
    return GN_OK;
}

/* GET path; its "data", which belongs to *whole. */
static int get(struct gn_provider *p, const char *path, const char *what, struct gn_json **whole,
               const struct gn_json **data, struct gn_err *err)
{
    int rc =
        gn_rest(rest_of(p),
                &(struct gn_rest_call){.method = "GET", .path = path, .what = what, .safe = true},
                whole, err);

    *data = rc ? NULL : gn_json_get(*whole, "data");
    if (!rc && !*data) {
        gn_json_free(*whole);
        *whole = NULL;
        rc = gn_err_set(err, GN_E_PROTO, "Lambda: an answer without its data");
    }
    return rc;
}

static int check(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_account *out,
                 struct gn_err *err)
{
    const char *region = gn_target_setting(p->target, "region");
    const struct gn_json *data;
    struct gn_json *j = NULL;
    int rc = get(p, "/ssh-keys", "ssh-keys", &j, &data, err);

    (void)ctx;
    if (rc)
        return rc;
    memset(out, 0, sizeof *out);
    /* no call tells whose key it is */
    snprintf(out->who, sizeof out->who, "the owner of LAMBDA_API_KEY");
    snprintf(out->where, sizeof out->where, "%.100s", region ? region : "any region");
    gn_json_free(j);
    return GN_OK;
}

/* --- offers --- */

static void read_type(const struct gn_json *type, struct gn_offer *o)
{
    const struct gn_json *specs = gn_json_get(type, "specs");

    memset(o, 0, sizeof *o);
    gn_rest_text(type, "name", o->machine, sizeof o->machine);
    gn_rest_text(type, "gpu_description", o->gpu, sizeof o->gpu);
    o->cpus = (int)gn_json_get_int(specs, "vcpus");
    o->gpus = (int)gn_json_get_int(specs, "gpus");
    o->memory_bytes = (uint64_t)gn_json_get_int(specs, "memory_gib") << 30;
    /* "A10 (24 GB PCIe)" */
    if (strchr(o->gpu, '('))
        o->gpu_mem_bytes = (uint64_t)strtol(strchr(o->gpu, '(') + 1, NULL, 10) << 30;
    o->price_microusd_h = gn_json_get(type, "price_cents_per_hour")
                              ? gn_json_get_int(type, "price_cents_per_hour") * 10000
                              : GN_PRICE_UNKNOWN;
    snprintf(o->price_date, sizeof o->price_date, "now");
}

/* One for each region that has some now. */
static void add_regions(const struct gn_json *entry, const struct gn_offer *o, const char *region,
                        struct gn_offers *out)
{
    const struct gn_json *all = gn_json_get(entry, "regions_with_capacity_available");

    for (size_t i = 0; i < gn_json_len(all); i++) {
        struct gn_offer here = *o;

        gn_rest_text(gn_json_at(all, i), "name", here.region, sizeof here.region);
        if (!*here.region || (region && strcmp(region, here.region) != 0))
            continue;
        GN_GROW(out->v, out->n, out->cap);
        out->v[out->n++] = here;
    }
}

static int offers(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_needs *needs,
                  struct gn_offers *out, struct gn_err *err)
{
    const char *region = gn_target_setting(p->target, "region");
    const char *machine = gn_target_setting(p->target, "machine");
    struct gn_strs names = GN_STRS_INIT;
    const struct gn_json *data;
    struct gn_json *j = NULL;
    struct gn_needs wanted = *needs;
    size_t from = out->n;
    int rc = get(p, "/instance-types", "instance-types", &j, &data, err);

    (void)ctx;
    if (rc)
        return rc;
    if (!wanted.gpus) /* here is nothing without */
        wanted.gpus = 1;
    gn_json_keys(data, &names);
    for (size_t i = 0; i < names.n; i++) {
        const struct gn_json *entry = gn_json_get(data, names.v[i]);
        struct gn_offer o;

        read_type(gn_json_get(entry, "instance_type"), &o);
        if (gn_offer_fits(&o, machine, &wanted))
            add_regions(entry, &o, region, out);
    }
    gn_offers_sort(out, from);
    gn_strs_clear(&names);
    gn_json_free(j);
    return GN_OK;
}

/* --- instances --- */

static void read_instance(const struct gn_json *i, struct gn_lease *l)
{
    const char *status = gn_json_get_str(i, "status"), *ip = gn_json_get_str(i, "ip");

    gn_rest_text(i, "id", l->id, sizeof l->id);
    gn_rest_text(i, "name", l->name, sizeof l->name);
    gn_rest_text(gn_json_get(i, "region"), "name", l->region, sizeof l->region);
    gn_rest_text(gn_json_get(i, "instance_type"), "name", l->machine, sizeof l->machine);
    l->state = GN_LEASE_PENDING;
    if (status && strcmp(status, "active") == 0 && ip) {
        l->state = GN_LEASE_UP;
        snprintf(l->address, sizeof l->address, "%.60s", ip);
    } else if (status && strcmp(status, "terminating") == 0) {
        l->state = GN_LEASE_ENDING;
    } else if (status && strcmp(status, "terminated") == 0) {
        l->state = GN_LEASE_GONE;
    } else if (status && strcmp(status, "unhealthy") == 0) {
        snprintf(l->why, sizeof l->why, "Lambda says that it is unhealthy");
    }
}

static int find(struct gn_provider *p, struct gn_lease *l, struct gn_err *err)
{
    const struct gn_json *data;
    struct gn_json *j = NULL;
    int rc = get(p, "/instances", "instances", &j, &data, err);

    for (size_t i = 0; !rc && i < gn_json_len(data) && !*l->id; i++) {
        const char *name = gn_json_get_str(gn_json_at(data, i), "name");

        if (name && strcmp(name, l->name) == 0)
            read_instance(gn_json_at(data, i), l);
    }
    gn_json_free(j);
    return rc || *l->id ? rc : gn_err_set(err, GN_E_NOTFOUND, "Lambda has no '%s'", l->name);
}

static int poll_instance(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_lease *l,
                         struct gn_err *err)
{
    const struct gn_json *data;
    struct gn_json *j = NULL;
    char *path;
    int rc;

    (void)ctx;
    if (!*l->id)
        return find(p, l, err);
    rc = gn_rest_id("Lambda", l->id, err);
    if (rc)
        return rc;
    path = gn_printf("/instances/%s", l->id);
    rc = get(p, path, "instance", &j, &data, err);
    free(path);
    if (!rc && !gn_json_get_str(data, "id"))
        rc = gn_err_set(err, GN_E_PROTO, "Lambda: an instance without an id");
    if (!rc)
        read_instance(data, l);
    gn_json_free(j);
    return rc;
}

/* The account must know the key; one of that name from an earlier trial is the same. */
static int add_key(struct gn_provider *p, const struct gn_lease_spec *spec, struct gn_err *err)
{
    struct gn_json *body = gn_json_object();
    int rc;

    gn_json_set_str(body, "name", spec->name);
    gn_json_set_str(body, "public_key", spec->login_key);
    rc = gn_rest(
        rest_of(p),
        &(struct gn_rest_call){
            .method = "POST", .path = "/ssh-keys", .what = "add key", .body = body, .safe = true},
        NULL, err);
    if (spec->again && rc && strstr(err->msg, "exist")) {
        gn_err_clear(err);
        rc = GN_OK;
    }
    return rc;
}

static int drop_key(struct gn_provider *p, const char *name, struct gn_err *err)
{
    const struct gn_json *data;
    struct gn_json *j = NULL;
    int rc = get(p, "/ssh-keys", "ssh-keys", &j, &data, err);

    for (size_t i = 0; !rc && i < gn_json_len(data); i++) {
        const char *its = gn_json_get_str(gn_json_at(data, i), "name");
        const char *id = gn_json_get_str(gn_json_at(data, i), "id");
        char *path;

        if (!its || !id || strcmp(its, name) != 0)
            continue;
        rc = gn_rest_id("Lambda", id, err);
        if (rc)
            break;
        path = gn_printf("/ssh-keys/%s", id);
        rc = gn_rest(rest_of(p),
                     &(struct gn_rest_call){
                         .method = "DELETE", .path = path, .what = "drop key", .safe = true},
                     NULL, err);
        free(path);
    }
    gn_json_free(j);
    return rc;
}

static int launch(struct gn_provider *p, const struct gn_lease_spec *spec, struct gn_lease *out,
                  struct gn_err *err)
{
    const char *image = gn_target_setting(p->target, "image"), *id;
    struct gn_json *body = gn_json_object(), *j = NULL;
    struct gn_strs keys = GN_STRS_INIT;
    int rc;

    gn_strs_add(&keys, spec->name);
    gn_json_set_str(body, "region_name", spec->offer.region);
    gn_json_set_str(body, "instance_type_name", spec->offer.machine);
    gn_json_set(body, "ssh_key_names", gn_json_strs(&keys));
    gn_json_set_str(body, "name", spec->name);
    gn_json_set_str(body, "user_data", spec->user_data);
    if (image) {
        struct gn_json *o = gn_json_object();

        gn_json_set_str(o, "family", image);
        gn_json_set(body, "image", o);
    }
    gn_strs_clear(&keys);
    rc = gn_rest(rest_of(p),
                 &(struct gn_rest_call){.method = "POST",
                                        .path = "/instance-operations/launch",
                                        .what = "launch",
                                        .body = body},
                 &j, err);
    id = gn_json_value_str(gn_json_at(gn_json_get(gn_json_get(j, "data"), "instance_ids"), 0));
    if (!rc && !id)
        rc = gn_err_set(err, GN_E_PROTO, "Lambda: an instance without an id");
    if (!rc)
        rc = gn_rest_id("Lambda", id, err);
    if (!rc) {
        snprintf(out->id, sizeof out->id, "%.150s", id);
        out->state = GN_LEASE_PENDING;
    }
    gn_json_free(j);
    return rc;
}

static int create(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease_spec *spec,
                  struct gn_lease *out, struct gn_err *err)
{
    struct gn_err ignored = GN_ERR_INIT;
    int rc = add_key(p, spec, err);

    (void)ctx;
    if (!rc)
        rc = launch(p, spec, out, err);
    if (rc == GN_E_CAPACITY && drop_key(p, spec->name, &ignored))
        gn_event_text(rest_of(p)->ctx, GN_EV_NOTE, "the key '%s' is left at Lambda: %s", spec->name,
                      ignored.msg);
    return rc;
}

static int wake(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *l,
                struct gn_err *err)
{
    (void)p;
    (void)ctx;
    return gn_err_set(err, GN_E_FAIL, "Lambda cannot start '%s' again", l->name);
}

static int destroy(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *l,
                   struct gn_err *err)
{
    struct gn_json *body;
    struct gn_strs ids = GN_STRS_INIT;
    struct gn_lease own = *l;
    int rc = *own.id ? GN_OK : find(p, &own, err);

    (void)ctx;
    if (rc)
        return rc;
    gn_strs_add(&ids, own.id);
    body = gn_json_object();
    gn_json_set(body, "instance_ids", gn_json_strs(&ids));
    gn_strs_clear(&ids);
    rc = gn_rest(rest_of(p),
                 &(struct gn_rest_call){.method = "POST",
                                        .path = "/instance-operations/terminate",
                                        .what = "terminate",
                                        .body = body,
                                        .safe = true},
                 NULL, err);
    if (rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        rc = GN_OK;
    }
    return rc ? rc : drop_key(p, own.name, err);
}

static int list(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_leases *out,
                bool *complete, struct gn_err *err)
{
    const struct gn_json *data;
    struct gn_json *j = NULL;
    int rc = get(p, "/instances", "instances", &j, &data, err);

    (void)ctx;
    *complete = true;
    for (size_t i = 0; !rc && i < gn_json_len(data); i++) {
        struct gn_lease l = {.price_microusd_h = GN_PRICE_UNKNOWN};

        read_instance(gn_json_at(data, i), &l);
        if (strncmp(l.name, MINE, sizeof MINE - 1) != 0 || l.state == GN_LEASE_GONE)
            continue;
        GN_GROW(out->v, out->n, out->cap);
        out->v[out->n++] = l;
    }
    gn_json_free(j);
    return rc;
}

static const char *const keys[] = {"region", "machine", "image", "endpoint", NULL};

const struct gn_provider_ops gn_provider_lambda = {
    .name = "lambda",
    .summary = "GPU instances of Lambda",
    .proven = "",
    .caps = GN_CAP_USER_DATA,
    .keys = keys,
    .open = open_lambda,
    .close = close_lambda,
    .check = check,
    .offers = offers,
    .create = create,
    .poll = poll_instance,
    .wake = wake,
    .destroy = destroy,
    .list = list,
};
