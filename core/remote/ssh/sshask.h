/*
 * sshask.h - `ssh -G`, run as a child.
 */
#ifndef GNRRUN_REMOTE_SSH_SSHASK_H
#define GNRRUN_REMOTE_SSH_SSHASK_H

#include "gnrrun/ctx.h"

/*
 * What ssh would do for alias, as it prints it.  file (-F), user and port may be absent.
 * GN_E_NOTFOUND when there is no ssh or it knows no -G.
 */
GN_MUST int gn_ssh_ask(const struct gn_ctx *ctx, const char *file, const char *alias,
                       const char *user, int port, struct gn_buf *said, struct gn_err *err);

#endif
