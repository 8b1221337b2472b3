/*
 * openstack.c - servers of any OpenStack (Nova, Neutron, Glance): an institution's own cloud, OVH, ...
 *
 * There are no idempotency tokens, and names need not be unique: the caller looks for the name before it asks
 * again.  A server that failed to be made stays, in state ERROR, and counts until it is ended.
 */
#include "openstack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offers.h"

#define MINE  "gnr-"
#define PAGES 50

static struct stack *of(struct gn_provider *p)
{
    return (struct stack *)p;
}

static void close_stack(struct gn_provider *p)
{
    struct stack *s = of(p);

    if (!p)
        return;
    gn_stack_auth_clear(&s->auth);
    gn_rest_clear(&s->keystone);
    gn_rest_clear(&s->compute);
    gn_rest_clear(&s->image);
    gn_rest_clear(&s->network);
    free(s);
}

extern const struct gn_provider_ops gn_provider_openstack;

static int open_stack(const struct gn_ctx *ctx, const struct gn_target *t, struct gn_provider **out,
                      struct gn_err *err)
{
    struct stack *s = gn_new(struct stack);
    int rc = gn_stack_auth(ctx, t, &s->auth, err);
    size_t n;

    if (rc) {
        free(s);
        return rc;
    }
    n = strlen(s->auth.url);
    while (n && s->auth.url[n - 1] == '/')
        n--;
    s->base = (struct gn_provider){&gn_provider_openstack, t};
    s->keystone = (struct gn_rest){
        .ctx = ctx,
        .name = "OpenStack",
        .base = gn_printf("%.*s%s", (int)n, s->auth.url,
                          n > 3 && strncmp(s->auth.url + n - 3, "/v3", 3) == 0 ? "" : "/v3"),
        .explain = gn_stack_explain};
    *out = &s->base;
    return GN_OK;
}

static int check(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_account *out,
                 struct gn_err *err)
{
    struct stack *s = of(p);
    const struct gn_json *limits, *absolute;
    struct gn_json *j = NULL;
    int rc = gn_stack_login(s, err);

    (void)ctx;
    if (!rc)
        rc = gn_stack_get(s, &s->compute, "/limits", "limits", &j, &limits, err);
    if (rc)
        return rc;
    absolute = gn_json_get(limits, "absolute");
    memset(out, 0, sizeof *out);
    snprintf(out->who, sizeof out->who, "%s", s->who);
    snprintf(out->where, sizeof out->where, "%.100s",
             s->auth.region ? s->auth.region : "any region");
    if (gn_json_get(absolute, "maxTotalInstances"))
        snprintf(out->note, sizeof out->note, "%" PRId64 " of %" PRId64 " machines used",
                 gn_json_get_int(absolute, "totalInstancesUsed"),
                 gn_json_get_int(absolute, "maxTotalInstances"));
    gn_json_free(j);
    return GN_OK;
}

/* --- offers: flavors --- */

/* "a100:1" of pci_passthrough:alias, or a number of virtual GPUs. */
static void read_gpu(const struct gn_json *flavor, struct gn_offer *o)
{
    const struct gn_json *specs = gn_json_get(flavor, "extra_specs");
    const char *vgpu = gn_json_get_str(specs, "resources:VGPU");
    char *colon;

    gn_rest_text(specs, "pci_passthrough:alias", o->gpu, sizeof o->gpu);
    colon = strchr(o->gpu, ':');
    if (colon) {
        o->gpus = (int)strtol(colon + 1, NULL, 10);
        *colon = '\0';
    } else if (vgpu) {
        o->gpus = (int)strtol(vgpu, NULL, 10);
        snprintf(o->gpu, sizeof o->gpu, "a virtual one");
    }
}

static int offers(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_needs *needs,
                  struct gn_offers *out, struct gn_err *err)
{
    struct stack *s = of(p);
    const char *machine = gn_target_setting(p->target, "machine");
    const struct gn_json *flavors;
    struct gn_json *j = NULL;
    size_t from = out->n;
    int rc = gn_stack_get(s, &s->compute, "/flavors/detail", "flavors", &j, &flavors, err);

