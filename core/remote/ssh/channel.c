/*
 * channel.c - opening a channel: for a command, or to a port as seen from over there.
 */
#include "ssh_private.h"

#include <stdlib.h>
#include <string.h>

#define SETTLE_MS 3000 /* for a server to take back a closed channel */

int gn_channel_open(struct gn_hop *h, gn_step_fn open, void *arg, ssh_channel ch,
                    const struct gn_ctx *ctx, struct gn_err *err)
{
    int said, rc = gn_hop_step(h, open, arg, SSH_AGAIN, &said, ctx, err);
    char *why;

    (void)ch;
    if (rc != GN_OK || said == SSH_OK)
        return rc;
    if (!ssh_is_connected(h->session))
        return gn_hop_lost(h, err);
    why = gn_ssh_safe(ssh_get_error(h->session), 300);
    rc = gn_err_set(err, GN_E_LIMIT, "'%s' opens no further channel: %s", h->who, why);
    free(why);
    return rc;
}

struct request {
    ssh_channel ch;
    const char *command, *host;
    int port;
    const struct gn_pty *pty;
};

static int step_session(struct gn_hop *h, void *arg)
{
    (void)h;
    return ssh_channel_open_session(((struct request *)arg)->ch);
}

static int step_forward(struct gn_hop *h, void *arg)
{
    struct request *r = arg;

    (void)h;
    return ssh_channel_open_forward(r->ch, r->host, r->port, "127.0.0.1", 0);
}

static int step_pty(struct gn_hop *h, void *arg)
{
    struct request *r = arg;

    (void)h;
    return ssh_channel_request_pty_size(r->ch, r->pty->term, r->pty->cols, r->pty->rows);
}

static int step_exec(struct gn_hop *h, void *arg)
{
    struct request *r = arg;

    (void)h;
    return r->command ? ssh_channel_request_exec(r->ch, r->command)
                      : ssh_channel_request_shell(r->ch);
}

void gn_ssh_expect(struct gn_transport *t, unsigned n)
{
    struct gn_ssh *ssh = (struct gn_ssh *)t;
    struct gn_err ignored = GN_ERR_INIT;

    while (ssh->n_ahead < n && ssh->n_ahead < GN_AHEAD_MAX) {
        struct gn_channel *s = gn_channel_new(ssh, &ignored);
        struct request r = {.ch = s ? s->ch : NULL};

        if (!s)
            return;
        if (step_session(s->hop, &r) == SSH_ERROR) {
            s->base.ops->close(&s->base);
            return;
        }
        ssh->ahead[ssh->n_ahead++] = s;
    }
}

struct gn_channel *gn_channel_take_ahead(struct gn_ssh *ssh)
{
    struct gn_channel *s = ssh->n_ahead ? ssh->ahead[0] : NULL;

    if (s)
        memmove(ssh->ahead, ssh->ahead + 1, --ssh->n_ahead * sizeof(struct gn_channel *));
    return s;
}

/* A stream whose channel is open. */
static int open_stream(struct gn_ssh *ssh, gn_step_fn step, struct request *r,
                       struct gn_channel **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    int64_t wait = 50;

    for (;;) {
        struct gn_channel *ahead = step == step_session ? gn_channel_take_ahead(ssh) : NULL;
        struct gn_channel *s = ahead ? ahead : gn_channel_new(ssh, err);
        int64_t began;
        int rc;

        if (!s)
            return err->code;
        r->ch = s->ch;
        began = gn_stopwatch_us();
        rc = gn_channel_open(s->hop, step, r, s->ch, ctx, err);
        if (rc == GN_OK) {
            gn_err_clear(err); /* of a trial before */
            s->counted = true;
            if (step == step_session && !ahead)
                gn_hop_note_rtt(s->hop, gn_stopwatch_us() - began);
            *out = s;
            return GN_OK;
        }
        s->base.ops->close(&s->base);
        if (ahead && rc == GN_E_LIMIT) /* there were too many when it was asked for */
            continue;
        /* The server counts a closed session until its command is gone: give it a moment. */
        if (rc != GN_E_LIMIT || !ssh->closed_ms || r->host || ssh->base.only_now ||
            ctx->mono_ms(ctx) - ssh->closed_ms > SETTLE_MS)
            return rc;
        rc = gn_wait_ms(ctx, wait, err);
        if (rc != GN_OK)
            return rc;
        wait *= 2;
    }
}

int gn_ssh_exec(struct gn_transport *t, const char *command, const struct gn_pty *pty,
                struct gn_stream **out, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct request r = {.command = command, .pty = pty};
    struct gn_channel *s = NULL;
    int said = SSH_OK, rc;

    rc = open_stream((struct gn_ssh *)t, step_session, &r, &s, ctx, err);
    if (rc != GN_OK)
        return rc;
    if (pty)
        rc = gn_hop_step(s->hop, step_pty, &r, SSH_AGAIN, &said, ctx, err);
    s->pty = pty != NULL;
    /* Only a terminal is worth the wait for the answer: what is written now comes behind the request. */
    if (rc == GN_OK && said == SSH_OK && (pty || !command))
        rc = gn_hop_step(s->hop, step_exec, &r, SSH_AGAIN, &said, ctx, err);
    else if (rc == GN_OK && said == SSH_OK)
        said = step_exec(s->hop, &r);
    s->asking = rc == GN_OK && said == SSH_AGAIN;
    if (s->asking)
        said = SSH_OK;
    if (rc == GN_OK && said != SSH_OK)
        rc = !gn_channel_is_up(s)
                 ? gn_hop_lost(s->hop, err)
                 : gn_err_set(err, GN_E_PROTO, "'%s' refuses to run a command", s->hop->who);
    if (rc != GN_OK) {
        s->base.ops->close(&s->base);
        return rc;
    }
    *out = &s->base;
    return GN_OK;
}

int gn_ssh_forward(struct gn_transport *t, const char *host, int port, struct gn_stream **out,
                   const struct gn_ctx *ctx, struct gn_err *err)
{
    struct request r = {.host = host, .port = port};
    struct gn_channel *s = NULL;
    int rc = open_stream((struct gn_ssh *)t, step_forward, &r, &s, ctx, err);

    if (rc == GN_OK)
        *out = &s->base;
    return rc;
}
