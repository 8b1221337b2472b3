/*
 * fs.h - files of our own: written whole or not at all, closed to others.
 */
#ifndef GNRRUN_FS_H
#define GNRRUN_FS_H

#include <stdbool.h>
#include <sys/types.h>

#include "gnrrun/buf.h"

/* dir + "/" + name; name alone when dir is "" or name is absolute.  The caller's. */
char *gn_path_join(const char *dir, const char *name);

/* The last part of a path, borrowed from it. */
const char *gn_path_base(const char *path);

/* "~/x" and "~" with home in front; else a copy.  The caller's. */
char *gn_path_tilde(const char *path, const char *home);

/* Write all, whatever signals come.  0, or -1 with errno. */
int gn_fs_write_all(int fd, const void *data, size_t len);

/* close() that accepts -1 and keeps errno. */
void gn_fs_close(int fd);

/* Append the file's bytes to out (its ceiling holds: GN_E_LIMIT).  GN_E_NOTFOUND when there is none. */
GN_MUST int gn_fs_read(const char *path, struct gn_buf *out, struct gn_err *err);

/* Temporary name beside it, fsync, rename, fsync of the folder. */
GN_MUST int gn_fs_replace(const char *path, const void *data, size_t len, mode_t mode,
                          struct gn_err *err);

/* The same piece by piece: what goes wrong on the way is said at the end.  sync false: it is only a
 * cache, whose reader sees when it is torn. */
struct gn_draft;
GN_MUST int gn_draft_open(const char *path, mode_t mode, struct gn_draft **out, struct gn_err *err);
void gn_draft_add(struct gn_draft *d, const void *data, size_t len);
GN_MUST int gn_draft_end(struct gn_draft *d, bool sync, struct gn_err *err); /* frees */
void gn_draft_drop(struct gn_draft *d); /* as if it had not begun; NULL is allowed */

/* The same for what is only a cache: not synced, its reader sees when it is torn.  False on failure. */
bool gn_fs_keep(const char *path, const void *data, size_t len);

/* mkdir -p; what is created gets mode. */
GN_MUST int gn_fs_mkdirs(const char *path, mode_t mode, struct gn_err *err);

bool gn_fs_is_dir(const char *path);
bool gn_fs_is_file(const char *path);

#endif
