#include "scan.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blocks.h"
#include "cache.h"
#include "content.h"
#include "gnrrun/fs.h"
#include "guard.h"
#include "manifest.h"
#include "tree.h"

#define TRIES         4 /* the first, and three more */
#define HASHERS_MAX   8
#define PER_HASHER    ((uint64_t)4 << 20)   /* so many bytes are worth one more */
#define SHOW_PROGRESS ((uint64_t)128 << 20) /* so much to hash takes a moment */

struct scan {
    const struct gn_ctx *ctx;
    const struct gn_scan_opts *opts;
    struct gn_walk walk;
    struct gn_cache old, fresh;
    _Atomic size_t next; /* the first that no reader has taken */
    _Atomic bool stop;   /* one has failed */
    size_t old_at;
    bool dirty;            /* fresh is not what old is */
    int64_t start_s;       /* files touched since then, or shortly before, are racy */
    _Atomic uint64_t done; /* of total bytes to hash */
    uint64_t total, small; /* small: what is not large of it */
    const char *secret;    /* what the first one is; NULL: none */
    const char *secret_at; /* its path */
    size_t n_secrets;
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct gn_found *)a)->e.path, ((const struct gn_found *)b)->e.path);
}

static void note_secret(struct scan *s, const char *path, const char *what)
{
    if (!s->n_secrets++) {
        s->secret = what;
        s->secret_at = path;
    }
}

/* Names first: nothing has to be read for them. */
static void guard_names(struct scan *s)
{
    for (size_t i = 0; i < s->walk.n; i++) {
        const struct gn_entry *e = &s->walk.v[i].e;
        const char *what = e->kind == GN_FILE ? gn_guard_name(e->path) : NULL;

        if (what && !gn_is_allowed(s->opts->allow, e->path))
            note_secret(s, e->path, what);
    }
}

static int refuse_secrets(const struct scan *s, struct gn_err *err)
{
    char shown[GN_SHOWN], more[48] = "";

    if (!s->n_secrets)
        return GN_OK;
    if (s->n_secrets > 1)
        snprintf(more, sizeof more, " (and %zu more)", s->n_secrets - 1);
    gn_shown(s->secret_at, shown);
    gn_err_set(err, GN_E_CONFIG, "'%s' looks like %s%s: nothing was sent", shown, s->secret, more);
    return gn_err_hint(err, "add '%s' to .gnrrunignore, or pass --allow %s if it shall be shipped",
                       shown, shown);
}

/* The bytes below prefix (len bytes), and the part of it that is largest. */
static uint64_t largest_below(const struct gn_walk *w, const char *prefix, size_t len,
                              const char **best, size_t *best_len, uint64_t *best_bytes)
{
    uint64_t all = 0, bytes = 0;
    const char *group = NULL;
    size_t group_len = 0;

    *best_bytes = 0;
    for (size_t i = 0; i < w->n; i++) {
        const char *path = w->v[i].e.path;
        size_t n;

        if (strncmp(path, prefix, len) != 0 || (len && path[len] != '/'))
            continue;
        n = len + (len > 0);
        n += strcspn(path + n, "/");
        if (!group || group_len != n || memcmp(group, path, n) != 0)
            bytes = 0;
        group = path;
        group_len = n;
        bytes += w->v[i].e.size;
        all += w->v[i].e.size;
        if (bytes > *best_bytes) {
            *best = path;
            *best_len = n;
            *best_bytes = bytes;
        }
    }
    return all;
}

/* Go down while one part makes up nearly all: that is the culprit. */
static int refuse_size(const struct scan *s, uint64_t total, struct gn_err *err)
{
    const char *path = "";
    char *name;
    char shown[GN_SHOWN], all[32], limit[32], part[32];
    size_t len = 0;
    uint64_t bytes = total;

    for (;;) {
        const char *best = NULL;
        size_t best_len = 0;
        uint64_t best_bytes,
            here = largest_below(&s->walk, path, len, &best, &best_len, &best_bytes);

        if (!best || (len && best_bytes < here / 10 * 8))
            break;
        path = best;
        len = best_len;
        bytes = best_bytes;
    }
    name = gn_strndup(path, len);
    gn_shown(name, shown);
    free(name);
    gn_err_set(err, GN_E_LIMIT,
               "the project has %s, more than the limit of %s; the largest part is '%s' with %s",
               gn_fmt_bytes(total, all), gn_fmt_bytes(s->opts->max_bytes, limit), shown,
               gn_fmt_bytes(bytes, part));
    return gn_err_hint(
        err,
        "data: put `data: [%s]` into gnrrun.yaml, so that it is shipped once for all "
        "runs, or add it to .gnrrunignore",
        shown);
}

