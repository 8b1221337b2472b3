/*
 * hashall.c - read and hash many files, with several threads: what a scan of a new tree takes its time for.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "blocks.h"
#include "content.h"
#include "gnrrun/fs.h"
#include "guard.h"
#include "scan.h"
#include "tree.h"

#define TRIES         4 /* the first, and three more */
#define HASHERS_MAX   8
#define PER_HASHER    ((uint64_t)4 << 20) /* so many bytes are worth one more */
#define NAME_BYTES    ((uint64_t)1 << 10) /* what a million files take is taken off what is kept */
#define KEEP_BELOW    ((uint64_t)1 << 20) /* what a kept file has at most */
#define SHOW_PROGRESS ((uint64_t)128 << 20) /* so much to hash takes a moment */

struct hashing {
    const struct gn_ctx *ctx;
    const struct gn_scan_opts *opts;
    struct gn_walk *walk;
    _Atomic size_t next; /* the first that no reader has taken */
    _Atomic bool stop;   /* one has failed */
    _Atomic uint64_t kept;
    _Atomic uint64_t done; /* of total bytes to hash */
    uint64_t keep;         /* the most that may be kept */
    uint64_t total, small; /* small: what is not large of it */
};

/* One who reads files: there are several when there is much to read. */
struct hasher {
    struct hashing *s;
    struct gn_tree tree;
    struct gn_reader reader;
    struct gn_arena *kept;
    bool tells; /* the one on the caller's thread */
    pthread_t thread;
    bool started;
    int rc;
    struct gn_err err;
};

static void tell_progress(void *arg, uint64_t bytes)
{
    struct hasher *h = arg;
    struct hashing *s = h->s;
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
    struct hashing *s = h->s;
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

static bool may_keep(struct hashing *s, const struct gn_found *f)
{
    uint64_t size = f->e.size;

    return size < KEEP_BELOW && s->keep && atomic_fetch_add(&s->kept, size) + size <= s->keep;
}

static int hash_and_keep(struct hasher *h, struct gn_found *f, int fd, struct gn_err *err)
{
    size_t size = (size_t)f->e.size;
    uint8_t *all = gn_arena_room(h->kept, size);
    int rc = gn_read_at(fd, f->e.path, 0, all, size, err);

    if (rc)
        return rc;
    gn_hash_reset(h->reader.hash);
    gn_hash_add(h->reader.hash, all, size);
    gn_hash_end(h->reader.hash, f->e.hash);
    f->e.content = all;
    tell_progress(h, size);
    return h->reader.data ? judge_head(f, 0, all, size, err) : GN_OK;
}

static int hash_content(struct hasher *h, struct gn_found *f, int fd, struct gn_err *err)
{
    struct gn_extents x = GN_EXTENTS_INIT;
    int rc;

    if (may_keep(h->s, f))
        return hash_and_keep(h, f, fd, err);
    f->e.content = NULL;
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
    struct hashing *s = h->s;

    while (!h->rc && !atomic_load(&s->stop)) {
        size_t i = atomic_fetch_add(&s->next, 1);

        if (i >= s->walk->n)
            break;
        if (s->walk->v[i].todo && !gn_entry_is_large(&s->walk->v[i].e))
            h->rc = hash_file(h, &s->walk->v[i], &h->err);
    }
    if (h->rc)
        atomic_store(&s->stop, true);
    return NULL;
}

/* The large ones, one after the other: each takes all cores. */
static int hash_large_ones(struct hasher *h, struct gn_err *err)
{
    struct hashing *s = h->s;
    int rc = GN_OK;

    for (size_t i = 0; i < s->walk->n && !rc; i++)
        if (s->walk->v[i].todo && !s->walk->v[i].hashed)
            rc = hash_file(h, &s->walk->v[i], err);
    return rc;
}

static int hasher_open(struct hasher *h, struct hashing *s, bool tells, struct gn_err *err)
{
    *h = (struct hasher){.s = s, .tree = GN_TREE_INIT, .tells = tells, .err = GN_ERR_INIT};
    gn_reader_init(&h->reader, s->ctx);
    h->reader.progress = tell_progress;
    h->reader.progress_arg = h;
    h->kept = gn_arena_new();
    return gn_tree_open(&h->tree, s->opts->root, err);
}

static void hasher_close(struct hasher *h)
{
    gn_arena_merge(h->s->walk->arena, h->kept);
    gn_reader_clear(&h->reader);
    gn_tree_close(&h->tree);
}

static size_t count_hashers(const struct hashing *s)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = (size_t)(s->small / PER_HASHER);

    n = cores > 0 && n > (size_t)cores ? (size_t)cores : n;
    return n < 1 ? 1 : n > HASHERS_MAX ? HASHERS_MAX : n;
}

static int read_all(struct hashing *s, struct gn_err *err)
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

int gn_walk_hash(const struct gn_ctx *ctx, const struct gn_scan_opts *opts, struct gn_walk *w,
                 struct gn_err *err)
{
    struct hashing s = {.ctx = ctx, .opts = opts, .walk = w};
    int rc;

    for (size_t i = 0; i < w->n; i++) {
        const struct gn_found *f = &w->v[i];

        s.total += f->todo ? f->e.size + 1 : 0;
        s.small += f->todo && !gn_entry_is_large(&f->e) ? f->e.size : 0;
    }
    if (opts->keep_bytes / NAME_BYTES > w->n)
        s.keep = opts->keep_bytes - w->n * NAME_BYTES;
    rc = s.total ? read_all(&s, err) : GN_OK;
    if (!rc && s.total >= SHOW_PROGRESS)
        gn_event_progress(ctx, "hashing", s.total, s.total);
    return rc;
}
