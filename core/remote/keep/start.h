/*
 * start.h - another process of this program that logs in, and stays.
 */
#ifndef GNRRUN_REMOTE_KEEP_START_H
#define GNRRUN_REMOTE_KEEP_START_H

#include "door.h"
#include "gnrrun/transport.h"

/*
 * Its questions are asked here.  GN_E_EXISTS: another is starting one; GN_E_NOTFOUND: none could be
 * started, and nothing was tried.
 */
GN_MUST int gn_keep_start(const struct gn_ctx *ctx, const struct gn_target *target,
                          const struct gn_ssh_opts *opts, const struct gn_door *door,
                          struct gn_transport **out, struct gn_err *err);

#endif
