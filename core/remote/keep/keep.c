/*
 * keep.c - by a keeper or without one: what was said, what is there, what the login needs.
 */
#include "gnrrun/keep.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "budget.h"
#include "gnrrun/fs.h"
#include "link.h"
#include "serve.h"
#include "start.h"
#include "talk.h"

#define OTHER_MS  (10 * 60 * 1000) /* another's login: a person may be looking for the code */
#define LOOK_MS   50
#define NOTICE_MS 1000

/* Where the keeper of target would be.  What is wrong with it is no reason not to connect. */
static bool find_door(const struct gn_ctx *ctx, const struct gn_target *target, struct gn_door *out)
{
    struct gn_buf way = GN_BUF_INIT((size_t)64 << 10);
    struct gn_err why = GN_ERR_INIT;
    int rc = gn_ssh_way(ctx, target, &way, &why);

    if (!rc && gn_buf_over(&way))
        rc = gn_err_set(&why, GN_E_LIMIT, "too many hosts on the way");
    if (!rc)
        rc = gn_door_find(ctx, way.ptr, out, &why);
    if (rc)
        gn_event_text(ctx, rc == GN_E_AUTH ? GN_EV_WARN : GN_EV_DEBUG,
                      "no connection to '%s' is kept: %s", target->name, why.msg);
    gn_buf_clear(&way);
    return !rc;
}

/*
 * One that is there, or that another is just about to have.  GN_E_NOTFOUND: nobody has; whatever
 * else is wrong with it is told, and no reason not to connect: GN_E_TIMEOUT.
 */
static int join(const struct gn_ctx *ctx, const struct gn_target *target,
                const struct gn_door *door, struct gn_transport **out, struct gn_err *err)
{
    int64_t began = ctx->mono_ms(ctx), waited = 0;
    bool told = false;

    for (;;) {
        int rc = gn_link_open(ctx, target->name, door, out, err);

        if (!rc || rc == GN_E_CANCEL)
            return rc;
        if (rc != GN_E_NOTFOUND && rc != GN_E_CHANGED) {
            gn_event_text(ctx, rc == GN_E_AUTH ? GN_EV_WARN : GN_EV_DEBUG,
                          "'%s' is reached without its keeper: %s", target->name, err->msg);
            return gn_err_set(err, GN_E_TIMEOUT, "its keeper does not answer");
        }
        if (!gn_door_is_held(door))
            return gn_err_set(err, GN_E_NOTFOUND, "nobody keeps a connection there");
        if (waited > NOTICE_MS && !told) {
            gn_event_text(ctx, GN_EV_NOTE, "another gnrrun is logging in to '%s'; waiting for it",
                          target->name);
            told = true;
        }
        waited = ctx->mono_ms(ctx) - began;
        if (waited > OTHER_MS)
            return gn_err_set(err, GN_E_TIMEOUT, "its keeper does not answer");
        rc = gn_wait_ms(ctx, LOOK_MS, err);
        if (rc)
            return rc;
    }
}

/* One of our own, or that of another who was faster. */
static int start(const struct gn_ctx *ctx, const struct gn_target *target,
                 const struct gn_ssh_opts *opts, const struct gn_door *door,
                 struct gn_transport **out, struct gn_err *err)
{
    struct gn_ssh_opts own = *opts;
    int rc;

    own.person = NULL;
    do {
        rc = gn_keep_start(ctx, target, &own, door, out, err);
        if (rc != GN_E_EXISTS)
            break;
        rc = join(ctx, target, door, out, err);
    } while (rc == GN_E_NOTFOUND);
    if (rc != GN_E_NOTFOUND && rc != GN_E_TIMEOUT)
        return rc;
    gn_event_text(ctx, GN_EV_DEBUG, "no connection to '%s' is kept: %s", target->name, err->msg);
    gn_err_clear(err);
    return gn_budget_dial(ctx, target, &own, door, out, err);
}

/* Without one, unless that takes a person: whose answer shall do for more than this command. */
static int direct(const struct gn_ctx *ctx, const struct gn_target *target,
                  const struct gn_ssh_opts *opts, struct gn_door *door, bool have_door,
                  struct gn_transport **out, struct gn_err *err)
{
    struct gn_ssh_opts own = *opts;
    bool person = false;
    int rc;

    own.person = &person;
    rc = gn_budget_dial(ctx, target, &own, have_door ? door : NULL, out, err);
    if (rc != GN_E_AUTH || !person)
        return rc;
    gn_err_clear(err);
    if (!have_door && !find_door(ctx, target, door))
        return gn_transport_ssh(ctx, target, opts, out, err);
    rc = have_door ? GN_E_NOTFOUND : join(ctx, target, door, out, err);
    if (rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        rc = start(ctx, target, opts, door, out, err);
    }
    if (rc != GN_E_TIMEOUT)
        return rc;
    gn_err_clear(err);
    return gn_transport_ssh(ctx, target, opts, out, err);
}

int gn_keep_open(const struct gn_ctx *ctx, const struct gn_target *target,
                 const struct gn_ssh_opts *opts, struct gn_transport **out, struct gn_err *err)
{
    struct gn_door door = {0};
    bool have_door = false;
    int rc = GN_E_NOTFOUND;

    /* a rented machine lives for hours and takes a key: nothing is gained */
    if (target->keep_s < 0 || target->known_hosts || !ctx->exe)
        return gn_transport_ssh(ctx, target, opts, out, err);
    if (target->keep_s || gn_door_is_any(ctx))
        have_door = find_door(ctx, target, &door);
    if (have_door)
        rc = join(ctx, target, &door, out, err);
    if (rc && rc != GN_E_NOTFOUND && rc != GN_E_TIMEOUT)
        goto out;
    if (rc)
        gn_err_clear(err);
    if (rc == GN_E_TIMEOUT)
        rc = gn_budget_dial(ctx, target, opts, &door, out, err);
    else if (rc && have_door && (target->keep_s || access(door.person, F_OK) == 0))
        rc = start(ctx, target, opts, &door, out, err);
    else if (rc)
        rc = direct(ctx, target, opts, &door, have_door, out, err);
out:
    gn_door_clear(&door);
    return rc;
}

int gn_keep_end(const struct gn_ctx *ctx, const struct gn_target *target, bool *was,
                struct gn_err *err)
{
    struct gn_buf way = GN_BUF_INIT((size_t)64 << 10), in = GN_BUF_INIT(GN_WIRE_MAX * 4);
    struct gn_door door = {0};
    struct gn_wire w = {.kind = GN_ASK_END};
    size_t used = 0;
    int fd = -1, rc = gn_ssh_way(ctx, target, &way, err);

    *was = false;
    if (!rc)
        rc = gn_door_find(ctx, way.ptr, &door, err);
    if (!rc) {
        gn_budget_forget(&door);
        rc = gn_door_knock(&door, &fd, err);
    }
    if (!rc)
        rc = gn_talk_send(fd, &w, ctx, err);
    while (!rc)
        rc = gn_talk_get(fd, &in, &used, &w, GN_KEEP_HUNG_MS, ctx, err);
    *was = fd >= 0 && rc == GN_E_NET; /* it has hung up, which is what was wanted */
    if (*was || rc == GN_E_NOTFOUND) {
        gn_err_clear(err);
        rc = GN_OK;
    } else if (rc == GN_E_TIMEOUT) {
        rc = gn_err_set(err, GN_E_FAIL, "what keeps the connection to '%s' does not answer",
                        target->name);
    }
    gn_fs_close(fd);
    gn_door_clear(&door);
    gn_buf_clear(&in);
    gn_buf_clear(&way);
    return rc;
}