    (void)ctx;
    for (size_t i = 0; !rc && i < gn_json_len(flavors); i++) {
        const struct gn_json *f = gn_json_at(flavors, i);
        struct gn_offer o = {.price_microusd_h =
                                 GN_PRICE_UNKNOWN}; /* there is no call that tells */

        gn_rest_text(f, "name", o.machine, sizeof o.machine);
        o.cpus = (int)gn_json_get_int(f, "vcpus");
        o.memory_bytes = (uint64_t)gn_json_get_int(f, "ram") << 20;
        read_gpu(f, &o);
        snprintf(o.region, sizeof o.region, "%.60s", s->auth.region ? s->auth.region : "");
        if (!gn_offer_fits(&o, machine, needs))
            continue;
        GN_GROW(out->v, out->n, out->cap);
        out->v[out->n++] = o;
    }
    gn_json_free(j);
    gn_offers_sort(out, from);
    return rc;
}

/* --- servers --- */

/* A floating one, if it has it. */
static void read_address(const struct gn_json *server, struct gn_lease *l, bool *floating)
{
    const struct gn_json *nets = gn_json_get(server, "addresses");
    struct gn_strs names = GN_STRS_INIT;

    *floating = false;
    gn_json_keys(nets, &names);
    for (size_t i = 0; i < names.n; i++) {
        const struct gn_json *all = gn_json_get(nets, names.v[i]);

        for (size_t k = 0; k < gn_json_len(all) && !*floating; k++) {
            const struct gn_json *a = gn_json_at(all, k);
            const char *type = gn_json_get_str(a, "OS-EXT-IPS:type");

            if (gn_json_get_int(a, "version") != 4)
                continue;
            *floating = type && strcmp(type, "floating") == 0;
            if (*floating || !*l->address)
                gn_rest_text(a, "addr", l->address, sizeof l->address);
        }
    }
    gn_strs_clear(&names);
}

/* True when the state is one that will not get better. */
static bool read_server(const struct gn_json *server, struct gn_lease *l, bool *floating)
{
    const struct gn_json *meta = gn_json_get(server, "metadata");
    const char *status = gn_json_get_str(server, "status");

    gn_rest_text(server, "id", l->id, sizeof l->id);
    gn_rest_text(server, "name", l->name, sizeof l->name);
    gn_rest_text(meta, "gnrrun-run", l->run, sizeof l->run);
    gn_rest_text(meta, "gnrrun-owner", l->owner, sizeof l->owner);
    gn_rest_text(gn_json_get(server, "flavor"), "original_name", l->machine, sizeof l->machine);
    gn_rest_text(gn_json_get(server, "fault"), "message", l->why, sizeof l->why);
    l->made_s = gn_rest_time(gn_json_get_str(server, "created"));
    l->address[0] = '\0';
    read_address(server, l, floating);
    l->state = GN_LEASE_PENDING;
    if (!status)
        return false;
    if (strcmp(status, "ACTIVE") == 0 && *l->address)
        l->state = GN_LEASE_UP;
    else if (strcmp(status, "SHUTOFF") == 0 || strcmp(status, "SUSPENDED") == 0)
        l->state = GN_LEASE_HALTED;
    else if (strcmp(status, "DELETED") == 0 || strcmp(status, "SOFT_DELETED") == 0)
        l->state = GN_LEASE_GONE;
    return strcmp(status, "ERROR") == 0;
}

/* Pages of those with our kind of name, each to fn until it says true. */
typedef bool (*server_fn)(const struct gn_json *server, void *arg);

static int each(struct stack *s, server_fn fn, void *arg, struct gn_err *err)
{
    char marker[64] = "";

    for (int page = 0; page < PAGES; page++) {
        char *path = gn_printf("/servers/detail?name=%%5E" MINE "&limit=100%s%s",
                               *marker ? "&marker=" : "", marker);
        const struct gn_json *all;
        struct gn_json *j = NULL;
        int rc = gn_stack_get(s, &s->compute, path, "servers", &j, &all, err);
        size_t n = gn_json_len(all);
        bool done = n == 0;

        free(path);
        if (rc)
            return rc;
        for (size_t i = 0; i < n && !done; i++)
            done = fn(gn_json_at(all, i), arg);
        if (n)
            gn_rest_text(gn_json_at(all, n - 1), "id", marker, sizeof marker);
        gn_json_free(j);
        if (done)
            return GN_OK;
        rc = gn_rest_id("OpenStack", marker, err);
        if (rc)
            return rc;
    }
    return GN_OK;
}

static bool match(const struct gn_json *server, void *arg)
{
    struct gn_lease *l = arg;
    const char *name = gn_json_get_str(server, "name");

    if (!name || strcmp(name, l->name) != 0)
        return false;
    gn_rest_text(server, "id", l->id, sizeof l->id);
    return true;
}

