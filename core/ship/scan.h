/*
 * scan.h - what gn_scan() is made of: walk.c goes through the folders with several threads, each is
 * listed and looked at by folder.c, place.c makes the sorted entries of them and takes hashes from
 * the cache, hashall.c reads what is left, scan.c puts the answer together, why.c explains.
 */
#ifndef GN_SHIP_SCAN_H
#define GN_SHIP_SCAN_H

#include <sys/stat.h>

#include "arena.h"
#include "cache.h"
#include "gnrrun/ship.h"

/* What looks like a secret and is not allowed. */
struct gn_secrets {
    size_t n;
    const char *path, *what; /* of the first in order */
};
void gn_secrets_add(struct gn_secrets *s, const char *path, const char *what);
void gn_secrets_join(struct gn_secrets *s, struct gn_secrets *from); /* from is empty then */

struct gn_scan {
    const struct gn_ctx *ctx;
    const struct gn_scan_opts *opts;
    int64_t start_s; /* files touched since then, or shortly before, are racy */
    struct gn_cache cache;
    struct gn_manifest *m;
    uint32_t *todo; /* the files to be read, by index, rising */
    size_t n_todo;
    uint64_t stored; /* bytes of all files, without the holes of huge ones */
    size_t known;    /* entries that are in the cache just as they are */
    struct gn_secrets secrets;
};

/* Find all entries; hashes as far as the cache has them, the others are to do. */
GN_MUST int gn_scan_walk(struct gn_scan *s, struct gn_err *err);

/* Read and hash what is to do. */
GN_MUST int gn_scan_hash(struct gn_scan *s, struct gn_err *err);

/* Fill e from st, but for strings, stamp and hash. */
void gn_entry_stat(struct gn_entry *e, const struct stat *st);

/* An entry's stamp; never 0. */
uint64_t gn_stamp(const struct stat *st);

/* Is path, or a folder above it, one of skip? */
bool gn_is_skipped(const struct gn_strs *skip, const char *path);

/* Does one of the patterns let path, or a folder above it, pass the guard? */
bool gn_is_allowed(const struct gn_strs *allow, const char *path);

#endif
