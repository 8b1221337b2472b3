/*
 * wire.h - files of our own in binary: numbers little-endian, strings behind their length.
 */
#ifndef GN_SHIP_WIRE_H
#define GN_SHIP_WIRE_H

#include <stdbool.h>

#include "gnrrun/buf.h"
#include "gnrrun/hash.h"

void gn_wire_put(struct gn_buf *b, uint64_t v, unsigned bytes);
void gn_wire_puts(struct gn_buf *b, const char *s); /* at most 65535 bytes */

/* Reading never passes the end: it sets bad and gives zeros and empty strings from then on. */
struct gn_wire {
    const uint8_t *p, *end;
    bool bad;
};

uint64_t gn_wire_get(struct gn_wire *w, unsigned bytes);
void gn_wire_copy(struct gn_wire *w, void *out, size_t n);
const char *gn_wire_gets(struct gn_wire *w, size_t *len); /* not terminated */

#endif
