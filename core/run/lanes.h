/*
 * lanes.h - one stream over several channels of one connection.
 *
 * A server lets only so much of a channel be on its way (OpenSSH: 2 MiB, 50 MB/s behind 40 ms),
 * however fast the line is.  So behind a long line the stream goes in pieces, each by the channel
 * that has most room, and the far side puts them together in their order (core/remote/sh/arrive.sh).
 */
#ifndef GNRRUN_RUN_LANES_H
#define GNRRUN_RUN_LANES_H

#include "run_private.h"

#define GN_LANES_MAX 3 /* beside the first */

struct gn_lanes;

/* Is the line so long that lanes help with so many bytes? */
bool gn_lanes_help(struct gn_transport *line, uint64_t bytes);

/*
 * n lanes beside first, into the far side's folder dir.  Waits for none of them: what does not come
 * to be open is done without.  The caller closes it.
 */
struct gn_lanes *gn_lanes_open(const struct gn_road *road, struct gn_far *first, const char *dir,
                               unsigned n);
GN_MUST int gn_lanes_write(struct gn_lanes *l, const void *data, size_t len, struct gn_err *err);
/* That was all. */
GN_MUST int gn_lanes_end(struct gn_lanes *l, struct gn_err *err);
void gn_lanes_close(struct gn_lanes *l); /* NULL is allowed */

#endif
