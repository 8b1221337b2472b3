/*
 * sshcache.h - what `ssh -G` said, kept as long as nothing changed that it looked at.
 */
#ifndef GNRRUN_REMOTE_SSH_SSHCACHE_H
#define GNRRUN_REMOTE_SSH_SSHCACHE_H

#include "gnrrun/ctx.h"

/*
 * Where the answer to such a question would be: a name made of all that it depends on.  NULL when
 * it depends on more (Match exec, canonical names, the environment).  The caller's.
 */
char *gn_sshcache_path(const struct gn_ctx *ctx, const char *file, const char *alias,
                       const char *user, int port);

bool gn_sshcache_get(const char *path, struct gn_buf *said);
void gn_sshcache_put(const struct gn_ctx *ctx, const char *path, const struct gn_buf *said);

#endif
