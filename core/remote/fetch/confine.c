/* confine.c - walks below one folder by descriptor; see confine.h for what it keeps. */
#define _GNU_SOURCE /* renameat2() */
#include "near.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"
#include "gnrrun/ship.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct gn_confine {
    int fd;
    char *dir; /* for messages */
    struct gn_near *near;
};

int gn_confine_open(const char *dir, struct gn_confine **out, struct gn_err *err)
{
    int rc = gn_fs_mkdirs(dir, 0777, err);
    int fd;

    if (rc)
        return rc;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return gn_err_sys(err, errno, "cannot open folder '%s'", dir);
    *out = gn_new(struct gn_confine);
    (*out)->fd = fd;
    (*out)->dir = gn_strdup(dir);
    (*out)->near = gn_new(struct gn_near);
    (*out)->near->fd = -1;
    return GN_OK;
}

void gn_confine_free(struct gn_confine *c)
{
    if (!c)
        return;
    gn_fs_close(c->fd);
    gn_fs_close(c->near->fd);
    free(c->near);
    free(c->dir);
    free(c);
}

/* An error about a path that the far side chose. */
static int path_err(struct gn_err *err, int sys_errno, const char *what, const char *path)
{
    struct gn_buf safe = GN_BUF_INIT(1024);
    int rc;

    gn_buf_addsafe(&safe, path, strlen(path), 300);
    rc = gn_err_sys(err, sys_errno, "cannot %s '%s'", what, safe.ptr);
    gn_buf_clear(&safe);
    if (sys_errno == ENOENT)
        rc = err->code = GN_E_NOTFOUND;
    /* Linux says ENOTDIR, others ELOOP (FreeBSD EMLINK), for a symlink in place of a folder. */
    if (sys_errno == ENOTDIR || sys_errno == ELOOP || sys_errno == EEXIST || sys_errno == EMLINK)
        rc = err->code = GN_E_EXISTS;
    return rc;
}

static int enter(int dir, const char *name, bool make)
{
    int fd = openat(dir, name, DIR_FLAGS);

    if (fd >= 0 || errno != ENOENT || !make)
        return fd;
    if (mkdirat(dir, name, 0777) < 0 && errno != EEXIST)
        return -1;
    return openat(dir, name, DIR_FLAGS);
}

int gn_confine_parent(const struct gn_confine *c, const char *path, bool make, int *fd,
                      const char **base, struct gn_err *err)
{
    const char *why = gn_confine_refuses(path, strlen(path));
    const char *from = path, *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) : 0;
    char name[NAME_MAX + 1];
    int dir, next;

    if (why)
        return gn_err_set(err, GN_E_BUG, "a path that must not be written: %s", why);
    if (make)
        gn_near_forget_gone(c->near);
    dir = folder && gn_near_is(c->near, c->fd, path, folder)
              ? fcntl(c->near->fd, F_DUPFD_CLOEXEC, 0)
              : -1;
    if (dir >= 0) {
        *fd = dir;
        *base = slash + 1;
        return GN_OK;
    }
    dir = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
    if (dir < 0)
        return gn_err_sys(err, errno, "cannot open folder '%s'", c->dir);
    while ((slash = strchr(from, '/')) != NULL) {
        size_t len = (size_t)(slash - from);

        next = -1;
        if (len < sizeof name) {
            memcpy(name, from, len);
            name[len] = 0;
            next = enter(dir, name, make);
        } else {
            errno = ENAMETOOLONG;
        }
        if (next < 0) {
            int rc = path_err(err, errno, "enter the folder of", path);

            if (rc == GN_E_NOTFOUND)
                gn_near_note_gone(c->near, path, (size_t)(slash - path));
            gn_fs_close(dir);
            return rc;
        }
        gn_fs_close(dir);
        dir = next;
        from = slash + 1;
    }
    if (folder)
        gn_near_note(c->near, path, folder, dir);
    *fd = dir;
    *base = from;
    return GN_OK;
}

static int look_in(int dir, const char *base, const char *path, struct gn_spot *out,
                   struct gn_err *err)
{
    if (fstatat(dir, base, &out->st, AT_SYMLINK_NOFOLLOW) < 0) {
        out->kind = GN_SPOT_NOTHING;
        return errno == ENOENT ? GN_OK : path_err(err, errno, "look at", path);
    }
    if (S_ISREG(out->st.st_mode))
        out->kind = GN_SPOT_FILE;
    else if (S_ISDIR(out->st.st_mode))
        out->kind = GN_SPOT_DIR;
    else if (S_ISLNK(out->st.st_mode))
        out->kind = GN_SPOT_LINK;
    else
        out->kind = GN_SPOT_OTHER;
    return GN_OK;
}

int gn_confine_look(const struct gn_confine *c, const char *path, struct gn_spot *out,
                    struct gn_err *err)
{
    const char *base = strrchr(path, '/');
    int dir, rc;

