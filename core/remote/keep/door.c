/* SO_PEERCRED is Linux's own. */
#define _GNU_SOURCE
#include "door.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "gnrrun/mem.h"

#define WAITING 64 /* who knocks at once */

#ifdef SO_PEERCRED
static bool is_us(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.uid == geteuid();
}
#else
int getpeereid(int fd, uid_t *uid, gid_t *gid);

static bool is_us(int fd)
{
    uid_t uid;
    gid_t gid;

    return getpeereid(fd, &uid, &gid) == 0 && uid == geteuid();
}
#endif

/* As short as can be: the name of a socket has 107 bytes. */
static char *folder(const struct gn_ctx *ctx)
{
    const char *dir = ctx->env(ctx, "XDG_RUNTIME_DIR");

    if (dir && dir[0] == '/')
        return gn_path_join(dir, "gnrrun");
    return gn_printf("/tmp/gnrrun-%ld", (long)geteuid());
}

/* Nobody else may look into it, let alone have put it there. */
static bool is_ours(const char *dir)
{
    struct stat st;

    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           !(st.st_mode & 077);
}

bool gn_door_is_any(const struct gn_ctx *ctx)
{
    char *dir = folder(ctx);
    bool any = is_ours(dir);

    free(dir);
    return any;
}

/* FNV-1a: the whole way is compared once somebody answers. */
static uint64_t name_of(const char *way)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *way; way++)
        h = (h ^ (unsigned char)*way) * 0x100000001b3u;
    return h;
}

/* The file that runs, as it is now. */
static char *program_of(const struct gn_ctx *ctx)
{
    struct stat st = {0};

    if (!ctx->exe || stat(ctx->exe, &st) < 0)
        return gn_strdup("?");
    return gn_printf("%ju.%ju.%jd.%jd", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
                     (intmax_t)st.st_size, (intmax_t)st.st_mtime);
}

int gn_door_find(const struct gn_ctx *ctx, const char *way, struct gn_door *out, struct gn_err *err)
{
    char *dir = folder(ctx);
    int rc = GN_OK;

    *out = (struct gn_door){0};
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        rc = gn_err_sys(err, errno, "cannot make folder '%s'", dir);
    else if (!is_ours(dir))
        rc = gn_err_set(err, GN_E_AUTH, "'%s' is not a folder that only you can open", dir);
    if (!rc) {
        out->way = gn_strdup(way);
        out->program = program_of(ctx);
        out->place = gn_printf("%s/%016" PRIx64, dir, name_of(way));
        out->lock = gn_printf("%s.lock", out->place);
        out->person = gn_printf("%s.person", out->place);
        out->refusals = gn_printf("%s.refusals", out->place);
        if (strlen(out->place) >= sizeof((struct sockaddr_un *)0)->sun_path)
            rc = gn_err_set(err, GN_E_LIMIT, "'%s' is too long for a socket", out->place);
    }
    if (rc)
        gn_door_clear(out);
    free(dir);
    return rc;
}

void gn_door_clear(struct gn_door *d)
{
    free(d->way);
    free(d->program);
    free(d->place);
    free(d->lock);
    free(d->person);
    free(d->refusals);
    *d = (struct gn_door){0};
}

void gn_door_copy(struct gn_door *to, const struct gn_door *from)
{
    to->way = gn_strdup(from->way);
    to->program = gn_strdup(from->program);
    to->place = gn_strdup(from->place);
    to->lock = gn_strdup(from->lock);
    to->person = gn_strdup(from->person);
    to->refusals = gn_strdup(from->refusals);
}

int gn_door_prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -1;
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int make_socket(const struct gn_door *d, struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(at->sun_path, d->place, strlen(d->place) + 1); /* gn_door_find() looked at its length */
    if (fd >= 0 && gn_door_prepare(fd) == 0)
        return fd;
    gn_fs_close(fd);
    return -1;
}

int gn_door_knock(const struct gn_door *d, int *fd, struct gn_err *err)
{
    struct sockaddr_un at;
    int s = make_socket(d, &at);

    if (s < 0)
        return gn_err_sys(err, errno, "cannot make a socket");
    /* it never waits: a keeper that takes nobody has its queue full, which is as good as none */
    if (connect(s, (const struct sockaddr *)&at, sizeof at) < 0) {
        gn_fs_close(s);
        return gn_err_set(err, GN_E_NOTFOUND, "nobody keeps a connection there");
    }
    if (!is_us(s)) {
        gn_fs_close(s);
        return gn_err_set(err, GN_E_AUTH, "who answers at '%s' is somebody else", d->place);
    }
    *fd = s;
    return GN_OK;
}

bool gn_door_is_held(const struct gn_door *d)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(d->lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool held = fd >= 0 && fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK;

    gn_fs_close(fd);
    return held;
}

int gn_door_hold(const struct gn_door *d, int *fd, struct gn_err *err)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int s = open(d->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), rc;

    if (s < 0)
        return gn_err_sys(err, errno, "cannot open '%s'", d->lock);
    if (fcntl(s, F_SETLK, &l) == 0) {
        *fd = s;
        return GN_OK;
    }
    rc = errno == EACCES || errno == EAGAIN
             ? gn_err_set(err, GN_E_EXISTS, "another keeps that connection")
             : gn_err_sys(err, errno, "cannot lock '%s'", d->lock);
    gn_fs_close(s);
    return rc;
}

int gn_door_make(const struct gn_door *d, int *fd, struct gn_err *err)
{
    struct sockaddr_un at;
    int s = make_socket(d, &at), rc = GN_OK;
    mode_t old;

    if (s < 0)
        return gn_err_sys(err, errno, "cannot make a socket");
    unlink(d->place); /* of one that was killed: the lock is ours */
    old = umask(0177);
    if (bind(s, (const struct sockaddr *)&at, sizeof at) < 0)
        rc = gn_err_sys(err, errno, "cannot make '%s'", d->place);
    umask(old);
    if (rc)
        gn_fs_close(s);
    else
        *fd = s;
    return rc;
}

int gn_door_open(const struct gn_door *d, int fd, struct gn_err *err)
{
    if (listen(fd, WAITING) < 0)
        return gn_err_sys(err, errno, "cannot listen at '%s'", d->place);
    return GN_OK;
}

int gn_door_let_in(int fd)
{
    int s = accept(fd, NULL, NULL);

    if (s < 0)
        return -1;
    if (is_us(s) && gn_door_prepare(s) == 0)
        return s;
    gn_fs_close(s);
    return -1;
}

void gn_door_shut(const struct gn_door *d, int *listening, int *lock)
{
    if (*listening >= 0)
        unlink(d->place); /* before the lock goes: the next one's name is the same */
    gn_fs_close(*listening);
    gn_fs_close(*lock);
    *listening = *lock = -1;
}
