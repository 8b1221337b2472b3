/*
 * ship.h - from a project folder to the bytes that the far side lacks.
 *
 *   gn_scan()      which files belong to the project, and what is in each
 *   gn_manifest    the answer: sorted, hashed, with one id for the whole
 *   gn_pack        a tar stream of chosen entries, checked against the manifest while it is read
 *   gn_unpack()    the other way: tar from the far side, handed on entry by entry
 */
#ifndef GNRRUN_SHIP_H
#define GNRRUN_SHIP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gnrrun/ctx.h"
#include "gnrrun/hash.h"
#include "gnrrun/mem.h"

/* --- ignore rules: git's grammar, git's verdicts ------------------------------------------- */

struct gn_ignore;

/* Who decided, and how. */
struct gn_verdict {
    bool ignored;
    const char
        *source; /* ".gitignore", "sub/.gnrrunignore", "built in", ...; NULL: no rule matched */
    const char *pattern; /* as written */
    unsigned line;
};

struct gn_ignore *gn_ignore_new(void);
void gn_ignore_free(struct gn_ignore *ig);

/*
 * Add the rules of one file.  dir is the folder they count in ("" for the root, no slashes at
 * the ends).  Among files, those added later win; inside a file later lines win; so add built-in
 * rules first, then outer folders before inner ones.  Strings are copied.
 */
void gn_ignore_add(struct gn_ignore *ig, const char *dir, const char *source, const char *text,
                   size_t len);

/* Rules that are stronger than those of above, which must live longer and stay as they are: then
 * several threads may ask at the same time. */
struct gn_ignore *gn_ignore_below(const struct gn_ignore *above);

/* The verdict on path (relative, no leading ./) alone: the caller has seen that no parent is ignored. */
void gn_ignore_match(const struct gn_ignore *ig, const char *path, bool is_dir,
                     struct gn_verdict *out);

/* One pattern of git's grammar against a path, for results: and the guard. */
bool gn_glob_match(const char *pattern, const char *path, bool is_dir);

/* --- manifest ------------------------------------------------------------------------------ */

enum gn_kind { GN_FILE, GN_DIR, GN_LINK };

struct gn_entry {
    const char *path; /* relative, "/" between parts; in the manifest's memory */
    const char *link; /* GN_LINK: where it points, as it stands; else NULL */
    uint64_t size;    /* GN_FILE */
    int64_t mtime_ns;
    uint64_t blocks;     /* 512-byte blocks in use: much fewer than size: sparse; not in the id */
    const void *content; /* GN_FILE: all of it, as it was hashed, where the scan kept it; or NULL */
    uint64_t stamp;      /* of inode and ctime when it was hashed, if they tell it from any later
                        content; 0: they do not ("racy").  Not in the id, not kept on disk */
    uint8_t hash[GN_HASH_LEN]; /* GN_FILE: SHA-256 of the content (see below); else zeros */
    uint16_t mode;             /* permission bits, 0777 at most */
    uint8_t kind;              /* enum gn_kind */
    bool clean;                /* the guard saw the content and found no secret; the scan's own */
};

/* Sorted by path as unsigned bytes.  Folders are entries too (empty ones must survive). */
struct gn_manifest {
    struct gn_entry *v;
    size_t n;
    uint64_t bytes;         /* of all files */
    char id[GN_HASH_HEX];   /* SHA-256 over path, kind, mode, size, hash, link of all; not times */
    struct gn_arena *arena; /* holds the strings */
};

void gn_manifest_free(struct gn_manifest *m);

/*
 * 1 GiB or more of which less than half is stored: nobody waits for SHA-256 over the holes, so the
 * hash of such a file is over its 4096-byte blocks that are not zero, each behind its number.  It
 * is not what sha256sum says.
 */
bool gn_entry_is_huge_sparse(const struct gn_entry *e);

/*
 * A file that is large, and not that sparse, is hashed by blocks, in several threads; two versions
 * of it differ in known blocks (core/ship/blocks.h).
 */
#define GN_LARGE ((uint64_t)16 << 20)
bool gn_entry_is_large(const struct gn_entry *e);

/* The same hash made piece by piece, for whoever reads a file of `size` bytes from its start. */
struct gn_block_hash;
struct gn_block_hash *gn_block_hash_new(uint64_t size);
void gn_block_hash_add(struct gn_block_hash *h, const void *data, size_t len);
void gn_block_hash_end(struct gn_block_hash *h, uint8_t hash[GN_HASH_LEN]);
void gn_block_hash_free(struct gn_block_hash *h);

