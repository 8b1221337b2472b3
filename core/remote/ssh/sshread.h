/*
 * sshread.h - lines of ssh_config(5) into a struct gn_sshconf.
 */
#ifndef GNRRUN_REMOTE_SSH_SSHREAD_H
#define GNRRUN_REMOTE_SSH_SSHREAD_H

#include "gnrrun/sshconf.h"

/* Keywords whose first value counts: one bit each, so that later ones are left out. */
struct gn_sshseen {
    unsigned long long bits;
};

/* One "keyword value" into c, unless an earlier line has set it.  Unknown keywords are nothing. */
void gn_sshconf_set(struct gn_sshconf *c, struct gn_sshseen *seen, const char *keyword,
                    const char *value);

/*
 * One word of a configuration line: quotes taken off, *p moved behind it.  NULL at the
 * end or at a comment; the caller's.
 */
char *gn_sshread_word(const char **p);

/* Does host match the list of patterns ("*.lab !old.lab", with one of separators between)? */
bool gn_sshread_match(const char *patterns, const char *separators, const char *host);

/* Read file with OpenSSH's rule: the first value wins, patterns match the name as typed. */
GN_MUST int gn_sshread_file(const struct gn_ctx *ctx, const char *file, const char *alias,
                            const char *user, struct gn_sshconf *c, struct gn_sshseen *seen,
                            struct gn_err *err);

/* The Host names without wildcards in file and what it includes. */
GN_MUST int gn_sshread_aliases(const struct gn_ctx *ctx, const char *file, struct gn_strs *out,
                               struct gn_err *err);

#endif
