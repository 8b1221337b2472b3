/* manifest.h - how a manifest is made; ship.h says what it is. */
#ifndef GN_SHIP_MANIFEST_H
#define GN_SHIP_MANIFEST_H

#include "arena.h"
#include "gnrrun/ship.h"

/* What the id is made of: everything the far side could see, but no times. */
void gn_manifest_put_identity(struct gn_buf *b, const struct gn_entry *e);

/* Compute bytes and id of a manifest whose entries are sorted. */
void gn_manifest_seal(struct gn_manifest *m);

#endif
