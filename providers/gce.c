/*
 * gce.c - instances of Google Compute Engine (v1).
 *
 * The name is ours and unique in its zone, so making one twice is refused as "already exists", which is
 * success.  The provider itself deletes an instance at its deadline (maxRunDuration).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gcebody.h"
#include "google.h"
#include "offers.h"
#include "prices.h"

#define API      "https://compute.googleapis.com/compute/v1"
#define SCOPE    "https://www.googleapis.com/auth/compute"
#define REGION   "us-central1"
#define MACHINES 4 /* kinds that are tried, in each zone */
#define PAGES    50
#define WAIT_MS  130000 /* their own limit is two minutes */

struct gce {
    struct gn_provider base; /* first */
    struct google google;
    struct gn_rest rest;
    bool logged_in;
    char *project;
};

static struct gce *of(struct gn_provider *p)
{
    return (struct gce *)p;
}

static int code_of(const char *reason)
{
    static const char *const full[] = {"ZONE_RESOURCE_POOL_EXHAUSTED", "QUOTA_EXCEEDED",
                                       "quotaExceeded", "STOCKOUT", "RESOURCE_POOL_EXHAUSTED"};

    for (size_t i = 0; i < sizeof full / sizeof *full; i++)
        if (strstr(reason, full[i]))
            return GN_E_CAPACITY;
    if (strstr(reason, "rateLimitExceeded") || strstr(reason, "RATE_LIMIT"))
        return GN_E_NET;
    return 0;
}

/* {"error": {"code": 403, "message": "...", "errors": [{"reason": "quotaExceeded"}]}} */
static int explain(int status, const struct gn_json *body, struct gn_buf *said)
{
    const struct gn_json *e = gn_json_get(body, "error");
    const char *message = gn_json_get_str(e, "message");
    const char *reason = gn_json_get_str(gn_json_at(gn_json_get(e, "errors"), 0), "reason");
    int code = reason ? code_of(reason) : 0;

    gn_buf_adds(said, message ? message : "");
    return code ? code : status == 400 ? GN_E_CONFIG : 0;
}

static void close_gce(struct gn_provider *p)
{
    if (!p)
        return;
    gn_google_clear(&of(p)->google);
    gn_rest_clear(&of(p)->rest);
    free(of(p)->project);
    free(p);
}

extern const struct gn_provider_ops gn_provider_gce;

/* What goes into a path. */
static bool is_word(const char *s)
{
    return *s && strlen(s) < 100 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.:") == strlen(s);
}

static int check_words(const struct gce *g, struct gn_err *err)
{
    static const char *const named[] = {"zone", "region"};

    if (!g->project) {
        gn_err_set(err, GN_E_CONFIG, "no project is named");
        return gn_err_hint(err, "'project:' at the target, or GOOGLE_CLOUD_PROJECT");
    }
    if (!is_word(g->project))
        return gn_err_set(err, GN_E_CONFIG, "'project' cannot be '%.60s'", g->project);
    for (size_t i = 0; i < 2; i++) {
        const char *v = gn_target_setting(g->base.target, named[i]);

        if (v && !is_word(v))
            return gn_err_set(err, GN_E_CONFIG, "'%s' cannot be '%.60s'", named[i], v);
    }
    return GN_OK;
}

static int open_gce(const struct gn_ctx *ctx, const struct gn_target *t, struct gn_provider **out,
                    struct gn_err *err)
{
    struct gce *g = gn_new(struct gce);
    const char *project = gn_target_setting(t, "project");
    int rc = gn_google_open(ctx, &g->google, err);

    if (rc) {
        free(g);
        return rc;
    }
    if (!project)
        project = gn_rest_env(ctx, "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT");
    g->base = (struct gn_provider){&gn_provider_gce, t};
    g->project = gn_strdup(project ? project : g->google.project);
    g->rest = (struct gn_rest){.ctx = ctx, .name = "Google Cloud", .explain = explain};
    rc = check_words(g, err);
    if (rc) {
        close_gce(&g->base);
        return rc;
    }
    {
        char *base = gn_rest_base(t, API);

        g->rest.base = gn_printf("%s/projects/%s", base, g->project);
        free(base);
    }
    *out = &g->base;
    return GN_OK;
}

