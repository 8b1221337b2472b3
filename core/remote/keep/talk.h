/*
 * talk.h - frames over a socket that never blocks.
 */
#ifndef GNRRUN_REMOTE_KEEP_TALK_H
#define GNRRUN_REMOTE_KEEP_TALK_H

#include "gnrrun/ctx.h"
#include "wire.h"

#define GN_KEEP_HUNG_MS 3000 /* a keeper answers at once, or it hangs */

/* One frame, and all of it.  in has what came and was not used yet. */
GN_MUST int gn_talk_send(int fd, const struct gn_wire *w, const struct gn_ctx *ctx,
                         struct gn_err *err);
/* w is borrowed from in until the next call.  GN_E_NET: the other end is gone. */
GN_MUST int gn_talk_get(int fd, struct gn_buf *in, size_t *used, struct gn_wire *w,
                        int64_t timeout_ms, const struct gn_ctx *ctx, struct gn_err *err);

/* What a keeper refused, as it said it. */
int gn_talk_refused(const struct gn_wire *w, struct gn_err *err);

/* More of what comes, if there is.  GN_E_NET: nothing will be. */
GN_MUST int gn_talk_take(int fd, struct gn_buf *in, struct gn_err *err);

#endif
