/*
 * pack.h - what pack.c and patch.c share.
 */
#ifndef GN_SHIP_PACK_H
#define GN_SHIP_PACK_H

#include "content.h"
#include "tar.h"
#include "tree.h"

struct gn_pack {
    struct gn_tar *tar;
    struct gn_tree tree; /* of the entries packed last */
    struct gn_reader reader;
    unsigned n_pieces; /* x/0, x/1, ... */
};

/* The file of entry e, open for reading. */
GN_MUST int gn_pack_file(struct gn_pack *p, const char *root, const struct gn_entry *e, int *fd,
                         struct gn_err *err);
/* GN_E_CHANGED */
int gn_pack_changed(const struct gn_entry *e, struct gn_err *err);

/* sh lines: $f is path, beside x/ */
void gn_pack_name(struct gn_buf *after, const char *path);
/* One command: $f gets its size, then each extent from piece x/n, which `unit` divides, its mode and its time. */
GN_MUST int gn_pack_places(struct gn_buf *after, unsigned n, const struct gn_entry *e,
                           uint64_t unit, const struct gn_extents *x, struct gn_err *err);

#endif
