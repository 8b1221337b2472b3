/*
 * dial.h - the byte stream under an SSH connection: TCP, or a ProxyCommand.
 *
 * Each returns a connected descriptor, close-on-exec, that is the caller's; waits end
 * when ctx is interrupted.
 */
#ifndef GNRRUN_REMOTE_SSH_DIAL_H
#define GNRRUN_REMOTE_SSH_DIAL_H

#include "gnrrun/sshconf.h"

GN_MUST int gn_dial_tcp(const struct gn_ctx *ctx, const struct gn_sshconf *c, int *fd,
                        struct gn_err *err);

/* A running ProxyCommand; zero bytes are none. */
struct gn_proxy {
    int pid;
    int err_fd; /* what it says on stderr */
};

GN_MUST int gn_proxy_start(const struct gn_ctx *ctx, const struct gn_sshconf *c,
                           struct gn_proxy *out, int *fd, struct gn_err *err);

/* Put what it said last into a message as the reason, if it said anything. */
void gn_proxy_blame(struct gn_proxy *p, struct gn_err *err);

/* End and reap it; bounded.  None is allowed. */
void gn_proxy_stop(struct gn_proxy *p);

#endif
