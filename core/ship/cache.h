/*
 * cache.h - the last scan: hashes of files that have not been touched since, (path, size, mtime, stamp of
 * ctime and inode) -> hash, and what else the tree's id is made of.
 *
 * Only ever a short cut: a damaged, foreign or unwritable cache is no cache.  A file that was
 * touched so shortly before it was read that a later change could carry the same times ("racy",
 * as git has it) is not recorded.
 *
 * The file: a magic line; pieces, each with entries of one folder, in order, behind its checksum; an
 * index of them; an end of fixed size.  A million files are neither read nor written at once: a
 * folder's pieces are read when the walk is there, by whichever thread.
 */
#ifndef GN_SHIP_CACHE_H
#define GN_SHIP_CACHE_H

#include "gnrrun/ship.h"

/* One entry of a folder. */
struct gn_cached {
    const char *name; /* not terminated, as link */
    size_t name_len;
    const char *link; /* GN_LINK */
    size_t link_len;
    uint64_t size, stamp;
    int64_t mtime_ns;
    const uint8_t *hash; /* GN_FILE */
    uint16_t mode;
    uint8_t kind;
    uint8_t hashing; /* enum gn_hashing */
    bool clean;      /* the guard looked at the content and found no secret */
};

struct gn_cache_piece {
    uint64_t key; /* of the folder's path and the piece's number in it */
    uint64_t at;
    uint64_t len;
};

struct gn_cache {
    int fd;
    struct gn_cache_piece *v; /* sorted by key */
    size_t n;
    uint64_t entries;     /* recorded */
    uint64_t all;         /* of the tree: the same unless some were racy */
    char id[GN_HASH_HEX]; /* of the tree */
};

/* Empty when there is none that is good.  file NULL: empty. */
void gn_cache_open(struct gn_cache *c, const char *file);
void gn_cache_close(struct gn_cache *c);

/* What one thread reads in it, one folder after the other. */
struct gn_cache_reader {
    const struct gn_cache *c;
    uint8_t *buf;
    size_t cap;
    const uint8_t *p, *end;
    const char *dir;
    size_t dir_len;
    unsigned piece; /* the next */
    struct gn_cached now;
    bool have, over; /* now is an entry; there are no more */
};
void gn_cache_reader_init(struct gn_cache_reader *r, const struct gn_cache *c);
void gn_cache_reader_clear(struct gn_cache_reader *r);

/* Begin with the folder at dir, which is borrowed. */
void gn_cache_enter(struct gn_cache_reader *r, const char *dir, size_t len);
/* Its entry of that name, good until the next call; names must come in rising order. */
const struct gn_cached *gn_cache_find(struct gn_cache_reader *r, const char *name, size_t len);

/*
 * Keep what m says: folders, links, and files with a stamp.  Written by rename, not synced: the
 * checksums tell what a power cut left.  False on failure.
 */
bool gn_cache_save(const struct gn_manifest *m, const char *file);

/* For tests that make such files by hand. */
uint64_t gn_cache_sum(const void *data, size_t len, uint64_t seed);

#endif
