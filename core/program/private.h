/*
 * program.h - what the parts of this room share.
 */
#ifndef GN_PROGRAM_PRIVATE_H
#define GN_PROGRAM_PRIVATE_H

#include "gnrrun/program.h"

/* s for a message: no control characters, of bounded length.  The caller's. */
char *gn_safe_text(const char *s);

/* Does name end like a program of ours: .py, .ipynb, ...? */
bool gn_known_ending(const char *name);

/*
 * The path typed, absolute, does not exist.  Hint at what its folder or the project holds
 * instead; false when nothing is near.
 */
bool gn_nearest_hint(const struct gn_project *p, const char *cwd, const char *path,
                     struct gn_err *err);

/* path (absolute) without ".", ".." and "//", by its words alone.  The caller's. */
char *gn_path_clean(const char *path);

/* path below root as a relative one, borrowed; "" for root; NULL when it is not below. */
const char *gn_path_below(const char *root, const char *path);

#endif
