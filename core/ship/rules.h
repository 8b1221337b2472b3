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

struct gn_rules;

/* What holds before the walk begins; opts->everything: nothing.  The caller's, to gn_rules_free(). */
GN_MUST int gn_rules_open(const struct gn_ctx *ctx, const struct gn_scan_opts *opts,
                          struct gn_rules **out, struct gn_err *err);
void gn_rules_free(struct gn_rules *r);

/* The walk enters the folder at path ("" is the root), open as dirfd: read its files of rules. */
GN_MUST int gn_rules_enter(struct gn_rules *r, int dirfd, const char *path, struct gn_err *err);
void gn_rules_leave(struct gn_rules *r, const char *path);

/* The verdict on path alone: no parent is ignored. */
void gn_rules_match(const struct gn_rules *r, const char *path, bool is_dir,
                    struct gn_verdict *out);

/*
 * Whether the folder at path is an environment to leave out, since it holds `has` ("pyvenv.cfg",
 * "conda-meta") and nobody asked for it.
 */
bool gn_rules_is_environment(const struct gn_rules *r, const char *path, const char *has);

#define GN_RULES_BUILT_IN "built in"

#endif