    memset(out, 0, sizeof *out);
    if (gn_near_is_gone(c->near, path)) /* what must not be written is never noted as such */
        return GN_OK;
    if (base && !gn_confine_refuses(path, strlen(path)) &&
        gn_near_is(c->near, c->fd, path, (size_t)(base - path)))
        return look_in(c->near->fd, base + 1, path, out, err);
    rc = gn_confine_parent(c, path, false, &dir, &base, err);
    if (rc == GN_E_NOTFOUND || rc == GN_E_EXISTS) {
        out->kind = rc == GN_E_EXISTS ? GN_SPOT_BLOCKED : GN_SPOT_NOTHING;
        gn_err_clear(err);
        return GN_OK;
    }
    if (rc)
        return rc;
    rc = look_in(dir, base, path, out, err);
    gn_fs_close(dir);
    return rc;
}

bool gn_confine_same_stat(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mode == b->st_mode &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int read_sums(int fd, uint64_t size, struct gn_sums *out, const struct gn_ctx *ctx,
                     struct gn_err *err)
{
    struct gn_block_hash *blocks = size >= GN_LARGE ? gn_block_hash_new(size) : NULL;
    struct gn_hash *hash = gn_hash_new();
    struct gn_cksum sum = {0};
    size_t cap = 1 << 16;
    char *buf = gn_calloc(1, cap);
    int rc = GN_OK;
    ssize_t n;

    while ((n = read(fd, buf, cap)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = gn_err_sys(err, errno, "cannot read a file here");
            goto out;
        }
        if (gn_interrupted(ctx)) {
            rc = gn_err_set(err, GN_E_CANCEL, "interrupted");
            goto out;
        }
        gn_hash_add(hash, buf, (size_t)n);
        gn_cksum_add(&sum, buf, (size_t)n);
        if (blocks)
            gn_block_hash_add(blocks, buf, (size_t)n);
    }
    out->len = sum.len;
    out->crc = gn_cksum_end(&sum);
    gn_hash_end(hash, out->sha);
    if (blocks)
        gn_block_hash_end(blocks, out->blocks);
out:
    gn_block_hash_free(blocks);
    gn_hash_free(hash);
    free(buf);
    return rc;
}

int gn_confine_sums(const struct gn_confine *c, const char *path, struct gn_sums *out,
                    struct stat *st, const struct gn_ctx *ctx, struct gn_err *err)
{
    const char *base;
    int dir, fd, rc;

    rc = gn_confine_parent(c, path, false, &dir, &base, err);
    if (rc)
        return rc;
    /* O_NONBLOCK: what was a file a moment ago may be a FIFO now. */
    fd = openat(dir, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        rc = path_err(err, errno, "read", path);
    else if (fstat(fd, st) < 0)
        rc = path_err(err, errno, "read", path);
    else if (!S_ISREG(st->st_mode))
        rc = path_err(err, EEXIST, "read", path);
    else
        rc = read_sums(fd, (uint64_t)st->st_size, out, ctx, err);
    gn_fs_close(fd);
    gn_fs_close(dir);
    return rc;
}

int gn_confine_mkdirs(const struct gn_confine *c, const char *path, struct gn_err *err)
{
    const char *base;
    int dir, fd, rc;

    rc = gn_confine_parent(c, path, true, &dir, &base, err);
    if (rc)
        return rc;
    fd = enter(dir, base, true);
    if (fd < 0)
        rc = path_err(err, errno, "make folder", path);
    gn_fs_close(fd);
    gn_fs_close(dir);
    return rc;
}

int gn_confine_readlink(const struct gn_confine *c, const char *path, char *out, size_t cap,
                        struct gn_err *err)
{
    const char *base;
    ssize_t n;
    int dir, rc;

    rc = gn_confine_parent(c, path, false, &dir, &base, err);
    if (rc)
        return rc;
    n = readlinkat(dir, base, out, cap - 1);
    if (n < 0)
        rc = path_err(err, errno == EINVAL ? EEXIST : errno, "read link", path);
    else
        out[n] = 0;
    gn_fs_close(dir);
    return rc;
}

/* The thing at dir/base is still the one that was looked at. */
static int still(int dir, const char *base, const struct stat *was, const char *path,
                 struct gn_err *err)
{
    struct stat now;

    if (fstatat(dir, base, &now, AT_SYMLINK_NOFOLLOW) == 0 && gn_confine_same_stat(&now, was))
        return GN_OK;
    path_err(err, EBUSY, "replace", path);
    return err->code = GN_E_CHANGED;
}

int gn_confine_remove(const struct gn_confine *c, const char *path, const struct stat *was,
                      struct gn_err *err)
{
    const char *base;
    int dir, rc = gn_confine_parent(c, path, false, &dir, &base, err);

    if (rc)
        return rc;
    rc = still(dir, base, was, path, err);
    if (!rc && unlinkat(dir, base, 0) < 0)
        rc = path_err(err, errno, "remove", path);
    gn_fs_close(dir);
    return rc;
}

int gn_confine_link(const struct gn_confine *c, const char *path, const char *target,
                    const struct stat *was, struct gn_err *err)
{
    char tmp[64] = GN_PART_PREFIX;
    const char *base;
    int dir, rc;

    rc = gn_confine_parent(c, path, true, &dir, &base, err);
    if (rc)
        return rc;
    if (!was) {
        if (symlinkat(target, dir, base) < 0)
            rc = path_err(err, errno, "make link", path);
        goto out;
    }
    gn_random_hex(tmp + strlen(tmp), 8);
    if (symlinkat(target, dir, tmp) < 0) {
        rc = path_err(err, errno, "make link", path);
        goto out;
    }
    rc = still(dir, base, was, path, err);
    if (!rc && renameat(dir, tmp, dir, base) < 0)
        rc = path_err(err, errno, "make link", path);
    if (rc)
        unlinkat(dir, tmp, 0);
out:
    gn_fs_close(dir);
    return rc;
}

/* Linux moves without replacing in one step; ENOSYS elsewhere, EINVAL where the file system cannot. */
#if defined(__linux__) && defined(RENAME_NOREPLACE)
static int move_new(int from_dir, const char *from, int to_dir, const char *to)
{
    return renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE);
}
#else
static int move_new(int from_dir, const char *from, int to_dir, const char *to)
{
    (void)from_dir;
    (void)from;
    (void)to_dir;
    (void)to;
    errno = ENOSYS;
    return -1;
}
#endif

/* Move without ever replacing.  A file system that knows no links gets a look first: a window
 * of microseconds there, none elsewhere. */
static int name_new(int from_dir, const char *from, int to_dir, const char *to, bool keep_old)
{
    struct stat st;

    if (!keep_old) {
        if (move_new(from_dir, from, to_dir, to) == 0)
            return 0;
        if (errno != ENOSYS && errno != EINVAL)
            return -1;
    }
    if (linkat(from_dir, from, to_dir, to, 0) == 0) {
        if (!keep_old)
            unlinkat(from_dir, from, 0);
        return 0;
    }
    if (errno != EPERM && errno != ENOTSUP && errno != EOPNOTSUPP && errno != ENOSYS &&
        errno != EMLINK)
        return -1;
    if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
        errno = EEXIST;
    else if (errno == ENOENT)
        return renameat(from_dir, from, to_dir, to);
    return -1;
}

int gn_confine_keep(const struct gn_confine *c, const char *path, const char *keep,
                    const struct stat *was, struct gn_err *err)
{
    const char *from, *to;
    int from_dir = -1, to_dir = -1, rc;

    rc = gn_confine_parent(c, path, false, &from_dir, &from, err);
    if (!rc)
        rc = gn_confine_parent(c, keep, true, &to_dir, &to, err);
    if (!rc)
        rc = still(from_dir, from, was, path, err);
    if (!rc && name_new(from_dir, from, to_dir, to, true) < 0)
        rc = path_err(err, errno, "keep the earlier", path);
    gn_fs_close(from_dir);
    gn_fs_close(to_dir);
    return rc;
}

/*
 * Whoever took our temporary's name away must not have his bytes committed as ours.  A new file
 * that is locked lies where no other gnrrun takes it up.
 */
static bool is_ours(const struct gn_part *p)
{
    struct stat mine, named;

    return (p->locked && !p->resumable) ||
           (fstat(p->fd, &mine) == 0 &&
            fstatat(p->dir, p->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
            mine.st_ino == named.st_ino && mine.st_dev == named.st_dev);
}

int gn_part_commit(const struct gn_confine *c, struct gn_part *p, const char *path,
                   const struct stat *was, struct gn_err *err)
{
    const char *base;
    int dir = -1, rc = GN_OK;

    /* A small file was begun a moment ago, and most often in this very folder. */
    base = strrchr(path, '/');
    if (!p->resumable && base && p->folder && strlen(p->folder) == (size_t)(base - path) &&
        memcmp(p->folder, path, (size_t)(base - path)) == 0) {
        dir = p->dir;
        base++;
    } else {
        rc = gn_confine_parent(c, path, true, &dir, &base, err);
    }
    if (rc)
        return rc;
    if (!is_ours(p)) {
        path_err(err, EBUSY, "finish", path);
        rc = err->code = GN_E_CHANGED;
    } else if (was) {
        rc = still(dir, base, was, path, err);
        if (!rc && renameat(p->dir, p->name, dir, base) < 0)
            rc = path_err(err, errno, "replace", path);
    } else if (name_new(p->dir, p->name, dir, base, false) < 0) {
        rc = path_err(err, errno, "put", path);
    }
    if (dir != p->dir)
        gn_fs_close(dir);
    if (!rc) {
        p->name[0] = 0;
        gn_part_close(p, false);
    }
    return rc;
}
