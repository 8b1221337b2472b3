#include "near.h"

#include <fcntl.h>
#include <string.h>

#include "gnrrun/fs.h"

/* Is each folder above path a folder, and no symlink that was put there meanwhile? */
static bool are_folders(int root, const char *path)
{
    char above[GN_PATH_BYTES + 1];
    struct stat st;

    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(above, path, (size_t)(slash - path));
        above[slash - path] = 0;
        if (fstatat(root, above, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
            return false;
    }
    return true;
}

bool gn_near_is(struct gn_near *n, int root, const char *path, size_t len)
{
    struct stat st;

    if (n->fd < 0 || strlen(n->path) != len || memcmp(n->path, path, len) != 0)
        return false;
    if (gn_stopwatch_us() < n->seen_us + GN_NEAR_US)
        return true;
    n->seen_us = 0;
    if (!are_folders(root, n->path) || fstatat(root, n->path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        st.st_ino != n->st.st_ino || st.st_dev != n->st.st_dev)
        return false;
    n->seen_us = gn_stopwatch_us();
    return true;
}

void gn_near_note(struct gn_near *n, const char *path, size_t len, int dir)
{
    gn_fs_close(n->fd);
    n->fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    n->seen_us = gn_stopwatch_us();
    memcpy(n->path, path, len);
    n->path[len] = 0;
    if (n->fd >= 0 && fstat(n->fd, &n->st) < 0) {
        gn_fs_close(n->fd);
        n->fd = -1;
    }
}

bool gn_near_is_gone(const struct gn_near *n, const char *path)
{
    for (unsigned i = 0; i < GN_NEAR_GONE; i++) {
        size_t len = strlen(n->gone[i]);

        if (len && strncmp(path, n->gone[i], len) == 0 && path[len] == '/')
            return true;
    }
    return false;
}

void gn_near_note_gone(struct gn_near *n, const char *path, size_t len)
{
    char *to = n->gone[n->next_gone++ % GN_NEAR_GONE];

    memcpy(to, path, len);
    to[len] = 0;
}

void gn_near_forget_gone(struct gn_near *n)
{
    for (unsigned i = 0; i < GN_NEAR_GONE; i++)
        n->gone[i][0] = 0;
}