static int log_in(struct gce *g, struct gn_err *err)
{
    struct gn_buf token = GN_BUF_INIT((size_t)64 << 10);
    int rc;

    if (g->logged_in)
        return GN_OK;
    rc = gn_google_token(&g->google, SCOPE, &token, err);
    if (!rc) {
        gn_strs_take(&g->rest.headers, gn_printf("Authorization: Bearer %s", token.ptr));
        if (g->google.quota_project)
            gn_strs_take(&g->rest.headers,
                         gn_printf("X-Goog-User-Project: %s", g->google.quota_project));
        g->logged_in = true;
    }
    gn_buf_wipe(&token);
    return rc;
}

/* A call; body is taken. */
static int call(struct gce *g, const char *method, const char *path, const char *what,
                struct gn_json *body, struct gn_json **out, struct gn_err *err)
{
    /* what makes or ends one carries a name: all of it may be sent twice */
    struct gn_rest_call c = {
        .method = method, .path = path, .what = what, .body = body, .safe = true};
    int rc = log_in(g, err);

    if (rc) {
        gn_json_free(body);
        return rc;
    }
    return gn_rest(&g->rest, &c, out, err);
}

static int check(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_account *out,
                 struct gn_err *err)
{
    struct gce *g = of(p);
    const char *where = gn_target_setting(p->target, "zone");
    const struct gn_json *quotas;
    struct gn_json *j = NULL;
    int rc = call(g, "GET", "", "project", NULL, &j, err);

    (void)ctx;
    if (rc)
        return rc;
    memset(out, 0, sizeof *out);
    snprintf(out->who, sizeof out->who, "%.80s in project %.80s", g->google.who, g->project);
    if (!where)
        where = gn_target_setting(p->target, "region");
    snprintf(out->where, sizeof out->where, "%.100s", where ? where : REGION);
    quotas = gn_json_get(j, "quotas");
    for (size_t i = 0; i < gn_json_len(quotas); i++) {
        const struct gn_json *q = gn_json_at(quotas, i);
        const char *metric = gn_json_get_str(q, "metric");

        if (metric && strcmp(metric, "GPUS_ALL_REGIONS") == 0 && gn_json_get_real(q, "limit") < 1)
            snprintf(out->note, sizeof out->note,
                     "GPU quota 0: ask at https://console.cloud.google.com/iam-admin/quotas "
                     "(GPUS_ALL_REGIONS)");
    }
    gn_json_free(j);
    return GN_OK;
}

/* --- offers: the table's machines, in the zones of the region --- */

static int zones_of(struct gce *g, const char *region, struct gn_strs *out, struct gn_err *err)
{
    const char *zone = gn_target_setting(g->base.target, "zone");
    const struct gn_json *items;
    struct gn_json *j = NULL;
    size_t n = strlen(region);
    int rc;

    if (zone) {
        gn_strs_add(out, zone);
        return GN_OK;
    }
    rc = call(g, "GET", "/zones?maxResults=500", "zones", NULL, &j, err);
    items = gn_json_get(j, "items");
    if (!rc && !items)
        rc = gn_err_set(err, GN_E_PROTO, "Google Cloud: an answer without zones");
    for (size_t i = 0; !rc && i < gn_json_len(items); i++) {
        const char *name = gn_json_get_str(gn_json_at(items, i), "name");
        const char *status = gn_json_get_str(gn_json_at(items, i), "status");

        if (name && status && strcmp(status, "UP") == 0 && strncmp(name, region, n) == 0 &&
            name[n] == '-' && is_word(name))
            gn_strs_add(out, name);
    }
    gn_json_free(j);
    return rc;
}

/* "us-central1" of "us-central1-a" */
static void region_of(const struct gn_target *t, char out[64])
{
    const char *region = gn_target_setting(t, "region"), *zone = gn_target_setting(t, "zone");
    const char *dash = zone ? strrchr(zone, '-') : NULL;

    if (region || !dash)
        snprintf(out, 64, "%.60s", region ? region : REGION);
    else
        snprintf(out, 64, "%.*s", (int)(dash - zone), zone);
}

static int offers(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_needs *needs,
                  struct gn_offers *out, struct gn_err *err)
{
    struct gn_strs zones = GN_STRS_INIT;
    struct gn_offers kinds = {0};
    char region[64];
    int rc;

    (void)ctx;
    region_of(p->target, region);
    rc = zones_of(of(p), region, &zones, err);
    if (!rc)
        gn_prices_offer("gce", gn_target_setting(p->target, "machine"), region, needs, &kinds);
    for (size_t i = 0; i < kinds.n && i < MACHINES; i++) {
        for (size_t k = 0; k < zones.n; k++) {
            struct gn_offer o = kinds.v[i];

            snprintf(o.zone, sizeof o.zone, "%.60s", zones.v[k]);
            GN_GROW(out->v, out->n, out->cap);
            out->v[out->n++] = o;
        }
    }
    free(kinds.v);
    gn_strs_clear(&zones);
    return rc;
}

