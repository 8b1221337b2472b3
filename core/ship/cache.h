/*
 * cache.h - hashes of files that have not been touched since: (path, size, mtime, ctime, inode) -> hash.
 *
 * Only ever a short cut: a damaged, foreign or unwritable cache is no cache.  A file that was
 * touched so shortly before it was read that a later change could carry the same times ("racy",
 * as git has it) is not recorded.
 */
#ifndef GN_SHIP_CACHE_H
#define GN_SHIP_CACHE_H

#include "arena.h"
#include "gnrrun/ship.h"

struct gn_cached {
    const char *path;
    uint64_t size, ino;
    int64_t mtime_ns, ctime_ns;
    uint8_t hash[GN_HASH_LEN];
    uint8_t clean;   /* the guard looked at the content and found no secret */
    uint8_t hashing; /* enum gn_hashing */
};

struct gn_cache {
    struct gn_cached *v; /* sorted by path */
    size_t n, cap;
    struct gn_arena *arena;
};

/* What is in the file; empty when there is none.  file NULL: empty. */
void gn_cache_load(struct gn_cache *c, const char *file);
/* Written by rename, not synced: the checksum tells what a power cut left.  False on failure. */
bool gn_cache_save(const struct gn_cache *c, const char *file);
void gn_cache_clear(struct gn_cache *c);

void gn_cache_add(struct gn_cache *c, const struct gn_cached *e); /* path is borrowed */
/* *at: where to look on, 0 at first; paths must come in rising order. */
const struct gn_cached *gn_cache_next(const struct gn_cache *c, size_t *at, const char *path);

#endif
