/*
 * sink.h - where the bytes of a large file go: one thread sums them up and one writes them while
 * the next ones come.
 *
 * What stands in the file after any end is a beginning of what was put in, without gaps.
 */
#ifndef GN_FETCH_SINK_H
#define GN_FETCH_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "gnrrun/err.h"
#include "gnrrun/hash.h"

struct gn_sink;

/* Bytes go behind the first `at` of fd, which stands there.  sum: NULL when nobody needs it. */
struct gn_sink *gn_sink_new(int fd, uint64_t at, struct gn_hash *hash, struct gn_cksum *sum);

/* Room for the next bytes, *cap > 0 of them; NULL when an earlier one could not be written. */
uint8_t *gn_sink_room(struct gn_sink *s, size_t *cap);
/* So many of them are there now. */
void gn_sink_put(struct gn_sink *s, size_t n);

/* All is summed up and in the file, holes included, or *sys_errno says why not.  Frees it. */
void gn_sink_end(struct gn_sink *s, int *sys_errno);

#endif