static int find(struct stack *s, struct gn_lease *l, struct gn_err *err)
{
    int rc = *l->id ? GN_OK : each(s, match, l, err);

    if (!rc && !*l->id)
        return gn_err_set(err, GN_E_NOTFOUND, "OpenStack has no '%s'", l->name);
    return rc ? rc : gn_rest_id("OpenStack", l->id, err);
}

static int poll_server(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_lease *l,
                       struct gn_err *err)
{
    struct stack *s = of(p);
    const char *net = gn_target_setting(p->target, "floating_network");
    const struct gn_json *server;
    struct gn_json *j = NULL;
    bool floating = false, failed = false;
    char *path;
    int rc = find(s, l, err);

    (void)ctx;
    if (rc)
        return rc;
    path = gn_printf("/servers/%s", l->id);
    rc = gn_stack_get(s, &s->compute, path, "server", &j, &server, err);
    free(path);
    if (!rc && !gn_json_get_str(server, "id"))
        rc = gn_err_set(err, GN_E_PROTO, "OpenStack: a server without an id");
    if (!rc)
        failed = read_server(server, l, &floating);
    gn_json_free(j);
    if (rc)
        return rc;
    if (failed)
        return gn_err_set(err, GN_E_CAPACITY, "OpenStack: %s", *l->why ? l->why : "state ERROR");
    if (l->state == GN_LEASE_UP && net && !floating) {
        l->state = GN_LEASE_PENDING;
        l->address[0] = '\0';
        return gn_stack_give_address(s, l, net, err);
    }
    return GN_OK;
}

/* --- making one --- */

static int add_network(struct stack *s, struct gn_json *server, struct gn_err *err)
{
    const char *name = gn_target_setting(s->base.target, "network");
    const char *group = gn_target_setting(s->base.target, "security_group");
    struct gn_json *o, *list;
    char id[64];

    if (name) {
        int rc = gn_stack_named_id(s, &s->network, "/networks", name, "", id, err);

        if (rc)
            return rc;
        o = gn_json_object();
        gn_json_set_str(o, "uuid", id);
        list = gn_json_array();
        gn_json_append(list, o);
        gn_json_set(server, "networks", list);
    } else {
        gn_json_set_str(server, "networks", "auto");
    }
    if (group) {
        o = gn_json_object();
        gn_json_set_str(o, "name", group);
        list = gn_json_array();
        gn_json_append(list, o);
        gn_json_set(server, "security_groups", list);
    }
    return GN_OK;
}

static int flavor_id(struct stack *s, const char *name, char id[64], struct gn_err *err)
{
    const struct gn_json *flavors;
    struct gn_json *j = NULL;
    int rc = gn_stack_get(s, &s->compute, "/flavors/detail", "flavors", &j, &flavors, err);

    id[0] = '\0';
    for (size_t i = 0; !rc && i < gn_json_len(flavors); i++) {
        const char *its = gn_json_get_str(gn_json_at(flavors, i), "name");

        if (its && strcmp(its, name) == 0)
            gn_rest_text(gn_json_at(flavors, i), "id", id, 64);
    }
    gn_json_free(j);
    return rc || *id ? rc : gn_err_set(err, GN_E_CONFIG, "OpenStack has no flavor '%.60s'", name);
}

static struct gn_json *metadata(const struct gn_lease_spec *spec)
{
    struct gn_json *o = gn_json_object();
    char *until = gn_printf("%" PRId64, spec->deadline_s);

    gn_json_set_str(o, "gnrrun-run", spec->run);
    gn_json_set_str(o, "gnrrun-owner", spec->owner);
    gn_json_set_str(o, "gnrrun-deadline", until);
    free(until);
    return o;
}

static int fill(struct stack *s, const struct gn_lease_spec *spec, struct gn_json *server,
                struct gn_err *err)
{
    const char *image = gn_target_setting(s->base.target, "image");
    struct gn_buf data = GN_BUF_INIT((size_t)128 << 10);
    char flavor[64], picture[64];
    int rc;

