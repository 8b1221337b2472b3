#include "blocks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnrrun/fs.h"
#include "wire.h"

#define BLOCK_MIN   ((uint64_t)128 << 10)
#define BLOCKS_MAX  ((uint64_t)131072)
#define READERS_MAX 8
#define TAKEN       8 /* blocks that a reader takes at a time */
#define KEPT_S      (30 * 86400)
#define MAGIC       "gnrrun blocks 1"

bool gn_entry_is_large(const struct gn_entry *e)
{
    return e->kind == GN_FILE && e->size >= GN_LARGE && !gn_entry_is_huge_sparse(e);
}

static struct gn_blocks blocks_of(uint64_t size)
{
    struct gn_blocks b = {.size = size, .block = BLOCK_MIN};

    while (size / b.block >= BLOCKS_MAX)
        b.block *= 2;
    b.n = (size_t)((size + b.block - 1) / b.block);
    return b;
}

void gn_blocks_clear(struct gn_blocks *b)
{
    free(b->hash);
    *b = (struct gn_blocks)GN_BLOCKS_INIT;
}

static void begin_root(struct gn_hash *h, const struct gn_blocks *b)
{
    uint8_t head[16];

    for (unsigned k = 0; k < 8; k++) {
        head[k] = (uint8_t)(b->size >> (8 * k));
        head[8 + k] = (uint8_t)(b->block >> (8 * k));
    }
    gn_hash_reset(h);
    gn_hash_add(h, MAGIC, sizeof MAGIC - 1);
    gn_hash_add(h, head, sizeof head);
}

void gn_blocks_root(const struct gn_blocks *b, uint8_t hash[GN_HASH_LEN])
{
    struct gn_hash *h = gn_hash_new();

    begin_root(h, b);
    gn_hash_add(h, b->hash, b->n * GN_HASH_LEN);
    gn_hash_end(h, hash);
    gn_hash_free(h);
}

/* --- one after the other -------------------------------------------------------------------- */

struct gn_block_hash {
    struct gn_blocks b; /* without a list */
    struct gn_hash *root, *leaf;
    uint64_t in_leaf;
};

struct gn_block_hash *gn_block_hash_new(uint64_t size)
{
    struct gn_block_hash *h = gn_new(struct gn_block_hash);

    h->b = blocks_of(size);
    h->root = gn_hash_new();
    h->leaf = gn_hash_new();
    begin_root(h->root, &h->b);
    return h;
}

static void end_leaf(struct gn_block_hash *h)
{
    uint8_t leaf[GN_HASH_LEN];

    gn_hash_end(h->leaf, leaf);
    gn_hash_reset(h->leaf);
    gn_hash_add(h->root, leaf, sizeof leaf);
    h->in_leaf = 0;
}

void gn_block_hash_add(struct gn_block_hash *h, const void *data, size_t len)
{
    const uint8_t *p = data;

    while (len) {
        uint64_t room = h->b.block - h->in_leaf;
        size_t n = len < room ? len : (size_t)room;

        gn_hash_add(h->leaf, p, n);
        h->in_leaf += n;
        p += n;
        len -= n;
        if (h->in_leaf == h->b.block)
            end_leaf(h);
    }
}

void gn_block_hash_end(struct gn_block_hash *h, uint8_t hash[GN_HASH_LEN])
{
    if (h->in_leaf)
        end_leaf(h);
    gn_hash_end(h->root, hash);
}

void gn_block_hash_free(struct gn_block_hash *h)
{
    if (!h)
        return;
    gn_hash_free(h->root);
    gn_hash_free(h->leaf);
    free(h);
}

/* --- all cores at once ---------------------------------------------------------------------- */

struct reading {
    int fd;
    const char *path;
    const struct gn_ctx *ctx;
    void (*progress)(void *arg, uint64_t bytes);
    void *progress_arg;
    struct gn_blocks *b;
    _Atomic size_t next;
    _Atomic bool stop;
};

struct block_reader {
    struct reading *of;
    pthread_t thread;
    bool started, tells;
    int rc;
    struct gn_err err;
};

static size_t block_len(const struct gn_blocks *b, size_t i)
{
    uint64_t left = b->size - (uint64_t)i * b->block;

    return (size_t)(left < b->block ? left : b->block);
}

static int hash_block(struct block_reader *r, struct gn_hash *h, uint8_t *buf, size_t i)
{
    struct reading *of = r->of;
    uint64_t at = (uint64_t)i * of->b->block;
    size_t left = block_len(of->b, i);

    gn_hash_reset(h);
    while (left) {
        size_t n = left < BLOCK_MIN ? left : (size_t)BLOCK_MIN;
        int rc = gn_read_at(of->fd, of->path, at, buf, n, &r->err);

        if (rc)
            return rc;
        gn_hash_add(h, buf, n);
        at += n;
        left -= n;
    }
    gn_hash_end(h, of->b->hash + i * GN_HASH_LEN);
    return GN_OK;
}

