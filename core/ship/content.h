/*
 * content.h - the bytes of one open file: where they are, what they hash to.
 */
#ifndef GN_SHIP_CONTENT_H
#define GN_SHIP_CONTENT_H

#include "gnrrun/ship.h"

#define GN_BLOCK      ((uint64_t)4096)  /* holes begin and end at multiples of it */
#define GN_READ_CHUNK ((size_t)1 << 20) /* GN_AHEAD_PIECE */

struct gn_extent {
    uint64_t at, len;
};

/* Where a file holds data; the rest are holes.  Aligned to GN_BLOCK, only the last may end short. */
struct gn_extents {
    struct gn_extent *v;
    size_t n, cap;
    uint64_t bytes;
};
#define GN_EXTENTS_INIT                                                                            \
    {                                                                                              \
        0                                                                                          \
    }

/* Up to size.  A file without holes is one extent. */
void gn_extents_find(int fd, uint64_t size, uint64_t blocks, struct gn_extents *out);
void gn_extents_clear(struct gn_extents *x);
/* Behind those that are there; then, when all are, gn_extents_join(). */
void gn_extents_add(struct gn_extents *x, uint64_t at, uint64_t len);
/* Each extent costs a command over there: rather send some more than run thousands of them. */
void gn_extents_join(struct gn_extents *x);

/* len bytes from at; fewer: GN_E_CHANGED.  path is for the message. */
GN_MUST int gn_read_at(int fd, const char *path, uint64_t at, uint8_t *buf, size_t len,
                       struct gn_err *err);

/* What the hash of a file is over. */
enum gn_hashing {
    GN_HASH_NONE, /* not wanted: the bytes are known by the file's times */
    GN_HASH_ALL,
    GN_HASH_BLOCKS, /* gn_entry_is_large */
    GN_HASH_SPARSE, /* gn_entry_is_huge_sparse */
};
enum gn_hashing gn_entry_hashing(const struct gn_entry *e);

/* What reads a file: its buffer and its hash are used again for the next. */
struct gn_reader {
    struct gn_hash *hash;
    struct gn_block_hash *blocks; /* for GN_HASH_BLOCKS */
    enum gn_hashing how;
    uint8_t *buf; /* GN_READ_CHUNK */
    const struct gn_ctx *ctx;
    /* Both optional.  data: all that is no hole; progress: bytes since the last call. */
    int (*data)(void *arg, uint64_t at, const uint8_t *data, size_t len, struct gn_err *err);
    void (*progress)(void *arg, uint64_t bytes);
    void *data_arg, *progress_arg;
};

void gn_reader_init(struct gn_reader *r, const struct gn_ctx *ctx);
void gn_reader_clear(struct gn_reader *r);

/*
 * Read size bytes, hash them as r->how says (GN_HASH_NONE: hash is not touched).  path is for
 * messages.  A file that ends early is GN_E_CHANGED.
 */
GN_MUST int gn_reader_run(struct gn_reader *r, int fd, const char *path, uint64_t size,
                          const struct gn_extents *x, uint8_t hash[GN_HASH_LEN],
                          struct gn_err *err);

#endif
