/* tar.h - writing tar, behind pack.c: archives for the far side. */
#ifndef GN_SHIP_TAR_H
#define GN_SHIP_TAR_H

#include "gnrrun/ship.h"

struct gn_tar;

struct gn_tar_entry {
    const char *path;
    const char *link; /* GN_LINK */
    uint64_t size;    /* GN_FILE: exactly so much data follows */
    int64_t mtime_ns;
    enum gn_kind kind;
    mode_t mode;
};

GN_MUST int gn_tar_open(gn_sink_fn sink, void *arg, unsigned how, struct gn_tar **out,
                        struct gn_err *err);
GN_MUST int gn_tar_entry(struct gn_tar *t, const struct gn_tar_entry *e, struct gn_err *err);
/* Would compressing such bytes save a twentieth? */
bool gn_tar_would_shrink(const void *data, size_t len);
GN_MUST int gn_tar_data(struct gn_tar *t, const void *data, size_t len, struct gn_err *err);
GN_MUST int gn_tar_close(struct gn_tar *t, struct gn_err *err); /* writes the end; frees */
void gn_tar_abort(struct gn_tar *t);                            /* NULL is allowed */

#endif