static int check_size(const struct scan *s, struct gn_err *err)
{
    uint64_t total = 0;

    for (size_t i = 0; i < s->walk.n; i++) {
        const struct gn_entry *e = &s->walk.v[i].e;
        total += gn_entry_is_huge_sparse(e) ? e->blocks * 512 : e->size;
    }
    if (s->opts->max_bytes && total > s->opts->max_bytes)
        return refuse_size(s, total, err);
    return GN_OK;
}

/* One who reads files: there are several when there is much to read. */
struct hasher {
    struct scan *s;
    struct gn_tree tree;
    struct gn_reader reader;
    bool tells; /* the one on the caller's thread */
    pthread_t thread;
    bool started;
    int rc;
    struct gn_err err;
};

static void tell_progress(void *arg, uint64_t bytes)
{
    struct hasher *h = arg;
    struct scan *s = h->s;
    uint64_t done = atomic_fetch_add(&s->done, bytes) + bytes;

    if (h->tells && s->total >= SHOW_PROGRESS)
        gn_event_progress(s->ctx, "hashing", done, s->total > done ? s->total : done + 1);
}

static bool same_file(const struct gn_found *a, const struct gn_found *b)
{
    return a->ino == b->ino && a->e.size == b->e.size && a->e.mtime_ns == b->e.mtime_ns &&
           a->ctime_ns == b->ctime_ns;
}

/* What the guard says of the file's first bytes. */
static int judge_head(void *arg, uint64_t at, const uint8_t *data, size_t len, struct gn_err *err)
{
    struct gn_found *f = arg;

    (void)err;
    if (at == 0)
        f->secret = gn_guard_content(f->e.path, data, len);
    return GN_OK;
}

static int hash_large(struct hasher *h, struct gn_found *f, int fd, struct gn_err *err)
{
    struct scan *s = h->s;
    struct gn_blocks b = GN_BLOCKS_INIT;
    int rc = GN_OK;

    if (h->reader.data)
        rc = gn_read_at(fd, f->e.path, 0, h->reader.buf, GN_GUARD_HEAD, err);
    if (!rc && h->reader.data)
        rc = judge_head(f, 0, h->reader.buf, GN_GUARD_HEAD, err);
    if (!rc)
        rc = gn_blocks_read(fd, f->e.path, f->e.size, s->ctx, tell_progress, h, &b, err);
    if (rc)
        return rc;
    gn_blocks_root(&b, f->e.hash);
    if (s->opts->cache_file)
        gn_blocks_save(&b, s->ctx);
    gn_blocks_clear(&b);
    return GN_OK;
}

static int hash_content(struct hasher *h, struct gn_found *f, int fd, struct gn_err *err)
{
    struct gn_extents x = GN_EXTENTS_INIT;
    int rc;

    h->reader.how = gn_entry_hashing(&f->e);
    if (h->reader.how == GN_HASH_BLOCKS)
        return hash_large(h, f, fd, err);
    gn_extents_find(fd, f->e.size, f->e.blocks, &x);
    rc = gn_reader_run(&h->reader, fd, f->e.path, f->e.size, &x, f->e.hash, err);
    gn_extents_clear(&x);
    return rc;
}

/* One reading: *quiet tells whether the file stood still meanwhile; f becomes what it is now. */
static int hash_once(struct hasher *h, struct gn_found *f, bool *quiet, struct gn_err *err)
{
    struct gn_found after = *f;
    char shown[GN_SHOWN];
    struct stat st;
    int fd = -1;
    int rc = gn_tree_file(&h->tree, f->e.path, &fd, err);

    if (rc)
        return rc;
    *quiet = false;
    if (fstat(fd, &st) < 0) {
        rc = gn_err_sys(err, errno, "cannot look at '%s'", gn_shown(f->e.path, shown));
        goto out;
    }
    gn_found_stat(f, &st);
    rc = hash_content(h, f, fd, err);
    if (rc == GN_E_CHANGED)
        rc = GN_OK; /* became shorter: the next reading tells */
    else if (!rc && fstat(fd, &st) == 0) {
        gn_found_stat(&after, &st);
        *quiet = same_file(f, &after);
    }
out:
    gn_fs_close(fd);
    return rc;
}

