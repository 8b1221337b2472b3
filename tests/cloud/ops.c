/*
 * ops - one call of a provider: ops TYPE [KEY=VALUE]... CALL [ARGUMENTS]
 *
 *     check | offers GPUS | create NAME TOKEN MACHINE REGION ZONE [again] [spot] | poll NAME [ID [REGION [ZONE]]]
 *     wake, destroy likewise | list
 *
 * Writes what came of it as lines "WORD KEY=VALUE ...", or "error CODE MESSAGE".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnrrun/provider.h"

#define MAX 32

static const char *real_env(const struct gn_ctx *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static void on_event(const struct gn_ctx *ctx, const struct gn_event *ev)
{
    (void)ctx;
    fprintf(stderr, "%s\n", ev->text);
}

static void print(const struct gn_lease *l)
{
    printf("lease name=%s id=%s state=%s address=%s region=%s zone=%s machine=%s owner=%s run=%s "
           "made=%" PRId64 " why=%s\n",
           l->name, l->id, gn_lease_state_name(l->state), l->address, l->region, l->zone,
           l->machine, l->owner, l->run, l->made_s, l->why);
}

static void fill(char *to, size_t size, int argc, char **argv, int i)
{
    snprintf(to, size, "%s", i < argc ? argv[i] : "");
}

static int on_one(struct gn_provider *p, const struct gn_ctx *ctx, int argc, char **argv,
                  struct gn_err *err)
{
    struct gn_lease l = {.state = GN_LEASE_PENDING};
    int rc;

    fill(l.name, sizeof l.name, argc, argv, 1);
    fill(l.id, sizeof l.id, argc, argv, 2);
    fill(l.region, sizeof l.region, argc, argv, 3);
    fill(l.zone, sizeof l.zone, argc, argv, 4);
    if (strcmp(argv[0], "poll") == 0)
        rc = p->ops->poll(p, ctx, &l, err);
    else if (strcmp(argv[0], "wake") == 0)
        rc = p->ops->wake(p, ctx, &l, err);
    else
        rc = p->ops->destroy(p, ctx, &l, err);
    if (!rc)
        print(&l);
    return rc;
}

static int make(struct gn_provider *p, const struct gn_ctx *ctx, int argc, char **argv,
                struct gn_err *err)
{
    struct gn_lease_spec spec = {.token = argv[2]};
    struct gn_lease l = {.state = GN_LEASE_INTENT};
    int rc;

    for (int i = 6; i < argc; i++) {
        spec.again = spec.again || strcmp(argv[i], "again") == 0;
        spec.offer.spot = spec.offer.spot || strcmp(argv[i], "spot") == 0;
    }
    spec.owner = "asha";
    spec.run = "mnist-7";
    spec.deadline_s = ctx->wall_s(ctx) + 7200;
    spec.user_data = "#cloud-config\n{}\n";
    spec.user = "gnr";
    spec.login_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample gnrrun";
    fill(spec.name, sizeof spec.name, argc, argv, 1);
    fill(spec.offer.machine, sizeof spec.offer.machine, argc, argv, 3);
    fill(spec.offer.region, sizeof spec.offer.region, argc, argv, 4);
    fill(spec.offer.zone, sizeof spec.offer.zone, argc, argv, 5);
    snprintf(l.name, sizeof l.name, "%s", spec.name);
    snprintf(l.region, sizeof l.region, "%s", spec.offer.region);
    snprintf(l.zone, sizeof l.zone, "%s", spec.offer.zone);
    rc = p->ops->create(p, ctx, &spec, &l, err);
    if (!rc)
        print(&l);
    return rc;
}

static int list(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_leases all = {0};
    bool complete = false;
    int rc = p->ops->list(p, ctx, &all, &complete, err);

    for (size_t i = 0; !rc && i < all.n; i++)
        print(&all.v[i]);
    if (!rc)
        printf("complete=%d\n", complete);
    free(all.v);
    return rc;
}

static int offers(struct gn_provider *p, const struct gn_ctx *ctx, int gpus, struct gn_err *err)
{
    struct gn_needs needs = {.gpus = gpus};
    struct gn_offers all = {0};
    int rc = p->ops->offers(p, ctx, &needs, &all, err);

    for (size_t i = 0; !rc && i < all.n; i++)
        printf("offer machine=%s region=%s zone=%s gpus=%d price=%" PRId64 " date=%s\n",
               all.v[i].machine, all.v[i].region, all.v[i].zone, all.v[i].gpus,
               all.v[i].price_microusd_h, all.v[i].price_date);
    free(all.v);
    return rc;
}

static int check(struct gn_provider *p, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_account who = {0};
    int rc = p->ops->check(p, ctx, &who, err);

    if (!rc)
        printf("account who=%s where=%s note=%s\n", who.who, who.where, who.note);
    return rc;
}

static int call(struct gn_provider *p, const struct gn_ctx *ctx, int argc, char **argv,
                struct gn_err *err)
{
    if (strcmp(argv[0], "check") == 0)
        return check(p, ctx, err);
    if (strcmp(argv[0], "offers") == 0)
        return offers(p, ctx, argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0, err);
    if (strcmp(argv[0], "list") == 0)
        return list(p, ctx, err);
    if (strcmp(argv[0], "create") == 0)
        return argc > 5 ? make(p, ctx, argc, argv, err) : gn_err_set(err, GN_E_USAGE, "create ...");
    return argc > 1 ? on_one(p, ctx, argc, argv, err) : gn_err_set(err, GN_E_USAGE, "which?");
}

int main(int argc, char **argv)
{
    struct gn_setting settings[MAX];
    struct gn_target t = {.type = GN_TARGET_CLOUD, .settings = settings};
    struct gn_ctx ctx = gn_ctx_none;
    struct gn_provider *p = NULL;
    struct gn_err err = GN_ERR_INIT;
    int at = 2, rc;

    ctx.env = real_env;
    ctx.event = on_event;
    ctx.home = getenv("HOME");
    if (argc < 3)
        return 2;
    t.name = t.type_name = argv[1];
    for (; at < argc && strchr(argv[at], '=') && t.n_settings < MAX; at++) {
        char *eq = strchr(argv[at], '=');

        *eq = '\0';
        settings[t.n_settings++] = (struct gn_setting){argv[at], eq + 1, 1, 1};
    }
    if (at == argc)
        return 2;
    rc = gn_provider_open(&ctx, &t, &p, &err);
    if (!rc)
        rc = call(p, &ctx, argc - at, argv + at, &err);
    if (rc)
        printf("error %d %s\n", rc, err.msg);
    gn_provider_close(p);
    return rc != 0;
}