/* Owned copy on disk, written whole or not at all; reading is strict (fuzzed): GN_E_PROTO when it is not ours. */
GN_MUST int gn_manifest_write(const struct gn_manifest *m, const char *path, struct gn_err *err);
GN_MUST int gn_manifest_read(const char *path, struct gn_manifest **out, struct gn_err *err);
/* Only its id, from the first bytes of the file; the rest may be damaged. */
GN_MUST int gn_manifest_read_id(const char *path, char id[GN_HASH_HEX], struct gn_err *err);
/* How many entries are files. */
size_t gn_manifest_files(const struct gn_manifest *m);
const struct gn_entry *gn_manifest_find(const struct gn_manifest *m, const char *path);

/* What must be done to turn old into cur: visited in cur's order, deletions (in reverse order) first. */
enum gn_change { GN_REMOVE, GN_ADD, GN_REPLACE };
typedef void (*gn_change_fn)(enum gn_change what, const struct gn_entry *e, void *arg);
void gn_manifest_diff(const struct gn_manifest *old, const struct gn_manifest *cur, gn_change_fn fn,
                      void *arg); /* old NULL: all is new */

/* --- scan ---------------------------------------------------------------------------------- */

struct gn_scan_opts {
    const char *root;             /* folder (or one file: then it is the only entry) */
    bool everything;              /* data: no ignore rules, no guard */
    const struct gn_strs *ignore; /* extra patterns, strongest */
    const struct gn_strs *skip;   /* paths (data:) that are not part of the project */
    const struct gn_strs *allow;  /* patterns that the guard for secrets lets pass */
    uint64_t max_bytes; /* size gate, 0: none: GN_E_LIMIT names the largest and proposes data: */
    /* (path, size, mtime, ctime, inode) -> hash; NULL: none, and no blocks are noted either */
    const char *cache_file;
    /* what small files held is kept, up to so many bytes: they will be sent, and need not be read again */
    uint64_t keep_bytes;
};

/*
 * Walk, decide, hash.  A file that changes while it is read is read again, then GN_E_CHANGED.
 * A secret (.env, private key) that is not allowed: GN_E_CONFIG naming it, nothing is sent.
 * Sockets, FIFOs and devices are skipped with a GN_EV_WARN; an unreadable file is an error.
 */
GN_MUST int gn_scan(const struct gn_ctx *ctx, const struct gn_scan_opts *opts,
                    struct gn_manifest **out, struct gn_err *err);

/* Why path is or is not shipped.  text: one line for a person. */
GN_MUST int gn_scan_why(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, const char *path,
                        bool *shipped, struct gn_buf *text, struct gn_err *err);

/* --- pack: a tar stream, made while it is sent --------------------------------------------- */

typedef int (*gn_sink_fn)(void *arg, const void *data, size_t len, struct gn_err *err);

struct gn_pack;

/* How, added up: */
#define GN_PACK_PLAIN 0U
#define GN_PACK_ZSTD  1U /* lightly: a moment's work; and with it: */
#define GN_PACK_ADAPT 2U /* as hard as the sink is slow */

/* GNU tar format (every tar reads it), compressed with zstd if asked. */
GN_MUST int gn_pack_open(gn_sink_fn sink, void *arg, unsigned how, struct gn_pack **out,
                         struct gn_err *err);

/* Is entry e of the tree at root, a file, worth compressing?  A few samples of it are tried. */
bool gn_pack_would_shrink(const char *root, const struct gn_entry *e);
/* A small file that is only here in memory. */
GN_MUST int gn_pack_mem(struct gn_pack *p, const char *path, mode_t mode, const void *data,
                        size_t len, struct gn_err *err);
GN_MUST int gn_pack_dir(struct gn_pack *p, const char *path, mode_t mode, struct gn_err *err);
/*
 * Entry e of the tree at root as prefix/path.  If the content is not what the manifest says,
 * GN_E_CHANGED (the stream is then worthless and must be dropped): by its times where those tell
 * (e->stamp), else it is hashed on its way.
 * A sparse file travels as its data only, as x/N; sh lines that put it together are added to
 * `after`, to be run over there, beside x/ and prefix/, once all is unpacked.  prefix/ itself is
 * the caller's to make (gn_pack_dir): a tree may be empty, or hold sparse files only.
 * progress is called with the bytes of content done since the last call (holes count).
 */