static int hash_file(struct hasher *h, struct gn_found *f, struct gn_err *err)
{
    char shown[GN_SHOWN];
    bool quiet = false;

    h->reader.data = h->s->opts->everything ? NULL : judge_head;
    h->reader.data_arg = f;
    for (unsigned i = 0; i < TRIES && !quiet; i++) {
        int rc;

        f->secret = NULL;
        rc = hash_once(h, f, &quiet, err);
        if (rc)
            return rc;
    }
    if (!quiet) {
        gn_err_set(err, GN_E_CHANGED, "'%s' changes while it is read", gn_shown(f->e.path, shown));
        return gn_err_hint(err, "wait until it is written, or add it to .gnrrunignore");
    }
    f->hashed = true;
    return GN_OK;
}

/* Take files until there are none. */
static void *hash_some(void *arg)
{
    struct hasher *h = arg;
    struct scan *s = h->s;

    while (!h->rc && !atomic_load(&s->stop)) {
        size_t i = atomic_fetch_add(&s->next, 1);

        if (i >= s->walk.n)
            break;
        if (s->walk.v[i].todo && !gn_entry_is_large(&s->walk.v[i].e))
            h->rc = hash_file(h, &s->walk.v[i], &h->err);
    }
    if (h->rc)
        atomic_store(&s->stop, true);
    return NULL;
}

/* The large ones, one after the other: each takes all cores. */
static int hash_large_ones(struct hasher *h, struct gn_err *err)
{
    struct scan *s = h->s;
    int rc = GN_OK;

    for (size_t i = 0; i < s->walk.n && !rc; i++)
        if (s->walk.v[i].todo && !s->walk.v[i].hashed)
            rc = hash_file(h, &s->walk.v[i], err);
    return rc;
}

static int hasher_open(struct hasher *h, struct scan *s, bool tells, struct gn_err *err)
{
    *h = (struct hasher){.s = s, .tree = GN_TREE_INIT, .tells = tells, .err = GN_ERR_INIT};
    gn_reader_init(&h->reader, s->ctx);
    h->reader.progress = tell_progress;
    h->reader.progress_arg = h;
    return gn_tree_open(&h->tree, s->opts->root, err);
}

static void hasher_close(struct hasher *h)
{
    gn_reader_clear(&h->reader);
    gn_tree_close(&h->tree);
}

static size_t count_hashers(const struct scan *s)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = (size_t)(s->small / PER_HASHER);

    n = cores > 0 && n > (size_t)cores ? (size_t)cores : n;
    return n < 1 ? 1 : n > HASHERS_MAX ? HASHERS_MAX : n;
}

static int read_all(struct scan *s, struct gn_err *err)
{
    struct hasher h[HASHERS_MAX];
    size_t n = count_hashers(s), opened = 0;
    sigset_t all, old;
    int rc = GN_OK;

    for (; opened < n && !rc; opened++)
        rc = hasher_open(&h[opened], s, opened == 0, err);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (size_t i = 1; i < n && !rc; i++)
        h[i].started = pthread_create(&h[i].thread, NULL, hash_some, &h[i]) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!rc)
        hash_some(&h[0]);
    for (size_t i = 0; i < opened; i++) {
        if (i && h[i].started)
            pthread_join(h[i].thread, NULL);
        if (!rc && h[i].rc) {
            rc = h[i].rc;
            *err = h[i].err;
        }
    }
    if (!rc)
        rc = hash_large_ones(&h[0], err);
    for (size_t i = 0; i < opened; i++)
        hasher_close(&h[i]);
    return rc;
}

