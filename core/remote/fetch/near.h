/*
 * near.h - what a walk below a folder (confine.h) remembers of the one before.
 */
#ifndef GN_FETCH_NEAR_H
#define GN_FETCH_NEAR_H

#include "confine.h"

#define GN_NEAR_GONE 2
#define GN_NEAR_US   20000

/* The folder that was entered last: the next file mostly stands in it too. */
struct gn_near {
    int fd;          /* -1: none */
    int64_t seen_us; /* when it was last seen to stand there */
    struct stat st;
    char path[GN_PATH_BYTES + 1];
    /*
     * Folders that were not there when last looked for: in them is nothing.  If somebody else makes
     * one meanwhile, what is put there still replaces nothing.
     */
    char gone[GN_NEAR_GONE][GN_PATH_BYTES + 1];
    unsigned next_gone;
};

/*
 * Is path[0..len), below the folder root, the one entered last, and does it stand there still?  (Or
 * did so a moment ago: it is still the same folder, and if somebody has moved it since he might as
 * well have done so a moment later.)
 */
bool gn_near_is(struct gn_near *n, int root, const char *path, size_t len);
void gn_near_note(struct gn_near *n, const char *path, size_t len, int dir);

/* Is path in a folder that was not there?  One such, and: some may be there now. */
bool gn_near_is_gone(const struct gn_near *n, const char *path);
void gn_near_note_gone(struct gn_near *n, const char *path, size_t len);
void gn_near_forget_gone(struct gn_near *n);

#endif
