/*
 * rented.c - a run on a machine that is made for it: got before the line, ended when nothing of the
 * run is there alone.
 */
#include <stdlib.h>
#include <string.h>

#include "run_private.h"

#define READY_MS                                                                                   \
    600000 /* from an address to a login: the machine starts, makes its user, its sshd */
#define RETRY_MS 2000
#define LOOK     4 /* so many refused logins, and the provider is asked how it is */

struct gn_leasing gn_leasing_of(const struct gn_engine *e)
{
    return (struct gn_leasing){.ctx = e->ctx, .store = e->store, .provider = e->provider};
}

/* A sweep and its members have one machine. */
static struct gn_run whole_of(const struct gn_run *run)
{
    struct gn_run whole = *run;

    if (run->sweep)
        whole.id = run->sweep;
    return whole;
}

static void move_in(struct gn_road *road, struct gn_target *host)
{
    if (!road->rented)
        road->cloud = road->target;
    else
        gn_target_clear(&road->target);
    road->target = *host;
    road->rented = true;
}

int gn_rented_known(struct gn_road *road, struct gn_err *err)
{
    const struct gn_leasing l = gn_leasing_of(road->e);
    const struct gn_run whole = whole_of(road->run);
    struct gn_target host;
    bool known = false;
    int rc = gn_lease_known(&l, &whole, &road->target, &host, &known, err);

    if (!rc && known)
        move_in(road, &host);
    return rc;
}

/* It was taken back, or ended by itself: the run with it. */
static int note_lost(struct gn_road *road, struct gn_err *err)
{
    struct gn_err ignored = GN_ERR_INIT;

    if (!gn_state_over(road->run->state)) {
        gn_run_set_text(&road->run->reason, "machine-gone");
        if (gn_road_set_state(road, GN_LOST, &ignored))
            *err = ignored;
    }
    return err->code;
}

int gn_rented_get(struct gn_road *road, struct gn_err *err)
{
    const struct gn_leasing l = gn_leasing_of(road->e);
    const struct gn_run whole = whole_of(road->run);
    const struct gn_target *cloud = road->rented ? &road->cloud : &road->target;
    bool begins = road->run->state < GN_QUEUED;
    const struct gn_budget budget = {
        .max_microusd = road->spec.max_microusd,
        .time_s = road->spec.time_s ? road->spec.time_s : road->config.project.needs.time_s};
    struct gn_target host;
    int rc;

    rc = gn_lease_get(&l, &whole, cloud, &road->spec.needs, begins ? &budget : NULL, &host, err);
    if (!rc)
        move_in(road, &host);
    else if (!begins && (rc == GN_E_NOTFOUND || rc == GN_E_CAPACITY))
        return note_lost(road, err);
    return rc;
}

/* One that is just starting refuses, or shows keys that are not yet its own: neither is an answer. */
static bool may_be_starting(int rc)
{
    return gn_is_line_error(rc) || rc == GN_E_HOSTKEY || rc == GN_E_AUTH;
}

int gn_rented_dial(struct gn_road *road, struct gn_err *err)
{
    const struct gn_ctx *ctx = road->e->ctx;
    struct gn_ssh_opts opts = {.nobody_there = true};
    int64_t begun = ctx->mono_ms(ctx);
    bool told = false;
    int rc;

    for (unsigned n = 1;; n++) {
        rc = road->e->connect(ctx, &road->target, &opts, &road->line, err);
        if (!may_be_starting(rc) || ctx->mono_ms(ctx) - begun > READY_MS)
            return rc;
        if (!told)
            gn_event_text(ctx, GN_EV_STEP, "waiting for the machine of '%s' to let us in",
                          road->target.name);
        told = true;
        gn_event_text(ctx, GN_EV_DEBUG, "%s", err->msg);
        gn_err_clear(err);
        rc = n % LOOK == 1 ? gn_rented_get(road, err) : GN_OK;
        if (!rc)
            rc = gn_wait_ms(ctx, RETRY_MS, err);
        if (rc)
            return rc;
    }
}

int gn_rented_end(struct gn_engine *e, const struct gn_run *run, struct gn_err *err)
{
    const struct gn_leasing l = gn_leasing_of(e);

    return e->provider && run->id ? gn_lease_end(&l, run->sweep ? run->sweep : run->id, err)
                                  : GN_OK;
}
