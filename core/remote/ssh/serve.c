/*
 * serve.c - channels opened, written to and ended without waiting: see serve.h.
 */
#include "serve.h"

#include <poll.h>
#include <stdlib.h>

#include "ssh_private.h"

#define SETTLE_MS 3000 /* for a server to take back a closed channel */
#define SETTLE_BY 100
#define RETRY_MS  10000 /* after a refusal of one that nobody needed yet */

struct gn_opening {
    struct gn_ssh *ssh;
    struct gn_channel *s; /* NULL: none yet, or none any more */
    enum { OPEN, PTY, EXEC } at;
    char *host, *command, *term;
    int port;
    struct gn_pty pty;
    bool has_pty, only_now, ahead;
    int64_t end_ms, again_ms;
};

int gn_opening_new(struct gn_transport *t, const struct gn_ssh_wish *wish, struct gn_opening **out,
                   const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_opening *o = gn_new(struct gn_opening);

    (void)err;
    o->ssh = (struct gn_ssh *)t;
    o->host = gn_strdup(wish->host);
    o->port = wish->port;
    o->command = gn_strdup(wish->command);
    o->has_pty = wish->pty != NULL;
    if (wish->pty) {
        o->term = gn_strdup(wish->pty->term);
        o->pty = (struct gn_pty){o->term, wish->pty->cols, wish->pty->rows};
    }
    o->only_now = wish->only_now;
    o->end_ms = ctx->mono_ms(ctx) + GN_HANDSHAKE_MS;
    *out = o;
    return GN_OK;
}

static void drop_channel(struct gn_opening *o)
{
    if (o->s)
        o->s->base.ops->close(&o->s->base);
    o->s = NULL;
    o->at = OPEN;
}

/* The server has none left.  GN_E_TIMEOUT: try again. */
static int refused(struct gn_opening *o, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_hop *h = o->ssh->hops[o->ssh->n - 1];
    int64_t now = ctx->mono_ms(ctx);
    char *why;

    if (!gn_channel_is_up(o->s))
        return gn_hop_lost(h, err);
    why = gn_ssh_safe(ssh_get_error(h->session), 300);
    gn_err_set(err, GN_E_LIMIT, "'%s' opens no further channel: %s", h->who, why);
    free(why);
    drop_channel(o);
    /* it was refused before anybody needed it, or counts one that was just closed */
    if (!o->ahead &&
        (!o->ssh->closed_ms || o->host || o->only_now || now - o->ssh->closed_ms > SETTLE_MS))
        return err->code;
    o->again_ms = o->ahead ? 0 : now + SETTLE_BY;
    return gn_err_set(err, GN_E_TIMEOUT, "not yet");
}

static bool get_channel(struct gn_opening *o, struct gn_err *err)
{
    if (o->s)
        return true;
    o->s = o->host ? NULL : gn_channel_take_ahead(o->ssh);
    o->ahead = o->s != NULL;
    if (!o->s)
        o->s = gn_channel_new(o->ssh, err);
    return o->s != NULL;
}

/* What libssh says to the next request. */
static int ask(struct gn_opening *o)
{
    ssh_channel ch = o->s->ch;

    switch (o->at) {
    case OPEN:
        return o->host ? ssh_channel_open_forward(ch, o->host, o->port, "127.0.0.1", 0)
                       : ssh_channel_open_session(ch);
    case PTY:
        return ssh_channel_request_pty_size(ch, o->pty.term, o->pty.cols, o->pty.rows);
    case EXEC:
        break;
    }
    return o->command ? ssh_channel_request_exec(ch, o->command) : ssh_channel_request_shell(ch);
}

int gn_opening_step(struct gn_opening *o, struct gn_stream **out, const struct gn_ctx *ctx,
                    struct gn_err *err)
{
    int64_t now = ctx->mono_ms(ctx);
    bool done = false;

