/* manifest.h - how a manifest is made; ship.h says what it is. */
#ifndef GN_SHIP_MANIFEST_H
#define GN_SHIP_MANIFEST_H

#include "arena.h"
#include "gnrrun/ship.h"

/* Compute bytes and id of a manifest whose entries are sorted. */
void gn_manifest_seal(struct gn_manifest *m);

#endif
