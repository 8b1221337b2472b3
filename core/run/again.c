/*
 * again.c - a run of a pool whose machine was switched off begins again on another, once.
 *
 * Its machine says so itself, after it was started anew: nothing of the run is left that could go on
 * there.  The one in its place is a run like any other, but its token is made of the token of the
 * first, and a token is in the store once: so two gnrrun that see the loss, and one that is killed
 * and comes back, come to the same run.
 */
#include <stdlib.h>
#include <string.h>

#include "gnrrun/pool.h"
#include "run_private.h"

#define MARK "-again" /* no token of another run ends so: those end in hexadecimal digits */

/* May it begin again? */
static bool may(const struct gn_run *run)
{
    size_t n = strlen(run->token), m = strlen(MARK);

    return run->state == GN_LOST && strcmp(run->reason, "reboot") == 0 && !run->members &&
           !run->member && !(n > m && strcmp(run->token + n - m, MARK) == 0);
}

struct sought {
    const char *token;
    struct gn_run *run;
    bool found;
};

static int is_it(const struct gn_run *r, void *arg, struct gn_err *err)
{
    struct sought *s = arg;

    (void)err;
    if (!s->found && strcmp(r->token, s->token) == 0) {
        gn_run_copy(s->run, r);
        s->found = true;
    }
    return GN_OK;
}

/* The one in its place, if it was written down before. */
static int find(struct gn_engine *e, const struct gn_run *run, const char *token,
                struct gn_run *out, bool *found, struct gn_err *err)
{
    struct sought s = {.token = token, .run = out};
    int rc = gn_store_each(e->store, run->root, 0, is_it, &s, err);

    if (rc && s.found)
        gn_run_clear(out);
    *found = !rc && s.found;
    return rc;
}

/* As it was asked for, and as nothing of it had happened. */
static void make(const struct gn_engine *e, const struct gn_run *run, const char *target,
                 const char *token, bool no_fetch, struct gn_run *out)
{
    *out = (struct gn_run){
        .project = gn_strdup(run->project),
        .root = gn_strdup(run->root),
        .target = gn_strdup(target),
        .token = gn_strdup(token),
        .workdir = gn_strdup(""),
        .command = gn_strdup(run->command),
        .spec = gn_strdup(run->spec),
        .snapshot = gn_strdup(""),
        .note = gn_strdup(run->note),
        .sig = gn_strdup(""),
        .reason = gn_strdup(""),
        .params = gn_strdup(""),
        .host = gn_strdup(""),
        .created_s = e->ctx->wall_s(e->ctx),
        .fetched = no_fetch ? GN_FETCH_OFF : GN_FETCH_NOTHING,
    };
}

/* A host is chosen, and the run written down; it may be that somebody else was first. */
static int place(struct gn_engine *e, const struct gn_run *run, const struct gn_target *pool,
                 const struct gn_spec *spec, const char *token, struct gn_run *out,
                 struct gn_err *err)
{
    struct gn_target host = {0};
    struct gn_err ignored = GN_ERR_INIT;
    bool found = false;
    int rc = gn_pool_pick(e, pool, run->target, &spec->needs, &host, err);

    if (rc)
        return rc;
    make(e, run, host.name, token, spec->no_fetch, out);
    gn_target_clear(&host);
    rc = gn_store_create(e->store, out, err);
    if (!rc)
        return GN_OK;
    gn_run_clear(out);
    if (find(e, run, token, out, &found, &ignored) || !found)
        return rc;
    gn_err_clear(err);
    return GN_OK;
}

/* Its pool as it is today.  One that is none any more has no other host. */
static int pool_of(const struct gn_engine *e, const struct gn_run *run, const char *name,
                   struct gn_target *out, struct gn_err *err)
{
    struct gn_config config;
    int rc = gn_config_load(e->ctx, run->root, &config, err);

    if (rc)
        return rc;
    rc = gn_target_resolve(e->ctx, &config, name, out, err);
    gn_config_clear(&config);
    if (!rc && !out->hosts.n) {
        gn_target_clear(out);
        return gn_err_set(err, GN_E_CONFIG, "'%s' is no pool any more", name);
    }
    return rc;
}

static int replace(struct gn_engine *e, const struct gn_run *run, const struct gn_spec *spec,
                   struct gn_run *out, struct gn_err *err)
{
    char *token = gn_printf("%s" MARK, run->token);
    struct gn_target pool;
    bool found = false;
    int rc = find(e, run, token, out, &found, err);

    if (!rc && !found) {
        rc = pool_of(e, run, spec->pool, &pool, err);
        if (!rc) {
            rc = place(e, run, &pool, spec, token, out, err);
            gn_target_clear(&pool);
        }
    }
    free(token);
    return rc;
}

int gn_pool_again(struct gn_engine *e, struct gn_run *run, bool *again, struct gn_err *err)
{
    struct gn_spec spec;
    struct gn_run other;
    int rc;

    *again = false;
    if (!may(run))
        return GN_OK;
    rc = gn_spec_parse(run->spec, &spec, err);
    if (rc)
        return rc;
    if (spec.pool) {
        rc = replace(e, run, &spec, &other, err);
        if (rc)
            gn_err_prefix(err, "%s cannot begin again: ", run->name);
        *again = !rc;
    }
    gn_spec_clear(&spec);
    if (!*again)
        return rc;
    gn_event_text(e->ctx, GN_EV_NOTE,
                  "%s was lost: '%s' was switched off; it begins again as %s on '%s'", run->name,
                  run->target, other.name, other.target);
    gn_run_clear(run);
    *run = other;
    return GN_OK;
}