/* --- making one --- */

/* What became of it: capacity is told only here. */
static int read_operation(const struct gn_json *op, struct gn_err *err)
{
    const struct gn_json *e = gn_json_at(gn_json_get(gn_json_get(op, "error"), "errors"), 0);
    const char *code = gn_json_get_str(e, "code");
    char message[200];

    if (!e)
        return GN_OK;
    gn_rest_text(e, "message", message, sizeof message);
    return gn_err_set(err, code && code_of(code) ? code_of(code) : GN_E_FAIL, "Google Cloud: %s",
                      *message ? message : "it failed and does not say why");
}

static int wait_for(struct gce *g, const char *zone, const struct gn_json *op, struct gn_err *err)
{
    char name[128], *path;
    struct gn_json *j = NULL;
    int rc = read_operation(op, err);

    gn_rest_text(op, "name", name, sizeof name);
    if (rc)
        return rc;
    rc = gn_rest_id("Google Cloud", name, err);
    if (rc)
        return rc;
    path = gn_printf("/zones/%s/operations/%s/wait", zone, name);
    rc = call(g, "POST", path, "wait", NULL, &j, err);
    free(path);
    /* it was accepted: that nobody tells how it goes on is for poll to find out */
    if (rc == GN_E_NET || rc == GN_E_TIMEOUT || rc == GN_E_PROTO) {
        gn_err_clear(err);
        return GN_OK;
    }
    rc = rc ? rc : read_operation(j, err);
    gn_json_free(j);
    return rc;
}

static int create(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease_spec *spec,
                  struct gn_lease *out, struct gn_err *err)
{
    struct gce *g = of(p);
    struct gn_json *op = NULL;
    char *path = gn_printf("/zones/%s/instances?requestId=%s", spec->offer.zone, spec->token);
    int rc = call(g, "POST", path, "insert",
                  gn_gce_body(spec, gn_target_setting(p->target, "image"),
                              gn_target_setting(p->target, "network"),
                              spec->deadline_s - ctx->wall_s(ctx)),
                  &op, err);

    free(path);
    if (rc == GN_E_EXISTS) { /* an earlier trial made it */
        gn_err_clear(err);
        rc = GN_OK;
    } else if (!rc) {
        rc = gn_json_get_str(op, "name")
                 ? wait_for(g, spec->offer.zone, op, err)
                 : gn_err_set(err, GN_E_PROTO, "Google Cloud: an operation without a name");
    }
    gn_json_free(op);
    if (rc)
        return rc;
    snprintf(out->id, sizeof out->id, "%s", spec->name);
    snprintf(out->zone, sizeof out->zone, "%s", spec->offer.zone);
    out->state = GN_LEASE_PENDING;
    return GN_OK;
}

/* --- instances --- */

static const char *last_part(const char *url)
{
    const char *slash = url ? strrchr(url, '/') : NULL;

    return slash ? slash + 1 : "";
}

static enum gn_lease_state state_of(const char *status, bool has_address)
{
    if (status && strcmp(status, "RUNNING") == 0)
        return has_address ? GN_LEASE_UP : GN_LEASE_PENDING;
    /* TERMINATED means stopped, its disk is there */
    if (status && (strcmp(status, "TERMINATED") == 0 || strcmp(status, "SUSPENDED") == 0))
        return GN_LEASE_HALTED;
    if (status && strcmp(status, "STOPPING") == 0)
        return GN_LEASE_ENDING;
    return GN_LEASE_PENDING;
}

static void read_instance(const struct gn_json *i, struct gn_lease *l)
{
    const struct gn_json *net = gn_json_at(gn_json_get(i, "networkInterfaces"), 0);
    const struct gn_json *labels = gn_json_get(i, "labels");

    gn_rest_text(i, "name", l->name, sizeof l->name);
    snprintf(l->id, sizeof l->id, "%s", l->name);
    gn_rest_text(gn_json_at(gn_json_get(net, "accessConfigs"), 0), "natIP", l->address,
                 sizeof l->address);
    gn_rest_text(labels, "gnrrun-run", l->run, sizeof l->run);
    gn_rest_text(labels, "gnrrun-owner", l->owner, sizeof l->owner);
    snprintf(l->zone, sizeof l->zone, "%.60s", last_part(gn_json_get_str(i, "zone")));
    snprintf(l->machine, sizeof l->machine, "%.60s", last_part(gn_json_get_str(i, "machineType")));
    l->made_s = gn_rest_time(gn_json_get_str(i, "creationTimestamp"));
    l->state = state_of(gn_json_get_str(i, "status"), *l->address);
}