    if (!image) {
        gn_err_set(err, GN_E_CONFIG, "'image' is needed: each OpenStack has its own");
        return gn_err_hint(err, "the name of one with Ubuntu or Debian and cloud-init");
    }
    rc = flavor_id(s, spec->offer.machine, flavor, err);
    if (!rc)
        rc = gn_stack_named_id(s, &s->image, "/images", image,
                               "&status=active&sort=created_at:desc&limit=1", picture, err);
    if (rc)
        return rc;
    gn_json_set_str(server, "name", spec->name);
    gn_json_set_str(server, "flavorRef", flavor);
    gn_json_set_str(server, "imageRef", picture);
    gn_buf_addb64(&data, spec->user_data, strlen(spec->user_data), false);
    gn_json_set_str(server, "user_data", data.ptr);
    gn_buf_wipe(&data);
    gn_json_set_bool(server, "config_drive", true);
    gn_json_set(server, "metadata", metadata(spec));
    return add_network(s, server, err);
}

static int create(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease_spec *spec,
                  struct gn_lease *out, struct gn_err *err)
{
    struct stack *s = of(p);
    struct gn_json *server = gn_json_object(), *body, *j = NULL;
    int rc = fill(s, spec, server, err);

    (void)ctx;
    if (rc) {
        gn_json_free(server);
        return rc;
    }
    body = gn_json_object();
    gn_json_set(body, "server", server);
    rc = gn_rest(&s->compute,
                 &(struct gn_rest_call){
                     .method = "POST", .path = "/servers", .what = "create", .body = body},
                 &j, err);
    if (!rc && !gn_json_get_str(gn_json_get(j, "server"), "id"))
        rc = gn_err_set(err, GN_E_PROTO, "OpenStack: a server without an id");
    if (!rc) {
        gn_rest_text(gn_json_get(j, "server"), "id", out->id, sizeof out->id);
        out->state = GN_LEASE_PENDING;
        rc = gn_rest_id("OpenStack", out->id, err);
    }
    gn_json_free(j);
    return rc;
}

static int wake(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *l,
                struct gn_err *err)
{
    struct stack *s = of(p);
    struct gn_lease own = *l;
    struct gn_json *body;
    char *path;
    int rc = find(s, &own, err);

    (void)ctx;
    if (rc)
        return rc;
    body = gn_json_object();
    gn_json_set_null(body, "os-start");
    path = gn_printf("/servers/%s/action", own.id);
    rc = gn_stack_login(s, err);
    if (rc)
        gn_json_free(body);
    else
        rc = gn_rest(
            &s->compute,
            &(struct gn_rest_call){
                .method = "POST", .path = path, .what = "start", .body = body, .safe = true},
            NULL, err);
    free(path);
    return rc;
}

static int destroy(struct gn_provider *p, const struct gn_ctx *ctx, const struct gn_lease *l,
                   struct gn_err *err)
{
    struct stack *s = of(p);
    struct gn_lease own = *l;
    char *path;
    int rc = find(s, &own, err);

    (void)ctx;
    if (!rc && gn_target_setting(p->target, "floating_network"))
        rc = gn_stack_drop_address(s, own.id, err);
    if (rc)
        return rc;
    path = gn_printf("/servers/%s", own.id);
    rc = gn_stack_login(s, err);
    if (!rc)
        rc = gn_rest(&s->compute,
                     &(struct gn_rest_call){
                         .method = "DELETE", .path = path, .what = "delete", .safe = true},
                     NULL, err);
    free(path);
    if (rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        rc = GN_OK;
    }
    return rc;
}

static bool take(const struct gn_json *server, void *arg)
{
    struct gn_leases *all = arg;
    struct gn_lease l = {.price_microusd_h = GN_PRICE_UNKNOWN};
    bool floating;

    read_server(server, &l, &floating);
    if (strncmp(l.name, MINE, sizeof MINE - 1) != 0 || l.state == GN_LEASE_GONE)
        return false;
    GN_GROW(all->v, all->n, all->cap);
    all->v[all->n++] = l;
    return false;
}

static int list(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_leases *out,
                bool *complete, struct gn_err *err)
{
    (void)ctx;
    *complete = true;
    return each(of(p), take, out, err);
}

static const char *const keys[] = {"cloud",   "region",         "machine",          "image",
                                   "network", "security_group", "floating_network", "endpoint",
                                   NULL};

const struct gn_provider_ops gn_provider_openstack = {
    .name = "openstack",
    .summary = "servers of an institution's OpenStack, or of a provider that runs one",
    .proven = "",
    .caps = GN_CAP_USER_DATA,
    .keys = keys,
    .open = open_stack,
    .close = close_stack,
    .check = check,
    .offers = offers,
    .create = create,
    .poll = poll_server,
    .wake = wake,
    .destroy = destroy,
    .list = list,
};