    while (!done) {
        int said;

        if (now < o->again_ms)
            return gn_err_set(err, GN_E_TIMEOUT, "not yet");
        if (!get_channel(o, err))
            return err->code;
        said = ask(o);
        /* only a terminal is worth the wait for the answer: see gn_ssh_exec() */
        o->s->asking = said == SSH_AGAIN && o->at == EXEC && o->command && !o->has_pty;
        if (said == SSH_AGAIN && !o->s->asking)
            return now < o->end_ms ? gn_err_set(err, GN_E_TIMEOUT, "not yet")
                                   : gn_err_set(err, GN_E_NET, "'%s' does not answer (waited %d s)",
                                                o->s->hop->who, GN_HANDSHAKE_MS / 1000);
        if (said == SSH_ERROR && o->at != OPEN)
            return !gn_channel_is_up(o->s)
                       ? gn_hop_lost(o->s->hop, err)
                       : gn_err_set(err, GN_E_PROTO, "'%s' refuses to run a command",
                                    o->s->hop->who);
        if (said == SSH_ERROR) {
            int rc = refused(o, ctx, err);

            if (rc != GN_E_TIMEOUT)
                return rc;
            continue;
        }
        o->s->counted = true;
        done = o->host || o->at == EXEC;
        o->at = o->at == OPEN && o->has_pty ? PTY : EXEC;
    }
    gn_err_clear(err);
    o->s->pty = o->has_pty;
    *out = &o->s->base;
    o->s = NULL;
    return GN_OK;
}

void gn_opening_free(struct gn_opening *o)
{
    if (!o)
        return;
    drop_channel(o);
    free(o->host);
    free(o->command);
    free(o->term);
    free(o);
}

int gn_ssh_work(struct gn_transport *t, const struct gn_ctx *ctx, struct gn_err *err)
{
    struct gn_ssh *ssh = (struct gn_ssh *)t;
    struct gn_hop *h = ssh->hops[ssh->n - 1];
    int64_t now = ctx->mono_ms(ctx);

    if (!gn_hop_work(h))
        return gn_hop_lost(h, err);
    gn_hop_keep_alive(h, ctx);
    if (h->asked_ms > h->heard_ms && now - h->heard_ms > GN_STALL_MS)
        return gn_err_set(err, GN_E_NET, "'%s' has been silent for %d s", h->who,
                          GN_STALL_MS / 1000);
    return GN_OK;
}

uint64_t gn_ssh_moved(struct gn_transport *t)
{
    struct gn_ssh *ssh = (struct gn_ssh *)t;

    return ssh->hops[ssh->n - 1]->traffic.in_bytes + ssh->hops[ssh->n - 1]->traffic.out_bytes;
}

short gn_ssh_events(struct gn_transport *t)
{
    struct gn_ssh *ssh = (struct gn_ssh *)t;

    if (ssh_get_poll_flags(ssh->hops[ssh->n - 1]->session) & SSH_WRITE_PENDING)
        return POLLIN | POLLOUT;
    return POLLIN;
}

void gn_ssh_stay_ready(struct gn_transport *t, size_t sessions, const struct gn_ctx *ctx)
{
    struct gn_ssh *ssh = (struct gn_ssh *)t;
    int64_t now = ctx->mono_ms(ctx);

    for (size_t i = 0; i < ssh->n_ahead; i++) {
        struct gn_channel *s = ssh->ahead[i];
        int said = ssh_channel_open_session(s->ch);

        /* a server may close what is not used */
        if (said == SSH_AGAIN || (said == SSH_OK && !ssh_channel_is_eof(s->ch)))
            continue;
        ssh->ahead[i--] = ssh->ahead[--ssh->n_ahead];
        s->base.ops->close(&s->base);
        ssh->most = sessions ? sessions : 1;
        ssh->refused_ms = now;
    }
    if (ssh->n_ahead || (ssh->most && sessions >= ssh->most) ||
        (ssh->refused_ms && now - ssh->refused_ms < RETRY_MS))
        return;
    gn_ssh_expect(t, 1);
}

int gn_ssh_put(struct gn_stream *s, const void *data, size_t len, size_t *taken, struct gn_err *err)
{
    return gn_channel_put((struct gn_channel *)s, data, len, taken, err);
}

void gn_ssh_end(struct gn_stream *s)
{
    struct gn_channel *c = (struct gn_channel *)s;

    if (gn_channel_is_up(c))
        (void)ssh_channel_send_eof(c->ch);
}

uint64_t gn_ssh_err_came(struct gn_stream *s)
{
    (void)s->ops->err_text(s);
    return ((struct gn_channel *)s)->err_came;
}
