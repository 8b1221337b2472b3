/*
 * ahead.h - one thread makes pieces while another uses those that are made.
 */
#ifndef GN_SHIP_AHEAD_H
#define GN_SHIP_AHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "gnrrun/err.h"

#define GN_AHEAD_PIECE ((size_t)1 << 20)

typedef int (*gn_ahead_fn)(void *arg, uint64_t at, uint8_t *piece, size_t len, struct gn_err *err);

/*
 * len bytes in pieces of GN_AHEAD_PIECE: make fills each, in a thread of its own when there is much to do, and use
 * is called here for each in turn.  The first failure of either ends it.  buf: GN_AHEAD_PIECE bytes to work with.
 */
GN_MUST int gn_ahead(uint64_t len, gn_ahead_fn make, gn_ahead_fn use, void *arg, uint8_t *buf,
                     struct gn_err *err);

#endif
