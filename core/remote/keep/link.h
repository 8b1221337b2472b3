/*
 * link.h - a kept connection as a transport: each stream is a socket to the keeper.
 */
#ifndef GNRRUN_REMOTE_KEEP_LINK_H
#define GNRRUN_REMOTE_KEEP_LINK_H

#include "door.h"
#include "gnrrun/transport.h"

/* By the keeper that is there.  GN_E_NOTFOUND: none; GN_E_TIMEOUT: it hangs; GN_E_CHANGED: it is of
 * another program, and ends. */
GN_MUST int gn_link_open(const struct gn_ctx *ctx, const char *target, const struct gn_door *door,
                         struct gn_transport **out, struct gn_err *err);

/* Over fd, which was made welcome. */
struct gn_transport *gn_link_new(const char *target, const struct gn_door *door, int fd,
                                 int rtt_ms);

#endif
