/*
 * tree.h - files below a root, opened part by part and never through a symbolic link, so that what
 * is read is what the walk saw, however the tree changes meanwhile.
 */
#ifndef GN_SHIP_TREE_H
#define GN_SHIP_TREE_H

#include <stdbool.h>

#include "gnrrun/err.h"

#define GN_PATH_LIMIT 4096 /* of a relative path, with its NUL */

struct gn_tree {
    int root;   /* the folder; -1 when the root is one file */
    int dir;    /* the folder of the file opened last; -1: none */
    char *path; /* its name */
    char *name; /* of the root, for messages */
};
#define GN_TREE_INIT                                                                               \
    {                                                                                              \
        -1, -1, NULL, NULL                                                                         \
    }

GN_MUST int gn_tree_open(struct gn_tree *t, const char *root, struct gn_err *err);
void gn_tree_close(struct gn_tree *t);

/* Open path for reading.  What is gone or has become something else since: GN_E_CHANGED. */
GN_MUST int gn_tree_file(struct gn_tree *t, const char *path, int *fd, struct gn_err *err);

/* path for a message: out is returned. */
#define GN_SHOWN 320
const char *gn_shown(const char *path, char out[GN_SHOWN]);

#endif
