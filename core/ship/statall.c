/*
 * statall.c - look at many files, with several threads: most of a scan is waiting for the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "scan.h"
#include "tree.h"

#define THREADS_MAX 8
#define PER_THREAD  2000 /* fewer are sooner done than a thread is started */

/* A part of the list, and what became of it. */
struct share {
    const struct gn_ctx *ctx;
    int root;
    struct gn_found *v;
    size_t n;
    size_t bad; /* index of the one that failed */
    int failed; /* errno, or 0 */
    bool cancelled;
    pthread_t thread;
};

static size_t dir_len(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) : 0;
}

static int open_dir(int root, const char *path, size_t len)
{
    char dir[GN_PATH_LIMIT];

    if (!len)
        return fcntl(root, F_DUPFD_CLOEXEC, 0);
    memcpy(dir, path, len);
    dir[len] = '\0';
    return openat(root, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Neither the walk nor what is read later trusts this: it only fills in what fstatat says. */
static void *look(void *arg)
{
    struct share *s = arg;
    const char *at = NULL; /* a path in the folder that is open */
    size_t at_len = 0;
    int dir = -1, dir_failed = 0;

    for (size_t i = 0; i < s->n && !s->failed; i++) {
        struct gn_found *f = &s->v[i];
        const char *path = f->e.path;
        size_t len = dir_len(path);
        struct stat st;

        if (!f->later)
            continue;
        if (i % 1024 == 0 && gn_interrupted(s->ctx)) {
            s->cancelled = true;
            break;
        }
        if (!at || at_len != len || memcmp(at, path, len) != 0) {
            gn_fs_close(dir);
            dir = open_dir(s->root, path, len);
            dir_failed = errno;
            at = path;
            at_len = len;
        }
        if (dir >= 0 && fstatat(dir, path + len + (len > 0), &st, AT_SYMLINK_NOFOLLOW) == 0) {
            s->failed = S_ISREG(st.st_mode) ? 0 : ESTALE;
            gn_found_stat(f, &st);
            f->later = false;
        } else {
            int e = dir < 0 ? dir_failed : errno;

            s->failed = e == ENOENT || e == ENOTDIR ? 0 : e;
        }
        s->bad = i;
    }
    gn_fs_close(dir);
    return NULL;
}

static void look_all(struct share *s, size_t n)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (size_t i = 1; i < n; i++)
        if (pthread_create(&s[i].thread, NULL, look, &s[i]) != 0) {
            look(&s[i]);
            s[i].root = -1; /* nobody to wait for */
        }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    look(&s[0]);
    for (size_t i = 1; i < n; i++)
        if (s[i].root >= 0)
            pthread_join(s[i].thread, NULL);
}

static int outcome(const struct share *s, size_t n, struct gn_err *err)
{
    char shown[GN_SHOWN];

    for (size_t i = 0; i < n; i++) {
        const char *path = s[i].n ? gn_shown(s[i].v[s[i].bad].e.path, shown) : "";

        if (s[i].cancelled)
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
        if (s[i].failed == ESTALE)
            return gn_err_set(err, GN_E_CHANGED, "'%s' was replaced while it was looked at", path);
        if (s[i].failed)
            return gn_err_sys(err, s[i].failed, "cannot look at '%s'", path);
    }
    return GN_OK;
}

int gn_walk_stat(const struct gn_ctx *ctx, const char *root, struct gn_walk *w, struct gn_err *err)
{
    struct share s[THREADS_MAX];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = w->n / PER_THREAD, kept = 0, at = 0;
    int fd, rc;

    if (!w->n)
        return GN_OK;
    fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return gn_err_sys(err, errno, "cannot open '%.300s'", root);
    if (cores > 0 && n > (size_t)cores)
        n = (size_t)cores;
    n = n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : n;
    for (size_t i = 0; i < n; i++) {
        size_t end = w->n * (i + 1) / n;

        s[i] = (struct share){.ctx = ctx, .root = fd, .v = w->v + at, .n = end - at};
        at = end;
    }
    look_all(s, n);
    rc = outcome(s, n, err);
    gn_fs_close(fd);
    /* what went between the listing and the look was somebody's temporary file */
    for (size_t i = 0; i < w->n; i++)
        if (!w->v[i].later)
            w->v[kept++] = w->v[i];
    w->n = kept;
    return rc;
}