static void *read_some(void *arg)
{
    struct block_reader *r = arg;
    struct reading *of = r->of;
    struct gn_hash *h = gn_hash_new();
    uint8_t *buf = gn_realloc(NULL, BLOCK_MIN, 1);
    uint64_t told = 0;

    while (!r->rc && !atomic_load(&of->stop)) {
        size_t i = atomic_fetch_add(&of->next, TAKEN), end = i + TAKEN;

        if (i >= of->b->n)
            break;
        if (gn_interrupted(of->ctx))
            r->rc = gn_err_set(&r->err, GN_E_CANCEL, "interrupted");
        for (; i < end && i < of->b->n && !r->rc; i++)
            r->rc = hash_block(r, h, buf, i);
        if (r->tells && of->progress && !r->rc) {
            uint64_t done = (uint64_t)i * of->b->block;

            done = done < of->b->size ? done : of->b->size;
            if (done > told)
                of->progress(of->progress_arg, done - told);
            told = done > told ? done : told;
        }
    }
    if (r->rc)
        atomic_store(&of->stop, true);
    else if (r->tells && of->progress && told < of->b->size)
        of->progress(of->progress_arg, of->b->size - told);
    free(buf);
    gn_hash_free(h);
    return NULL;
}

static size_t count_readers(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return cores < 1 ? 1 : cores > READERS_MAX ? READERS_MAX : (size_t)cores;
}

int gn_blocks_read(int fd, const char *path, uint64_t size, const struct gn_ctx *ctx,
                   void (*progress)(void *arg, uint64_t bytes), void *progress_arg,
                   struct gn_blocks *out, struct gn_err *err)
{
    struct reading of = {.fd = fd, .path = path, .ctx = ctx, .progress = progress, .b = out};
    struct block_reader r[READERS_MAX];
    size_t n = count_readers();
    sigset_t all, old;
    int rc = GN_OK;

    *out = blocks_of(size);
    out->hash = gn_calloc(out->n + 1, GN_HASH_LEN);
    of.progress_arg = progress_arg;
    for (size_t i = 0; i < n; i++)
        r[i] = (struct block_reader){.of = &of, .tells = i == 0, .err = GN_ERR_INIT};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (size_t i = 1; i < n; i++)
        r[i].started = pthread_create(&r[i].thread, NULL, read_some, &r[i]) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    read_some(&r[0]);
    for (size_t i = 0; i < n; i++) {
        if (r[i].started)
            pthread_join(r[i].thread, NULL);
        if (!rc && r[i].rc) {
            rc = r[i].rc;
            *err = r[i].err;
        }
    }
    if (rc)
        gn_blocks_clear(out);
    return rc;
}

/* --- lists that are kept -------------------------------------------------------------------- */

static char *list_path(const struct gn_ctx *ctx, const uint8_t hash[GN_HASH_LEN])
{
    char hex[GN_HASH_HEX];

    gn_hex(hash, GN_HASH_LEN, hex);
    return gn_printf("%s/blocks/%s", ctx->cache_dir, hex);
}

static void prune(const char *dir, time_t now)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    struct stat st;

    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_mtime + KEPT_S < now)
            (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

void gn_blocks_save(const struct gn_blocks *b, const struct gn_ctx *ctx)
{
    struct gn_err ignored = GN_ERR_INIT;
    uint8_t hash[GN_HASH_LEN];
    char *dir = gn_printf("%s/blocks", ctx->cache_dir);
    char *path;

    gn_blocks_root(b, hash);
    path = list_path(ctx, hash);
    if (utimensat(AT_FDCWD, path, NULL, 0) < 0 && errno == ENOENT &&
        !gn_fs_mkdirs(dir, 0700, &ignored) && gn_fs_keep(path, b->hash, b->n * GN_HASH_LEN))
        prune(dir, (time_t)ctx->wall_s(ctx));
    gn_err_clear(&ignored);
    free(path);
    free(dir);
}

bool gn_blocks_load(const struct gn_ctx *ctx, const uint8_t hash[GN_HASH_LEN], uint64_t size,
                    struct gn_blocks *out)
{
    struct gn_buf text = GN_BUF_INIT((size_t)(BLOCKS_MAX + 1) * GN_HASH_LEN);
    struct gn_err ignored = GN_ERR_INIT;
    char *path = list_path(ctx, hash);
    uint8_t is[GN_HASH_LEN];

    *out = blocks_of(size);
    if (!gn_fs_read(path, &text, &ignored) && text.len == out->n * GN_HASH_LEN) {
        out->hash = gn_calloc(out->n + 1, GN_HASH_LEN);
        memcpy(out->hash, text.ptr, text.len);
        gn_blocks_root(out, is);
        if (memcmp(is, hash, sizeof is) != 0) /* torn, or not ours */
            gn_blocks_clear(out);
    }
    (void)utimensat(AT_FDCWD, path, NULL, 0);
    gn_err_clear(&ignored);
    gn_buf_clear(&text);
    free(path);
    return out->hash != NULL;
}

bool gn_blocks_diff(const struct gn_blocks *was, const struct gn_blocks *now,
                    struct gn_extents *out)
{
    gn_extents_clear(out);
    if (was->block != now->block)
        return false;
    for (size_t i = 0; i < now->n; i++) {
        bool same =
            i < was->n && block_len(was, i) == block_len(now, i) &&
            memcmp(was->hash + i * GN_HASH_LEN, now->hash + i * GN_HASH_LEN, GN_HASH_LEN) == 0;

        if (!same)
            gn_extents_add(out, (uint64_t)i * now->block, block_len(now, i));
    }
    gn_extents_join(out);
    return true;
}