GN_MUST int gn_pack_entry(struct gn_pack *p, const char *root, const char *prefix,
                          const struct gn_entry *e, struct gn_buf *after,
                          void (*progress)(void *arg, uint64_t bytes), void *progress_arg,
                          const struct gn_ctx *ctx, struct gn_err *err);

/* What of large file `now` differs from `was`, by what the cache knows of both; false:
 * that is not known, or it is nearly all: it must travel whole. */
bool gn_patch_bytes(const struct gn_ctx *ctx, const struct gn_entry *was,
                    const struct gn_entry *now, uint64_t *bytes);

/*
 * Only that, as x/N, and sh lines in `after` that write it into the file prefix/path, which holds
 * `was` (or a part of these changes already).  copies: the file there is shared and must not be
 * written in place.
 */
GN_MUST int gn_pack_patch(struct gn_pack *p, const char *root, const char *prefix,
                          const struct gn_entry *was, const struct gn_entry *now, bool copies,
                          struct gn_buf *after, void (*progress)(void *arg, uint64_t bytes),
                          void *progress_arg, const struct gn_ctx *ctx, struct gn_err *err);
/*
 * Large file e, of which the first `there` bytes lie at prefix/path: what is missing as x/rest, and
 * in x/where the sh lines that put it behind them, which `after` runs; they do no harm when x/rest
 * was cut off or when they are run twice.  *done false: the blocks of e are not known, and nothing was packed.
 */
GN_MUST int gn_pack_rest(struct gn_pack *p, const char *root, const char *prefix,
                         const struct gn_entry *e, uint64_t there, struct gn_buf *after,
                         void (*progress)(void *arg, uint64_t bytes), void *progress_arg,
                         const struct gn_ctx *ctx, bool *done, struct gn_err *err);
GN_MUST int gn_pack_close(struct gn_pack *p, struct gn_err *err); /* writes the end; frees */
void gn_pack_abort(struct gn_pack *p);

/* --- unpack: tar archives from the far side, read but not obeyed ---------------------------- */

/* Up to cap bytes into buf; *n == 0 at the end of the input. */
typedef int (*gn_source_fn)(void *arg, void *buf, size_t cap, size_t *n, struct gn_err *err);

enum gn_unpack_kind {
    GN_UNPACK_FILE,
    GN_UNPACK_DIR,
    GN_UNPACK_LINK,  /* symbolic */
    GN_UNPACK_HARD,  /* the same file as the earlier entry that link names */
    GN_UNPACK_OTHER, /* device, FIFO, ...: nothing to be made of it */
};

/* All of it is foreign: path may be absolute or hold "..", mode may hold setuid. */
struct gn_unpack_entry {
    const char
        *path; /* 1 to GN_UNPACK_PATH_MAX bytes, no NUL; a folder's final slashes are dropped */
    const char *link; /* GN_UNPACK_LINK, _HARD: not empty, as bounded as path; else NULL */
    uint64_t size;    /* GN_UNPACK_FILE; else 0 */
    int64_t mtime_ns;
    enum gn_unpack_kind kind;
    mode_t mode; /* 07777 at most */
};
#define GN_UNPACK_PATH_MAX 4096

/*
 * begin, then for files data in rising offsets (what is left out up to size is zeros: the far tar
 * found holes), then end.  A result other than GN_OK stops everything and becomes gn_unpack's.
 */
struct gn_unpack_ops {
    int (*begin)(void *arg, const struct gn_unpack_entry *e, struct gn_err *err);
    int (*data)(void *arg, uint64_t offset, const void *data, size_t len, struct gn_err *err);
    int (*end)(void *arg, struct gn_err *err);
};

/*
 * Read tar archives (GNU, busybox, bsd), one after the other, to the end of the input; zstd: the
 * whole input is compressed.  No input at all is no archive: GN_OK.  What is no tar, or is cut
 * off: GN_E_PROTO; a name over the bound: GN_E_LIMIT; what read says: passed on.
 */
GN_MUST int gn_unpack(gn_source_fn read, void *arg, bool zstd, const struct gn_unpack_ops *ops,
                      void *ops_arg, const struct gn_ctx *ctx, struct gn_err *err);

#endif
