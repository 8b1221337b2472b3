/*
 * rules.h - every ignore rule that holds in one project, and who beats whom.
 *
 * Weakest first, as git has it: the user's git ignore file; .git/info/exclude; .gitignore from the
 * top of the git work tree (which may lie above the project) inwards.  Beyond git: the built-in
 * list; .gnrrunignore of the project inwards; the patterns of `ignore:`.  The built-in list gives
 * way only to a pattern that names something: a list of what is wanted often begins with "!*" and
 * "/" and does not mean .git by it.
 */
#ifndef GN_SHIP_RULES_H
#define GN_SHIP_RULES_H

#include "gnrrun/ship.h"

/* The rules that hold in one folder.  They never change: several threads may ask them. */
struct gn_rules;

/* What holds before the walk begins; opts->everything: nothing.  The caller's, to gn_rules_leave(). */
GN_MUST int gn_rules_open(const struct gn_ctx *ctx, const struct gn_scan_opts *opts,
                          struct gn_rules **out, struct gn_err *err);

/* Is name a file of rules?  Which, as a bit. */
#define GN_RULES_GIT 1U
#define GN_RULES_OWN 2U
unsigned gn_rules_file(const char *name);

/*
 * What holds in the folder at path ("" is the root), open as dirfd, below one where `above` does: its
 * files of rules are read, of those that files says it has.  *out is the caller's, to gn_rules_leave().
 */
GN_MUST int gn_rules_enter(struct gn_rules *above, int dirfd, const char *path, unsigned files,
                           struct gn_rules **out, struct gn_err *err);
struct gn_rules *gn_rules_stay(struct gn_rules *r); /* to be left once more */
void gn_rules_leave(struct gn_rules *r);            /* NULL is allowed */

/* The verdict on path alone: no parent is ignored. */
void gn_rules_match(const struct gn_rules *r, const char *path, bool is_dir,
                    struct gn_verdict *out);

/* Only whether it is ignored, and soon said for nearly all; name (len bytes) is the path's last part. */
bool gn_rules_ignore(const struct gn_rules *r, const char *path, const char *name, size_t len,
                     bool is_dir);

/*
 * Whether the folder at path is an environment to leave out, since it holds `has` ("pyvenv.cfg",
 * "conda-meta") and nobody asked for it.
 */
bool gn_rules_is_environment(const struct gn_rules *r, const char *path, const char *has);

#define GN_RULES_BUILT_IN "built in"

#endif
