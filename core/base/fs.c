#include "gnrrun/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/hash.h"
#include "gnrrun/mem.h"

char *gn_path_join(const char *dir, const char *name)
{
    if (!*dir || *name == '/')
        return gn_strdup(name);
    return gn_printf("%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
}

const char *gn_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

char *gn_path_tilde(const char *path, const char *home)
{
    if (path[0] == '~' && (path[1] == '/' || !path[1]))
        return gn_printf("%s%s", home, path + 1);
    return gn_strdup(path);
}

int gn_fs_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

void gn_fs_close(int fd)
{
    int saved = errno;

    if (fd >= 0)
        close(fd);
    errno = saved;
}

int gn_fs_read(const char *path, struct gn_buf *out, struct gn_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    int rc = GN_OK;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return gn_err_set(err, GN_E_NOTFOUND, "no file '%s'", path);
    if (fd < 0)
        return gn_err_sys(err, errno, "cannot read '%s'", path);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        rc = gn_err_sys(err, EISDIR, "cannot read '%s'", path);
        goto out;
    }
    for (;;) {
        char probe, *room = out->len < out->max ? gn_buf_room(out, 1) : &probe;
        size_t left = out->max - out->len;
        size_t cap = room == &probe ? 1 : out->cap - out->len - 1;
        ssize_t n = read(fd, room, room == &probe || cap < left ? cap : left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = gn_err_sys(err, errno, "cannot read '%s'", path);
            goto out;
        }
        if (n == 0)
            break;
        if (room == &probe) {
            char max[32];

            rc = gn_err_set(err, GN_E_LIMIT, "'%s' is larger than %s", path,
                            gn_fmt_bytes(out->max, max));
            goto out;
        }
        gn_buf_commit(out, (size_t)n);
    }
out:
    gn_fs_close(fd);
    return rc;
}

/* A new name is durable only once its folder is. */
static int sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir =
        slash ? gn_strndup(path, slash > path ? (size_t)(slash - path) : 1) : gn_strdup(".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || (fsync(fd) < 0 && errno != EINVAL) ? -1 : 0;

    gn_fs_close(fd);
    free(dir);
    return rc;
}

struct gn_draft {
    char *path, *tmp;
    int fd;
    int failed;   /* errno of the first write that did, or 0 */
    bool renamed; /* tmp is no more */
};

int gn_draft_open(const char *path, mode_t mode, struct gn_draft **out, struct gn_err *err)
{
    struct gn_draft *d = gn_new(struct gn_draft);
    char nonce[17];
    int rc;

    gn_random_hex(nonce, 8);
    d->path = gn_strdup(path);
    d->tmp = gn_printf("%s.%s.tmp", path, nonce);
    d->fd = open(d->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (d->fd >= 0) {
        if (fchmod(d->fd, mode) < 0)
            d->failed = errno;
        *out = d;
        return GN_OK;
    }
    rc = gn_err_sys(err, errno, "cannot write '%s'", path);
    free(d->path);
    free(d->tmp);
    free(d);
    return rc;
}

void gn_draft_add(struct gn_draft *d, const void *data, size_t len)
{
    if (!d->failed && gn_fs_write_all(d->fd, data, len) < 0)
        d->failed = errno;
}

int gn_draft_end(struct gn_draft *d, bool sync, struct gn_err *err)
{
    int rc = GN_OK;

    if (!d->failed && sync && fsync(d->fd) < 0)
        d->failed = errno;
    d->renamed = !d->failed && rename(d->tmp, d->path) == 0;
    if (!d->failed && (!d->renamed || (sync && sync_parent(d->path) < 0)))
        d->failed = errno;
    if (d->failed)
        rc = gn_err_sys(err, d->failed, "cannot write '%s'", d->path);
    gn_draft_drop(d);
    return rc;
}

void gn_draft_drop(struct gn_draft *d)
{
    if (!d)
        return;
    gn_fs_close(d->fd);
    if (!d->renamed)
        unlink(d->tmp);
    free(d->path);
    free(d->tmp);
    free(d);
}

int gn_fs_replace(const char *path, const void *data, size_t len, mode_t mode, struct gn_err *err)
{
    struct gn_draft *d = NULL;
    int rc = gn_draft_open(path, mode, &d, err);

    if (rc)
        return rc;
    gn_draft_add(d, data, len);
    return gn_draft_end(d, true, err);
}

bool gn_fs_keep(const char *path, const void *data, size_t len)
{
    char *tmp = gn_printf("%s.%ld", path, (long)getpid());
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = fd >= 0 && gn_fs_write_all(fd, data, len) == 0;

    if (fd >= 0)
        good = close(fd) == 0 && good && rename(tmp, path) == 0;
    if (fd >= 0 && !good)
        unlink(tmp);
    free(tmp);
    return good;
}

int gn_fs_mkdirs(const char *path, mode_t mode, struct gn_err *err)
{
    char *copy = gn_strdup(path);
    int rc = GN_OK;

    for (char *p = copy + 1;; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST && !gn_fs_is_dir(copy)) {
            rc = gn_err_sys(err, errno, "cannot make folder '%s'", copy);
            break;
        }
        *p = c;
        if (!c)
            break;
    }
    if (!rc && !gn_fs_is_dir(path))
        rc = gn_err_sys(err, ENOTDIR, "cannot make folder '%s'", path);
    free(copy);
    return rc;
}

bool gn_fs_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool gn_fs_is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}
