/*
 * blocks.h - large files are hashed by blocks: by all cores at once, and so that two versions of
 * one can be told apart block by block.
 *
 * A block has 128 KiB, doubled until a file has at most 131072 of them.  The hash of the file is
 * SHA-256 over "gnrrun blocks 1", its size, the block size (8 bytes each, lowest first) and the
 * SHA-256 of each block in turn.
 */
#ifndef GN_SHIP_BLOCKS_H
#define GN_SHIP_BLOCKS_H

#include "content.h"

struct gn_blocks {
    uint64_t size, block; /* of the file, of one block */
    size_t n;
    uint8_t *hash; /* n times GN_HASH_LEN */
};
#define GN_BLOCKS_INIT                                                                             \
    {                                                                                              \
        0                                                                                          \
    }

/* Hash the file of size bytes that is open at fd, in as many threads as there are cores.
 * progress may be NULL and is called on this thread.  Ends early: GN_E_CHANGED. */
GN_MUST int gn_blocks_read(int fd, const char *path, uint64_t size, const struct gn_ctx *ctx,
                           void (*progress)(void *arg, uint64_t bytes), void *progress_arg,
                           struct gn_blocks *out, struct gn_err *err);
void gn_blocks_root(const struct gn_blocks *b, uint8_t hash[GN_HASH_LEN]);
void gn_blocks_clear(struct gn_blocks *b);

/* Lists are kept in the cache, by the hash of the file; only ever a short cut: no list is no
 * difference known.  Those that nobody used for a month go. */
void gn_blocks_save(const struct gn_blocks *b, const struct gn_ctx *ctx);
bool gn_blocks_load(const struct gn_ctx *ctx, const uint8_t hash[GN_HASH_LEN], uint64_t size,
                    struct gn_blocks *out);

/* What of a file like `now` is not in one like `was`: false when that is not known by these. */
bool gn_blocks_diff(const struct gn_blocks *was, const struct gn_blocks *now,
                    struct gn_extents *out);

#endif
