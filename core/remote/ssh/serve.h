/*
 * serve.h - an SSH connection for one who serves several at once: nothing here waits.
 *
 * Where a call has to come again, it returns GN_E_TIMEOUT.  For reading and for the status the
 * stream's own calls do, with a time of 0.
 */
#ifndef GNRRUN_REMOTE_SSH_SERVE_H
#define GNRRUN_REMOTE_SSH_SERVE_H

#include "gnrrun/transport.h"

/* Who is at its end and how one gets there, as the configuration says now; touches no network. */
GN_MUST int gn_ssh_way(const struct gn_ctx *ctx, const struct gn_target *target, struct gn_buf *out,
                       struct gn_err *err);

/* What a stream is asked for; copied. */
struct gn_ssh_wish {
    const char *host; /* a port there; NULL: a command */
    int port;
    const char *command; /* NULL: the login shell */
    const struct gn_pty *pty;
    bool only_now; /* when the server has no room, say so at once */
};

struct gn_opening;
GN_MUST int gn_opening_new(struct gn_transport *t, const struct gn_ssh_wish *wish,
                           struct gn_opening **out, const struct gn_ctx *ctx, struct gn_err *err);
/* Go on with it.  GN_OK: *out is open, and the caller's. */
GN_MUST int gn_opening_step(struct gn_opening *o, struct gn_stream **out, const struct gn_ctx *ctx,
                            struct gn_err *err);
void gn_opening_free(struct gn_opening *o); /* NULL is allowed */

/* Let the line do what it can.  GN_E_NET: it is gone, or silent for too long. */
GN_MUST int gn_ssh_work(struct gn_transport *t, const struct gn_ctx *ctx, struct gn_err *err);
/* Bytes that went over the line so far, either way. */
uint64_t gn_ssh_moved(struct gn_transport *t);
/* What poll(2) shall look for on its fd. */
short gn_ssh_events(struct gn_transport *t);

/*
 * Have one session open that nobody uses yet, so that the next command costs one round trip; where
 * the server refuses it while `sessions` are in use, none until they are fewer.
 */
void gn_ssh_stay_ready(struct gn_transport *t, size_t sessions, const struct gn_ctx *ctx);

/* Hand over what can go now, *taken bytes of it.  GN_E_PROTO: the command takes no more. */
GN_MUST int gn_ssh_put(struct gn_stream *s, const void *data, size_t len, size_t *taken,
                       struct gn_err *err);
/* No more will be put. */
void gn_ssh_end(struct gn_stream *s);
/* Bytes of its stderr so far; err_text() has the last of them. */
uint64_t gn_ssh_err_came(struct gn_stream *s);

#endif
