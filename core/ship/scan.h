/*
 * scan.h - what gn_scan() is made of: walk.c finds the entries, statall.c looks at
 * them, hashall.c reads them, scan.c puts the answer together, why.c explains.
 */
#ifndef GN_SHIP_SCAN_H
#define GN_SHIP_SCAN_H

#include <sys/stat.h>

#include "arena.h"
#include "gnrrun/ship.h"
#include "rules.h"

struct gn_found {
    struct gn_entry e;
    uint64_t ino;
    int64_t ctime_ns;
    const char *secret; /* what its first bytes look like; NULL: nothing of the kind */
    bool later;         /* a file that was listed and is not looked at yet */
    bool todo, hashed;  /* to be read; read and quiet */
};

/* All that the walk found, in the order it came. */
struct gn_walk {
    struct gn_found *v;
    size_t n, cap;
    struct gn_arena *arena;
};

GN_MUST int gn_walk(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, struct gn_walk *w,
                    struct gn_err *err);

/* Look at those that are still to be looked at; the ones that are gone are taken out. */
GN_MUST int gn_walk_stat(const struct gn_ctx *ctx, const char *root, struct gn_walk *w,
                         struct gn_err *err);

/* Read and hash those that are todo; what looks like a secret is said, not judged (hashall.c). */
GN_MUST int gn_walk_hash(const struct gn_ctx *ctx, const struct gn_scan_opts *opts,
                         struct gn_walk *w, struct gn_err *err);

/* Fill e from st, but for strings and hash. */
void gn_found_stat(struct gn_found *f, const struct stat *st);

/* An entry's stamp; never 0. */
uint64_t gn_stamp(const struct stat *st);
uint64_t gn_found_stamp(const struct gn_found *f);

/* Is path, or a folder above it, one of skip? */
bool gn_is_skipped(const struct gn_strs *skip, const char *path);

/* Does one of the patterns let path, or a folder above it, pass the guard? */
bool gn_is_allowed(const struct gn_strs *allow, const char *path);

#endif
