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
#define PER_HASHER    ((uint64_t)4 << 20)  /* so many bytes are worth one more */
#define PER_FILE      ((uint64_t)16 << 10) /* to open one takes as long as to read so many */
#define NAME_BYTES    ((uint64_t)1 << 10)  /* what a million files take is taken off what is kept */
#define KEEP_BELOW    ((uint64_t)1 << 20)  /* what a kept file has at most */
#define SHOW_PROGRESS ((uint64_t)128 << 20) /* so much to hash takes a moment */

struct hashing {
    struct gn_scan *scan;
    const struct gn_ctx *ctx;
    const struct gn_scan_opts *opts;
    _Atomic size_t next; /* the first that no reader has taken */
    _Atomic bool stop;   /* one has failed */
    _Atomic uint64_t kept;
    _Atomic uint64_t done; /* of total bytes to hash */
    uint64_t keep;         /* the most that may be kept */
    uint64_t total, work;  /* work: what is not large of it, and what each file costs */
};

/* One who reads files: there are several when there is much to read. */
struct hasher {
    struct hashing *s;
    struct gn_tree tree;
    struct gn_reader reader;
    struct gn_arena *kept;
    struct gn_secrets secrets;
    const struct gn_entry *at; /* what is read, */
    const char *secret;        /* and what its first bytes look like; NULL: nothing of the kind */
    bool tells;                /* the one on the caller's thread */
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

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* What the guard says of the file's first bytes. */
static int judge_head(void *arg, uint64_t at, const uint8_t *data, size_t len, struct gn_err *err)
{
    struct hasher *h = arg;

    (void)err;
    if (at == 0)
        h->secret = gn_guard_content(h->at->path, data, len);
    return GN_OK;
}

static int hash_large(struct hasher *h, struct gn_entry *e, int fd, struct gn_err *err)
{
    struct hashing *s = h->s;
    struct gn_blocks b = GN_BLOCKS_INIT;
    int rc = GN_OK;

    if (h->reader.data)
        rc = gn_read_at(fd, e->path, 0, h->reader.buf, GN_GUARD_HEAD, err);
    if (!rc && h->reader.data)
        rc = judge_head(h, 0, h->reader.buf, GN_GUARD_HEAD, err);
    if (!rc)
        rc = gn_blocks_read(fd, e->path, e->size, s->ctx, tell_progress, h, &b, err);
    if (rc)
        return rc;
    gn_blocks_root(&b, e->hash);
    if (s->opts->cache_file)
        gn_blocks_save(&b, s->ctx);
    gn_blocks_clear(&b);
    return GN_OK;
}

static bool may_keep(struct hashing *s, const struct gn_entry *e)
{
    uint64_t size = e->size;

    return size < KEEP_BELOW && s->keep && atomic_fetch_add(&s->kept, size) + size <= s->keep;
}

static int hash_and_keep(struct hasher *h, struct gn_entry *e, int fd, struct gn_err *err)
{
    size_t size = (size_t)e->size;
    uint8_t *all = gn_arena_room(h->kept, size);
    int rc = gn_read_at(fd, e->path, 0, all, size, err);

    if (rc)
        return rc;
    gn_hash_reset(h->reader.hash);
    gn_hash_add(h->reader.hash, all, size);
    gn_hash_end(h->reader.hash, e->hash);
    e->content = all;
    tell_progress(h, size);
    return h->reader.data ? judge_head(h, 0, all, size, err) : GN_OK;
}

static int hash_content(struct hasher *h, struct gn_entry *e, int fd, struct gn_err *err)
{
    struct gn_extents x = GN_EXTENTS_INIT;
    int rc;

    if (may_keep(h->s, e))
        return hash_and_keep(h, e, fd, err);
    e->content = NULL;
    h->reader.how = gn_entry_hashing(e);
    if (h->reader.how == GN_HASH_BLOCKS)
        return hash_large(h, e, fd, err);
    gn_extents_find(fd, e->size, e->blocks, &x);
    rc = gn_reader_run(&h->reader, fd, e->path, e->size, &x, e->hash, err);
    gn_extents_clear(&x);
    return rc;
}

/*
 * One reading: *quiet tells whether the file stood still meanwhile; e becomes what it is now.  What is too
 * young to be told from its next content gets no stamp.
 */
static int hash_once(struct hasher *h, struct gn_entry *e, bool *quiet, struct gn_err *err)
{
    char shown[GN_SHOWN];
    struct stat st, after;
    int fd = -1;
    int rc = gn_tree_file(&h->tree, e->path, &fd, err);

    if (rc)
        return rc;
    *quiet = false;
    if (fstat(fd, &st) < 0) {
        rc = gn_err_sys(err, errno, "cannot look at '%s'", gn_shown(e->path, shown));
        goto out;
    }
    gn_entry_stat(e, &st);
    e->stamp = (int64_t)st.st_ctim.tv_sec + 1 >= h->s->scan->start_s ? 0 : gn_stamp(&st);
    rc = hash_content(h, e, fd, err);
    if (rc == GN_E_CHANGED)
        rc = GN_OK; /* became shorter: the next reading tells */
    else if (!rc && fstat(fd, &after) == 0)
        *quiet = same_file(&st, &after);
out:
    gn_fs_close(fd);
    return rc;
}

static int hash_file(struct hasher *h, struct gn_entry *e, struct gn_err *err)
{
    const struct gn_scan_opts *opts = h->s->opts;
    char shown[GN_SHOWN];
    bool quiet = false;

    h->at = e;
    h->reader.data = opts->everything ? NULL : judge_head;
    h->reader.data_arg = h;
    for (unsigned i = 0; i < TRIES && !quiet; i++) {
        int rc;

        h->secret = NULL;
        rc = hash_once(h, e, &quiet, err);
        if (rc)
            return rc;
    }
    if (!quiet) {
        gn_err_set(err, GN_E_CHANGED, "'%s' changes while it is read", gn_shown(e->path, shown));
        return gn_err_hint(err, "wait until it is written, or add it to .gnrrunignore");
    }
    e->clean = !opts->everything && !h->secret;
    if (h->secret && !gn_is_allowed(opts->allow, e->path))
        gn_secrets_add(&h->secrets, e->path, h->secret);
    return GN_OK;
}

/* Take files until there are none. */
static void *hash_some(void *arg)
{
    struct hasher *h = arg;
    struct hashing *s = h->s;

    while (!h->rc && !atomic_load(&s->stop)) {
        size_t i = atomic_fetch_add(&s->next, 1);
        struct gn_entry *e;

        if (i >= s->scan->n_todo)
            break;
        if (i % 64 == 0 && gn_interrupted(s->ctx)) {
            h->rc = gn_err_set(&h->err, GN_E_CANCEL, "interrupted");
            break;
        }
        e = &s->scan->m->v[s->scan->todo[i]];
        if (!gn_entry_is_large(e))
            h->rc = hash_file(h, e, &h->err);
    }
    if (h->rc)
        atomic_store(&s->stop, true);
    return NULL;
}

/* The large ones, one after the other: each takes all cores. */
static int hash_large_ones(struct hasher *h, struct gn_err *err)
{
    struct gn_scan *s = h->s->scan;
    int rc = GN_OK;

    for (size_t i = 0; i < s->n_todo && !rc; i++)
        if (gn_entry_is_large(&s->m->v[s->todo[i]]))
            rc = hash_file(h, &s->m->v[s->todo[i]], err);
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
    gn_arena_merge(h->s->scan->m->arena, h->kept);
    gn_reader_clear(&h->reader);
    gn_tree_close(&h->tree);
}

static size_t count_hashers(const struct hashing *s)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = (size_t)(s->work / PER_HASHER);

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
        gn_secrets_join(&s->scan->secrets, &h[i].secrets);
    }
    if (!rc)
        rc = hash_large_ones(&h[0], err);
    if (!rc)
        gn_secrets_join(&s->scan->secrets, &h[0].secrets);
    for (size_t i = 0; i < opened; i++)
        hasher_close(&h[i]);
    return rc;
}

int gn_scan_hash(struct gn_scan *scan, struct gn_err *err)
{
    struct hashing s = {.scan = scan, .ctx = scan->ctx, .opts = scan->opts};
    int rc;

    for (size_t i = 0; i < scan->n_todo; i++) {
        const struct gn_entry *e = &scan->m->v[scan->todo[i]];

        s.total += e->size + 1;
        s.work += gn_entry_is_large(e) ? 0 : e->size + PER_FILE;
    }
    if (s.opts->keep_bytes / NAME_BYTES > scan->m->n)
        s.keep = s.opts->keep_bytes - scan->m->n * NAME_BYTES;
    rc = s.total ? read_all(&s, err) : GN_OK;
    if (!rc && s.total >= SHOW_PROGRESS)
        gn_event_progress(s.ctx, "hashing", s.total, s.total);
    return rc;
}
