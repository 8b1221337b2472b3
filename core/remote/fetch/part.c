/* part.c - the temporary that a result is written to until all of it is there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "confine.h"
#include "gnrrun/fs.h"
#include "gnrrun/mem.h"

#define OPEN_FLAGS (O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
#define KEY_BYTES  8

static void short_hash(const char *s, char out[2 * KEY_BYTES + 1])
{
    uint8_t hash[GN_HASH_LEN];

    gn_hash_data(s, strlen(s), hash);
    gn_hex(hash, KEY_BYTES, out);
}

/* 0, or why not; ENOLCK: a network file system without locks; then the check at the commit has to do. */
static int lock(int fd)
{
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_SETLK, &fl) == 0 ? 0 : errno;
}

/* Take over what an earlier try left, if it is a plain file of ours that nobody writes to. */
static int adopt(int dir, const char *name, struct stat *st)
{
    struct stat named;
    int busy, fd = openat(dir, name, OPEN_FLAGS);

    if (fd < 0)
        return -1;
    if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_nlink == 1 &&
        st->st_uid == geteuid() && ((busy = lock(fd)) == 0 || busy == ENOLCK) &&
        fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_ino == st->st_ino)
        return fd;
    gn_fs_close(fd);
    return -1;
}

/* Partial files of other versions of the same result: their time has gone. */
static void sweep(int dir, const char *stem, const char *keep)
{
    int copy = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *e;
    struct stat st;

    if (!d) {
        gn_fs_close(copy);
        return;
    }
    rewinddir(d);
    while ((e = readdir(d)) != NULL) {
        int fd;

        if (strncmp(e->d_name, stem, strlen(stem)) != 0 || strcmp(e->d_name, keep) == 0)
            continue;
        fd = adopt(dir, e->d_name, &st);
        if (fd >= 0)
            unlinkat(dir, e->d_name, 0);
        gn_fs_close(fd);
    }
    closedir(d);
}

static int create(struct gn_part *p, mode_t mode)
{
    int fd = openat(p->dir, p->name, OPEN_FLAGS | O_CREAT | O_EXCL, (mode & 0777) | 0600);

    p->locked = fd >= 0 && lock(fd) == 0;
    return fd;
}

int gn_part_open(const struct gn_confine *c, const char *path, const char *key, const char *what,
                 mode_t mode, struct gn_part *out, struct gn_err *err)
{
    struct gn_part p = GN_PART_INIT;
    char stem[64], version[2 * KEY_BYTES + 1], hex[2 * KEY_BYTES + 1];
    const char *base;
    struct stat st = {0};
    int rc;

    rc = gn_confine_parent(c, path, true, &p.dir, &base, err);
    if (rc)
        return rc;
    short_hash(key, hex);
    snprintf(stem, sizeof stem, "%s%s", GN_PART_PREFIX, hex);
    version[0] = 0;
    if (what)
        short_hash(what, version);
    snprintf(p.name, sizeof p.name, "%s%s%s", stem, what ? "-" : "", version);
    p.resumable = what != NULL;
    p.folder = base > path ? gn_strndup(path, (size_t)(base - 1 - path)) : NULL;
    if (what)
        sweep(p.dir, stem, p.name);

    p.fd = create(&p, mode);
    if (p.fd < 0 && errno == EEXIST) {
        p.fd = adopt(p.dir, p.name, &st);
        if (p.fd >= 0)
            p.have = (uint64_t)st.st_size;
        if (p.fd >= 0 && !what)
            rc = gn_part_restart(&p, err);
    }
    if (p.fd < 0 && !rc) {
        /* Another gnrrun is at it, or it is no file of ours: one with a name nobody has. */
        gn_random_hex(hex, KEY_BYTES);
        snprintf(p.name, sizeof p.name, "%s%s", GN_PART_PREFIX, hex);
        p.resumable = false;
        p.fd = create(&p, mode);
    }
    if (p.fd < 0) {
        rc = gn_err_sys(err, errno, "cannot make a file for a result here");
        p.name[0] = 0;
    }
    if (rc)
        gn_part_close(&p, true);
    else
        *out = p;
    return rc;
}

int gn_part_restart(struct gn_part *p, struct gn_err *err)
{
    if (ftruncate(p->fd, 0) < 0 || lseek(p->fd, 0, SEEK_SET) < 0)
        return gn_err_sys(err, errno, "cannot empty a partial file");
    p->have = 0;
    return GN_OK;
}

void gn_part_close(struct gn_part *p, bool drop)
{
    if (p->fd >= 0 && p->name[0] && (drop || !p->resumable))
        unlinkat(p->dir, p->name, 0);
    gn_fs_close(p->fd);
    gn_fs_close(p->dir);
    free(p->folder);
    *p = (struct gn_part)GN_PART_INIT;
}
