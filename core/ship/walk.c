/* d_type is in no standard and everywhere: it saves a look at each file. */
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "scan.h"
#include "tree.h"

#define MAX_ENTRIES ((size_t)5 << 20)

/* A folder that is being walked: the folders in it that are still to come. */
struct frame {
    struct gn_strs subs;
    size_t next;
    size_t path_len; /* of the folder's own path */
    dev_t dev;
    ino_t ino;
};

struct walker {
    const struct gn_ctx *ctx;
    const struct gn_scan_opts *opts;
    struct gn_rules *rules;
    struct gn_walk *out;
    struct frame *stack;
    size_t depth, cap;
    DIR *dir; /* of the top frame: one descriptor, however deep the tree is */
    char path[GN_PATH_LIMIT];
    size_t path_len;
    struct gn_strs names; /* of the folder that is being read, */
    struct gn_buf types;  /* and what readdir says of each */
};

static int64_t to_ns(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static uint64_t stamp_of(uint64_t ino, int64_t ctime_ns)
{
    return ((uint64_t)ctime_ns ^ ino * 0x9e3779b97f4a7c15) | 1;
}

uint64_t gn_stamp(const struct stat *st)
{
    return stamp_of(st->st_ino, to_ns(&st->st_ctim));
}

uint64_t gn_found_stamp(const struct gn_found *f)
{
    return stamp_of(f->ino, f->ctime_ns);
}

void gn_found_stat(struct gn_found *f, const struct stat *st)
{
    f->e.mtime_ns = to_ns(&st->st_mtim);
    f->ctime_ns = to_ns(&st->st_ctim);
    f->ino = st->st_ino;
    f->e.mode = (uint16_t)(st->st_mode & 0777);
    f->e.size = 0;
    f->e.blocks = 0;
    if (S_ISREG(st->st_mode)) {
        f->e.kind = GN_FILE;
        f->e.size = (uint64_t)st->st_size;
        f->e.blocks = (uint64_t)st->st_blocks;
    } else if (S_ISDIR(st->st_mode)) {
        /* Without these nobody could put anything into it over there, or remove it. */
        f->e.mode |= 0700;
        f->e.kind = GN_DIR;
    } else {
        f->e.mode = 0777; /* means nothing, and differs between systems */
        f->e.kind = GN_LINK;
    }
}

/* pattern against path and every folder above it. */
static bool matches_or_above(const char *path, bool (*matches)(const char *, bool, const char *),
                             const char *pattern)
{
    char part[GN_PATH_LIMIT];
    size_t len = strlen(path);

    if (len >= sizeof part)
        return false;
    memcpy(part, path, len + 1);
    for (bool is_dir = false;; is_dir = true) {
        char *slash = strrchr(part, '/');

        if (matches(part, is_dir, pattern))
            return true;
        if (!slash)
            return false;
        *slash = '\0';
    }
}

static bool is_path(const char *path, bool is_dir, const char *skipped)
{
    size_t n;

    (void)is_dir;
    while (!strncmp(skipped, "./", 2))
        skipped += 2;
    n = strlen(skipped);
    while (n && skipped[n - 1] == '/')
        n--;
    return n && strlen(path) == n && !memcmp(path, skipped, n);
}

static bool is_pattern(const char *path, bool is_dir, const char *pattern)
{
    return gn_glob_match(pattern, path, is_dir);
}

bool gn_is_skipped(const struct gn_strs *skip, const char *path)
{
    for (size_t i = 0; skip && i < skip->n; i++)
        if (matches_or_above(path, is_path, skip->v[i]))
            return true;
    return false;
}

bool gn_is_allowed(const struct gn_strs *allow, const char *path)
{
    for (size_t i = 0; allow && i < allow->n; i++)
        if (matches_or_above(path, is_pattern, allow->v[i]))
            return true;
    return false;
}

static struct gn_found *add_found(struct walker *w, const struct stat *st, struct gn_err *err)
{
    struct gn_walk *out = w->out;
    struct gn_found *f;

    if (out->n == MAX_ENTRIES) {
        gn_err_set(err, GN_E_LIMIT, "more than %zu files in '%.300s'", MAX_ENTRIES, w->opts->root);
        gn_err_hint(err, "name folders of data under `data:` in gnrrun.yaml, or ignore them");
        return NULL;
    }
    GN_GROW(out->v, out->n, out->cap);
    f = &out->v[out->n++];
    *f = (struct gn_found){.later = !st};
    if (st)
        gn_found_stat(f, st);
    f->e.path = gn_arena_add(out->arena, w->path, w->path_len);
    return f;
}

static int add_link(struct walker *w, const char *name, const struct stat *st, struct gn_err *err)
{
    char target[GN_PATH_LIMIT], shown[GN_SHOWN];
    ssize_t n = readlinkat(dirfd(w->dir), name, target, sizeof target);
    struct gn_found *f;

    if (n <= 0 || (size_t)n == sizeof target)
        return gn_err_set(err, GN_E_CHANGED, "cannot read the symbolic link '%s'",
                          gn_shown(w->path, shown));
    f = add_found(w, st, err);
    if (!f)
        return err->code;
    f->e.link = gn_arena_add(w->out->arena, target, (size_t)n);
    return GN_OK;
}

/* Set w->path to the folder's path and name. */
static int set_name(struct walker *w, size_t dir_len, const char *name, struct gn_err *err)
{
    char shown[GN_SHOWN];
    size_t n = strlen(name), at = dir_len;

    if (dir_len + n + 2 > sizeof w->path) {
        w->path[dir_len] = '\0';
        return gn_err_set(err, GN_E_LIMIT, "path too long: '%s/...'", gn_shown(w->path, shown));
    }
    if (at)
        w->path[at++] = '/';
    memcpy(w->path + at, name, n + 1);
    w->path_len = at + n;
    return GN_OK;
}

/*
 * Where readdir tells that it is a file, it is looked at later, by several threads (statall.c), and a
 * folder when it is opened.  *now: it has to be looked at in any case.
 */
static int look_by_type(struct walker *w, struct frame *top, const char *name, char type, bool *now,
                        struct gn_err *err)
{
    struct gn_verdict v;
    struct gn_found *f;

    *now = type != DT_REG && type != DT_DIR;
    if (*now || gn_is_skipped(w->opts->skip, w->path))
        return GN_OK;
    gn_rules_match(w->rules, w->path, type == DT_DIR, &v);
    if (v.ignored)
        return GN_OK;
    if (type == DT_DIR) {
        gn_strs_add(&top->subs, name);
        return GN_OK;
    }
    f = add_found(w, NULL, err);
    return f ? GN_OK : err->code;
}

static int look_at(struct walker *w, struct frame *top, const char *name, char type,
                   struct gn_err *err)
{
    char shown[GN_SHOWN];
    struct gn_verdict v;
    struct stat st;
    bool now;
    int rc = set_name(w, top->path_len, name, err);

    if (!rc)
        rc = look_by_type(w, top, name, type, &now, err);
    if (rc || !now)
        return rc;
    if (fstatat(dirfd(w->dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return GN_OK; /* somebody's temporary file */
        return gn_err_sys(err, errno, "cannot look at '%s'", gn_shown(w->path, shown));
    }
    if (gn_is_skipped(w->opts->skip, w->path))
        return GN_OK;
    gn_rules_match(w->rules, w->path, S_ISDIR(st.st_mode), &v);
    if (v.ignored)
        return GN_OK;
    if (S_ISDIR(st.st_mode))
        gn_strs_add(&top->subs, name);
    else if (S_ISREG(st.st_mode))
        return add_found(w, &st, err) ? GN_OK : err->code;
    else if (S_ISLNK(st.st_mode))
        return add_link(w, name, &st, err);
    else
        gn_event_text(w->ctx, GN_EV_WARN, "'%s' is a socket, FIFO or device: left out",
                      gn_shown(w->path, shown));
    return GN_OK;
}

/* All names of the folder.  *is_env: it is an environment, to be left out. */
static int list(struct walker *w, bool *is_env, struct gn_err *err)
{
    struct gn_strs *names = &w->names;
    char shown[GN_SHOWN];
    struct dirent *d;

    while ((errno = 0, d = readdir(w->dir)) != NULL) {
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        if (names->n == MAX_ENTRIES)
            return gn_err_set(err, GN_E_LIMIT, "too many files in '%s'", gn_shown(w->path, shown));
        gn_strs_add(names, d->d_name);
        gn_buf_addc(&w->types, (char)d->d_type);
        if (w->depth > 1 && gn_rules_is_environment(w->rules, w->path, d->d_name))
            *is_env = true;
    }
    if (errno)
        return gn_err_sys(err, errno, "cannot list '%s'", gn_shown(w->path, shown));
    return GN_OK;
}

/* The folder of the top frame is open and w->path its path: take in what it holds. */
static int read_folder(struct walker *w, struct gn_err *err)
{
    struct frame *top = &w->stack[w->depth - 1];
    struct stat st;
    bool is_env = false;
    int rc = GN_OK;

    if (gn_interrupted(w->ctx))
        return gn_err_set(err, GN_E_CANCEL, "interrupted");
    if (fstat(dirfd(w->dir), &st) < 0)
        return gn_err_sys(err, errno, "cannot look at a folder");
    top->dev = st.st_dev;
    top->ino = st.st_ino;
    rc = list(w, &is_env, err);
    if (!rc && is_env)
        goto out;
    if (!rc && w->path_len && !add_found(w, &st, err))
        rc = err->code;
    if (!rc)
        rc = gn_rules_enter(w->rules, dirfd(w->dir), w->path, err);
    for (size_t i = 0; !rc && i < w->names.n; i++)
        rc = look_at(w, top, w->names.v[i], w->types.ptr[i], err);
out:
    gn_strs_clear(&w->names);
    gn_buf_reset(&w->types);
    return rc;
}

static void push(struct walker *w)
{
    GN_GROW(w->stack, w->depth, w->cap);
    w->stack[w->depth++] = (struct frame){.path_len = w->path_len};
}

static int go_down(struct walker *w, const char *name, struct gn_err *err)
{
    char shown[GN_SHOWN];
    int rc = set_name(w, w->stack[w->depth - 1].path_len, name, err);
    int fd;

    if (rc)
        return rc;
    fd = openat(dirfd(w->dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return GN_OK; /* gone since it was listed */
    if (fd < 0)
        return gn_err_sys(err, errno, "cannot open '%s'", gn_shown(w->path, shown));
    closedir(w->dir);
    w->dir = fdopendir(fd);
    if (!w->dir) {
        rc = gn_err_sys(err, errno, "cannot open '%s'", gn_shown(w->path, shown));
        gn_fs_close(fd);
        return rc;
    }
    push(w);
    return read_folder(w, err);
}

/* Back to the folder above, which must still be the one we came from. */
static int go_up(struct walker *w, struct gn_err *err)
{
    struct frame *top = &w->stack[w->depth - 1], *above = top - 1;
    char shown[GN_SHOWN];
    struct stat st;
    int fd = -1;

    w->path_len = top->path_len;
    w->path[w->path_len] = '\0';
    gn_rules_leave(w->rules, w->path);
    gn_strs_clear(&top->subs);
    w->depth--;
    if (!w->depth)
        return GN_OK;
    fd = openat(dirfd(w->dir), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != above->dev || st.st_ino != above->ino) {
        gn_fs_close(fd);
        return gn_err_set(err, GN_E_CHANGED, "'%s' was moved while it was read",
                          gn_shown(w->path, shown));
    }
    closedir(w->dir);
    w->dir = fdopendir(fd);
    if (!w->dir) {
        gn_fs_close(fd);
        return gn_err_sys(err, errno, "cannot open a folder");
    }
    return GN_OK;
}

static int walk_folder(struct walker *w, int root, struct gn_err *err)
{
    int rc;

    w->dir = fdopendir(root);
    if (!w->dir) {
        rc = gn_err_sys(err, errno, "cannot open '%.300s'", w->opts->root);
        gn_fs_close(root);
        return rc;
    }
    push(w);
    rc = read_folder(w, err);
    while (!rc && w->depth) {
        struct frame *top = &w->stack[w->depth - 1];

        if (top->next < top->subs.n)
            rc = go_down(w, top->subs.v[top->next++], err);
        else
            rc = go_up(w, err);
    }
    return rc;
}

/* The root is one file: its last name is its path. */
static int walk_file(struct walker *w, struct gn_err *err)
{
    struct stat st;
    int rc = set_name(w, 0, gn_path_base(w->opts->root), err);

    if (rc)
        return rc;
    if (stat(w->opts->root, &st) < 0)
        return gn_err_sys(err, errno, "cannot look at '%.300s'", w->opts->root);
    if (!S_ISREG(st.st_mode))
        return gn_err_set(err, GN_E_FAIL, "'%.300s' is neither a file nor a folder", w->opts->root);
    return add_found(w, &st, err) ? GN_OK : err->code;
}

int gn_walk(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, struct gn_walk *out,
            struct gn_err *err)
{
    struct walker w = {.ctx = ctx, .opts = opts, .out = out};
    struct gn_tree tree = GN_TREE_INIT;
    int rc = gn_tree_open(&tree, opts->root, err);

    w.names = (struct gn_strs)GN_STRS_INIT;
    w.types = (struct gn_buf)GN_BUF_INIT(MAX_ENTRIES + 1);
    if (!rc)
        rc = gn_rules_open(ctx, opts, &w.rules, err);
    if (rc)
        goto out;
    if (tree.root < 0) {
        rc = walk_file(&w, err);
    } else {
        rc = walk_folder(&w, tree.root, err);
        tree.root = -1; /* closed with the walk */
        if (!rc)
            rc = gn_walk_stat(ctx, opts->root, out, err);
    }
out:
    while (w.depth)
        gn_strs_clear(&w.stack[--w.depth].subs);
    free(w.stack);
    gn_strs_clear(&w.names);
    gn_buf_clear(&w.types);
    if (w.dir)
        closedir(w.dir);
    gn_rules_free(w.rules);
    gn_tree_close(&tree);
    return rc;
}
