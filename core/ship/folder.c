/* folder.c - one folder of a walk: opened, listed, judged by the rules, its files looked at. */
/* d_type is in no standard and everywhere: it saves a look at each folder. */
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "walk.h"

#define MAX_ENTRIES ((size_t)5 << 20)
#define KEPT_MAX    64U           /* folders that are held open for those in them */
#define PIECE       ((size_t)256) /* of files to be looked at, where others help */
#define HELP_FROM   (PIECE * 8)

static int64_t to_ns(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

uint64_t gn_stamp(const struct stat *st)
{
    return ((uint64_t)to_ns(&st->st_ctim) ^ (uint64_t)st->st_ino * 0x9e3779b97f4a7c15) | 1;
}

void gn_entry_stat(struct gn_entry *e, const struct stat *st)
{
    e->mtime_ns = to_ns(&st->st_mtim);
    e->mode = (uint16_t)(st->st_mode & 0777);
    e->size = 0;
    e->blocks = 0;
    if (S_ISREG(st->st_mode)) {
        e->kind = GN_FILE;
        e->size = (uint64_t)st->st_size;
        e->blocks = (uint64_t)st->st_blocks;
    } else if (S_ISDIR(st->st_mode)) {
        /* Without these nobody could put anything into it over there, or remove it. */
        e->mode |= 0700;
        e->kind = GN_DIR;
    } else {
        e->mode = 0777; /* means nothing, and differs between systems */
        e->kind = GN_LINK;
    }
}

static void seen_stat(struct gn_seen *seen, const struct stat *st)
{
    struct gn_entry e;

    gn_entry_stat(&e, st);
    seen->size = e.size;
    seen->mtime_ns = e.mtime_ns;
    seen->blocks = e.blocks & (((uint64_t)1 << 48) - 1);
    seen->stamp = gn_stamp(st);
    seen->mode = e.mode & 07777U;
    seen->kind = e.kind & 3U;
}

/* --- opening ------------------------------------------------------------------------------------ */

void gn_folder_path(struct gn_walker *w, const struct gn_folder *f)
{
    size_t end = f->path_len;

    w->path[end] = '\0';
    for (; f->above; f = f->above) {
        size_t n = end - f->above->path_len - (f->above->path_len > 0);

        memcpy(w->path + end - n, f->name, n);
        end -= n;
        if (end)
            w->path[--end] = '/';
    }
}

void gn_folder_release(struct gn_crew *c, struct gn_folder *f)
{
    if (atomic_fetch_sub(&f->users, 1) != 1)
        return;
    if (f->kept)
        atomic_fetch_sub(&c->n_kept, 1);
    closedir(f->dir);
    f->dir = NULL;
}

static int open_in(int dir, const char *name)
{
    return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* From the root down, name by name, so that no link is followed; -1 with errno: it is not there. */
static int open_again(struct gn_walker *w, const struct gn_folder *f)
{
    char part[GN_PATH_LIMIT];
    int dir = fcntl(dirfd(w->crew->root->dir), F_DUPFD_CLOEXEC, 0);
    struct stat st;

    for (size_t at = 0; dir >= 0 && at < f->path_len;) {
        size_t n = strcspn(w->path + at, "/");
        int next;

        if (n > f->path_len - at)
            n = f->path_len - at;
        memcpy(part, w->path + at, n);
        part[n] = '\0';
        next = open_in(dir, part);
        gn_fs_close(dir);
        dir = next;
        at += n + 1;
    }
    if (dir >= 0 && (fstat(dir, &st) < 0 || st.st_dev != f->dev || st.st_ino != f->ino)) {
        gn_fs_close(dir);
        errno = ESTALE;
        return -1;
    }
    return dir;
}

/* f->dir, in the folder above.  Gone since that was listed: left out. */
static int open_folder(struct gn_walker *w, struct gn_folder *f, struct gn_err *err)
{
    struct gn_folder *above = f->above;
    char shown[GN_SHOWN];
    int dir = above->kept ? dirfd(above->dir) : open_again(w, above);
    int fd = dir < 0 ? -1 : open_in(dir, f->name), e = errno;

    if (above->kept)
        gn_folder_release(w->crew, above);
    else
        gn_fs_close(dir);
    if (dir < 0 && (e == ENOENT || e == ENOTDIR || e == ELOOP || e == ESTALE))
        return gn_err_set(err, GN_E_CHANGED, "'%s' was moved while it was read",
                          gn_shown(w->path, shown));
    if (dir >= 0 && fd < 0 && (e == ENOENT || e == ENOTDIR || e == ELOOP)) {
        f->left_out = true;
        return GN_OK;
    }
    f->dir = fd < 0 ? NULL : fdopendir(fd);
    if (f->dir)
        return GN_OK;
    e = fd < 0 ? e : errno;
    gn_fs_close(fd);
    return gn_err_sys(err, e, "cannot open '%s'", gn_shown(w->path, shown));
}

/* --- listing ------------------------------------------------------------------------------------ */

static void add_name(struct gn_walker *w, const char *name, uint8_t type)
{
    size_t len = strlen(name);

    GN_GROW(w->names, w->n_names, w->cap_names);
    w->names[w->n_names++] =
        (struct gn_name){.at = (uint32_t)w->text.len, .len = (uint16_t)len, .type = type};
    gn_buf_add(&w->text, name, len + 1);
}

/* All names of the folder, sorted, and its files of rules.  An environment is left out. */
static int list(struct gn_walker *w, struct gn_folder *f, unsigned *rules, struct gn_err *err)
{
    char shown[GN_SHOWN];
    struct dirent *d;

    w->n_names = 0;
    gn_buf_reset(&w->text);
    while ((errno = 0, d = readdir(f->dir)) != NULL) {
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        if (w->n_names == MAX_ENTRIES)
            return gn_err_set(err, GN_E_LIMIT, "too many files in '%s'", gn_shown(w->path, shown));
        add_name(w, d->d_name, d->d_type);
        *rules |= gn_rules_file(d->d_name);
        if (f->above && gn_rules_is_environment(f->rules, w->path, d->d_name))
            f->left_out = true;
    }
    if (errno)
        return gn_err_sys(err, errno, "cannot list '%s'", gn_shown(w->path, shown));
    gn_buf_add(&w->text, "\0\0\0\0\0\0\0", 8); /* for names.c */
    if (w->cap_spare < w->cap_names) {
        w->cap_spare = w->cap_names;
        w->spare = gn_realloc(w->spare, w->cap_spare, sizeof *w->spare);
    }
    gn_names_sort(w->names, w->spare, w->n_names, w->text.ptr);
    return GN_OK;
}

/* Append name to the folder's path. */
static int set_name(struct gn_walker *w, const struct gn_folder *f, const char *name, size_t len,
                    struct gn_err *err)
{
    char shown[GN_SHOWN];
    size_t at = f->path_len;

    if (at + len + 2 > sizeof w->path) {
        w->path[at] = '\0';
        return gn_err_set(err, GN_E_LIMIT, "path too long: '%s/...'", gn_shown(w->path, shown));
    }
    if (at)
        w->path[at++] = '/';
    memcpy(w->path + at, name, len + 1);
    return GN_OK;
}

static struct gn_seen *keep(struct gn_walker *w, const char *path)
{
    GN_GROW(w->seen, w->n_seen, w->cap_seen);
    w->seen[w->n_seen] = (struct gn_seen){.path = path};
    return &w->seen[w->n_seen++];
}

static int keep_link(struct gn_walker *w, const struct gn_folder *f, const char *name,
                     const struct stat *st, struct gn_err *err)
{
    char target[GN_PATH_LIMIT], shown[GN_SHOWN], *path;
    size_t len = strlen(w->path);
    ssize_t n = readlinkat(dirfd(f->dir), name, target, sizeof target);

    if (n <= 0 || (size_t)n == sizeof target)
        return gn_err_set(err, GN_E_CHANGED, "cannot read the symbolic link '%s'",
                          gn_shown(w->path, shown));
    path = gn_arena_room(w->strings, len + (size_t)n + 2);
    memcpy(path, w->path, len + 1);
    memcpy(path + len + 1, target, (size_t)n);
    path[len + 1 + (size_t)n] = '\0';
    seen_stat(keep(w, path), st);
    return GN_OK;
}

static void note_odd(struct gn_walker *w)
{
    pthread_mutex_lock(&w->crew->lock);
    gn_strs_add(&w->crew->odd, w->path);
    pthread_mutex_unlock(&w->crew->lock);
}

static bool is_out(const struct gn_walker *w, const struct gn_folder *f, const char *name,
                   size_t len, bool is_dir)
{
    const struct gn_strs *skip = w->crew->scan->opts->skip;

    return (skip && skip->n && gn_is_skipped(skip, w->path)) ||
           gn_rules_ignore(f->rules, w->path, name, len, is_dir);
}

/*
 * Where the list tells that it is a file it is looked at later, maybe by another thread, and a folder
 * when it is opened; all others at once.
 */
static int judge(struct gn_walker *w, struct gn_folder *f, const struct gn_name *n,
                 struct gn_err *err)
{
    const char *name = w->text.ptr + n->at;
    char shown[GN_SHOWN];
    struct stat st = {.st_mode = n->type == DT_DIR ? S_IFDIR : S_IFREG};
    bool now = n->type != DT_REG && n->type != DT_DIR;
    struct gn_seen *seen;
    int rc = set_name(w, f, name, n->len, err);

    if (rc)
        return rc;
    if (now && fstatat(dirfd(f->dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return GN_OK; /* somebody's temporary file */
        return gn_err_sys(err, errno, "cannot look at '%s'", gn_shown(w->path, shown));
    }
    if (is_out(w, f, name, n->len, S_ISDIR(st.st_mode)))
        return GN_OK;
    if (S_ISLNK(st.st_mode))
        return keep_link(w, f, name, &st, err);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
        note_odd(w);
        return GN_OK;
    }
    seen = keep(w, gn_arena_add(w->strings, w->path, f->path_len + (f->path_len > 0) + n->len));
    seen->kind = S_ISDIR(st.st_mode) ? GN_DIR : GN_FILE;
    seen->later = n->type == DT_REG;
    if (seen->kind == GN_FILE && now)
        seen_stat(seen, &st);
    return GN_OK;
}

/* --- what is in it ------------------------------------------------------------------------------ */

static int count_names(struct gn_walker *w, size_t n, struct gn_err *err)
{
    struct gn_crew *c = w->crew;

    if (atomic_fetch_add(&c->n_listed, n) + n <= MAX_ENTRIES)
        return GN_OK;
    gn_err_set(err, GN_E_LIMIT, "more than %zu files in '%.300s'", MAX_ENTRIES,
               c->scan->opts->root);
    return gn_err_hint(err, "name folders of data under `data:` in gnrrun.yaml, or ignore them");
}

/* What was kept becomes the folder's, and the folders in it a list; how many those are. */
static size_t settle(struct gn_walker *w, struct gn_folder *f, struct gn_folder **subs)
{
    size_t n_subs = 0;

    f->n = w->n_seen;
    f->v = gn_arena_items(w->arena, f->n, sizeof *f->v);
    if (f->n)
        memcpy(f->v, w->seen, f->n * sizeof *f->v);
    for (size_t i = 0; i < f->n; i++) {
        const char *name = f->v[i].path + f->path_len + (f->path_len > 0);
        struct gn_folder *sub;

        if (f->v[i].kind != GN_DIR)
            continue;
        sub = gn_arena_items(w->arena, 1, sizeof *sub);
        *sub = (struct gn_folder){.above = f,
                                  .name = name,
                                  .path_len = f->path_len + (f->path_len > 0) + strlen(name),
                                  .is_hidden = f->is_hidden || *name == '.',
                                  .older = *subs,
                                  .rules = gn_rules_stay(f->rules)};
        f->v[i].sub = sub;
        *subs = sub;
        n_subs++;
    }
    atomic_init(&f->total, f->n - n_subs);
    return n_subs;
}

void gn_folder_of_one(struct gn_walker *w, struct gn_folder *f, const char *name,
                      const struct stat *st)
{
    struct gn_folder *none = NULL;

    seen_stat(keep(w, gn_arena_add(w->strings, name, strlen(name))), st);
    settle(w, f, &none);
}

static int look_at(struct gn_folder *f, struct gn_seen *seen, struct gn_err *err)
{
    const char *name = seen->path + f->path_len + (f->path_len > 0);
    char shown[GN_SHOWN];
    struct stat st;

    if (fstatat(dirfd(f->dir), name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        seen_stat(seen, &st);
        if (S_ISREG(st.st_mode))
            return GN_OK;
        return gn_err_set(err, GN_E_CHANGED, "'%s' was replaced while it was looked at",
                          gn_shown(seen->path, shown));
    }
    if (errno != ENOENT)
        return gn_err_sys(err, errno, "cannot look at '%s'", gn_shown(seen->path, shown));
    seen->gone = true;
    atomic_fetch_sub(&f->total, 1);
    return GN_OK;
}

/* As many as others leave to this thread. */
static int look_at_files(struct gn_walker *w, struct gn_folder *f, struct gn_err *err)
{
    size_t at;
    int rc = GN_OK;

    while (!rc && (at = atomic_fetch_add(&f->next, PIECE)) < f->n) {
        size_t end = f->n - at < PIECE ? f->n : at + PIECE;

        if (gn_interrupted(w->crew->scan->ctx))
            return gn_err_set(err, GN_E_CANCEL, "interrupted");
        for (; at < end && !rc; at++)
            if (f->v[at].later)
                rc = look_at(f, &f->v[at], err);
    }
    return rc;
}

/* Who else will use f->dir is counted before anybody hears of it. */
static int read_open(struct gn_walker *w, struct gn_folder *f, struct gn_err *err)
{
    struct gn_folder *subs = NULL;
    size_t n_subs = settle(w, f, &subs);
    unsigned helps = f->n >= HELP_FROM ? (unsigned)w->crew->n - 1 : 0;
    int rc;

    if (f->above && n_subs && atomic_fetch_add(&w->crew->n_kept, 1) < KEPT_MAX)
        f->kept = true;
    else if (f->above && n_subs)
        atomic_fetch_sub(&w->crew->n_kept, 1);
    atomic_fetch_add(&f->users, helps + (f->kept ? (unsigned)n_subs : 0));
    if (subs)
        gn_crew_add_folders(w, subs);
    if (helps)
        gn_crew_add(w, (struct gn_task){f, true}, helps);
    rc = look_at_files(w, f, err);
    gn_folder_release(w->crew, f);
    return rc;
}

static int enter(struct gn_walker *w, struct gn_folder *f, unsigned files, struct gn_err *err)
{
    struct gn_rules *here = NULL;
    int rc = gn_rules_enter(f->rules, dirfd(f->dir), w->path, files, &here, err);

    if (rc)
        return rc;
    gn_rules_leave(f->rules);
    f->rules = here;
    return GN_OK;
}

/* A folder that changes while it is listed may tell a name twice. */
static bool is_same_name(const struct gn_walker *w, const struct gn_name *a,
                         const struct gn_name *b)
{
    return a->len == b->len && memcmp(w->text.ptr + a->at, w->text.ptr + b->at, a->len) == 0;
}

static int list_open(struct gn_walker *w, struct gn_folder *f, struct gn_err *err)
{
    unsigned files = 0;
    struct stat st;
    int rc;

    if (fstat(dirfd(f->dir), &st) < 0)
        return gn_err_sys(err, errno, "cannot look at a folder");
    f->dev = st.st_dev;
    f->ino = st.st_ino;
    f->mtime_ns = to_ns(&st.st_mtim);
    f->mode = (uint16_t)((st.st_mode & 0777) | 0700);
    w->n_seen = 0;
    rc = list(w, f, &files, err);
    if (rc || f->left_out)
        return rc;
    rc = enter(w, f, files, err);
    for (size_t i = 0; i < w->n_names && !rc; i++)
        if (!i || !is_same_name(w, &w->names[i], &w->names[i - 1]))
            rc = judge(w, f, &w->names[i], err);
    return rc ? rc : count_names(w, w->n_seen, err);
}

int gn_folder_read(struct gn_walker *w, struct gn_task t, struct gn_err *err)
{
    struct gn_folder *f = t.f;
    int rc = GN_OK;

    if (gn_interrupted(w->crew->scan->ctx))
        return gn_err_set(err, GN_E_CANCEL, "interrupted");
    if (t.help) {
        rc = look_at_files(w, f, err);
        gn_folder_release(w->crew, f);
        return rc;
    }
    gn_folder_path(w, f);
    if (f->above) {
        rc = open_folder(w, f, err);
        if (rc || f->left_out)
            return rc;
        atomic_store(&f->users, 1);
    }
    rc = list_open(w, f, err);
    if (rc)
        return rc;
    if (f->left_out) {
        gn_folder_release(w->crew, f);
        return GN_OK;
    }
    rc = read_open(w, f, err);
    gn_rules_leave(f->rules);
    f->rules = NULL;
    return rc;
}
