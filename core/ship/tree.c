#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"

const char *gn_shown(const char *path, char out[GN_SHOWN])
{
    struct gn_buf b = GN_BUF_INIT((size_t)64 << 10);
    size_t n;

    gn_buf_addsafe(&b, path, strlen(path), GN_SHOWN - 8);
    n = b.len < GN_SHOWN ? b.len : GN_SHOWN - 1;
    memcpy(out, b.ptr, n);
    out[n] = '\0';
    gn_buf_clear(&b);
    return out;
}

int gn_tree_open(struct gn_tree *t, const char *root, struct gn_err *err)
{
    char shown[GN_SHOWN];
    int fd = open(root, O_RDONLY | O_CLOEXEC | O_DIRECTORY);

    if (fd < 0 && errno != ENOTDIR) {
        int e = errno;
        if (e == ENOENT)
            return gn_err_set(err, GN_E_NOTFOUND, "there is no '%s'", gn_shown(root, shown));
        return gn_err_sys(err, e, "cannot open '%s'", gn_shown(root, shown));
    }
    t->root = fd;
    t->name = gn_strdup(root);
    return GN_OK;
}

void gn_tree_close(struct gn_tree *t)
{
    gn_fs_close(t->root);
    gn_fs_close(t->dir);
    free(t->path);
    free(t->name);
    *t = (struct gn_tree)GN_TREE_INIT;
}

/* Make t->dir the folder of len bytes at path. */
static int go_to(struct gn_tree *t, const char *path, size_t len)
{
    char part[GN_PATH_LIMIT];
    int dir = fcntl(t->root, F_DUPFD_CLOEXEC, 0);

    for (size_t at = 0; dir >= 0 && at < len;) {
        size_t n = strcspn(path + at, "/");
        int next;

        if (n > len - at)
            n = len - at;
        if (n >= sizeof part) {
            errno = ENAMETOOLONG;
            next = -1;
        } else {
            memcpy(part, path + at, n);
            part[n] = '\0';
            next = openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        gn_fs_close(dir);
        dir = next;
        at += n + 1;
    }
    if (dir < 0)
        return -1;
    gn_fs_close(t->dir);
    free(t->path);
    t->dir = dir;
    t->path = gn_strndup(path, len);
    return 0;
}

static int open_in(struct gn_tree *t, const char *path)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;

    if (t->root < 0)
        return open(t->name, flags & ~O_NOFOLLOW);
    if (!len)
        return openat(t->root, path, flags);
    if (!t->path || strlen(t->path) != len || memcmp(t->path, path, len))
        if (go_to(t, path, len) < 0)
            return -1;
    return openat(t->dir, slash + 1, flags);
}

int gn_tree_file(struct gn_tree *t, const char *path, int *out, struct gn_err *err)
{
    char shown[GN_SHOWN];
    struct stat st;
    int fd = open_in(t, path);

    if (fd < 0) {
        int e = errno;
        if (e == ENOENT || e == ENOTDIR || e == ELOOP)
            return gn_err_set(err, GN_E_CHANGED, "'%s' is gone or was replaced while it was read",
                              gn_shown(path, shown));
        return gn_err_sys(err, e, "cannot read '%s'", gn_shown(path, shown));
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        gn_fs_close(fd);
        return gn_err_set(err, GN_E_CHANGED, "'%s' is no file any more", gn_shown(path, shown));
    }
    *out = fd;
    return GN_OK;
}