/* "/zones/Z/instances/NAME" and more; NULL and an error for what cannot stand in a path. */
static char *path_of(const struct gn_lease *l, const char *more, struct gn_err *err)
{
    if (is_word(l->zone) && is_word(l->name))
        return gn_printf("/zones/%s/instances/%s%s", l->zone, l->name, more);
    gn_err_set(err, GN_E_NOTFOUND, "Google Cloud: '%.60s' in no zone", l->name);
    return NULL;
}

static int poll_instance(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_lease *l,
                         struct gn_err *err)
{
    struct gn_json *j = NULL;
    char *path = path_of(l, "", err);
    int rc = path ? call(of(p), "GET", path, "instance", NULL, &j, err) : err->code;

    (void)ctx;
    free(path);
    if (!rc && !gn_json_get_str(j, "name"))
        rc = gn_err_set(err, GN_E_PROTO, "Google Cloud: an instance without a name");
    if (!rc)
        read_instance(j, l);
    gn_json_free(j);
    return rc;
}

static int wake(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *l,
                struct gn_err *err)
{
    char *path = path_of(l, "/start", err);
    int rc = path ? call(of(p), "POST", path, "start", NULL, NULL, err) : err->code;

    (void)ctx;
    free(path);
    return rc;
}

static int destroy(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *l,
                   struct gn_err *err)
{
    char *path = path_of(l, "", err);
    int rc = path ? call(of(p), "DELETE", path, "delete", NULL, NULL, err) : err->code;

    (void)ctx;
    free(path);
    if (rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        rc = GN_OK;
    }
    return rc;
}

static void take_zone(const struct gn_json *zone, struct gn_leases *out)
{
    const struct gn_json *all = gn_json_get(zone, "instances");

    for (size_t i = 0; i < gn_json_len(all); i++) {
        struct gn_lease l = {.price_microusd_h = GN_PRICE_UNKNOWN};

        read_instance(gn_json_at(all, i), &l);
        GN_GROW(out->v, out->n, out->cap);
        out->v[out->n++] = l;
    }
}

static int list(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_leases *out,
                bool *complete, struct gn_err *err)
{
    struct gn_buf path = GN_BUF_INIT(8192), token = GN_BUF_INIT(4096);
    int rc = GN_OK;

    (void)ctx;
    *complete = true;
    for (int page = 0; !rc && page < PAGES; page++) {
        struct gn_strs zones = GN_STRS_INIT;
        struct gn_json *j = NULL;
        const struct gn_json *items;
        const char *next;

        gn_buf_reset(&path);
        gn_buf_adds(&path, "/aggregated/instances?filter=labels.gnrrun-run%3A%2A"
                           "&returnPartialSuccess=true");
        if (token.len)
            gn_buf_adds(&path, "&pageToken=");
        gn_url_add(&path, token.ptr);
        rc = call(of(p), "GET", path.ptr, "instances", NULL, &j, err);
        items = gn_json_get(j, "items");
        if (!rc && !items && !gn_json_get_str(j, "kind"))
            rc = gn_err_set(err, GN_E_PROTO, "Google Cloud: a list that is none");
        gn_json_keys(items, &zones);
        for (size_t i = 0; !rc && i < zones.n; i++)
            take_zone(gn_json_get(items, zones.v[i]), out);
        if (gn_json_len(gn_json_get(j, "unreachables")))
            *complete = false;
        next = gn_json_get_str(j, "nextPageToken");
        gn_buf_reset(&token);
        gn_buf_adds(&token, next ? next : "");
        gn_strs_clear(&zones);
        gn_json_free(j);
        if (!token.len)
            break;
    }
    gn_buf_clear(&path);
    gn_buf_clear(&token);
    return rc;
}

static const char *const keys[] = {"project", "region",  "zone",     "machine",
                                   "image",   "network", "endpoint", NULL};

const struct gn_provider_ops gn_provider_gce = {
    .name = "gce",
    .summary = "instances of Google Compute Engine",
    .proven = "",
    .caps = GN_CAP_DEADLINE | GN_CAP_HALT | GN_CAP_IDEMPOTENT | GN_CAP_USER_DATA,
    .keys = keys,
    .open = open_gce,
    .close = close_gce,
    .check = check,
    .offers = offers,
    .create = create,
    .poll = poll_instance,
    .wake = wake,
    .destroy = destroy,
    .list = list,
};
