/*
 * entries.h - a tar that is read, and summed up, by a thread of its own, entry by entry.
 */
#ifndef GN_FETCH_ENTRIES_H
#define GN_FETCH_ENTRIES_H

#include "gnrrun/ctx.h"
#include "gnrrun/hash.h"
#include "gnrrun/ship.h"

struct gn_entries;

/* What comes next: an entry begins, some of its bytes, it ends; or nothing more will come. */
struct gn_item {
    enum { GN_ITEM_NONE, GN_ITEM_BEGIN, GN_ITEM_DATA, GN_ITEM_END } what;
    struct gn_unpack_entry entry; /* BEGIN; its texts until the next item */
    uint64_t offset;              /* DATA: in the entry, */
    const void *data;             /* and the bytes, until the next item */
    size_t len;
    uint8_t sha[GN_HASH_LEN]; /* END of a file: of all its bytes */
    struct gn_cksum cksum;    /* likewise, where it was asked for */
};

/* read is called in that thread, with a ctx that ends its waits when the entries are closed. */
typedef int (*gn_entries_read_fn)(void *arg, void *buf, size_t cap, size_t *n,
                                  const struct gn_ctx *ctx, struct gn_err *err);

GN_MUST int gn_entries_open(gn_entries_read_fn read, void *arg, bool zstd, bool cksum,
                            const struct gn_ctx *ctx, struct gn_entries **out, struct gn_err *err);
GN_MUST int gn_entries_next(struct gn_entries *e, struct gn_item *out, struct gn_err *err);

/* Returns rc, or when that is GN_OK why the tar could not be read to its end. */
GN_MUST int gn_entries_close(struct gn_entries *e, int rc, struct gn_err *err);

#endif
