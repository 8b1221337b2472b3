/*
 * confine.h - a folder that nothing written through it can leave.
 *
 * Paths are relative to the folder it was opened on.  Each part of one is entered by
 * descriptor with O_NOFOLLOW, so a symlink anywhere below stops the walk, whoever made
 * it and whenever.  Nothing is opened by a name that stood here before; a file gets its
 * name last, by link or rename, when all of it is written.
 */
#ifndef GN_FETCH_CONFINE_H
#define GN_FETCH_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "gnrrun/ctx.h"
#include "gnrrun/err.h"
#include "gnrrun/hash.h"

#define GN_PATH_BYTES  4096 /* longest path that is written */
#define GN_PART_PREFIX ".gnrrun-part-"

/* NULL when path may be written below the folder; else why not, in a few words. */
const char *gn_confine_refuses(const char *path, size_t len);

struct gn_confine;

/* dir is the user's own word: it is made if need be, and may itself be reached by symlinks. */
GN_MUST int gn_confine_open(const char *dir, struct gn_confine **out, struct gn_err *err);
void gn_confine_free(struct gn_confine *c);

/*
 * Open the folder that path stands in, made (0777 less umask) on the way if asked.  *base
 * is borrowed from path.  GN_E_NOTFOUND: not there; GN_E_EXISTS: something that is no
 * folder stands in the way.  The descriptor is the caller's.
 */
GN_MUST int gn_confine_parent(const struct gn_confine *c, const char *path, bool make, int *fd,
                              const char **base, struct gn_err *err);

/* What stands at path. */
struct gn_spot {
    enum {
        GN_SPOT_NOTHING,
        GN_SPOT_FILE,
        GN_SPOT_DIR,
        GN_SPOT_LINK,
        GN_SPOT_OTHER,
        GN_SPOT_BLOCKED, /* one of its folders is a symlink or a file */
    } kind;
    struct stat st; /* unless NOTHING or BLOCKED */
};
GN_MUST int gn_confine_look(const struct gn_confine *c, const char *path, struct gn_spot *out,
                            struct gn_err *err);

/* The same file, and nobody wrote to it since. */
bool gn_confine_same_stat(const struct stat *a, const struct stat *b);

/* Both checksums of the bytes at path, and its stat from before they were read. */
struct gn_sums {
    uint8_t sha[GN_HASH_LEN];
    uint8_t blocks[GN_HASH_LEN]; /* of a file here of GN_LARGE or more: as manifests have it */
    uint32_t crc;
    uint64_t len;
};
GN_MUST int gn_confine_sums(const struct gn_confine *c, const char *path, struct gn_sums *out,
                            struct stat *st, const struct gn_ctx *ctx, struct gn_err *err);

/* mkdir -p; a folder that is there is fine. */
GN_MUST int gn_confine_mkdirs(const struct gn_confine *c, const char *path, struct gn_err *err);

/* Where the symlink at path points; cut and terminated.  GN_E_EXISTS when it is none. */
GN_MUST int gn_confine_readlink(const struct gn_confine *c, const char *path, char *out, size_t cap,
                                struct gn_err *err);

/*
 * NULL when a symlink at path with this target stays inside: relative, any ".." only at
 * its front and not above the folder, no symlink that is here passed through.
 */
const char *gn_confine_link_refuses(const struct gn_confine *c, const char *path,
                                    const char *target);

/* Take away the file at path, if it is still *was (else GN_E_CHANGED). */
GN_MUST int gn_confine_remove(const struct gn_confine *c, const char *path, const struct stat *was,
                              struct gn_err *err);

/* Make the symlink: *was NULL: only where nothing stands (GN_E_EXISTS); else instead of *was. */
GN_MUST int gn_confine_link(const struct gn_confine *c, const char *path, const char *target,
                            const struct stat *was, struct gn_err *err);

/* Give the file at path a second name where nothing stands (GN_E_EXISTS); on file systems
 * without links its only one. */
GN_MUST int gn_confine_keep(const struct gn_confine *c, const char *path, const char *keep,
                            const struct stat *was, struct gn_err *err);

/* --- a file that is being written ------------------------------------------------------------ */

struct gn_part {
    int dir, fd;    /* its folder, itself; locked against other gnrrun */
    char name[80];  /* GN_PART_PREFIX... in that folder */
    uint64_t have;  /* bytes that were there already */
    bool resumable; /* it stays when it is given up */
    bool locked;
    char *folder; /* path of dir, NULL: the topmost; ours */
};
#define GN_PART_INIT                                                                               \
    {                                                                                              \
        .dir = -1, .fd = -1                                                                        \
    }

/*
 * A temporary beside path with permission bits mode (0777 at most, less umask).  key: the
 * same for the same file of the same run; what: NULL, or which version of it: then bytes
 * that an earlier try left are kept and counted in have, and those of other versions go.
 */
GN_MUST int gn_part_open(const struct gn_confine *c, const char *path, const char *key,
                         const char *what, mode_t mode, struct gn_part *out, struct gn_err *err);

/* Forget what is in it. */
GN_MUST int gn_part_restart(struct gn_part *p, struct gn_err *err);

/*
 * Make it path.  was NULL: only where nothing stands, else GN_E_EXISTS; was given: only
 * instead of that very file, unchanged, else GN_E_CHANGED.  On success p is closed.
 */
GN_MUST int gn_part_commit(const struct gn_confine *c, struct gn_part *p, const char *path,
                           const struct stat *was, struct gn_err *err);

/* Give it up: removed unless it is resumable and drop is false.  Any state is fine. */
void gn_part_close(struct gn_part *p, bool drop);

#endif