/* What was read: into the cache, unless it is too young to be told from its next content. */
static void take_hashed(struct scan *s, struct gn_found *f)
{
    struct gn_cached c = {.path = f->e.path,
                          .size = f->e.size,
                          .ino = f->ino,
                          .mtime_ns = f->e.mtime_ns,
                          .ctime_ns = f->ctime_ns,
                          .clean = !s->opts->everything && !f->secret,
                          .hashing = (uint8_t)gn_entry_hashing(&f->e)};

    if (f->secret && !gn_is_allowed(s->opts->allow, f->e.path))
        note_secret(s, f->e.path, f->secret);
    if (f->ctime_ns / 1000000000 + 1 >= s->start_s)
        return;
    f->e.stamp = gn_found_stamp(f);
    memcpy(c.hash, f->e.hash, sizeof c.hash);
    gn_cache_add(&s->fresh, &c);
    s->dirty = true;
}

static bool take_cached(struct scan *s, struct gn_found *f)
{
    const struct gn_cached *c = gn_cache_next(&s->old, &s->old_at, f->e.path);

    if (!c || c->size != f->e.size || c->ino != f->ino || c->mtime_ns != f->e.mtime_ns ||
        c->ctime_ns != f->ctime_ns || c->hashing != gn_entry_hashing(&f->e) ||
        !(c->clean || s->opts->everything))
        return false;
    memcpy(f->e.hash, c->hash, sizeof f->e.hash);
    f->e.stamp = gn_found_stamp(f);
    gn_cache_add(&s->fresh, c);
    return true;
}

static int hash_all(struct scan *s, struct gn_err *err)
{
    int rc = GN_OK;

    for (size_t i = 0; i < s->walk.n; i++) {
        struct gn_found *f = &s->walk.v[i];

        f->todo = f->e.kind == GN_FILE && !take_cached(s, f);
        s->total += f->todo ? f->e.size + 1 : 0;
        s->small += f->todo && !gn_entry_is_large(&f->e) ? f->e.size : 0;
    }
    s->dirty = s->fresh.n != s->old.n;
    if (s->total)
        rc = read_all(s, err);
    for (size_t i = 0; !rc && i < s->walk.n; i++)
        if (s->walk.v[i].hashed)
            take_hashed(s, &s->walk.v[i]);
    if (!rc && s->total >= SHOW_PROGRESS)
        gn_event_progress(s->ctx, "hashing", s->total, s->total);
    return rc;
}

static int cached_by_path(const void *a, const void *b)
{
    return strcmp(((const struct gn_cached *)a)->path, ((const struct gn_cached *)b)->path);
}

static void save_cache(struct scan *s)
{
    if (!s->opts->cache_file || !s->dirty)
        return;
    if (s->fresh.n)
        qsort(s->fresh.v, s->fresh.n, sizeof *s->fresh.v, cached_by_path);
    if (!gn_cache_save(&s->fresh, s->opts->cache_file))
        gn_event_text(s->ctx, GN_EV_DEBUG, "cannot write '%s': the next scan reads all again",
                      s->opts->cache_file);
}

static struct gn_manifest *make_manifest(struct gn_walk *w)
{
    struct gn_manifest *m = gn_new(struct gn_manifest);

    m->v = gn_calloc(w->n + 1, sizeof *m->v);
    for (m->n = 0; m->n < w->n; m->n++)
        m->v[m->n] = w->v[m->n].e;
    m->arena = w->arena;
    w->arena = NULL;
    gn_manifest_seal(m);
    return m;
}

int gn_scan(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, struct gn_manifest **out,
            struct gn_err *err)
{
    struct scan s = {.ctx = ctx, .opts = opts};
    int rc;

    s.start_s = ctx->wall_s(ctx);
    s.walk.arena = gn_arena_new();
    gn_cache_load(&s.old, opts->cache_file);
    rc = gn_walk(ctx, opts, &s.walk, err);
    if (rc)
        goto out;
    if (s.walk.n)
        qsort(s.walk.v, s.walk.n, sizeof *s.walk.v, by_path);
    if (!opts->everything)
        guard_names(&s);
    rc = refuse_secrets(&s, err);
    if (!rc)
        rc = check_size(&s, err);
    if (!rc)
        rc = hash_all(&s, err);
    if (!rc)
        rc = refuse_secrets(&s, err);
    if (rc)
        goto out;
    save_cache(&s);
    *out = make_manifest(&s.walk);
out:
    gn_cache_clear(&s.old);
    gn_cache_clear(&s.fresh);
    gn_arena_free(s.walk.arena);
    free(s.walk.v);
    return rc;
}
